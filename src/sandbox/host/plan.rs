//! From a policy and a command to what the stages are told.

use std::path::PathBuf;

use crate::sandbox::linux::cgroup::ControlGroup;
use crate::sandbox::linux::setup::{StageSetup, SupervisorSetup};
use crate::sandbox::{Backend, CommandSpec, Guarantees, SandboxSpec};

/// A way that is open.
pub(super) struct Chosen {
    pub(super) backend: Backend,
    pub(super) bubblewrap: Option<PathBuf>,
}

/// Everything that is decided before a process is started.
pub(super) struct Plan {
    pub(super) stage: StageSetup,
    pub(super) setup: SupervisorSetup,
}

impl Plan {
    pub(super) fn new(spec: SandboxSpec, command: CommandSpec, chosen: Chosen, projection: bool) -> Self {
        let Chosen { backend, bubblewrap } = chosen;
        let SandboxSpec { level, workspace, mounts, network, limits, allow_missing, backend: _ } = spec;
        let CommandSpec { argv, cwd, env, stdin, timeout } = command;
        let stage = StageSetup {
            backend,
            gateway: std::process::id(),
            network,
            limits: limits.clone(),
            workspace: workspace.clone(),
            mounts: mounts.clone(),
            cgroups: Vec::new(),
            bubblewrap,
        };
        let setup = SupervisorSetup {
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
        };
        Self { stage, setup }
    }

    /// Puts the command into a control group.
    pub(super) fn account(&mut self, group: &ControlGroup, bounded: Guarantees) {
        self.stage.cgroups = group.paths().to_vec();
        self.setup.accounted = bounded;
    }
}
