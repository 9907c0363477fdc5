mod build;
mod clients;
mod local;
mod lookup;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{ProviderRegistry, RegistryOptions};
use crate::config::{AgentConfig, Config, GatewayConfig, ModelConfig, ProviderConfig};
use crate::core::Error;
use crate::providers::endpoint::Endpoint;
use crate::providers::{Delta, ModelRequest, ModelStream, Provider, ProviderError, ThinkingLevel};
use crate::secrets::{Environment, Secret, SecretInput, SecretRef};
use crate::session::message::{StopReason, Usage};

fn config(providers: Vec<(&str, ProviderConfig)>) -> Config {
    Config {
        gateway: GatewayConfig {
            port: 18789,
            bind: "loopback".into(),
            auth_mode: "token".into(),
            token: None,
            password: None,
            allowed_origins: Vec::new(),
            remote_url: None,
            remote_token: None,
        },
        agents: vec![AgentConfig {
            id: "main".into(),
            is_default: true,
            name: None,
            workspace: None,
            model: None,
            fallbacks: Vec::new(),
            thinking: None,
            timeout_seconds: 600,
            max_steps: 64,
            identity: Value::Null,
            tools_allow: Vec::new(),
            tools_deny: Vec::new(),
            tools: crate::config::ToolSettings::default(),
            sandbox: crate::config::SandboxSettings::default(),
            filesystem_mode: crate::core::FilesystemMode::default(),
        }],
        max_concurrent: 4,
        providers: providers.into_iter().map(|(id, provider)| (id.to_owned(), provider)).collect(),
        trajectory: false,
        artifact_days: 30,
        discover_local: true,
        aliases: BTreeMap::new(),
        main_key: "main".into(),
        tools_allow: Vec::new(),
        tools_deny: Vec::new(),
        log_level: "info".into(),
        log_file: None,
        durability_full: false,
        secret_providers: Value::Null,
    }
}

fn provider(base_url: &str, key: Option<SecretInput>, models: &[&str]) -> ProviderConfig {
    ProviderConfig {
        base_url: (!base_url.is_empty()).then(|| base_url.to_owned()),
        api_key: key,
        api: None,
        headers: BTreeMap::new(),
        timeout_seconds: 120,
        connect_timeout_ms: 10_000,
        max_retries: 2,
        models: models.iter().map(|id| model(id)).collect(),
    }
}

fn model(id: &str) -> ModelConfig {
    ModelConfig {
        id: id.into(),
        name: None,
        api: None,
        reasoning: false,
        input: Vec::new(),
        cost: [0.0; 4],
        context_window: None,
        max_tokens: None,
        compat: Value::Null,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the field it fills is an Option")]
fn plain(text: &str) -> Option<SecretInput> {
    Some(SecretInput::Plain(text.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "the field it fills is an Option")]
fn reference(source: &str, id: &str) -> Option<SecretInput> {
    Some(SecretInput::Ref(SecretRef { source: source.into(), provider: "default".into(), id: id.into() }))
}

fn env(vars: &[(&str, &str)]) -> Environment {
    Environment { vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
}

/// Stands in for wire clients and secret stores, and remembers what they were asked.
#[derive(Clone, Default)]
struct World {
    connected: Arc<Mutex<Vec<(String, Endpoint)>>>,
    asked: Arc<Mutex<Vec<String>>>,
    secrets: Arc<Mutex<BTreeMap<String, String>>>,
}

impl World {
    fn options(&self) -> RegistryOptions {
        let (connected, asked, secrets) = (self.connected.clone(), self.asked.clone(), self.secrets.clone());
        RegistryOptions {
            connector: Some(Arc::new(move |api, endpoint| {
                let id = endpoint.provider.clone();
                connected.lock().unwrap().push((api.to_owned(), endpoint));
                Ok(Arc::new(Echo(id)))
            })),
            secrets: Some(Arc::new(move |input| {
                let id = match input {
                    SecretInput::Ref(SecretRef { id, .. }) => id,
                    SecretInput::Plain(text) => text,
                };
                asked.lock().unwrap().push(id.clone());
                let found = secrets.lock().unwrap().get(id).map(Secret::new);
                found.ok_or_else(|| Error::not_found(format!("no secret {id}")).hint("store it"))
            })),
            ..RegistryOptions::default()
        }
    }

    fn registry(&self, config: &Config, env: &Environment) -> ProviderRegistry {
        ProviderRegistry::build_with(config, env, self.options())
    }

    fn connected(&self) -> Vec<(String, Endpoint)> {
        self.connected.lock().unwrap().clone()
    }
}

/// A provider that uses a million tokens of each kind.
struct Echo(String);

impl Provider for Echo {
    fn id(&self) -> &str {
        &self.0
    }

    fn stream(&self, _request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>> {
        let million = 1_000_000;
        let usage =
            Usage { input: million, output: million, cache_read: million, cache_write: million, ..Usage::default() };
        let deltas = [Ok(Delta::Usage(usage)), Ok(Delta::Done { stop_reason: StopReason::Stop })];
        Box::pin(async move { Ok(Box::pin(futures_util::stream::iter(deltas)) as ModelStream) })
    }
}

fn request(model: &str) -> ModelRequest {
    ModelRequest {
        model: model.into(),
        system: String::new(),
        messages: Vec::new(),
        tools: Arc::new([]),
        max_tokens: None,
        thinking: ThinkingLevel::Off,
        temperature: None,
        session: None,
    }
}

fn references(registry: &ProviderRegistry) -> Vec<String> {
    registry
        .models()
        .iter()
        .map(|model| format!("{}{}", model.reference(), if model.available { "" } else { " (unavailable)" }))
        .collect()
}
