//! How a command ended.

use serde::{Deserialize, Serialize};

/// How a command ended. Either `code` or `signal` is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// The exit code, when it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// It was ended because its time was over.
    pub timed_out: bool,
    /// It was ended because the gateway asked for it.
    pub killed: bool,
    /// The bound that ended it, where that is known: `memory`, `cpu`, `file_size`.
    pub reason: Option<String>,
    /// From start to end, in milliseconds.
    pub duration_ms: u64,
    /// Processor time of the command and of those of its children that were waited for, in milliseconds.
    pub cpu_ms: u64,
    /// The largest resident set of one of its processes, in bytes.
    pub max_rss_bytes: u64,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Which output of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
