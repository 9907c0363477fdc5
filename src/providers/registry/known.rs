//! Providers everybody knows: where they are, which variable holds their key, which model they start with.

/// A hosted provider that needs no configuration beyond a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownProvider {
    /// Provider id.
    pub id: &'static str,
    /// Environment variables that may hold the key, first match wins.
    pub key_vars: &'static [&'static str],
    /// Environment variable that may hold another base URL.
    pub base_url_var: Option<&'static str>,
    /// Wire API at the provider's own address.
    pub api: &'static str,
    /// Wire API when the base URL points elsewhere: compatible servers rarely offer more than this.
    pub api_elsewhere: &'static str,
    /// Base URL; empty means the API's default host.
    pub base_url: &'static str,
    /// Model used when nobody chose one.
    pub default_model: &'static str,
}

const fn compatible(
    id: &'static str,
    key_vars: &'static [&'static str],
    base_url: &'static str,
    default_model: &'static str,
) -> KnownProvider {
    let api = "openai-completions";
    KnownProvider { id, key_vars, base_url_var: None, api, api_elsewhere: api, base_url, default_model }
}

/// All of them; the first with a key in the environment gives the default model.
pub const KNOWN: &[KnownProvider] = &[
    KnownProvider {
        id: "anthropic",
        key_vars: &["ANTHROPIC_API_KEY"],
        base_url_var: Some("ANTHROPIC_BASE_URL"),
        api: "anthropic-messages",
        api_elsewhere: "anthropic-messages",
        base_url: "",
        default_model: "claude-sonnet-5-5",
    },
    KnownProvider {
        id: "openai",
        key_vars: &["OPENAI_API_KEY"],
        base_url_var: Some("OPENAI_BASE_URL"),
        // OpenAI's reasoning models take tools together with reasoning only over the Responses API.
        api: "openai-responses",
        api_elsewhere: "openai-completions",
        base_url: "",
        default_model: "gpt-6.1-sol",
    },
    compatible("openrouter", &["OPENROUTER_API_KEY"], "https://openrouter.ai/api/v1", "openrouter/auto"),
    compatible(
        "gemini",
        &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "gemini-3.6-flash",
    ),
    compatible("mistral", &["MISTRAL_API_KEY"], "https://api.mistral.ai/v1", "mistral-large-latest"),
    compatible("deepseek", &["DEEPSEEK_API_KEY"], "https://api.deepseek.com/v1", "deepseek-v4-flash"),
    compatible("xai", &["XAI_API_KEY"], "https://api.x.ai/v1", "grok-4.3"),
    compatible("groq", &["GROQ_API_KEY"], "https://api.groq.com/openai/v1", "openai/gpt-oss-120b"),
];

/// The known provider with that id.
pub fn find(id: &str) -> Option<&'static KnownProvider> {
    KNOWN.iter().find(|known| known.id == id)
}

/// Wire APIs this program speaks.
pub const APIS: &[&str] = &["anthropic-messages", "openai-completions", "openai-responses"];
