//! What is to be confined, and how: data that the caller decides and every backend obeys.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::guarantees::Guarantees;
use super::level::SandboxLevel;
use super::report::Backend;

/// The policy of one command. Levels decide what must hold; this says what is granted beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// The contract.
    pub level: SandboxLevel,
    /// What the command works in.
    pub workspace: Workspace,
    /// Further host directories that the command may see, at their own paths.
    pub mounts: Vec<Mount>,
    /// Whether the network may be used. `Strict` never grants it.
    pub network: bool,
    /// Bounds.
    pub limits: Limits,
    /// Guarantees of the level that the configuration allows to be missing.
    pub allow_missing: Guarantees,
    /// `None` = the best that works here.
    pub backend: Option<Backend>,
}

/// The directory a command starts in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Workspace {
    /// A directory of the host, bound at its own path.
    Host {
        /// Absolute, real path.
        path: PathBuf,
        /// Whether the command may write there.
        writable: bool,
        /// Existing files and directories below it, relative, that are read-only for the command.
        protected: Vec<PathBuf>,
        /// Existing files and directories below it, relative, that the command may not even read: credentials.
        hidden: Vec<PathBuf>,
    },
    /// A private memory file system at [`super::VIRTUAL_WORKSPACE`]. Its files come and go through a projection.
    Virtual,
}

/// A host directory or file in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path, the same inside and outside.
    pub path: PathBuf,
    /// Whether the command may write there.
    pub writable: bool,
}

/// Bounds of one command and everything that it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory: of the tree where control groups can be used, else of data per process.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Open files per process.
    pub open_files: u64,
    /// Seconds of processor time per process.
    pub cpu_seconds: u64,
    /// Bytes of the private `/tmp` and of a virtual workspace, each.
    pub tmp_bytes: u64,
    /// Files in the private `/tmp` and in a virtual workspace, each.
    pub tmp_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const GIB: u64 = 1024 * 1024 * 1024;
        Self {
            memory_bytes: 4 * GIB,
            processes: 512,
            file_bytes: 2 * GIB,
            open_files: 4096,
            cpu_seconds: 3600,
            tmp_bytes: GIB,
            tmp_files: 200_000,
        }
    }
}

/// A command.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandSpec {
    /// Program and arguments; the program is found in the `PATH` of `env`, inside of the sandbox.
    pub argv: Vec<OsString>,
    /// Relative to the workspace; empty = the workspace itself.
    pub cwd: PathBuf,
    /// The whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Standard input.
    pub stdin: Stdin,
    /// Wall time before the command is told to end (SIGTERM), and two seconds later made to (SIGKILL).
    pub timeout: Option<Duration>,
}

/// Where standard input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdin {
    /// It is at its end at once.
    Null,
    /// From the gateway, piece by piece.
    Pipe,
}
