//! Which means are used for a policy: the first in order that was tried out and guarantees what is required.

use std::path::PathBuf;

use super::launch::launch;
use super::means::Means;
use super::plan::{Chosen, Plan};
use super::probes::Probes;
use super::remedy::remedy;
use crate::sandbox::child::SandboxedChild;
use crate::sandbox::linux::mounts::View;
use crate::sandbox::projection::Projection;
use crate::sandbox::{Backend, CommandSpec, Guarantees, Probe, SandboxError, SandboxLevel, SandboxSpec, Workspace};

/// The confining means, the best first.
const CONFINING: [Backend; 3] = [Backend::Namespaces, Backend::Bubblewrap, Backend::Landlock];

/// The means of this system.
#[derive(Debug)]
pub(in crate::sandbox) struct Backends {
    means: Means,
    probes: Probes,
}

impl Backends {
    pub(in crate::sandbox) fn new(program: Option<PathBuf>) -> Self {
        Self { means: Means::new(program), probes: Probes::default() }
    }

    /// Starts a command whose policy was checked.
    pub(in crate::sandbox) async fn start(
        &self,
        spec: SandboxSpec,
        command: CommandSpec,
        projection: Option<Projection>,
    ) -> Result<SandboxedChild, SandboxError> {
        let chosen = self.choose(&spec).await?;
        launch(&self.means, Plan::new(spec, command, chosen, projection.is_some()), projection).await
    }

    /// What a backend guarantees here; `None` = that of the best one.
    pub(in crate::sandbox) async fn probe(&self, level: SandboxLevel, backend: Option<Backend>) -> Probe {
        let mut best: Option<Probe> = None;
        for backend in in_order(level, backend, &Workspace::Virtual) {
            let network = level != SandboxLevel::Strict;
            let tried = self.probes.get(&self.means, level, network, backend).await;
            if tried.works() {
                return tried;
            }
            let open = |probe: &Probe| (probe.problem.is_some(), probe.missing.iter().count());
            if best.as_ref().is_none_or(|best| open(&tried) < open(best)) {
                best = Some(tried);
            }
        }
        best.unwrap_or_else(|| super::probes::impossible(level, Backend::Plain, "there is nothing to try".into()))
    }

    async fn choose(&self, spec: &SandboxSpec) -> Result<Chosen, SandboxError> {
        let required = spec.level.required().without(spec.allow_missing);
        let mut why = Vec::new();
        let mut least: Option<Guarantees> = None;
        for backend in in_order(spec.level, spec.backend, &spec.workspace) {
            let refused = match self.eligible(spec, backend).await {
                // Nothing is promised that depends on the system; the supervisor says what holds.
                Ok(_) if spec.level == SandboxLevel::None && backend == Backend::Plain => {
                    return Ok(Chosen { backend, bubblewrap: None });
                }
                Ok(bubblewrap) => {
                    let tried = self.probes.get(&self.means, spec.level, spec.network, backend).await;
                    let missing = required.without(tried.granted);
                    if tried.problem.is_none() && missing.is_empty() {
                        return Ok(Chosen { backend, bubblewrap });
                    }
                    if least.is_none_or(|least| missing.iter().count() < least.iter().count()) {
                        least = Some(missing);
                    }
                    tried.problem.unwrap_or_else(|| format!("it does not guarantee {missing}"))
                }
                Err(refused) => refused,
            };
            why.push(format!("{}: {refused}", backend.as_str()));
        }
        let missing = least.unwrap_or(required);
        let remedy = remedy(missing, spec.level);
        Err(SandboxError::Unavailable { level: spec.level, missing, why: why.join("; "), remedy })
    }

    /// Whether a backend can do what this policy asks for, apart from guarantees. With the program that it needs.
    async fn eligible(&self, spec: &SandboxSpec, backend: Backend) -> Result<Option<PathBuf>, String> {
        match backend {
            Backend::Bubblewrap => {
                let found = self.probes.bubblewrap().await?;
                let SandboxSpec { workspace, mounts, limits, network, .. } = spec;
                let view = View { workspace, mounts, limits, network: *network };
                found.usable(view, spec.backend == Some(backend))?;
                Ok(Some(found.path))
            }
            Backend::Landlock | Backend::Plain => match &spec.workspace {
                Workspace::Virtual => Err("it has no private file system for virtual files".into()),
                Workspace::Host { protected, hidden, .. }
                    if backend == Backend::Landlock && !(protected.is_empty() && hidden.is_empty()) =>
                {
                    Err("it cannot protect files within a writable workspace".into())
                }
                Workspace::Host { .. } => Ok(None),
            },
            Backend::Namespaces => Ok(None),
            Backend::Seatbelt | Backend::JobObject => Err("it is not of this system".into()),
        }
    }
}

/// The backends that come into question. Without confinement a virtual workspace still needs a file system of its own.
fn in_order(level: SandboxLevel, configured: Option<Backend>, workspace: &Workspace) -> Vec<Backend> {
    match configured {
        Some(backend) => vec![backend],
        None if level == SandboxLevel::None && *workspace != Workspace::Virtual => vec![Backend::Plain],
        None => CONFINING.to_vec(),
    }
}
