//! What held while a command ran.

use serde::{Deserialize, Serialize};

use super::guarantees::Guarantees;
use super::level::SandboxLevel;

/// The means by which commands are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Own namespaces, then Landlock and seccomp (Linux).
    Namespaces,
    /// Namespaces made by bubblewrap, then Landlock and seccomp (Linux).
    Bubblewrap,
    /// Landlock and seccomp alone, where user namespaces are not allowed (Linux).
    Landlock,
    /// `sandbox-exec` (macOS).
    Seatbelt,
    /// Job Objects (Windows).
    JobObject,
    /// No confinement: environment, limits, tree.
    Plain,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Namespaces, Self::Bubblewrap, Self::Landlock, Self::Seatbelt, Self::JobObject, Self::Plain];

    /// Those that this operating system can have, the best first and no confinement last.
    pub fn of_this_system() -> &'static [Self] {
        if cfg!(target_os = "linux") {
            &[Self::Namespaces, Self::Bubblewrap, Self::Landlock, Self::Plain]
        } else if cfg!(target_os = "macos") {
            &[Self::Seatbelt, Self::Plain]
        } else if cfg!(windows) {
            &[Self::JobObject, Self::Plain]
        } else {
            &[Self::Plain]
        }
    }

    /// The backend with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.as_str() == name)
    }

    /// The name in reports and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Bubblewrap => "bubblewrap",
            Self::Landlock => "landlock",
            Self::Seatbelt => "seatbelt",
            Self::JobObject => "jobobject",
            Self::Plain => "plain",
        }
    }
}

/// Attached to the result of every command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxReport {
    /// The contract.
    pub level: SandboxLevel,
    /// By which means.
    pub backend: Backend,
    /// What held, as read back inside of the sandbox.
    pub granted: Guarantees,
    /// What the level requires and the configuration allowed to be missing.
    pub missing: Guarantees,
    /// Remarks for people: limits that hold per process only, what could not be mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Protected paths that the command created or changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tampered: Vec<String>,
}
