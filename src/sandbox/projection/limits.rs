//! Bounds of a projected tree.

use serde::{Deserialize, Serialize};

/// What is brought in and back at most. The same values hold in the sandbox, which obeys them to spare work, and in the gateway, which
/// enforces them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectionLimits {
    /// Files, directories and everything else in the tree.
    pub entries: u64,
    /// Bytes of all files that changed, together. The gateway holds them in memory until they are stored.
    pub bytes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Names in a path.
    pub depth: usize,
    /// Rejected paths that are listed; the others are counted.
    pub rejects: usize,
}

impl Default for ProjectionLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self { entries: 100_000, bytes: 256 * MIB, file_bytes: 128 * MIB, depth: 64, rejects: 1000 }
    }
}
