//! Figures of models people commonly use: window, output limit, input kinds, list price.
//!
//! Sources: the vendors' model and pricing pages as of November 2026. A price of zero means that it is not known here.
//! Where a vendor charges more for long prompts, the price is that of short ones. Configuration overrides every figure.

use crate::session::message::Cost;

/// Context window assumed for a model nobody described, in tokens.
pub const DEFAULT_CONTEXT_WINDOW: u64 = 128_000;
/// Output limit assumed for a model nobody described, in tokens.
pub const DEFAULT_MAX_TOKENS: u64 = 8_192;

/// One model of a vendor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CatalogModel {
    /// Provider id, as in `registry`.
    pub provider: &'static str,
    /// Model id as the provider knows it.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Context window in tokens.
    pub context_window: u64,
    /// Most output tokens of one reply.
    pub max_tokens: u64,
    /// Can reason.
    pub reasoning: bool,
    /// Sees images.
    pub images: bool,
    /// US dollars per million tokens: input, output, cache read, cache write.
    pub price: [f64; 4],
}

impl CatalogModel {
    /// The price as the rest of the product holds it.
    pub fn cost(&self) -> Cost {
        cost(self.price)
    }
}

/// `[input, output, cacheRead, cacheWrite]` in US dollars per million tokens as a [`Cost`]; `total` has no meaning in a price and is zero.
pub fn cost([input, output, cache_read, cache_write]: [f64; 4]) -> Cost {
    Cost { input, output, cache_read, cache_write, total: 0.0 }
}

const fn model(
    provider: &'static str,
    id: &'static str,
    name: &'static str,
    (context_window, max_tokens): (u64, u64),
    (reasoning, images): (bool, bool),
    price: [f64; 4],
) -> CatalogModel {
    CatalogModel { provider, id, name, context_window, max_tokens, reasoning, images, price }
}

const TEXT: (bool, bool) = (true, false);
const VISION: (bool, bool) = (true, true);

/// Every model, grouped by provider; within a provider the everyday choice comes first.
pub const MODELS: &[CatalogModel] = &[
    model("anthropic", "claude-sonnet-5-5", "Claude Sonnet 5.5", (1_000_000, 128_000), VISION, [2.0, 10.0, 0.2, 2.5]),
    model("anthropic", "claude-opus-5-5", "Claude Opus 5.5", (1_000_000, 128_000), VISION, [4.0, 20.0, 0.2, 5.0]),
    model("anthropic", "claude-fable-5-1", "Claude Fable 5.1", (1_000_000, 128_000), VISION, [10.0, 50.0, 0.25, 12.5]),
    model("anthropic", "claude-haiku-4-5", "Claude Haiku 4.5", (200_000, 64_000), VISION, [1.0, 5.0, 0.1, 1.25]),
    model("openai", "gpt-6.1-sol", "GPT-6.1 Sol", (1_050_000, 128_000), VISION, [2.0, 10.0, 0.1, 2.5]),
    model("openai", "gpt-6-luna", "GPT-6 Luna", (1_050_000, 128_000), VISION, [0.1, 0.5, 0.01, 0.125]),
    model("openai", "gpt-5.4-mini", "GPT-5.4 mini", (400_000, 128_000), VISION, [0.75, 4.5, 0.075, 0.0]),
    model("openai", "gpt-5-mini", "GPT-5 mini", (400_000, 128_000), VISION, [0.25, 2.0, 0.025, 0.0]),
    model("gemini", "gemini-3.6-flash", "Gemini 3.6 Flash", (1_048_576, 65_536), VISION, [1.5, 7.5, 0.15, 0.0]),
    model(
        "gemini",
        "gemini-3.5-flash-lite",
        "Gemini 3.5 Flash-Lite",
        (1_048_576, 65_536),
        VISION,
        [0.3, 2.5, 0.03, 0.0],
    ),
    model("deepseek", "deepseek-v4-flash", "DeepSeek V4 Flash", (1_000_000, 384_000), TEXT, [0.14, 0.28, 0.0028, 0.0]),
    model("deepseek", "deepseek-v4-pro", "DeepSeek V4 Pro", (1_000_000, 384_000), TEXT, [0.435, 0.87, 0.003_625, 0.0]),
    model("xai", "grok-4.3", "Grok 4.3", (1_000_000, 30_000), VISION, [1.25, 2.5, 0.2, 0.0]),
    model("groq", "openai/gpt-oss-120b", "GPT-OSS 120B", (131_072, 65_536), TEXT, [0.15, 0.6, 0.075, 0.0]),
    model("groq", "openai/gpt-oss-20b", "GPT-OSS 20B", (131_072, 65_536), TEXT, [0.075, 0.3, 0.0375, 0.0]),
];

/// The models of a provider, the everyday choice first.
pub fn of_provider(provider: &str) -> impl Iterator<Item = &'static CatalogModel> {
    MODELS.iter().filter(move |model| model.provider == provider)
}

/// The entry of a model; a dated release (`claude-haiku-4-5-20251001`) has the figures of its undated name.
pub fn find(provider: &str, id: &str) -> Option<&'static CatalogModel> {
    let undated = undated(id);
    of_provider(provider).find(|model| model.id == id || model.id == undated)
}

/// `id` without a trailing `-YYYYMMDD` or `-YYYY-MM-DD`.
fn undated(id: &str) -> &str {
    let is_number = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    let Some((stem, last)) = id.rsplit_once('-') else { return id };
    if is_number(last, 8) {
        return stem;
    }
    let mut parts = stem.rsplitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(month), Some(year), Some(stem)) if is_number(last, 2) && is_number(month, 2) && is_number(year, 4) => {
            stem
        }
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_are_unique_and_have_sane_figures() {
        for (index, model) in MODELS.iter().enumerate() {
            assert!(model.context_window > model.max_tokens, "{}", model.id);
            assert!(model.max_tokens >= 8_192, "{}", model.id);
            let [input, output, cached, _] = model.price;
            assert!(0.0 < cached && cached < input && input < output, "{}", model.id);
            assert!(MODELS[index + 1..].iter().all(|other| (other.provider, other.id) != (model.provider, model.id)));
        }
    }

    #[test]
    fn dated_releases_share_the_figures() {
        let plain = find("anthropic", "claude-haiku-4-5").map(|model| model.id);
        assert_eq!(plain, Some("claude-haiku-4-5"));
        assert_eq!(find("anthropic", "claude-haiku-4-5-20251001").map(|model| model.id), plain);
        assert_eq!(find("openai", "gpt-5-mini-2025-08-07").map(|model| model.id), Some("gpt-5-mini"));
        assert_eq!(find("openai", "claude-haiku-4-5"), None);
        assert_eq!(find("anthropic", "claude-haiku-4-5-2025100"), None);
        assert_eq!(find("anthropic", "claude-haiku-4-5-v20251001"), None);
    }

    proptest! {
        #[test]
        fn any_id_can_be_looked_up(id in "\\PC{0,24}", tail in "[-0-9]{0,14}") {
            let id = format!("{id}{tail}");
            prop_assert!(id.starts_with(undated(&id)));
        }
    }
}
