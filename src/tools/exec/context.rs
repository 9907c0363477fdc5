//! What a run's commands need besides the call: where they run, under which policy, and who keeps those that go on.

use std::ffi::OsString;
use std::sync::Arc;

use super::environment::{self, Variable};
use super::profile::ExecProfile;
use crate::config::{SandboxSettings, ToolSettings};
use crate::fs::{HostCapabilityFs, VirtualAgentFs};
use crate::sandbox::{Sandbox, SandboxError, SandboxLevel};
use crate::tools::process::ProcessRegistry;

/// The files that commands work in.
#[derive(Clone)]
pub enum ExecFiles {
    /// A directory of the host.
    Host(Arc<HostCapabilityFs>),
    /// Virtual files: a command sees a copy, and what it changes is stored when it has ended.
    Virtual(Arc<VirtualAgentFs>),
}

/// The commands of a run. Made once per run; every call of `exec` and `process` uses it.
pub struct ExecContext {
    pub(super) sandbox: Sandbox,
    pub(super) files: ExecFiles,
    profile: Result<ExecProfile, SandboxError>,
    pub(super) tools: ToolSettings,
    processes: ProcessRegistry,
    environment: Vec<Variable>,
}

impl ExecContext {
    /// `inherited` is the gateway's environment, of which only what `tools.exec.passEnv` names and the locale reach a command.
    ///
    /// Settings that cannot be obeyed do not fail here but in every call of `exec`, which then says why.
    pub fn new<'e>(
        sandbox: Sandbox,
        files: ExecFiles,
        sandbox_settings: &SandboxSettings,
        tools: ToolSettings,
        processes: ProcessRegistry,
        inherited: impl IntoIterator<Item = (&'e String, &'e String)>,
    ) -> Self {
        let profile = ExecProfile::from_settings(sandbox_settings);
        let level = profile.as_ref().map_or(SandboxLevel::Strict, ExecProfile::level);
        let inherited = inherited.into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let environment = environment::base(&tools.exec, level, inherited);
        Self { sandbox, files, profile, tools, processes, environment }
    }

    /// The policy of the agent's commands, or why there is none.
    pub fn profile(&self) -> Result<&ExecProfile, SandboxError> {
        self.profile.as_ref().map_err(Clone::clone)
    }

    /// The background sessions of the gateway.
    pub fn processes(&self) -> &ProcessRegistry {
        &self.processes
    }

    /// What every command finds in its environment.
    pub fn environment(&self) -> &[(OsString, OsString)] {
        &self.environment
    }
}
