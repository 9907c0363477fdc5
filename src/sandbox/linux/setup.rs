//! What the gateway, the outer stage and the supervisor say to each other: the JSON payloads of the control frames.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sandbox::{Backend, Guarantees, Limits, Mount, SandboxLevel, Stdin, Workspace};

/// `STAGE`: what the outer stage needs to make the new view of the system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageSetup {
    /// The means.
    pub backend: Backend,
    /// Process id of the gateway: when it is not the parent any more, the stage ends.
    pub gateway: u32,
    /// Whether the host's network stays in reach.
    pub network: bool,
    /// Bounds.
    pub limits: Limits,
    /// What the command works in.
    pub workspace: Workspace,
    /// Further host directories and files.
    pub mounts: Vec<Mount>,
    /// Directories of control groups made for this command. The stage moves itself into each.
    pub cgroups: Vec<PathBuf>,
    /// The bubblewrap program, with that backend.
    pub bubblewrap: Option<PathBuf>,
}

/// `SETUP`: what the supervisor needs to restrict itself and to start the command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SupervisorSetup {
    /// The means.
    pub backend: Backend,
    /// The contract.
    pub level: SandboxLevel,
    /// Whether Internet sockets may be made.
    pub network: bool,
    /// Bounds.
    pub limits: Limits,
    /// What the command works in.
    pub workspace: Workspace,
    /// Further host directories and files.
    pub mounts: Vec<Mount>,
    /// What the control groups in [`StageSetup::cgroups`] bound: of `PidsLimit` and `MemLimit`.
    pub accounted: Guarantees,
    /// What must hold before the command starts: the level's guarantees without those that may be missing.
    pub required: Guarantees,
    /// Whether a projection follows before the command starts, and its changes are wanted afterwards.
    pub projection: bool,
    /// Program and arguments.
    #[serde(with = "texts")]
    pub argv: Vec<OsString>,
    /// Relative to the workspace; empty = the workspace itself.
    pub cwd: PathBuf,
    /// The whole environment.
    #[serde(with = "pairs")]
    pub env: Vec<(OsString, OsString)>,
    /// Standard input of the command.
    pub stdin: Stdin,
    /// Wall time of the command.
    pub timeout_ms: Option<u64>,
}

/// `READY`: what holds, read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// What holds.
    pub granted: Guarantees,
    /// Remarks for people.
    pub notes: Vec<String>,
}

/// `FAILED`: the set-up ended before the command was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{stage}: {message}")]
pub struct StageFailure {
    /// Which step.
    pub stage: String,
    /// The system's error, in words.
    pub message: String,
    /// The required guarantees that do not hold, when that is the failure.
    pub missing: Guarantees,
}

impl StageFailure {
    /// A step that the system refused.
    pub fn new(stage: &str, error: impl std::fmt::Display) -> Self {
        Self { stage: stage.to_owned(), message: error.to_string(), missing: Guarantees::EMPTY }
    }
}

/// Names the step of a failed system call.
pub trait At<T> {
    /// The same result, its error with the step that it belongs to.
    fn at(self, stage: &str) -> Result<T, StageFailure>;
}

impl<T, E: std::fmt::Display> At<T> for Result<T, E> {
    fn at(self, stage: &str) -> Result<T, StageFailure> {
        self.map_err(|error| StageFailure::new(stage, error))
    }
}

/// `STARTED`: the command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its process id, as the supervisor sees it.
    pub pid: u32,
}

/// `START_FAILED`: there is no such program, or it cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct StartFailed {
    /// The system's error, in words.
    pub message: String,
    /// There is no such program.
    pub not_found: bool,
}

/// Text of the operating system: a JSON string where it is UTF-8, else a list of bytes. Short for what is usual, exact for what is not.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl From<&OsString> for Text {
    fn from(text: &OsString) -> Self {
        match text.to_str() {
            Some(text) => Self::Utf8(text.to_owned()),
            None => Self::Bytes(text.as_bytes().to_vec()),
        }
    }
}

impl From<Text> for OsString {
    fn from(text: Text) -> Self {
        match text {
            Text::Utf8(text) => text.into(),
            Text::Bytes(bytes) => OsString::from_vec(bytes),
        }
    }
}

mod texts {
    use super::{Deserialize, Deserializer, OsString, Serializer, Text};

    pub(super) fn serialize<S: Serializer>(list: &[OsString], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(Text::from))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<OsString>, D::Error> {
        Ok(Vec::<Text>::deserialize(deserializer)?.into_iter().map(OsString::from).collect())
    }
}

mod pairs {
    use super::{Deserialize, Deserializer, OsString, Serializer, Text};

    pub(super) fn serialize<S: Serializer>(list: &[(OsString, OsString)], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|(name, value)| (Text::from(name), Text::from(value))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(OsString, OsString)>, D::Error> {
        let list = Vec::<(Text, Text)>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_utf8_survives() {
        let odd = OsString::from_vec(vec![b'a', 0xff]);
        let setup = SupervisorSetup {
            backend: Backend::Namespaces,
            level: SandboxLevel::Strict,
            network: false,
            limits: Limits::default(),
            workspace: Workspace::Virtual,
            mounts: Vec::new(),
            accounted: Guarantees::EMPTY,
            required: Guarantees::ALL,
            projection: true,
            argv: vec!["echo".into(), odd.clone()],
            cwd: PathBuf::new(),
            env: vec![("A".into(), odd)],
            stdin: Stdin::Null,
            timeout_ms: Some(5),
        };
        let json = serde_json::to_string(&setup).unwrap();
        assert!(json.contains("\"echo\",[97,255]"), "{json}");
        assert_eq!(serde_json::from_str::<SupervisorSetup>(&json).unwrap(), setup);
    }
}
