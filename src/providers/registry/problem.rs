//! What is wrong with a provider, as a person needs to hear it.

use serde::Serialize;

use super::super::ProviderError;
use crate::core::{Error, ProviderErrorClass};

/// One finding about a provider or an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderProblem {
    /// Provider id, or the alias.
    pub provider: String,
    /// Where to look in the configuration.
    pub path: String,
    /// What is wrong, in a sentence without a trailing full stop.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// What a call to the provider fails with.
    #[serde(skip)]
    pub class: ProviderErrorClass,
}

impl ProviderProblem {
    pub(super) fn new(
        class: ProviderErrorClass,
        provider: &str,
        key: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let path = if key.is_empty() {
            format!("models.providers.{provider}")
        } else {
            format!("models.providers.{provider}.{key}")
        };
        Self { provider: provider.into(), path, message: message.into(), hint: hint.into(), class }
    }

    /// An alias whose target cannot be resolved.
    pub(super) fn alias(alias: &str, target: &str, error: &Error) -> Self {
        Self {
            provider: alias.into(),
            path: format!("agents.defaults.models[\"{target}\"].alias"),
            message: format!("the alias {alias} leads nowhere: {error}"),
            hint: error.fix().unwrap_or("choose another model: openclaw models list").into(),
            class: ProviderErrorClass::ModelNotFound,
        }
    }

    /// A secret or a client that could not be had.
    pub(super) fn unusable(provider: &str, key: &str, error: &Error) -> Self {
        let class = if key.is_empty() { ProviderErrorClass::InvalidRequest } else { ProviderErrorClass::Auth };
        let hint = error.fix().map_or_else(|| format!("check models.providers.{provider}"), str::to_owned);
        Self::new(class, provider, key, error.to_string(), hint)
    }

    /// The failure of a call because of this problem.
    pub(super) fn to_error(&self) -> ProviderError {
        ProviderError {
            class: self.class,
            provider: self.provider.clone(),
            message: format!("{} ({}; {})", self.message, self.path, self.hint),
            status: None,
            retry_after: None,
            started: false,
        }
    }
}
