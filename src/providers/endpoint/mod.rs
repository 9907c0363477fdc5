//! A configured place that speaks one of the wire APIs, and the provider made of it.

mod call;
pub(super) mod decoder;
pub(super) mod failure;
#[cfg(test)]
pub(super) mod fixtures;
pub(super) mod json;
mod prepared;
#[cfg(test)]
mod tests;
mod url;

use std::sync::Arc;
use std::time::Duration;

pub use url::WireApi;

use super::http::HttpClient;
use super::retry::{Policy, Retrying};
use super::types::Provider;
use crate::core::Error;
use crate::secrets::Secret;

/// How the key is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuthStyle {
    /// As the API documents it: `x-api-key` for `anthropic-messages`, `Authorization: Bearer` for the others.
    #[default]
    Default,
    /// `Authorization: Bearer`.
    Bearer,
    /// `x-api-key`.
    ApiKeyHeader,
    /// Not at all.
    None,
}

/// Where and how to call a provider.
#[derive(Clone)]
pub struct Endpoint {
    /// Provider id.
    pub provider: String,
    /// Base URL; empty means the API's own. Rules: [`WireApi::join`].
    pub base_url: String,
    /// The key, if one is needed.
    pub api_key: Option<Secret>,
    /// Further headers; they win over ours, also over the one with the key.
    pub headers: Vec<(String, Secret)>,
    /// Longest silence between two bytes.
    pub silence_timeout: Duration,
    /// Longest wait for the connection.
    pub connect_timeout: Duration,
    /// How often a call is repeated when the provider fails before anything has arrived.
    pub max_retries: u32,
    /// How the key is sent.
    pub auth: AuthStyle,
}

impl Endpoint {
    /// An endpoint with the usual time-outs (10 s to connect, 120 s of silence) and two retries.
    pub fn new(provider: impl Into<String>, base_url: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            base_url: base_url.into(),
            api_key: None,
            headers: Vec::new(),
            silence_timeout: Duration::from_mins(2),
            connect_timeout: Duration::from_secs(10),
            max_retries: 2,
            auth: AuthStyle::Default,
        }
    }
}

impl std::fmt::Debug for Endpoint {
    /// Without the base URL: it may carry a key in its query.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("provider", &self.provider)
            .field("api_key", &self.api_key)
            .field("headers", &self.headers)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// The provider at `endpoint`, speaking `api` (`anthropic-messages`, `openai-completions` or `openai-responses`).
/// No network. A bad URL or header is a `Config` error that names the provider and never shows a secret.
///
/// ```
/// use openclaw::providers::{Endpoint, HttpClient, provider};
///
/// let local = provider("openai-completions", Endpoint::new("ollama", "http://127.0.0.1:11434"), HttpClient::new())?;
/// assert_eq!(local.id(), "ollama");
/// # Ok::<(), openclaw::core::Error>(())
/// ```
pub fn provider(api: &str, endpoint: Endpoint, http: HttpClient) -> Result<Arc<dyn Provider>, Error> {
    let policy = Policy::new(endpoint.max_retries);
    let prepared = prepared::Prepared::new(WireApi::parse(api, &endpoint.provider)?, endpoint)?;
    Ok(Arc::new(Retrying::new(call::Wire::new(prepared, http), policy)))
}
