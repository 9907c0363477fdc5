//! What the means of confinement do on this machine, tried out rather than assumed.

use serde::{Deserialize, Serialize};

use super::guarantees::Guarantees;
use super::level::SandboxLevel;
use super::report::Backend;

/// What one backend guarantees here, by running the real chain once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// For which level.
    pub level: SandboxLevel,
    /// Which means.
    pub backend: Backend,
    /// What held inside.
    pub granted: Guarantees,
    /// What the level requires and did not hold.
    pub missing: Guarantees,
    /// Remarks of the stages.
    pub notes: Vec<String>,
    /// What a command tried inside, and whether it could.
    pub attempts: Vec<ProbeAttempt>,
    /// Why it cannot be used at all.
    pub problem: Option<String>,
    /// What would help.
    pub remedy: Option<String>,
}

/// Something that a command tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeAttempt {
    /// What.
    pub name: String,
    /// The guarantee that it would break.
    pub against: String,
    /// Whether it could.
    pub allowed: bool,
    /// The system's answer.
    pub detail: String,
}

impl Probe {
    /// Whether commands of the level can run, when nothing may be missing.
    pub fn works(&self) -> bool {
        self.problem.is_none() && self.missing.is_empty()
    }
}
