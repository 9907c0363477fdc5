//! `secrets.providers.<alias>`: the options of each source, with bounds and defaults as OpenClaw has them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// Milliseconds a file or command may take.
const DEFAULT_TIMEOUT_MS: u64 = 5_000;
/// Longest time that can be asked for, in milliseconds.
const MAX_TIMEOUT_MS: u64 = 120_000;
/// Bytes of a file or of a command's output.
const DEFAULT_MAX_BYTES: u64 = 1024 * 1024;
/// Most bytes that can be asked for.
const MAX_BYTES: u64 = 20 * 1024 * 1024;

/// One configured provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "source", rename_all = "camelCase")]
pub(super) enum Provider {
    /// Environment variables.
    Env(EnvProvider),
    /// A file.
    File(FileProvider),
    /// A command.
    Exec(ExecProvider),
}

/// `source: env`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct EnvProvider {
    /// Names that may be read; absent = all.
    pub(super) allowlist: Option<Vec<String>>,
}

/// How a secret file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum FileMode {
    /// The whole file is one secret; its id is `value`.
    SingleValue,
    /// A JSON file; ids are JSON pointers (RFC 6901).
    #[default]
    Json,
}

/// `source: file`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileProvider {
    /// The file; `~` is expanded, relative paths start at the configuration's directory.
    pub(super) path: String,
    #[serde(default)]
    pub(super) mode: FileMode,
    max_bytes: Option<u64>,
    /// Accept a file that others may read or that belongs to somebody else.
    #[serde(default)]
    pub(super) allow_insecure_path: bool,
}

impl FileProvider {
    /// Largest size in bytes.
    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes.unwrap_or(DEFAULT_MAX_BYTES).clamp(1, MAX_BYTES)
    }
}

/// `source: exec`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecProvider {
    /// Absolute path of the program; no shell is involved.
    pub(super) command: PathBuf,
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// Variables set for the program.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// Variables passed on to the program; it gets no others.
    #[serde(default)]
    pub(super) pass_env: Vec<String>,
    timeout_ms: Option<u64>,
    no_output_timeout_ms: Option<u64>,
    max_output_bytes: Option<u64>,
    /// Answers must be JSON; else a bare line is accepted as the one secret asked for.
    #[serde(default = "yes")]
    pub(super) json_only: bool,
    /// If not empty, the program must be inside one of these directories.
    #[serde(default)]
    pub(super) trusted_dirs: Vec<PathBuf>,
    /// Accept a program that others may write.
    #[serde(default)]
    pub(super) allow_insecure_path: bool,
    /// Accept a symbolic link.
    #[serde(default)]
    pub(super) allow_symlink_command: bool,
}

impl ExecProvider {
    /// Time for the whole call.
    pub(super) fn timeout(&self) -> Duration {
        milliseconds(self.timeout_ms, DEFAULT_TIMEOUT_MS)
    }

    /// Time the program may be silent.
    pub(super) fn no_output_timeout(&self) -> Duration {
        self.no_output_timeout_ms.map_or_else(|| self.timeout(), |limit| milliseconds(Some(limit), limit))
    }

    /// Most bytes on standard output.
    pub(super) fn max_output_bytes(&self) -> usize {
        let bytes = self.max_output_bytes.unwrap_or(DEFAULT_MAX_BYTES).clamp(1, MAX_BYTES);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

fn yes() -> bool {
    true
}

fn milliseconds(limit: Option<u64>, default: u64) -> Duration {
    Duration::from_millis(limit.unwrap_or(default).clamp(1, MAX_TIMEOUT_MS))
}

/// Reads one provider's options; `Err` says what is wrong in words without values.
pub(super) fn parse(value: &Value) -> Result<Provider, String> {
    match value.get("source").and_then(Value::as_str) {
        Some("store") => return Err("its source `store` is not supported by this version".into()),
        Some("exec") if value.get("pluginIntegration").is_some() => {
            return Err("plugin integrations are not supported by this version".into());
        }
        Some("env" | "file" | "exec") => {}
        _ => return Err("its `source` is none of env, file, exec".into()),
    }
    serde_json::from_value(value.clone()).map_err(|error| match error.classify() {
        serde_json::error::Category::Data if error.to_string().starts_with("missing field") => error.to_string(),
        _ => "one of its options has the wrong type".into(),
    })
}
