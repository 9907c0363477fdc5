//! The files of a run, by its mode, and what becomes of them when it has ended.
//!
//! | mode | workspace | beside it |
//! |---|---|---|
//! | `disk` | on the host | |
//! | `vfs-scratch` | on the host | `scratch:/` (the agent's, kept), `scratch:/run/` (the run's, deleted at its end) |
//! | `vfs-only` | in the database | the same |
//!
//! A host directory is opened only where the mode has one: in `vfs-only` nothing of this run can reach it.

use std::path::PathBuf;
use std::sync::Arc;

use super::prepared::PreparedAgentRun;
use super::service::Runtime;
use crate::core::{AgentId, Error, FilesystemMode, Result, RunId};
use crate::fs::{AgentFiles, HostCapabilityFs, HostFsOptions, MountedFiles, Namespace, VfsLimits, VirtualAgentFs};
use crate::state::{StatePaths, Store, VfsSpace};
use crate::tools::{AgentFilesystem, ExecFiles};

/// Where the run's own files are among the scratch files.
const OWN: &str = "run";

/// The files of a run as its tools see them.
pub(super) struct RunFiles {
    /// For the file tools.
    pub(super) files: AgentFilesystem,
    /// Where commands work.
    pub(super) commands: ExecFiles,
}

/// Everything that opening files needs; may be sent to a thread that blocks.
pub(super) struct Opening {
    store: Store,
    prepared: PreparedAgentRun,
    mode: FilesystemMode,
    protected: Vec<PathBuf>,
}

impl Runtime {
    /// The files for a run in a mode.
    pub(super) fn files_of(&self, prepared: &PreparedAgentRun, mode: FilesystemMode) -> Opening {
        Opening {
            store: self.shared.store.clone(),
            prepared: prepared.clone(),
            mode,
            protected: private_paths(&self.shared.paths, &self.config().path),
        }
    }

    /// Deletes the files of a run that has ended, if it made any. Needs a tokio runtime.
    pub(super) fn clean_up_after(&self, prepared: &PreparedAgentRun) {
        let (runtime, agent, run) = (self.clone(), prepared.agent_id.clone(), prepared.run_id.clone());
        self.shared.chores.spawn(async move {
            if let Err(error) = runtime.delete_run_files(&agent, &run).await {
                tracing::warn!(%run, %error, "the files of the run could not be deleted; the next start tries again");
            }
        });
    }

    async fn delete_run_files(&self, agent: &AgentId, run: &RunId) -> Result<()> {
        let space = VfsSpace { agent_id: agent.clone(), namespace: Namespace::Run(run.clone()).to_string() };
        let looked = space.clone();
        if self.shared.store.read(move |tx| tx.vfs_is_used(&looked)).await? {
            self.shared.store.write(move |tx| tx.vfs_clear(&space)).await?;
        }
        Ok(())
    }

    /// Deletes the files of runs that a dead process left behind. In the background: the gateway does not wait for it.
    pub(super) fn clean_up_leftovers(&self) {
        let runtime = self.clone();
        self.shared.chores.spawn(async move {
            for agent in &runtime.config().view.agents {
                let id = agent.id.clone();
                let found = runtime.shared.store.read(move |tx| tx.vfs_run_namespaces(&id)).await;
                let cleaned = match found {
                    Ok(namespaces) => runtime.delete_dead(&agent.id, &namespaces).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = cleaned {
                    tracing::warn!(agent = %agent.id, %error, "the files of earlier runs could not be deleted");
                }
            }
        });
    }

    async fn delete_dead(&self, agent: &AgentId, namespaces: &[String]) -> Result<()> {
        for namespace in namespaces {
            if let Ok(Namespace::Run(run)) = Namespace::parse(namespace)
                && self.shared.registry.active(&run).is_none()
            {
                self.delete_run_files(agent, &run).await?;
            }
        }
        Ok(())
    }
}

/// What no agent may reach on the host, whatever its workspace is.
pub fn private_paths(paths: &StatePaths, config: &std::path::Path) -> Vec<PathBuf> {
    let mut private =
        vec![paths.state_dir(), config.to_owned(), paths.root.join(".env"), paths.root.join("credentials")];
    private.extend(paths.log_file().parent().map(PathBuf::from));
    private
}

impl Opening {
    /// Opens them. Blocking.
    pub(super) fn open(self) -> Result<RunFiles> {
        let (workspace, commands): (Arc<dyn AgentFiles>, ExecFiles) = if self.mode == FilesystemMode::VfsOnly {
            let files = Arc::new(self.virtual_files(Namespace::Workspace));
            (files.clone(), ExecFiles::Virtual(files))
        } else {
            let files = Arc::new(self.host_files()?);
            (files.clone(), ExecFiles::Host(files))
        };
        if self.mode == FilesystemMode::Disk {
            return Ok(RunFiles { files: AgentFilesystem::of(workspace), commands });
        }
        let scratch = Arc::new(self.virtual_files(Namespace::Scratch));
        let own = Arc::new(self.virtual_files(Namespace::Run(self.prepared.run_id.clone())));
        let scratch = MountedFiles::new(scratch, OWN, own);
        let files = AgentFilesystem { mode: self.mode, workspace: Some(workspace), scratch: Some(Arc::new(scratch)) };
        Ok(RunFiles { files, commands })
    }

    fn virtual_files(&self, namespace: Namespace) -> VirtualAgentFs {
        let limits = VfsLimits::from(&self.prepared.tools.vfs);
        VirtualAgentFs::new(self.store.clone(), self.prepared.agent_id.clone(), namespace, limits)
            .for_run(self.prepared.run_id.clone())
    }

    fn host_files(&self) -> Result<HostCapabilityFs> {
        let options = HostFsOptions {
            create: true,
            protected: self.protected.clone(),
            protect: self.prepared.sandbox.protect.clone(),
            ..HostFsOptions::default()
        };
        let workspace = &self.prepared.workspace;
        HostCapabilityFs::open_with(workspace, &options).map_err(|error| {
            Error::from(error)
                .why(format!("the workspace of agent {} is {}", self.prepared.agent_id, workspace.display()))
                .hint("create the directory, or set agents.defaults.workspace")
        })
    }
}
