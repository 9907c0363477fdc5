//! The keys this program uses: one table for validation, JSON Schema, hints and the list of known keys.

use super::table_tools::TOOLS;
use super::table_type::Type;
use super::table_type::Type::{Bool, Enum, Flag, Integer, List, Map, Model, Number, Secret, Text};

/// One key we use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Path; `*` is any key of a map or any element of a list.
    pub(crate) path: &'static str,
    /// What its value must be.
    pub(crate) kind: Type,
    /// Name for people.
    pub(crate) label: &'static str,
    /// What it does, with the default.
    pub(crate) help: &'static str,
}

pub(super) const fn row(path: &'static str, kind: Type, label: &'static str, help: &'static str) -> Row {
    Row { path, kind, label, help }
}

const POSITIVE: Type = Integer(1, u64::MAX);
const THINKING: &[&str] = &["off", "minimal", "low", "medium", "high", "xhigh", "adaptive", "max", "ultra"];
const LEVELS: &[&str] = &["silent", "fatal", "error", "warn", "info", "debug", "trace"];

/// Every key.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().chain(TOOLS.into_iter().flatten())
}

/// The keys that stand in one place, sections in the order a person meets them.
const TABLE: &[Row] = &[
    row("gateway.port", Integer(1, 65535), "Port", "TCP port the gateway listens on. Default: 18789."),
    row(
        "gateway.bind",
        Enum(&["auto", "loopback", "lan", "tailnet", "custom"]),
        "Bind",
        "Which addresses the gateway listens on. This version accepts `loopback` and `auto`, which mean the same. Default: loopback.",
    ),
    row(
        "gateway.auth.mode",
        Enum(&["token", "password", "none", "trusted-proxy"]),
        "Authentication",
        "How clients prove who they are. Default: token.",
    ),
    row("gateway.auth.token", Secret, "Token", "Shared token of mode `token`; made on first start if absent."),
    row("gateway.auth.password", Secret, "Password", "Shared password of mode `password`."),
    row(
        "gateway.controlUi.allowedOrigins",
        List,
        "Allowed origins",
        "Web origins besides the gateway's own that may connect.",
    ),
    row(
        "gateway.remote.url",
        Text,
        "Remote URL",
        "WebSocket URL of a gateway elsewhere that this command line talks to.",
    ),
    row("gateway.remote.token", Secret, "Remote token", "Token for the remote gateway."),
    row(
        "agents.defaults.model",
        Model,
        "Default model",
        "`provider/model` for agents that name none, alone or as `{primary, fallbacks}`.",
    ),
    row("agents.defaults.models.*.alias", Text, "Alias", "Short name for this model."),
    row(
        "agents.defaults.workspace",
        Text,
        "Workspace",
        "Directory of the default agent. Default: `workspace` in the state directory.",
    ),
    row("agents.defaults.thinkingDefault", Enum(THINKING), "Thinking", "How much models think before they answer."),
    row(
        "agents.defaults.timeoutSeconds",
        Integer(0, u64::MAX),
        "Time limit",
        "Seconds one run may take; 0 sets no limit. Default: 600.",
    ),
    row("agents.defaults.maxSteps", Integer(1, 100_000), "Step limit", "Model calls one run may make. Default: 64."),
    row(
        "agents.defaults.maxConcurrent",
        Integer(1, 1024),
        "Runs at once",
        "Runs that may be under way at the same time over all sessions. Default: 16.",
    ),
    row("agents.list.*.id", Text, "Id", "Short name of the agent, used in session keys."),
    row("agents.list.*.default", Flag, "Default agent", "Chosen when a message names no agent."),
    row("agents.list.*.name", Text, "Name", "Name for people."),
    row(
        "agents.list.*.workspace",
        Text,
        "Workspace",
        "Directory of the agent. Default: `workspace-<id>` in the state directory.",
    ),
    row(
        "agents.list.*.model",
        Model,
        "Model",
        "`provider/model`, alone or as `{primary, fallbacks}`. Default: the one of `agents.defaults`.",
    ),
    row("agents.list.*.thinkingDefault", Enum(THINKING), "Thinking", "How much its model thinks before it answers."),
    row(
        "agents.list.*.timeoutSeconds",
        Integer(0, u64::MAX),
        "Time limit",
        "Seconds one run may take; 0 sets no limit.",
    ),
    row("agents.list.*.maxSteps", Integer(1, 100_000), "Step limit", "Model calls one run may make."),
    row("agents.list.*.identity", Map, "Identity", "How the agent presents itself: `name`, `emoji` and the like."),
    row("agents.list.*.tools.allow", List, "Allowed tools", "If set, the agent has only these tools."),
    row("agents.list.*.tools.deny", List, "Denied tools", "Tools the agent never has."),
    row("agents.entries.*.default", Flag, "Default agent", "Chosen when a message names no agent."),
    row("agents.entries.*.name", Text, "Name", "Name for people."),
    row(
        "agents.entries.*.workspace",
        Text,
        "Workspace",
        "Directory of the agent. Default: `workspace-<id>` in the state directory.",
    ),
    row(
        "agents.entries.*.model",
        Model,
        "Model",
        "`provider/model`, alone or as `{primary, fallbacks}`. Default: the one of `agents.defaults`.",
    ),
    row("agents.entries.*.thinkingDefault", Enum(THINKING), "Thinking", "How much its model thinks before it answers."),
    row(
        "agents.entries.*.timeoutSeconds",
        Integer(0, u64::MAX),
        "Time limit",
        "Seconds one run may take; 0 sets no limit.",
    ),
    row("agents.entries.*.maxSteps", Integer(1, 100_000), "Step limit", "Model calls one run may make."),
    row("agents.entries.*.identity", Map, "Identity", "How the agent presents itself: `name`, `emoji` and the like."),
    row("agents.entries.*.tools.allow", List, "Allowed tools", "If set, the agent has only these tools."),
    row("agents.entries.*.tools.deny", List, "Denied tools", "Tools the agent never has."),
    row(
        "models.discoverLocal",
        Bool,
        "Find local models",
        "Look for Ollama, llama.cpp and LM Studio on this machine. Default: true.",
    ),
    row("models.providers.*.baseUrl", Text, "Base URL", "Address of the provider's API."),
    row("models.providers.*.apiKey", Secret, "API key", "Key for the provider."),
    row(
        "models.providers.*.api",
        Text,
        "API",
        "Protocol the provider speaks: `anthropic-messages`, `openai-completions` or `openai-responses`. Default: guessed from the provider's id.",
    ),
    row("models.providers.*.headers.*", Secret, "Header", "Extra HTTP header of every request."),
    row(
        "models.providers.*.timeoutSeconds",
        POSITIVE,
        "Silence limit",
        "Seconds the provider may be silent between two bytes. Default: 120.",
    ),
    row(
        "models.providers.*.connectTimeoutMs",
        POSITIVE,
        "Connect limit",
        "Milliseconds a connection may take to be made. Default: 10000.",
    ),
    row(
        "models.providers.*.maxRetries",
        Integer(0, 100),
        "Retries",
        "How often a failed call is tried again when that is safe. Default: 2.",
    ),
    row("models.providers.*.models.*.id", Text, "Model id", "Id as the provider knows it."),
    row("models.providers.*.models.*.name", Text, "Name", "Name for people."),
    row("models.providers.*.models.*.api", Text, "API", "Protocol of this model, if it is not the provider's."),
    row(
        "models.providers.*.models.*.reasoning",
        Bool,
        "Reasoning",
        "The model can think before it answers. Default: false.",
    ),
    row("models.providers.*.models.*.input", List, "Input", "What the model reads: `text`, `image`. Default: text."),
    row("models.providers.*.models.*.cost.input", Number, "Input price", "US dollars per million input tokens."),
    row("models.providers.*.models.*.cost.output", Number, "Output price", "US dollars per million output tokens."),
    row(
        "models.providers.*.models.*.cost.cacheRead",
        Number,
        "Cache read price",
        "US dollars per million tokens read from the cache.",
    ),
    row(
        "models.providers.*.models.*.cost.cacheWrite",
        Number,
        "Cache write price",
        "US dollars per million tokens written to the cache.",
    ),
    row(
        "models.providers.*.models.*.contextWindow",
        POSITIVE,
        "Context window",
        "Tokens the model reads and writes in one call.",
    ),
    row("models.providers.*.models.*.maxTokens", POSITIVE, "Output limit", "Tokens the model writes in one call."),
    row(
        "models.providers.*.models.*.compat",
        Map,
        "Compatibility",
        "Switches for servers that differ from the protocol.",
    ),
    row("tools.allow", List, "Allowed tools", "If set, agents have only these tools."),
    row("tools.deny", List, "Denied tools", "Tools that never run."),
    row(
        "tools.artifacts.retentionDays",
        Integer(0, 36_500),
        "Artifact age",
        "Days images and trajectories of runs are kept; 0 keeps them as long as their conversation. Default: 30.",
    ),
    row(
        "diagnostics.trajectory",
        Bool,
        "Trajectories",
        "Keep what models are sent and answer in each run, as an artifact. Default: false.",
    ),
    row("session.mainKey", Text, "Main session", "Last part of the main session's key. Default: main."),
    row("logging.level", Enum(LEVELS), "Log level", "Least severe message that is logged. Default: info."),
    row(
        "logging.file",
        Text,
        "Log file",
        "Where the log is written. Default: `logs/openclaw.log` in the state directory.",
    ),
    row(
        "state.durability",
        Enum(&["normal", "full"]),
        "Durability",
        "`full` also survives a power cut right after an answer, at the cost of one disk flush per commit. Default: normal.",
    ),
    row(
        "secrets.providers",
        Map,
        "Secret providers",
        "Named sources for secret references: `env`, `file` or `exec` each.",
    ),
    row(
        "secrets.defaults",
        Map,
        "Default secret providers",
        "Which provider a reference with provider `default` means, by source.",
    ),
    row("env.vars.*", Text, "Variable", "Environment variable, used where the environment sets none."),
];
