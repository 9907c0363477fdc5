//! `tools` and `sandbox` of one agent: the global section with the agent's own over it. The narrower value wins; what restricts
//! (`deny`, `ask`, `protect`) is united.

use std::path::Path;

use super::build::Reader;
use super::json5::Node;
use super::loader::expand_home;
use super::table_tools::{BACKENDS, WEEK};
use super::view_tools::{ExecSettings, LimitSettings, SandboxSettings, ToolSettings, VfsSettings, WorkspaceAccess};
use crate::core::FilesystemMode;

const MIB: u64 = 1024 * 1024;

/// The same key in the wider and the narrower section.
#[derive(Clone, Copy)]
struct Both<'n> {
    wide: Reader<'n>,
    own: Reader<'n>,
}

impl<'n> Both<'n> {
    fn at(self, key: &str) -> Self {
        Self { wide: self.wide.at(key), own: self.own.at(key) }
    }

    /// The narrower value if there is one.
    fn either(self) -> Reader<'n> {
        if self.own.0.is_some() { self.own } else { self.wide }
    }

    /// The values of both, each once.
    fn united(self) -> Vec<String> {
        let mut list = self.wide.list();
        for value in self.own.list() {
            if !list.contains(&value) {
                list.push(value);
            }
        }
        list
    }
}

/// `tools.allow` and `tools.deny`: an agent's own `allow` replaces the global one, `deny` is united.
pub(super) fn allow_and_deny(global: Reader<'_>, own: Reader<'_>) -> (Vec<String>, Vec<String>) {
    let both = Both { wide: global, own };
    (both.at("allow").either().list(), both.at("deny").united())
}

/// The rest of `tools`.
pub(super) fn tools(global: Reader<'_>, own: Reader<'_>, home: Option<&Path>) -> ToolSettings {
    let both = Both { wide: global, own };
    let default = ToolSettings::default();
    let exec = both.at("exec");
    ToolSettings {
        profile: both.at("profile").either().text().unwrap_or(default.profile),
        also_allow: both.at("alsoAllow").either().list(),
        ask: both.at("ask").united(),
        apply_patch: exec.at("applyPatch").at("enabled").either().bool().unwrap_or(default.apply_patch),
        exec: self::exec(exec, home),
        vfs: vfs(both.at("vfs")),
    }
}

fn exec(both: Both<'_>, home: Option<&Path>) -> ExecSettings {
    let default = ExecSettings::default();
    let whole = |key: &str| both.at(key).either().whole();
    let milliseconds = |key: &str| whole(key).map(|value| value.min(WEEK * 1000));
    let (wide_security, wide_ask) = security_and_ask(both.wide);
    let (security, ask) = security_and_ask(both.own);
    let timeout = |reader: Reader<'_>| reader.at("timeoutSeconds").whole().or_else(|| reader.at("timeoutSec").whole());
    ExecSettings {
        security: security.or(wide_security),
        ask: ask.or(wide_ask),
        safe_bins: both.at("safeBins").either().list(),
        strict_inline_eval: both.at("strictInlineEval").either().bool().unwrap_or(default.strict_inline_eval),
        timeout_seconds: timeout(both.own).or_else(|| timeout(both.wide)).unwrap_or(default.timeout_seconds).min(WEEK),
        background_ms: milliseconds("backgroundMs"),
        cleanup_ms: milliseconds("cleanupMs").unwrap_or(default.cleanup_ms),
        path_prepend: paths(both.at("pathPrepend").either(), home),
        pass_env: both.at("passEnv").either().list(),
        approval_timeout_seconds: whole("approvalTimeoutSeconds").unwrap_or(default.approval_timeout_seconds),
        grant_expiry_days: whole("grantExpiryDays").unwrap_or(default.grant_expiry_days),
    }
}

/// `exec.security` and `exec.ask` of one section; newer OpenClaw's `exec.mode` stands for both. Its `auto` lets a model review what is
/// not listed; here a person does.
fn security_and_ask(exec: Reader<'_>) -> (Option<String>, Option<String>) {
    let (security, ask) = match exec.at("mode").text().as_deref() {
        Some("deny") => ("deny", "off"),
        Some("allowlist") => ("allowlist", "off"),
        Some("ask" | "auto") => ("allowlist", "on-miss"),
        Some("full") => ("full", "off"),
        _ => return (exec.at("security").text(), exec.at("ask").text()),
    };
    (Some(security.to_owned()), Some(ask.to_owned()))
}

fn paths(list: Reader<'_>, home: Option<&Path>) -> Vec<String> {
    list.list().iter().map(|path| expand_home(path.trim(), home).display().to_string()).collect()
}

fn vfs(both: Both<'_>) -> VfsSettings {
    let default = VfsSettings::default();
    let bytes = |key: &str| megabytes(both.at(key).either());
    VfsSettings {
        max_bytes: bytes("maxMb").unwrap_or(default.max_bytes),
        max_files: both.at("maxFiles").either().whole().unwrap_or(default.max_files),
        max_file_bytes: bytes("maxFileMb").unwrap_or(default.max_file_bytes),
        history_bytes: bytes("historyMb").unwrap_or(default.history_bytes),
    }
}

fn megabytes(reader: Reader<'_>) -> Option<u64> {
    reader.whole().map(|count| count.saturating_mul(MIB))
}

/// `sandbox` of an agent over `agents.defaults.sandbox`.
pub(super) fn sandbox(defaults: Reader<'_>, own: Reader<'_>, home: Option<&Path>) -> SandboxSettings {
    let both = Both { wide: defaults, own };
    let limits = both.at("limits");
    SandboxSettings {
        level: both.at("level").either().text(),
        backend: both.at("backend").either().text().filter(|name| BACKENDS.contains(&name.as_str())),
        network: both.at("network").either().bool(),
        workspace_access: match both.at("workspaceAccess").either().text().as_deref() {
            Some("ro") => WorkspaceAccess::ReadOnly,
            Some("none") => WorkspaceAccess::Nothing,
            _ => WorkspaceAccess::ReadWrite,
        },
        mounts: both
            .at("mounts")
            .either()
            .0
            .map_or(&[][..], Node::elements)
            .iter()
            .filter_map(|mount| {
                let mount = Reader(Some(mount));
                Some((mount.at("path").path(home)?, mount.at("access").text().as_deref() == Some("rw")))
            })
            .collect(),
        protect: both.at("protect").united(),
        allow_missing: both.at("allowMissing").either().list(),
        limits: LimitSettings {
            memory_bytes: megabytes(limits.at("memoryMb").either()),
            processes: limits.at("processes").either().whole(),
            file_bytes: megabytes(limits.at("fileMb").either()),
            open_files: limits.at("openFiles").either().whole(),
            cpu_seconds: limits.at("cpuSeconds").either().whole(),
            tmp_bytes: megabytes(limits.at("tmpMb").either()),
        },
    }
}

/// `filesystemMode` of an agent over `agents.defaults.filesystemMode`.
pub(super) fn filesystem_mode(defaults: Reader<'_>, own: Reader<'_>) -> FilesystemMode {
    let name = Both { wide: defaults, own }.at("filesystemMode").either().text();
    name.as_deref().and_then(FilesystemMode::parse).unwrap_or_default()
}
