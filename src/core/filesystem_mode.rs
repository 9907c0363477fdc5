//! Which files an agent works in.

use serde::{Deserialize, Serialize};

/// Chosen before a run starts, never changed by it (seed plan, workstream 3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilesystemMode {
    /// The workspace on the host; commands run there.
    Disk,
    /// The same, with scratch files in the database.
    #[default]
    VfsScratch,
    /// Files in the database only. Commands see a projection of them; there are no background commands.
    VfsOnly,
}

impl FilesystemMode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Disk, Self::VfsScratch, Self::VfsOnly];

    /// The mode with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// `disk`, `vfs-scratch`, `vfs-only`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::VfsScratch => "vfs-scratch",
            Self::VfsOnly => "vfs-only",
        }
    }
}
