//! What confines an agent: its settings put together, and what the sandbox grants on this machine. Looks only.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::files::private_paths;
use super::modes;
use super::service::Runtime;
use crate::config::{AgentConfig, LoadedConfig, WorkspaceAccess};
use crate::core::{AgentId, Error, FilesystemMode, Result};
use crate::fs::{HostCapabilityFs, HostFsOptions, ScanBounds};
use crate::sandbox::{
    Backend, Guarantee, Probe, Sandbox, SandboxLevel, SandboxOptions, SandboxSpec, VIRTUAL_WORKSPACE,
};
use crate::state::StatePaths;
use crate::tools::ToolSet;
use crate::tools::exec::{ExecProfile, environment};
use crate::tools::policy::ToolPolicy;

/// An agent as its configuration has it, and where.
pub struct Subject<'s> {
    /// The configuration.
    pub config: &'s LoadedConfig,
    /// The agent in it.
    pub agent: &'s AgentConfig,
    /// Where the state is.
    pub paths: &'s StatePaths,
}

/// What is known of one agent's sandbox on this machine.
#[derive(Debug, Clone)]
pub struct Posture {
    /// The agent.
    pub agent_id: AgentId,
    /// What its commands get; the error says why they get none.
    pub probe: std::result::Result<Probe, String>,
    /// Whether its commands run.
    pub works: bool,
}

/// A sandbox as a gateway with this state directory has it.
pub fn sandbox(paths: &StatePaths, config: &LoadedConfig) -> Sandbox {
    Sandbox::new(SandboxOptions { program: None, forbidden: private_paths(paths, &config.path) })
}

impl Subject<'_> {
    /// Its workspace on the host.
    pub fn workspace(&self) -> PathBuf {
        super::request::workspace_of(self.paths, self.agent)
    }

    /// Tries out what its commands get.
    pub async fn posture(&self, sandbox: &Sandbox) -> Posture {
        let agent_id = self.agent.id.clone();
        match ExecProfile::from_settings(&self.agent.sandbox) {
            Ok(profile) => {
                let spec = profile.on_virtual_files();
                let is_virtual =
                    modes::of_agent(self.config, self.agent).is_ok_and(|mode| mode == FilesystemMode::VfsOnly);
                // On the host, nothing is needed where nothing is promised.
                let plain = (spec.level == SandboxLevel::None && !is_virtual).then_some(Backend::Plain);
                let probe = sandbox.probe(spec.level, spec.backend.or(plain)).await;
                let works = works(&probe, &spec);
                Posture { agent_id, probe: Ok(probe), works }
            }
            Err(error) => Posture { agent_id, probe: Err(error.to_string()), works: false },
        }
    }

    /// Everything that decides what the agent's tools may do. Blocks on files.
    pub fn explain(&self, posture: &Posture) -> Result<Value> {
        let mode = modes::of_agent(self.config, self.agent)?;
        let profile = ExecProfile::from_settings(&self.agent.sandbox).map_err(Error::from)?;
        let spec = profile.on_virtual_files();
        let inherited = self.config.env.vars.iter();
        let mut explained = json!({
            "agentId": self.agent.id,
            "filesystemMode": mode.as_str(),
            "works": posture.works,
            "level": spec.level,
            "backend": posture.probe.as_ref().ok().map(|probe| probe.backend),
            "problem": posture.probe.as_ref().map_or_else(|error| Some(error.clone()), |probe| probe.problem.clone()),
            "remedy": posture.probe.as_ref().ok().and_then(|probe| probe.remedy.clone()),
            "notes": posture.probe.as_ref().map(|probe| probe.notes.clone()).unwrap_or_default(),
            "guarantees": guarantees(&spec, posture.probe.as_ref().ok()),
            "workspace": self.workspace_json(mode),
            "mounts": mounts(&spec),
            "protected": self.protected(mode),
            "private": private_paths(self.paths, &self.config.path),
            "network": spec.network,
            "limits": limits(&spec),
            "environment": environment(&self.agent.tools.exec, spec.level, inherited).iter().map(|(name, _)| name.to_string_lossy()).collect::<Vec<_>>(),
            "timeoutSeconds": self.agent.tools.exec.timeout_seconds,
            "tools": self.tools(mode),
        });
        if let Value::Object(members) = &mut explained {
            members.retain(|_, value| !value.is_null());
        }
        Ok(explained)
    }

    fn workspace_json(&self, mode: FilesystemMode) -> Value {
        if mode == FilesystemMode::VfsOnly {
            return json!({"kind": "virtual", "path": VIRTUAL_WORKSPACE, "access": "rw"});
        }
        let access = match self.agent.sandbox.workspace_access {
            WorkspaceAccess::ReadWrite => "rw",
            WorkspaceAccess::ReadOnly => "ro",
            WorkspaceAccess::Nothing => "none",
        };
        json!({"kind": "host", "path": self.workspace(), "access": access})
    }

    /// What exists in the workspace and commands cannot change, and the rules beyond the built-in ones.
    fn protected(&self, mode: FilesystemMode) -> Value {
        let rules = &self.agent.sandbox.protect;
        if mode == FilesystemMode::VfsOnly {
            return json!({"existing": [], "rules": rules});
        }
        let options = HostFsOptions {
            protected: private_paths(self.paths, &self.config.path),
            protect: rules.clone(),
            ..HostFsOptions::default()
        };
        let scan = HostCapabilityFs::open_with(&self.workspace(), &options)
            .and_then(|files| files.protected_existing(ScanBounds::default()));
        match scan {
            Ok(scan) => json!({"existing": scan.existing, "truncated": scan.truncated, "rules": rules}),
            Err(error) => json!({"existing": [], "problem": error.to_string(), "rules": rules}),
        }
    }

    /// Names of the tools: those that run, that ask first, and that never do.
    fn tools(&self, mode: FilesystemMode) -> Value {
        let policy = ToolPolicy::of_agent(self.agent);
        let (mut run, mut ask, mut never) = (Vec::new(), Vec::new(), Vec::new());
        for spec in ToolSet::builtin(&[], &[]).specs().iter() {
            let name = spec.name.clone();
            if !policy.permits(&name) || (name == "process" && mode == FilesystemMode::VfsOnly) {
                never.push(name);
            } else if policy.asks(&name) {
                ask.push(name);
            } else {
                run.push(name);
            }
        }
        let exec = &self.agent.tools.exec;
        json!({"run": run, "ask": ask, "never": never, "exec": {"security": exec.security, "ask": exec.ask}})
    }
}

/// Whether commands of this policy start, with what the configuration allows to be missing.
fn works(probe: &Probe, spec: &SandboxSpec) -> bool {
    probe.problem.is_none() && spec.level.required().without(spec.allow_missing).without(probe.granted).is_empty()
}

fn guarantees(spec: &SandboxSpec, probe: Option<&Probe>) -> Vec<Value> {
    let required = spec.level.required();
    Guarantee::ALL
        .iter()
        .map(|guarantee| {
            json!({
                "name": guarantee.as_str(),
                "summary": guarantee.summary(),
                "required": required.contains(*guarantee),
                "granted": probe.is_some_and(|probe| probe.granted.contains(*guarantee)),
                "mayBeMissing": spec.allow_missing.contains(*guarantee),
            })
        })
        .collect()
}

fn mounts(spec: &SandboxSpec) -> Vec<Value> {
    let access = |writable| if writable { "rw" } else { "ro" };
    spec.mounts.iter().map(|mount| json!({"path": mount.path, "access": access(mount.writable)})).collect()
}

fn limits(spec: &SandboxSpec) -> Value {
    let limits = &spec.limits;
    json!({
        "memoryBytes": limits.memory_bytes, "processes": limits.processes, "fileBytes": limits.file_bytes,
        "openFiles": limits.open_files, "cpuSeconds": limits.cpu_seconds, "tmpBytes": limits.tmp_bytes,
        "tmpFiles": limits.tmp_files,
    })
}

impl Runtime {
    /// Tries out every agent's sandbox, in the background and once. Needs a tokio runtime.
    pub fn probe_sandbox_soon(&self) {
        let runtime = self.clone();
        self.shared.chores.spawn(async move {
            for posture in runtime.probe_sandbox().await {
                match &posture.probe {
                    Ok(probe) if posture.works => {
                        tracing::info!(agent = %posture.agent_id, level = %probe.level, backend = probe.backend.as_str(), "commands run in a sandbox");
                    }
                    Ok(probe) => {
                        tracing::warn!(agent = %posture.agent_id, level = %probe.level, missing = %probe.missing, problem = probe.problem.as_deref(), "commands cannot run: the sandbox is not available");
                    }
                    Err(error) => tracing::warn!(agent = %posture.agent_id, %error, "commands cannot run"),
                }
            }
        });
    }

    /// Tries out every agent's sandbox and remembers the outcome.
    pub async fn probe_sandbox(&self) -> Vec<Posture> {
        let config = self.config();
        let mut postures = Vec::new();
        for agent in &config.view.agents {
            let subject = Subject { config: &config, agent, paths: &self.shared.paths };
            postures.push(subject.posture(&self.shared.sandbox).await);
        }
        let mut known = self.shared.postures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.clone_from(&postures);
        postures
    }

    /// What was found last; empty while nobody has looked.
    pub fn sandbox_postures(&self) -> Vec<Posture> {
        self.shared.postures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Posture {
    /// For `status` and `health`.
    pub fn to_json(&self) -> Value {
        match &self.probe {
            Ok(probe) => json!({
                "agentId": self.agent_id, "works": self.works, "level": probe.level, "backend": probe.backend,
                "missing": probe.missing, "problem": probe.problem,
            }),
            Err(error) => json!({"agentId": self.agent_id, "works": false, "problem": error}),
        }
    }
}
