//! Looks for model servers on this machine: Ollama, llama.cpp's server, LM Studio.
//!
//! All are asked at the same time and the whole search is over after [`BOUND`], whatever they do. Nothing listening is
//! no error. Facts about the servers: Ollama `GET /api/tags`; llama.cpp `GET /v1/models` (`owned_by` is `llamacpp`) and
//! `GET /props` (window, image input); LM Studio `GET /v1/models` and `GET /api/v0/models` (window, kind, loaded or not).

mod probe;
mod servers;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{ModelInfo, catalog};
use crate::secrets::Environment;
use crate::session::message::Cost;

/// The whole search takes no longer.
pub const BOUND: Duration = Duration::from_millis(150);
/// Context window assumed for a local model whose server does not tell, in tokens.
pub const LOCAL_CONTEXT_WINDOW: u64 = 32_768;

/// Which server software to expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LocalKind {
    /// Ollama, by default at port 11434, or where `OLLAMA_HOST` says.
    Ollama,
    /// llama.cpp's `llama-server`, by default at port 8080.
    LlamaCpp,
    /// LM Studio, by default at port 1234.
    LmStudio,
}

impl LocalKind {
    /// All kinds, in the order in which their models are preferred.
    pub const ALL: [Self; 3] = [Self::Ollama, Self::LlamaCpp, Self::LmStudio];

    /// Provider id.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Ollama => "ollama",
            Self::LlamaCpp => "llamacpp",
            Self::LmStudio => "lmstudio",
        }
    }

    /// The kind with that provider id.
    pub fn parse(provider: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.provider() == provider)
    }

    /// Where the server is expected, without `/v1` or a trailing slash.
    pub fn base_url(self, env: &Environment) -> String {
        match self {
            Self::Ollama => env.get("OLLAMA_HOST").map_or_else(|| ollama_url(""), ollama_url),
            Self::LlamaCpp => "http://127.0.0.1:8080".into(),
            Self::LmStudio => "http://127.0.0.1:1234".into(),
        }
    }
}

/// `OLLAMA_HOST` as a client must use it: scheme and port filled in, the listen-everywhere address replaced by loopback.
fn ollama_url(host: &str) -> String {
    let host = host.trim().trim_end_matches('/');
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            (name, port)
        }
        _ => (authority, ""),
    };
    let name = match name {
        "" | "0.0.0.0" | "[::]" | "::" => "127.0.0.1",
        name => name,
    };
    let port = match (port, host.contains("://"), scheme) {
        ("", true, "http") => "80",
        ("", true, "https") => "443",
        ("", ..) => "11434",
        (port, ..) => port,
    };
    format!("{scheme}://{name}:{port}{path}")
}

/// A place to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What to expect there.
    pub kind: LocalKind,
    /// Without `/v1` or a trailing slash.
    pub base_url: String,
}

/// The usual places, with `OLLAMA_HOST` honoured.
pub fn targets(env: &Environment) -> Vec<Target> {
    LocalKind::ALL.into_iter().map(|kind| Target { kind, base_url: kind.base_url(env) }).collect()
}

/// A server that answered.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalServer {
    /// What it is.
    pub kind: LocalKind,
    /// Without `/v1` or a trailing slash.
    pub base_url: String,
    /// Its models, the best choice first.
    pub models: Vec<ModelInfo>,
}

/// Asks every target at once; returns the servers that answered within `bound`, in [`LocalKind`] order.
pub async fn discover(targets: Vec<Target>, bound: Duration) -> Vec<LocalServer> {
    let deadline = Instant::now() + bound;
    let mut probes = JoinSet::new();
    for target in targets {
        probes.spawn_blocking(move || servers::ask(&target, deadline.into_std()));
    }
    let mut found = Vec::new();
    // A probe that is still running at the deadline gives up by its own time-out; its answer is not waited for.
    while let Ok(Some(joined)) = tokio::time::timeout_at(deadline, probes.join_next()).await {
        match joined {
            Ok(Some(server)) => found.push(server),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a search for a local model server ended unexpectedly"),
        }
    }
    probes.detach_all();
    found.sort_by_key(|server| server.kind);
    found
}

/// A model with the figures of a local one; the caller fills in what it knows better.
pub(super) fn local_model(kind: LocalKind, id: &str) -> ModelInfo {
    ModelInfo {
        provider: kind.provider().into(),
        id: id.into(),
        name: id.into(),
        api: "openai-completions".into(),
        context_window: LOCAL_CONTEXT_WINDOW,
        max_tokens: catalog::DEFAULT_MAX_TOKENS,
        reasoning: false,
        input: vec!["text".into()],
        cost: Cost::default(),
        available: true,
        local: true,
    }
}

#[cfg(test)]
pub(in crate::providers) mod tests;
