//! Which means are used for a policy (Linux).

use std::path::PathBuf;
use std::sync::Arc;

use super::child::SandboxedChild;
use super::error::SandboxError;
use super::guarantees::Guarantees;
use super::host::{Plan, Spawner, launch};
use super::level::SandboxLevel;
use super::linux::setup::{StageSetup, SupervisorSetup};
use super::projection::Projection;
use super::report::Backend;
use super::spec::{CommandSpec, SandboxSpec};

/// The running program, even when its file was replaced.
const SELF: &str = "/proc/self/exe";

/// The means of this system.
#[derive(Debug)]
pub(super) struct Backends {
    spawner: Arc<Spawner>,
}

impl Backends {
    pub(super) fn new(program: Option<PathBuf>) -> Self {
        Self { spawner: Spawner::new(program.unwrap_or_else(|| SELF.into())) }
    }

    /// Starts a command whose policy was checked.
    pub(super) async fn start(
        &self,
        spec: SandboxSpec,
        command: CommandSpec,
        projection: Option<Projection>,
    ) -> Result<SandboxedChild, SandboxError> {
        let backend = self.choose(&spec)?;
        let plan = plan(spec, command, backend, projection.is_some());
        launch(&self.spawner, plan, projection).await
    }

    fn choose(&self, spec: &SandboxSpec) -> Result<Backend, SandboxError> {
        if spec.level == SandboxLevel::None {
            return Ok(Backend::Plain);
        }
        Ok(spec.backend.unwrap_or(Backend::Namespaces))
    }
}

fn plan(spec: SandboxSpec, command: CommandSpec, backend: Backend, projection: bool) -> Plan {
    let SandboxSpec { level, workspace, mounts, network, limits, allow_missing, backend: _ } = spec;
    let CommandSpec { argv, cwd, env, stdin, timeout } = command;
    Plan {
        stage: StageSetup {
            backend,
            gateway: std::process::id(),
            network,
            limits: limits.clone(),
            workspace: workspace.clone(),
            mounts: mounts.clone(),
            cgroups: Vec::new(),
            bubblewrap: None,
        },
        setup: SupervisorSetup {
            backend,
            level,
            network,
            limits,
            workspace,
            mounts,
            accounted: Guarantees::EMPTY,
            required: level.required().without(allow_missing),
            projection,
            argv,
            cwd,
            env,
            stdin,
            timeout_ms: timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        },
    }
}
