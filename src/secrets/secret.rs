//! Secret text and how configuration names it.

use serde::{Deserialize, Serialize};

/// Text that must not be shown: Debug prints `[redacted]`; zero-copy access by `expose`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the header or comparison that needs it. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A secret in configuration: plain text or a reference {source: env|file|exec, provider, id}.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SecretInput {
    /// The secret itself, or `$NAME` for the environment variable of that name.
    Plain(String),
    /// Where to find it.
    Ref(SecretRef),
}

impl std::fmt::Debug for SecretInput {
    /// A reference as it is, plain text masked.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(_) => f.write_str("Plain([redacted])"),
            Self::Ref(reference) => f.debug_tuple("Ref").field(reference).finish(),
        }
    }
}

/// Names a secret without holding it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// `env`, `file` or `exec`.
    pub source: String,
    /// Name under `secrets.providers`; `default` may be left out.
    #[serde(default = "default_provider")]
    pub provider: String,
    /// What the provider calls it: variable name, JSON pointer, or any name an exec provider knows.
    pub id: String,
}

fn default_provider() -> String {
    "default".into()
}
