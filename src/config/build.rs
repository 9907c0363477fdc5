//! The typed view: what validation accepted, with defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::build_agents::agents;
use super::error::{Problem, SourceFile};
use super::json5::{Kind, Node, Number};
use super::loader::expand_home;
use super::table_type::whole;
use super::{Config, GatewayConfig, ModelConfig, ProviderConfig};
use crate::secrets::{SecretInput, SecretRef};

/// Member of `secret_providers` that holds `secrets.defaults`. No provider can have this name.
pub(crate) const DEFAULTS_KEY: &str = "$defaults";

/// Reads typed values below one node.
#[derive(Clone, Copy)]
pub(super) struct Reader<'n>(pub(super) Option<&'n Node>);

impl Reader<'_> {
    pub(super) fn at(self, key: &str) -> Self {
        Self(self.0.and_then(|node| node.get(key)))
    }

    pub(super) fn text(self) -> Option<String> {
        self.0.and_then(Node::as_str).map(str::to_owned)
    }

    pub(super) fn bool(self) -> Option<bool> {
        match self.0.map(|node| &node.kind) {
            Some(Kind::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn whole(self) -> Option<u64> {
        self.0.and_then(whole)
    }

    fn float(self) -> f64 {
        match self.0.map(|node| &node.kind) {
            Some(Kind::Number(Number::Finite(number))) => number.as_f64().unwrap_or(0.0),
            _ => 0.0,
        }
    }

    pub(super) fn list(self) -> Vec<String> {
        self.0.map_or(&[][..], Node::elements).iter().filter_map(Node::as_str).map(str::to_owned).collect()
    }

    pub(super) fn value(self) -> Value {
        self.0.map_or(Value::Null, Node::to_value)
    }

    fn secret(self) -> Option<SecretInput> {
        if let Some(text) = self.text() {
            return (!text.is_empty()).then_some(SecretInput::Plain(text));
        }
        let source = self.at("source").text()?;
        let provider = self.at("provider").text().unwrap_or_else(|| "default".into());
        Some(SecretInput::Ref(SecretRef { source, provider, id: self.at("id").text()? }))
    }

    pub(super) fn path(self, home: Option<&Path>) -> Option<PathBuf> {
        self.text().filter(|text| !text.trim().is_empty()).map(|text| expand_home(text.trim(), home))
    }
}

/// The view of a validated tree; problems are what the table cannot say (agent ids).
pub(super) fn view(root: &Node, home: Option<&Path>, files: &[SourceFile]) -> Result<Config, Vec<Problem>> {
    let root = Reader(Some(root));
    let defaults = root.at("agents").at("defaults");
    let tools = root.at("tools");
    let logging = root.at("logging");
    let models = root.at("models");
    Ok(Config {
        gateway: gateway(root.at("gateway")),
        agents: agents(root.at("agents"), tools, home, files)?,
        max_concurrent: defaults
            .at("maxConcurrent")
            .whole()
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(16), // dropped: validation bounds it
        providers: members(models.at("providers")).map(|(id, node)| (id, provider(node))).collect(),
        discover_local: models.at("discoverLocal").bool().unwrap_or(true),
        aliases: members(defaults.at("models"))
            .filter_map(|(reference, node)| Some((node.at("alias").text()?, reference)))
            .collect(),
        trajectory: root.at("diagnostics").at("trajectory").bool().unwrap_or(false),
        artifact_days: tools
            .at("artifacts")
            .at("retentionDays")
            .whole()
            .and_then(|days| i64::try_from(days).ok())
            .unwrap_or(30), // dropped: validation bounds it
        main_key: root
            .at("session")
            .at("mainKey")
            .text()
            .map(|key| key.trim().to_lowercase())
            .filter(|key| !key.is_empty())
            .unwrap_or_else(|| "main".into()),
        tools_allow: tools.at("allow").list(),
        tools_deny: tools.at("deny").list(),
        log_level: logging.at("level").text().unwrap_or_else(|| "info".into()),
        log_file: logging.at("file").path(home),
        durability_full: root.at("state").at("durability").text().as_deref() == Some("full"),
        secret_providers: secret_providers(root.at("secrets")),
    })
}

fn members(reader: Reader<'_>) -> impl Iterator<Item = (String, Reader<'_>)> {
    reader.0.map_or(&[][..], Node::members).iter().map(|member| (member.key.clone(), Reader(Some(&member.value))))
}

fn gateway(node: Reader<'_>) -> GatewayConfig {
    let auth = node.at("auth");
    let remote = node.at("remote");
    GatewayConfig {
        port: node.at("port").whole().and_then(|port| u16::try_from(port).ok()).unwrap_or(18789), // dropped: validation bounds it
        bind: node.at("bind").text().unwrap_or_else(|| "loopback".into()),
        auth_mode: auth.at("mode").text().unwrap_or_else(|| "token".into()),
        token: auth.at("token").secret(),
        password: auth.at("password").secret(),
        allowed_origins: node.at("controlUi").at("allowedOrigins").list(),
        remote_url: remote.at("url").text(),
        remote_token: remote.at("token").secret(),
    }
}

fn provider(node: Reader<'_>) -> ProviderConfig {
    ProviderConfig {
        base_url: node.at("baseUrl").text(),
        api_key: node.at("apiKey").secret(),
        api: node.at("api").text(),
        headers: members(node.at("headers"))
            .filter_map(|(name, value)| Some((name, value.secret()?)))
            .collect::<BTreeMap<_, _>>(),
        timeout_seconds: node.at("timeoutSeconds").whole().unwrap_or(120),
        connect_timeout_ms: node.at("connectTimeoutMs").whole().unwrap_or(10_000),
        max_retries: node.at("maxRetries").whole().and_then(|count| u32::try_from(count).ok()).unwrap_or(2), // dropped: validation bounds it
        models: node
            .at("models")
            .0
            .map_or(&[][..], Node::elements)
            .iter()
            .filter_map(|model| self::model(Reader(Some(model))))
            .collect(),
    }
}

fn model(node: Reader<'_>) -> Option<ModelConfig> {
    let input = node.at("input").list();
    let cost = node.at("cost");
    Some(ModelConfig {
        id: node.at("id").text()?,
        name: node.at("name").text(),
        api: node.at("api").text(),
        reasoning: node.at("reasoning").bool().unwrap_or(false),
        input: if input.is_empty() { vec!["text".into()] } else { input },
        cost: ["input", "output", "cacheRead", "cacheWrite"].map(|kind| cost.at(kind).float()),
        context_window: node.at("contextWindow").whole(),
        max_tokens: node.at("maxTokens").whole(),
        compat: node.at("compat").value(),
    })
}

fn secret_providers(secrets: Reader<'_>) -> Value {
    let mut providers = match secrets.at("providers").value() {
        Value::Object(providers) => providers,
        _ => serde_json::Map::new(),
    };
    if let defaults @ Value::Object(_) = secrets.at("defaults").value() {
        providers.insert(DEFAULTS_KEY.into(), defaults);
    }
    Value::Object(providers)
}
