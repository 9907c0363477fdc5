//! The typed view of what this program uses. Everything else in the file is kept and left alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::view_tools::{SandboxSettings, ToolSettings};
use crate::core::{AgentId, FilesystemMode};
use crate::secrets::SecretInput;

/// The whole view; every field has its default filled in.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// `gateway`.
    pub gateway: GatewayConfig,
    /// `agents`, as one list whatever form the file uses (`list[]` or `entries{}`); never empty (`main`).
    pub agents: Vec<AgentConfig>,
    /// `agents.defaults.maxConcurrent`: runs at the same time over all sessions.
    pub max_concurrent: usize,
    /// `models.providers`.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// `models.discoverLocal`: look for Ollama, llama.cpp, LM Studio on loopback; default true.
    pub discover_local: bool,
    /// `agents.defaults.models.<ref>.alias` → ref.
    pub aliases: BTreeMap<String, String>,
    /// `diagnostics.trajectory`: keep what models are sent and answer; default false.
    pub trajectory: bool,
    /// `tools.artifacts.retentionDays`: default 30; 0 = as long as their conversation.
    pub artifact_days: i64,
    /// `session.mainKey`, default `main`.
    pub main_key: String,
    /// `tools.allow`, `tools.deny`.
    pub tools_allow: Vec<String>,
    /// Tools that may never run.
    pub tools_deny: Vec<String>,
    /// `logging.level`: `silent|fatal|error|warn|info|debug|trace`; default `info`.
    pub log_level: String,
    /// `logging.file`; default `<state>/logs/openclaw.log`.
    pub log_file: Option<PathBuf>,
    /// `state.durability` is `full`.
    pub durability_full: bool,
    /// `secrets.providers`, for the resolver; its member `$defaults` holds `secrets.defaults`.
    pub secret_providers: Value,
}

impl std::fmt::Debug for Config {
    /// Leaves `secret_providers` out: the environment of an exec provider may hold a secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Config")
            .field("gateway", &self.gateway)
            .field("agents", &self.agents)
            .field("providers", &self.providers)
            .finish_non_exhaustive()
    }
}

/// `gateway`.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayConfig {
    /// Default 18789.
    pub port: u16,
    /// `bind`: only `loopback` and `auto` (same here) are accepted by this version; others are a clear error at start.
    pub bind: String,
    /// `auth.mode`: `token` (default), `password`, `none`, `trusted-proxy`.
    pub auth_mode: String,
    /// `auth.token`.
    pub token: Option<SecretInput>,
    /// `auth.password`.
    pub password: Option<SecretInput>,
    /// `controlUi.allowedOrigins`.
    pub allowed_origins: Vec<String>,
    /// `remote.url`.
    pub remote_url: Option<String>,
    /// `remote.token`.
    pub remote_token: Option<SecretInput>,
}

/// One agent with the defaults merged in.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentConfig {
    /// Id.
    pub id: AgentId,
    /// Chosen when a message names no agent.
    pub is_default: bool,
    /// Name for people.
    pub name: Option<String>,
    /// Workspace directory (`~` expanded); `None` = `<state>/workspace` for the default agent, `<state>/workspace-<id>` otherwise.
    pub workspace: Option<PathBuf>,
    /// `model` / `model.primary`: `provider/model`.
    pub model: Option<String>,
    /// `model.fallbacks`.
    pub fallbacks: Vec<String>,
    /// `thinkingDefault`.
    pub thinking: Option<String>,
    /// `timeoutSeconds`, default 600; 0 in the file (no limit) is one week here.
    pub timeout_seconds: u64,
    /// `maxSteps`: model calls per run, default `limits::MAX_STEPS`.
    pub max_steps: u32,
    /// `identity` (`name`, `emoji`, …), as written.
    pub identity: Value,
    /// `tools.allow`; the global one if the agent has none.
    pub tools_allow: Vec<String>,
    /// `tools.deny`, the agent's and the global one.
    pub tools_deny: Vec<String>,
    /// `tools`, the rest, with the global ones merged in.
    pub tools: ToolSettings,
    /// `sandbox`.
    pub sandbox: SandboxSettings,
    /// `filesystemMode`: default `vfs-scratch`; `OPENCLAW_AGENT_WORKER_FILESYSTEM_MODE` overrides.
    pub filesystem_mode: FilesystemMode,
}

/// `models.providers.<id>`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderConfig {
    /// `baseUrl`.
    pub base_url: Option<String>,
    /// `apiKey`.
    pub api_key: Option<SecretInput>,
    /// `api`; `None` = guessed by the id (`anthropic` → `anthropic-messages`, else `openai-completions`).
    pub api: Option<String>,
    /// `headers`; values may be secrets.
    pub headers: BTreeMap<String, SecretInput>,
    /// `timeoutSeconds`: silence allowed between bytes; default 120.
    pub timeout_seconds: u64,
    /// `connectTimeoutMs`; default 10000.
    pub connect_timeout_ms: u64,
    /// `maxRetries`; default 2.
    pub max_retries: u32,
    /// `models[]`.
    pub models: Vec<ModelConfig>,
}

/// `models.providers.<id>.models[]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Id as the provider knows it.
    pub id: String,
    /// Name for people.
    pub name: Option<String>,
    /// Overrides the provider's `api`.
    pub api: Option<String>,
    /// Can reason.
    pub reasoning: bool,
    /// `text`, `image`.
    pub input: Vec<String>,
    /// US dollars per million tokens: input, output, cacheRead, cacheWrite.
    pub cost: [f64; 4],
    /// Tokens.
    pub context_window: Option<u64>,
    /// Tokens.
    pub max_tokens: Option<u64>,
    /// `compat`, as written.
    pub compat: Value,
}
