//! What differs between Claude models, read from the version in their ids.
//!
//! Up to 4.5 thinking has a token budget; from 4.6 on the model decides itself and takes an effort; from 4.7 on a budget and sampling
//! parameters are refused (<https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>).

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThinkingForm {
    /// `thinking.budget_tokens`.
    Budget,
    /// `thinking.type: adaptive` and `output_config.effort`.
    Adaptive,
}

/// Rules for one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ModelRules {
    pub(super) thinking: ThinkingForm,
    /// Takes `temperature`.
    pub(super) sampling: bool,
    /// Sent when the caller sets no bound; the API wants one.
    pub(super) max_tokens: u64,
}

impl ModelRules {
    pub(super) fn of(model: &str) -> Self {
        let rules = |thinking, sampling, max_tokens| Self { thinking, sampling, max_tokens };
        let model = model.to_ascii_lowercase();
        let Some(at) = model.find("claude") else {
            // Other vendors' models behind this API know the older form.
            return rules(ThinkingForm::Budget, true, 8_192);
        };
        match version(&model[at..]) {
            Some((..=2, _) | (3, 0..=4)) => rules(ThinkingForm::Budget, true, 4_096),
            Some((3, 5..=6)) => rules(ThinkingForm::Budget, true, 8_192),
            Some((3, _) | (4, 0..=5)) => rules(ThinkingForm::Budget, true, 32_000),
            Some((4, 6)) => rules(ThinkingForm::Adaptive, true, 32_000),
            // A name without a version is a preview or an alias of something recent.
            Some(_) | None => rules(ThinkingForm::Adaptive, false, 32_000),
        }
    }
}

/// Major and minor version: the first one or two short numbers of the name. Dates are longer.
fn version(name: &str) -> Option<(u32, u32)> {
    let mut parts = name.split(|c: char| !c.is_ascii_alphanumeric()).skip_while(|part| short_number(part).is_none());
    let major = short_number(parts.next()?)?;
    Some((major, parts.next().and_then(short_number).unwrap_or(0)))
}

fn short_number(part: &str) -> Option<u32> {
    // dropped: what is not a number is not part of the version
    if part.len() <= 2 { part.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names_of_every_era() {
        for (name, expected) in [
            ("claude-3-haiku-20240307", Some((3, 0))),
            ("claude-3-7-sonnet-20250219", Some((3, 7))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-haiku-4-5-20251001", Some((4, 5))),
            ("claude-opus-4.7", Some((4, 7))),
            ("claude-opus-4-6-v1", Some((4, 6))),
            ("claude-opus-5", Some((5, 0))),
            ("claude-2.1", Some((2, 1))),
            ("claude-mythos-preview", None),
        ] {
            assert_eq!(version(name), expected, "{name}");
        }
    }

    #[test]
    fn rules_follow_the_version() {
        use ThinkingForm::{Adaptive, Budget};
        for (model, thinking, sampling) in [
            ("claude-sonnet-4-5", Budget, true),
            ("anthropic/claude-opus-4.6", Adaptive, true),
            ("claude-opus-4-7", Adaptive, false),
            ("us.anthropic.claude-sonnet-5-v1:0", Adaptive, false),
            ("kimi-k2.5", Budget, true),
            ("MiniMax-M2", Budget, true),
        ] {
            let rules = ModelRules::of(model);
            assert_eq!((rules.thinking, rules.sampling), (thinking, sampling), "{model}");
        }
        assert_eq!(ModelRules::of("claude-3-haiku-20240307").max_tokens, 4_096);
    }
}
