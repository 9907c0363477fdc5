//! A provider's client, made when it is first used.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::problem::ProviderProblem;
use super::{Connector, SecretSource};
use crate::core::{Error, Result};
use crate::providers::endpoint::{self, Endpoint};
use crate::providers::http::HttpClient;
use crate::providers::{ModelRequest, ModelStream, Provider, ProviderError};
use crate::secrets::{Secret, SecretInput};

/// What clients are made with.
pub(super) struct Tools {
    pub secrets: SecretSource,
    pub connector: Connector,
}

/// The wire clients, sharing one HTTP client.
pub(super) fn default_connector() -> Connector {
    let http = HttpClient::default();
    Arc::new(move |api, endpoint| endpoint::provider(api, endpoint, http.clone()))
}

/// How to reach a provider, secrets still unresolved.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub provider: String,
    pub base_url: String,
    pub key: Option<SecretInput>,
    pub headers: Vec<(String, SecretInput)>,
    pub silence_timeout: Duration,
    pub connect_timeout: Duration,
    pub max_retries: u32,
}

/// The last failure to make a client, shared by all clients of a provider.
#[derive(Default)]
pub(super) struct Health(Mutex<Option<ProviderProblem>>);

impl Health {
    pub(super) fn problem(&self) -> Option<ProviderProblem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, problem: Option<ProviderProblem>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// A client of one wire API of one provider. Secrets are resolved on first use, off the async threads, and kept; a failure
/// is not kept, so a repaired secret store works without a restart.
pub(super) struct LazyClient {
    pub reach: Arc<Reach>,
    pub api: String,
    pub tools: Arc<Tools>,
    pub health: Arc<Health>,
    /// Known from the configuration alone; such a provider is never contacted.
    pub blocked: Option<ProviderProblem>,
    pub made: OnceCell<Arc<dyn Provider>>,
}

impl LazyClient {
    pub(super) async fn client(&self) -> Result<&Arc<dyn Provider>, ProviderError> {
        if let Some(problem) = &self.blocked {
            return Err(problem.to_error());
        }
        let made = self.made.get_or_try_init(|| self.make()).await;
        match made {
            Ok(client) => {
                self.health.set(None);
                Ok(client)
            }
            Err(problem) => {
                let error = problem.to_error();
                self.health.set(Some(problem));
                Err(error)
            }
        }
    }

    async fn make(&self) -> Result<Arc<dyn Provider>, ProviderProblem> {
        let id = &self.reach.provider;
        let (reach, source) = (Arc::clone(&self.reach), Arc::clone(&self.tools.secrets));
        let endpoint = if reach.has_references() {
            let joined = tokio::task::spawn_blocking(move || reach.endpoint(&source)).await;
            joined.unwrap_or_else(|error| {
                Err((
                    String::new(),
                    Error::internal("resolving the provider's secrets ended unexpectedly").source(error),
                ))
            })
        } else {
            reach.endpoint(&source)
        };
        let endpoint = endpoint.map_err(|(key, error)| ProviderProblem::unusable(id, &key, &error))?;
        (self.tools.connector)(&self.api, endpoint).map_err(|error| ProviderProblem::unusable(id, "", &error))
    }
}

impl Provider for LazyClient {
    fn id(&self) -> &str {
        &self.reach.provider
    }

    fn stream(&self, request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>> {
        Box::pin(async move { self.client().await?.stream(request).await })
    }
}

/// Whether the input is more than the text of a secret: a reference, or `$NAME` for a variable.
fn is_reference(input: &SecretInput) -> bool {
    match input {
        SecretInput::Plain(text) => text.starts_with('$'),
        SecretInput::Ref(_) => true,
    }
}

impl Reach {
    fn has_references(&self) -> bool {
        self.key.iter().chain(self.headers.iter().map(|(_, value)| value)).any(is_reference)
    }

    /// The endpoint with its secrets; an error comes with the configuration key it belongs to.
    fn endpoint(&self, source: &SecretSource) -> Result<Endpoint, (String, Error)> {
        // Trimmed, because a line feed at the end of a pasted key would make the header invalid.
        let resolve = |input: &SecretInput, key: String| match input {
            SecretInput::Plain(text) if !is_reference(input) => Ok(Secret::new(text.trim())),
            _ => source(input).map(|secret| Secret::new(secret.expose().trim())).map_err(|error| (key, error)),
        };
        let api_key = self.key.as_ref().map(|input| resolve(input, "apiKey".into())).transpose()?;
        let headers =
            self.headers.iter().map(|(name, value)| Ok((name.clone(), resolve(value, format!("headers.{name}"))?)));
        Ok(Endpoint {
            api_key,
            headers: headers.collect::<Result<_, _>>()?,
            silence_timeout: self.silence_timeout,
            connect_timeout: self.connect_timeout,
            max_retries: self.max_retries,
            ..Endpoint::new(self.provider.clone(), self.base_url.clone())
        })
    }
}
