//! From configuration and environment to entries.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::client::{Reach, Tools, default_connector};
use super::entry::{Entry, Parts, Rank, described};
use super::known::{self, KNOWN, KnownProvider};
use super::local::LocalState;
use super::problem::ProviderProblem;
use super::{Inner, ModelsMode, RegistryOptions, SecretSource};
use crate::config::{self, Config, ModelConfig, ProviderConfig};
use crate::core::ProviderErrorClass;
use crate::providers::discovery::{self, LocalKind, Target};
use crate::providers::{ModelInfo, catalog, offline};
use crate::secrets::{Environment, SecretInput, SecretRef, SecretResolver};

/// Defaults of `models.providers.<id>` for providers that are not configured.
pub(super) const SILENCE_TIMEOUT: Duration = Duration::from_mins(2);
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const MAX_RETRIES: u32 = 2;

pub(super) fn inner(config: &Config, env: &Environment, options: RegistryOptions) -> Inner {
    let RegistryOptions { mode, config_dir, secrets, connector } = options;
    let tools = Arc::new(Tools {
        secrets: secrets.unwrap_or_else(|| default_secrets(config, env, config_dir)),
        connector: connector.unwrap_or_else(default_connector),
    });
    let mut problems = Vec::new();
    let mut entries = Vec::new();
    for (id, provider) in &config.providers {
        if id == offline::ID {
            problems.push(reserved(id));
        } else {
            entries.push(configured(id, provider, env, mode, &tools));
        }
    }
    let is_configured = |id: &str| config.providers.contains_key(id);
    if mode == ModelsMode::Merge {
        let implicit = KNOWN.iter().filter(|known| !is_configured(known.id));
        entries.extend(implicit.map(|known| well_known(known, env, &tools)));
    }
    let merged = mode == ModelsMode::Merge;
    let targets: Vec<Target> =
        discovery::targets(env).into_iter().filter(|target| !is_configured(target.kind.provider())).collect();
    Inner {
        entries,
        aliases: config.aliases.iter().map(|(alias, target)| (alias.clone(), target.clone())).collect(),
        problems,
        discover: config.discover_local && merged,
        local: LocalState::new(if merged { &targets } else { &[] }, &tools),
        targets,
        tools,
    }
}

/// The product's secret resolver, made when the first reference is met.
fn default_secrets(config: &Config, env: &Environment, config_dir: Option<PathBuf>) -> SecretSource {
    let (providers, env) = (config.secret_providers.clone(), env.clone());
    let resolver = OnceLock::new();
    Arc::new(move |input| {
        if let Some(resolver) = resolver.get() {
            return SecretResolver::resolve(resolver, input);
        }
        let dir = config_dir.clone().map_or_else(|| default_config_dir(&env), Ok)?;
        resolver.get_or_init(|| SecretResolver::new(providers.clone(), env.clone(), dir)).resolve(input)
    })
}

fn default_config_dir(env: &Environment) -> crate::core::Result<PathBuf> {
    let file = env.get("OPENCLAW_CONFIG_PATH").map(Path::new).and_then(Path::parent);
    file.map_or_else(|| config::state_root(&env.vars, None), |dir| Ok(dir.to_path_buf()))
}

fn reserved(id: &str) -> ProviderProblem {
    ProviderProblem::new(
        ProviderErrorClass::InvalidRequest,
        id,
        "",
        format!("the provider id {id} belongs to the built-in model, so this entry is ignored"),
        "give the provider another id",
    )
}

/// A well-known provider that the configuration does not mention.
fn well_known(known: &'static KnownProvider, env: &Environment, tools: &Arc<Tools>) -> Entry {
    let key = env_key(known, env);
    let base_url = known.base_url_var.and_then(|name| env.get(name)).map(trimmed);
    let api = if base_url.is_some() { known.api_elsewhere } else { known.api };
    let present = key.is_some();
    let reach = Reach {
        provider: known.id.into(),
        base_url: base_url.unwrap_or_else(|| known.base_url.into()),
        key,
        headers: Vec::new(),
        silence_timeout: SILENCE_TIMEOUT,
        connect_timeout: CONNECT_TIMEOUT,
        max_retries: MAX_RETRIES,
    };
    let local = is_loopback(&reach.base_url);
    let parts = Parts {
        models: catalog_models(known.id, api, local),
        api: api.into(),
        rank: if present { Rank::Environment } else { Rank::Idle },
        order: order_of(known),
        listed: present,
        blocked: (!present).then(|| no_key(known.id, Some(known))),
        known: Some(known),
        local,
        reach,
    };
    Entry::new(parts, false, tools)
}

/// A provider the configuration describes.
fn configured(id: &str, config: &ProviderConfig, env: &Environment, mode: ModelsMode, tools: &Arc<Tools>) -> Entry {
    let known = known::find(id);
    let local_kind = LocalKind::parse(id);
    let given_url = config.base_url.as_deref().map(str::trim).filter(|url| !url.is_empty()).map(trimmed);
    let env_url = || known.and_then(|known| known.base_url_var).and_then(|name| env.get(name)).map(trimmed);
    let other_url = given_url.or_else(env_url);
    let api = api_of(config.api.as_deref(), known, other_url.is_some());
    let mut base_url = other_url.clone().unwrap_or_else(|| match local_kind {
        Some(kind) => format!("{}/v1", kind.base_url(env)),
        None => known.map_or("", |known| known.base_url).to_owned(),
    });
    // OpenClaw's `ollama` API is Ollama's own; its OpenAI-compatible one is at /v1 of the same server.
    let is_ollama = config.api.as_deref() == Some("ollama") || local_kind == Some(LocalKind::Ollama);
    if is_ollama && !base_url.ends_with("/v1") {
        base_url.push_str("/v1");
    }
    let given_key =
        config.api_key.clone().filter(|key| !matches!(key, SecretInput::Plain(text) if text.trim().is_empty()));
    let env_key = known.filter(|_| given_key.is_none()).and_then(|known| env_key(known, env));
    let rank = if env_key.is_some() { Rank::Environment } else { Rank::Configured };
    let own_address = other_url.is_none() && local_kind.is_none();
    let needs_key = known.is_some() && own_address && config.headers.is_empty();
    let key = given_key.or(env_key);
    let blocked = if own_address && known.is_none() && config.api.is_none() {
        Some(no_base_url(id))
    } else if let Some(problem) = key.as_ref().and_then(|key| missing_variable(id, key, env)) {
        Some(problem)
    } else {
        (needs_key && key.is_none()).then(|| no_key(id, known))
    };
    let local = is_loopback(&base_url);
    let mut models: Vec<ModelInfo> = config.models.iter().map(|model| own_model(id, model, &api, local)).collect();
    let own_models = !models.is_empty();
    if !own_models || (mode == ModelsMode::Merge && own_address) {
        let others = catalog_models(id, &api, local);
        models.extend(others.into_iter().filter(|other| config.models.iter().all(|own| own.id != other.id)));
    }
    let reach = Reach {
        provider: id.into(),
        base_url,
        key,
        headers: config.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        silence_timeout: Duration::from_secs(config.timeout_seconds),
        connect_timeout: Duration::from_millis(config.connect_timeout_ms),
        max_retries: config.max_retries,
    };
    // A known provider nobody gave a key must not become the default, or a lone `timeoutSeconds` would.
    let rank = if needs_key && reach.key.is_none() { Rank::Idle } else { rank };
    let order = known.map_or(KNOWN.len(), order_of);
    Entry::new(Parts { reach, api, rank, order, listed: true, blocked, known, local, models }, own_models, tools)
}

/// The wire API: as configured, else that of the known provider, else the most common one.
fn api_of(configured: Option<&str>, known: Option<&KnownProvider>, elsewhere: bool) -> String {
    match (configured, known) {
        (Some("ollama"), _) | (None, None) => "openai-completions".into(),
        (Some(api), _) => api.into(),
        (None, Some(known)) if elsewhere => known.api_elsewhere.into(),
        (None, Some(known)) => known.api.into(),
    }
}

fn env_key(known: &KnownProvider, env: &Environment) -> Option<SecretInput> {
    let key = known.key_vars.iter().find_map(|name| env.get(name)).map(str::trim).filter(|key| !key.is_empty())?;
    Some(SecretInput::Plain(key.to_owned()))
}

fn order_of(known: &KnownProvider) -> usize {
    KNOWN.iter().position(|other| other.id == known.id).unwrap_or(KNOWN.len())
}

fn trimmed(url: &str) -> String {
    url.trim().trim_end_matches('/').to_owned()
}

fn catalog_models(provider: &str, api: &str, local: bool) -> Vec<ModelInfo> {
    catalog::of_provider(provider).map(|figures| described(provider, figures.id, api, Some(figures), local)).collect()
}

/// A configured model; what it leaves open comes from the catalog.
fn own_model(provider: &str, model: &ModelConfig, provider_api: &str, local: bool) -> ModelInfo {
    let api = model.api.as_deref().map_or(provider_api, |api| if api == "ollama" { "openai-completions" } else { api });
    let mut info = described(provider, &model.id, api, catalog::find(provider, &model.id), local);
    if let Some(name) = &model.name {
        info.name.clone_from(name);
    }
    if let Some(window) = model.context_window.filter(|window| *window > 0) {
        info.context_window = window;
        info.max_tokens = info.max_tokens.min(window);
    }
    if let Some(max_tokens) = model.max_tokens.filter(|max| *max > 0) {
        info.max_tokens = max_tokens;
    }
    info.reasoning |= model.reasoning;
    if !model.input.is_empty() {
        info.input.clone_from(&model.input);
    }
    if model.cost.iter().any(|price| *price > 0.0) {
        info.cost = catalog::cost(model.cost);
    }
    info
}

fn no_base_url(id: &str) -> ProviderProblem {
    ProviderProblem::new(
        ProviderErrorClass::InvalidRequest,
        id,
        "baseUrl",
        format!("the provider {id} has no baseUrl and is not one of the well-known ones"),
        format!("set models.providers.{id}.baseUrl, or its api to mean that API's own host"),
    )
}

fn no_key(id: &str, known: Option<&KnownProvider>) -> ProviderProblem {
    let variables = known.map_or_else(String::new, |known| format!("set {}, or ", known.key_vars.join(" or ")));
    ProviderProblem::new(
        ProviderErrorClass::Auth,
        id,
        "apiKey",
        format!("there is no API key for {id}"),
        format!("{variables}put one into models.providers.{id}.apiKey"),
    )
}

/// An environment reference can be checked without asking anybody.
fn missing_variable(id: &str, key: &SecretInput, env: &Environment) -> Option<ProviderProblem> {
    let name = match key {
        SecretInput::Ref(SecretRef { source, id, .. }) if source == "env" => id,
        SecretInput::Ref(_) => return None,
        SecretInput::Plain(text) => {
            let is_name = |name: &&str| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            };
            text.strip_prefix('$').filter(is_name)?
        }
    };
    env.get(name).is_none().then(|| {
        ProviderProblem::new(
            ProviderErrorClass::Auth,
            id,
            "apiKey",
            format!("the environment variable {name} is not set"),
            format!("set {name}, or change models.providers.{id}.apiKey"),
        )
    })
}

/// Whether the URL's host is this machine.
fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = if host.starts_with('[') { host.split_inclusive(']').next() } else { host.split(':').next() };
    let host = host.unwrap_or_default().to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_is_told_from_other_hosts() {
        for url in [
            "http://127.0.0.1:8080/v1",
            "http://localhost",
            "http://[::1]:1234/v1",
            "https://u@a.localhost/x",
            "127.1.2.3",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "",
            "https://api.x.ai/v1",
            "http://127.0.0.1.evil.com",
            "http://localhost.evil.com",
            "http://10.0.0.1",
            "http://h/127.0.0.1",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
