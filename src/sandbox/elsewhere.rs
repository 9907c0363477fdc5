//! Systems on which commands cannot be run: nothing is promised, and nothing is started.

use std::path::PathBuf;

use super::child::SandboxedChild;
use super::error::SandboxError;
use super::guarantees::Guarantees;
use super::level::SandboxLevel;
use super::probe::Probe;
use super::projection::Projection;
use super::report::Backend;
use super::spec::{CommandSpec, SandboxSpec};

const WHY: &str = "there is no way to run commands on this system";
const REMEDY: &str = "run the gateway on Linux or macOS";

#[derive(Debug)]
pub(super) struct Backends;

impl Backends {
    pub(super) fn new(_program: Option<PathBuf>) -> Self {
        Self
    }

    #[expect(clippy::unused_async, reason = "the same as on Linux, where the chain is waited for")]
    pub(super) async fn start(
        &self,
        spec: SandboxSpec,
        _command: CommandSpec,
        _projection: Option<Projection>,
    ) -> Result<SandboxedChild, SandboxError> {
        let missing = spec.level.required();
        Err(SandboxError::Unavailable { level: spec.level, missing, why: WHY.into(), remedy: REMEDY.into() })
    }

    #[expect(clippy::unused_async, reason = "the same as on Linux, where the chain is run")]
    pub(super) async fn probe(&self, level: SandboxLevel, backend: Option<Backend>) -> Probe {
        Probe {
            level,
            backend: backend.unwrap_or(Backend::Plain),
            granted: Guarantees::EMPTY,
            missing: level.required(),
            notes: Vec::new(),
            attempts: Vec::new(),
            problem: Some(WHY.into()),
            remedy: Some(REMEDY.into()),
        }
    }
}
