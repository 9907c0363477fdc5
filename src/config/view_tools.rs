//! What the configuration says about tools, commands and their sandbox: data only; the layers above give it meaning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `sandbox` of an agent, with `agents.defaults.sandbox` merged in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SandboxSettings {
    /// `level`: `none`, `relaxed`, `strict`; `None` = the strictest of this operating system.
    pub level: Option<String>,
    /// `backend`: a name of `sandbox::Backend`, `None` = the best one that works. OpenClaw's `docker`, `ssh` … count as `None`, with a warning.
    pub backend: Option<String>,
    /// `network`: `None` = as the level has it (`strict` no, others yes).
    pub network: Option<bool>,
    /// `workspaceAccess`: `rw` (default), `ro`, `none`.
    pub workspace_access: WorkspaceAccess,
    /// `mounts[]`: `{path, access: "ro"|"rw"}`; `~` expanded, absolute. `true` = writable.
    pub mounts: Vec<(PathBuf, bool)>,
    /// `protect[]`: further paths or names below the workspace that agents may not change.
    pub protect: Vec<String>,
    /// `allowMissing[]`: names of guarantees that the level may do without.
    pub allow_missing: Vec<String>,
    /// `limits.*`; `None` = `sandbox::Limits::default`.
    pub limits: LimitSettings,
}

/// `sandbox.workspaceAccess`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkspaceAccess {
    /// Commands read and write.
    #[default]
    #[serde(rename = "rw")]
    ReadWrite,
    /// Commands only read.
    #[serde(rename = "ro")]
    ReadOnly,
    /// Commands see an empty private directory.
    #[serde(rename = "none")]
    Nothing,
}

/// `sandbox.limits`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitSettings {
    /// `memoryMb`, in bytes here.
    pub memory_bytes: Option<u64>,
    /// `processes`.
    pub processes: Option<u64>,
    /// `fileMb`, in bytes here.
    pub file_bytes: Option<u64>,
    /// `openFiles`.
    pub open_files: Option<u64>,
    /// `cpuSeconds`.
    pub cpu_seconds: Option<u64>,
    /// `tmpMb`, in bytes here.
    pub tmp_bytes: Option<u64>,
}

/// `tools` of an agent, with the global `tools` merged in: narrower wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolSettings {
    /// `profile`: `minimal`, `coding`, `messaging`, `full`; default `full`.
    pub profile: String,
    /// `alsoAllow[]`: added to the profile.
    pub also_allow: Vec<String>,
    /// `ask[]`: tools and groups that need an approval for each call.
    pub ask: Vec<String>,
    /// `exec`.
    pub exec: ExecSettings,
    /// `exec.applyPatch.enabled`; default true.
    pub apply_patch: bool,
    /// `vfs`.
    pub vfs: VfsSettings,
}

/// `tools.exec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecSettings {
    /// `security`: `deny`, `allowlist`, `full` (or from `mode` of newer OpenClaw). `None` = by the sandbox level: `full` when there is one,
    /// `allowlist` at level `none`.
    pub security: Option<String>,
    /// `ask`: `off`, `on-miss`, `always`. `None` = by the sandbox level: `off` when there is one, `on-miss` at level `none`.
    pub ask: Option<String>,
    /// `safeBins[]`: programs that read standard input only and need no approval.
    pub safe_bins: Vec<String>,
    /// `strictInlineEval`: `python -c` and the like always need an approval; default true.
    pub strict_inline_eval: bool,
    /// `timeoutSec`/`timeoutSeconds`: default 120.
    pub timeout_seconds: u64,
    /// `backgroundMs`: a foreground command that takes longer goes on as a background session; `None` = never.
    pub background_ms: Option<u64>,
    /// `cleanupMs`: how long a finished background session can be polled; default 1,800,000.
    pub cleanup_ms: u64,
    /// `pathPrepend[]`: directories before the standard `PATH`.
    pub path_prepend: Vec<String>,
    /// `passEnv[]`: variables of the gateway that commands get; default none but the locale and time zone.
    pub pass_env: Vec<String>,
    /// `approvalTimeoutSeconds`: how long a command waits for a person; default 300.
    pub approval_timeout_seconds: u64,
    /// `grantExpiryDays`: how long an allow-always holds; default 90.
    pub grant_expiry_days: u64,
}

impl Default for ExecSettings {
    fn default() -> Self {
        Self {
            security: None,
            ask: None,
            safe_bins: Vec::new(),
            strict_inline_eval: true,
            timeout_seconds: 120,
            background_ms: None,
            cleanup_ms: 1_800_000,
            path_prepend: Vec::new(),
            pass_env: Vec::new(),
            approval_timeout_seconds: 300,
            grant_expiry_days: 90,
        }
    }
}

impl Default for ToolSettings {
    fn default() -> Self {
        Self {
            profile: "full".to_owned(),
            also_allow: Vec::new(),
            ask: Vec::new(),
            exec: ExecSettings::default(),
            apply_patch: true,
            vfs: VfsSettings::default(),
        }
    }
}

/// `tools.vfs`: bounds of an agent's virtual files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VfsSettings {
    /// `maxMb`, in bytes here: of all current files; default 512 MiB.
    pub max_bytes: u64,
    /// `maxFiles`; default 100,000.
    pub max_files: u64,
    /// `maxFileMb`, in bytes here; default 128 MiB.
    pub max_file_bytes: u64,
    /// `historyMb`, in bytes here: of superseded versions that no snapshot holds; default 512 MiB.
    pub history_bytes: u64,
}

impl Default for VfsSettings {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self { max_bytes: 512 * MIB, max_files: 100_000, max_file_bytes: 128 * MIB, history_bytes: 512 * MIB }
    }
}
