//! The keys about tools, commands and their sandbox. Each stands in several places (`tools` and `agents.*.tools`, the defaults and
//! every agent), so a macro writes the rows of one place.

use super::table::{Row, row};
use super::table_type::Type::{Bool, Enum, Integer, List, Text};

/// `tools.profile`.
const PROFILES: &[&str] = &["minimal", "coding", "messaging", "full"];
/// `tools.exec.security`.
const SECURITY: &[&str] = &["deny", "allowlist", "full"];
/// `tools.exec.ask`.
const ASK: &[&str] = &["off", "on-miss", "always"];
/// `tools.exec.mode` of newer OpenClaw.
const EXEC_MODES: &[&str] = &["deny", "allowlist", "ask", "auto", "full"];
/// `tools.exec.host` of OpenClaw.
const HOSTS: &[&str] = &["auto", "sandbox", "gateway", "node"];
/// `sandbox.level`; the same names as `sandbox::SandboxLevel`.
const LEVELS: &[&str] = &["none", "relaxed", "strict"];
/// `sandbox.workspaceAccess`.
const WORKSPACE_ACCESS: &[&str] = &["none", "ro", "rw"];
/// `filesystemMode`; the same names as `core::FilesystemMode`.
const FILESYSTEM_MODES: &[&str] = &["disk", "vfs-scratch", "vfs-only"];

/// `sandbox.backend`; the same names as `sandbox::Backend`.
pub(super) const BACKENDS: &[&str] = &["namespaces", "bubblewrap", "landlock", "seatbelt", "jobobject", "plain"];
/// `sandbox.allowMissing[]`; the same names as `sandbox::Guarantee`.
pub(super) const GUARANTEES: &[&str] = &[
    "fs_write_confined",
    "fs_read_confined",
    "metadata_confined",
    "net_denied",
    "unix_sockets_denied",
    "pids_hidden",
    "signals_confined",
    "no_new_privs",
    "caps_empty",
    "seccomp",
    "landlock",
    "env_clean",
    "tree_kill",
    "pids_limit",
    "mem_limit",
    "fsize_limit",
];

/// A week in seconds: nothing takes longer.
pub(super) const WEEK: u64 = 7 * 24 * 3600;
/// Sixteen tebibytes in mebibytes, so that a size in bytes never overflows.
const MOST_MB: u64 = 16 * 1024 * 1024;
const COUNT: super::table_type::Type = Integer(1, 1_000_000_000);
const MEGABYTES: super::table_type::Type = Integer(1, MOST_MB);

macro_rules! tool_rows {
    ($base:literal) => {
        &[
            row(
                concat!($base, ".profile"),
                Enum(PROFILES),
                "Tool profile",
                "Which tools there are before `allow` and `deny`: `minimal`, `coding`, `messaging`, `full`. Default: full.",
            ),
            row(concat!($base, ".alsoAllow"), List, "Also allowed tools", "Tools and groups added to the profile."),
            row(
                concat!($base, ".ask"),
                List,
                "Tools that ask",
                "Tools and groups of which every call needs a person's approval.",
            ),
            row(
                concat!($base, ".exec.security"),
                Enum(SECURITY),
                "Command policy",
                "Which commands may run: none (`deny`), listed ones (`allowlist`), all (`full`). Default: full inside a sandbox, allowlist at sandbox level none.",
            ),
            row(
                concat!($base, ".exec.ask"),
                Enum(ASK),
                "Command approvals",
                "When a person is asked: never (`off`), for commands the policy does not allow (`on-miss`), for each (`always`). Default: off inside a sandbox, on-miss at sandbox level none.",
            ),
            row(
                concat!($base, ".exec.mode"),
                Enum(EXEC_MODES),
                "Command mode",
                "Security and approvals in one word, as newer OpenClaw has it; wins over `security` and `ask` beside it. `ask` and `auto` ask a person about commands that are not listed.",
            ),
            row(
                concat!($base, ".exec.host"),
                Enum(HOSTS),
                "Command host",
                "OpenClaw's choice of machine. Here commands always run on this machine, confined as the sandbox level says.",
            ),
            row(
                concat!($base, ".exec.safeBins"),
                List,
                "Safe programs",
                "Names of programs that need no approval while they only read standard input.",
            ),
            row(
                concat!($base, ".exec.strictInlineEval"),
                Bool,
                "Inline code asks",
                "`python -c`, `node -e` and the like always need an approval under an allow list. Default: true.",
            ),
            row(
                concat!($base, ".exec.timeoutSec"),
                Integer(1, u64::MAX),
                "Command time limit",
                "Seconds a command may take; older name of `timeoutSeconds`. Default: 120.",
            ),
            row(
                concat!($base, ".exec.timeoutSeconds"),
                Integer(1, u64::MAX),
                "Command time limit",
                "Seconds a command may take, at most a week. Default: 120.",
            ),
            row(
                concat!($base, ".exec.backgroundMs"),
                Integer(1, u64::MAX),
                "To the background after",
                "Milliseconds after which a command goes on in the background. Default: never.",
            ),
            row(
                concat!($base, ".exec.cleanupMs"),
                Integer(1, u64::MAX),
                "Keep finished sessions",
                "Milliseconds a finished background command can still be asked about. Default: 1800000.",
            ),
            row(
                concat!($base, ".exec.pathPrepend"),
                List,
                "Search path",
                "Absolute directories searched for programs before the standard ones.",
            ),
            row(
                concat!($base, ".exec.passEnv"),
                List,
                "Passed variables",
                "Names of the gateway's environment variables that commands get. Default: only locale and time zone.",
            ),
            row(
                concat!($base, ".exec.approvalTimeoutSeconds"),
                Integer(1, WEEK),
                "Approval time limit",
                "Seconds a call waits for a person's decision. Default: 300.",
            ),
            row(
                concat!($base, ".exec.grantExpiryDays"),
                Integer(1, 3650),
                "Grant lifetime",
                "Days an allow-always holds. Default: 90.",
            ),
            row(
                concat!($base, ".exec.applyPatch.enabled"),
                Bool,
                "Patches",
                "Whether agents have the tool `apply_patch`. Default: true.",
            ),
            row(
                concat!($base, ".vfs.maxMb"),
                MEGABYTES,
                "Virtual files, size",
                "Mebibytes all virtual files of an agent may hold. Default: 512.",
            ),
            row(
                concat!($base, ".vfs.maxFiles"),
                COUNT,
                "Virtual files, number",
                "Virtual files an agent may have. Default: 100000.",
            ),
            row(
                concat!($base, ".vfs.maxFileMb"),
                MEGABYTES,
                "Virtual file, size",
                "Mebibytes one virtual file may hold. Default: 128.",
            ),
            row(
                concat!($base, ".vfs.historyMb"),
                Integer(0, MOST_MB),
                "Virtual file history",
                "Mebibytes of superseded versions that are kept. Default: 512.",
            ),
        ]
    };
}

macro_rules! sandbox_rows {
    ($base:literal) => {
        &[
            row(
                concat!($base, ".filesystemMode"),
                Enum(FILESYSTEM_MODES),
                "Files",
                "Where the agent's files are: the workspace on the host (`disk`), that and scratch files in the database (`vfs-scratch`), the database only (`vfs-only`). Default: vfs-scratch.",
            ),
            row(
                concat!($base, ".sandbox.level"),
                Enum(LEVELS),
                "Sandbox level",
                "How much commands are confined: `strict`, `relaxed` (with network), `none`. Default: the strictest of this operating system.",
            ),
            row(
                concat!($base, ".sandbox.backend"),
                Text,
                "Sandbox backend",
                "By which means commands are confined: `namespaces`, `bubblewrap`, `landlock`, `seatbelt`, `jobobject`, `plain`. Default: the best that works.",
            ),
            row(
                concat!($base, ".sandbox.network"),
                Bool,
                "Network",
                "Whether commands may use the network; level strict never grants it. Default: as the level has it.",
            ),
            row(
                concat!($base, ".sandbox.workspaceAccess"),
                Enum(WORKSPACE_ACCESS),
                "Workspace access",
                "What commands may do with the workspace: write (`rw`), read (`ro`), nothing (`none`). Default: rw.",
            ),
            row(
                concat!($base, ".sandbox.mounts.*.path"),
                Text,
                "Mounted directory",
                "Absolute path of a host directory or file that commands may see; `~` is the home directory.",
            ),
            row(
                concat!($base, ".sandbox.mounts.*.access"),
                Enum(&["ro", "rw"]),
                "Mount access",
                "What commands may do there: read (`ro`), write (`rw`). Default: ro.",
            ),
            row(
                concat!($base, ".sandbox.protect"),
                List,
                "Protected paths",
                "Further paths or names below the workspace that agents may not change.",
            ),
            row(
                concat!($base, ".sandbox.allowMissing"),
                List,
                "Dispensable guarantees",
                "Guarantees of the level that may be missing on this machine, by name as `openclaw sandbox explain` lists them.",
            ),
            row(
                concat!($base, ".sandbox.limits.memoryMb"),
                MEGABYTES,
                "Memory",
                "Mebibytes a command may use. Default: 4096.",
            ),
            row(
                concat!($base, ".sandbox.limits.processes"),
                Integer(1, 4_194_304),
                "Processes",
                "Processes and threads of a command. Default: 512.",
            ),
            row(
                concat!($base, ".sandbox.limits.fileMb"),
                MEGABYTES,
                "File size",
                "Mebibytes of one file a command writes. Default: 2048.",
            ),
            row(
                concat!($base, ".sandbox.limits.openFiles"),
                Integer(16, 1_048_576),
                "Open files",
                "Open files of each process. Default: 4096.",
            ),
            row(
                concat!($base, ".sandbox.limits.cpuSeconds"),
                Integer(1, WEEK),
                "Processor time",
                "Seconds of processor time of each process. Default: 3600.",
            ),
            row(
                concat!($base, ".sandbox.limits.tmpMb"),
                MEGABYTES,
                "Temporary files",
                "Mebibytes of a command's private temporary directory. Default: 1024.",
            ),
        ]
    };
}

/// Rows of each place.
pub(super) const TOOLS: [&[Row]; 6] = [
    tool_rows!("tools"),
    tool_rows!("agents.list.*.tools"),
    tool_rows!("agents.entries.*.tools"),
    sandbox_rows!("agents.defaults"),
    sandbox_rows!("agents.list.*"),
    sandbox_rows!("agents.entries.*"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::FilesystemMode;
    use crate::sandbox::{Backend, Guarantee, SandboxLevel};

    /// This line cannot import the sandbox, so the names stand twice; here they are held together.
    #[test]
    fn names_are_those_of_the_sandbox() {
        assert_eq!(LEVELS, SandboxLevel::ALL.map(SandboxLevel::as_str));
        assert_eq!(BACKENDS, Backend::ALL.map(Backend::as_str));
        assert_eq!(GUARANTEES, Guarantee::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>());
        assert_eq!(FILESYSTEM_MODES, FilesystemMode::ALL.map(FilesystemMode::as_str));
    }
}
