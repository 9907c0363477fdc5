//! Starts commands under a policy.

use std::path::PathBuf;
use std::sync::Arc;

use super::check;
use super::child::SandboxedChild;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
use super::elsewhere::Backends;
use super::error::SandboxError;
#[cfg(target_os = "linux")]
use super::host::Backends;
use super::level::SandboxLevel;
#[cfg(target_os = "macos")]
use super::macos::Backends;
use super::probe::Probe;
use super::projection::Projection;
use super::report::Backend;
use super::spec::{CommandSpec, SandboxSpec};

/// What a [`Sandbox`] has to know of the program that uses it.
#[derive(Debug, Clone, Default)]
pub struct SandboxOptions {
    /// The program that plays the roles of a sandbox: `None` = the running one.
    pub program: Option<PathBuf>,
    /// Paths of the host that no confined command may reach: the state database's directory, the configuration, credentials, logs. A workspace
    /// or mount that is, contains, or lies in one of them is refused.
    pub forbidden: Vec<PathBuf>,
}

/// Runs commands in sandboxes. Clones share their threads and what they know of the system.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    backends: Backends,
    forbidden: Vec<PathBuf>,
}

impl Sandbox {
    /// Nothing is started before the first command.
    pub fn new(options: SandboxOptions) -> Self {
        let forbidden = options.forbidden.into_iter().map(|path| path.canonicalize().unwrap_or(path)).collect();
        Self { inner: Arc::new(Inner { backends: Backends::new(options.program), forbidden }) }
    }

    /// Starts a command, in a virtual workspace after the projection is inside. An error means that it did not run. Giving up waiting for this
    /// ends what was begun.
    pub async fn start(
        &self,
        spec: &SandboxSpec,
        command: CommandSpec,
        projection: Option<Projection>,
    ) -> Result<SandboxedChild, SandboxError> {
        check::command(&command)?;
        let spec = check::spec(spec, &self.inner.forbidden)?;
        check::projection(&spec, projection.is_some())?;
        Box::pin(self.inner.backends.start(spec, command, projection)).await
    }

    /// What a backend guarantees here, found out by running something in it; `None` = the best one. The first answer takes some milliseconds,
    /// and is remembered.
    pub async fn probe(&self, level: SandboxLevel, backend: Option<Backend>) -> Probe {
        Box::pin(self.inner.backends.probe(level, backend)).await
    }
}
