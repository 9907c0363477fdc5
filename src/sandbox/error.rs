//! Why a command could not be confined, or not be started.

use crate::core::{Error, ErrorKind};

use super::guarantees::Guarantees;
use super::level::SandboxLevel;

/// A command that did not run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SandboxError {
    /// A required guarantee cannot be had here. The command was not started.
    #[error("the sandbox level {level} is not available here: {missing} cannot be guaranteed")]
    Unavailable {
        /// The level asked for.
        level: SandboxLevel,
        /// What is missing.
        missing: Guarantees,
        /// What was tried and how it failed, one sentence per backend.
        why: String,
        /// How to get it.
        remedy: String,
    },
    /// The policy itself cannot be obeyed: a workspace that holds the state directory, a mount that does not exist.
    #[error("the sandbox cannot be set up: {what}")]
    Spec {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A step of the set-up failed although the probe had passed. The command was not started.
    #[error("the sandbox could not be set up: {stage}: {message}")]
    Setup {
        /// Which step.
        stage: String,
        /// The system's error.
        message: String,
    },
    /// The program could not be started inside.
    #[error("{program} could not be started: {message}")]
    Start {
        /// `argv[0]`.
        program: String,
        /// The system's error, in words.
        message: String,
        /// There is no such program.
        not_found: bool,
    },
    /// The supervisor broke its protocol or died. What the command had done is not known.
    #[error("the sandbox supervisor failed: {message}")]
    Supervisor {
        /// How.
        message: String,
    },
    /// A virtual file tree could not be brought in.
    #[error("the virtual files could not be projected: {message}")]
    Projection {
        /// Why.
        message: String,
    },
}

impl From<SandboxError> for Error {
    fn from(error: SandboxError) -> Self {
        let text = error.to_string();
        match error {
            SandboxError::Unavailable { why, remedy, missing, level } => Error::new(ErrorKind::Sandbox, text)
                .why(why)
                .hint(remedy)
                .details(serde_json::json!({ "reason": "sandbox_unavailable", "level": level, "missing": missing })),
            SandboxError::Spec { hint, .. } => Error::new(ErrorKind::Config, text).hint(hint),
            SandboxError::Start { not_found: true, .. } => Error::new(ErrorKind::NotFound, text)
                .hint("only programs in the sandbox's PATH can be run; openclaw sandbox explain shows it"),
            _ => Error::new(ErrorKind::Sandbox, text).hint("openclaw sandbox probe shows what works here"),
        }
    }
}
