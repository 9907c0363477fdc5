//! How much a command is confined.

use serde::{Deserialize, Serialize};

use super::guarantees::{Guarantee, Guarantees};

/// A contract: the guarantees in [`SandboxLevel::required`] hold, or the command does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxLevel {
    /// Nothing but a clean environment, limits, and the end of the whole process tree.
    None,
    /// The host's files and sockets are out of reach; the network is not.
    Relaxed,
    /// Nothing is in reach but the workspace, read-only system files, and the processor.
    Strict,
}

impl SandboxLevel {
    /// All levels, from the weakest on.
    pub const ALL: [Self; 3] = [Self::None, Self::Relaxed, Self::Strict];

    /// The level with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// `none`, `relaxed`, `strict`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Relaxed => "relaxed",
            Self::Strict => "strict",
        }
    }

    /// What must hold at this level.
    pub fn required(self) -> Guarantees {
        use Guarantee as G;
        match self {
            Self::None => Guarantees::of(&[G::EnvClean, G::TreeKill]),
            Self::Relaxed => Guarantees::of(&[
                G::FsWriteConfined,
                G::FsReadConfined,
                G::UnixSocketsDenied,
                G::SignalsConfined,
                G::NoNewPrivs,
                G::CapsEmpty,
                G::Seccomp,
                G::Landlock,
                G::EnvClean,
                G::TreeKill,
                G::FsizeLimit,
            ]),
            Self::Strict => Guarantees::ALL,
        }
    }
}

impl std::fmt::Display for SandboxLevel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
