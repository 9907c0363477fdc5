//! Tries backends out, and remembers how it went.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::launch::launch;
use super::means::Means;
use super::plan::{Chosen, Plan};
use super::remedy::remedy;
use crate::sandbox::linux::bwrap::{self, Bubblewrap};
use crate::sandbox::linux::mounts::INIT;
use crate::sandbox::linux::probe::{Attempt, Inside};
use crate::sandbox::{
    Backend, ChildEvent, CommandSpec, Guarantees, Limits, Probe, ProbeAttempt, SandboxError, SandboxLevel, SandboxSpec,
    Stdin, Stream, Workspace, roles,
};

/// How long a trial may take.
const TIME: Duration = Duration::from_secs(20);
/// How long it is believed that something does not work: an administrator may be changing it.
const DOUBT: Duration = Duration::from_secs(30);
/// The most that a trial may say.
const ANSWER: usize = 256 * 1024;

/// What was tried. In memory only: what a kernel allows can change while a machine is off.
#[derive(Debug, Default)]
pub(super) struct Probes {
    tried: Mutex<HashMap<(Backend, bool), Tried>>,
    bubblewrap: Mutex<Option<(Instant, Result<Bubblewrap, String>)>>,
}

#[derive(Debug)]
struct Tried {
    at: Instant,
    result: Result<Held, String>,
}

/// What held inside, and what a command there could do.
#[derive(Debug, Clone)]
struct Held {
    granted: Guarantees,
    notes: Vec<String>,
    attempts: Vec<ProbeAttempt>,
}

impl Probes {
    /// What a backend guarantees here. The first answer takes a run of the whole chain; those who ask meanwhile wait for it.
    pub(super) async fn get(&self, means: &Means, level: SandboxLevel, network: bool, backend: Backend) -> Probe {
        let mut tried = self.tried.lock().await;
        let known = tried.get(&(backend, network)).filter(|known| known.result.is_ok() || known.at.elapsed() < DOUBT);
        let result = if let Some(known) = known {
            known.result.clone()
        } else {
            let result = self.attempt(means, network, backend).await.map_err(|error| told(&error));
            tried.insert((backend, network), Tried { at: Instant::now(), result: result.clone() });
            result
        };
        match result {
            Ok(Held { granted, notes, attempts }) => {
                let missing = level.required().without(granted);
                let remedy = (!missing.is_empty()).then(|| remedy(missing, level));
                Probe { level, backend, granted, missing, notes, attempts, problem: None, remedy }
            }
            Err(problem) => impossible(level, backend, problem),
        }
    }

    /// The bubblewrap of this system. Looked for again when there was none.
    pub(super) async fn bubblewrap(&self) -> Result<Bubblewrap, String> {
        let mut known = self.bubblewrap.lock().await;
        if let Some((at, found)) = &*known
            && (found.is_ok() || at.elapsed() < DOUBT)
        {
            return found.clone();
        }
        let found = tokio::task::spawn_blocking(bwrap::find).await.unwrap_or_else(|error| Err(error.to_string()));
        *known = Some((Instant::now(), found.clone()));
        found
    }

    /// Runs the probe through the whole chain, with nothing required, to see what holds.
    async fn attempt(&self, means: &Means, network: bool, backend: Backend) -> Result<Held, SandboxError> {
        let unusable = |message: String| SandboxError::Setup { stage: "look for it".into(), message };
        let bubblewrap = match backend {
            Backend::Bubblewrap => Some(self.bubblewrap().await.map_err(unusable)?.path),
            _ => None,
        };
        let directory = std::env::temp_dir().canonicalize().map_err(|error| unusable(error.to_string()))?;
        let private = tokio::task::spawn_blocking(move || PrivateWorkspace::create(&directory)).await;
        let private = private.map_err(std::io::Error::other).and_then(|private| private);
        let private = private.map_err(|error| unusable(error.to_string()))?;
        let workspace = match backend {
            Backend::Landlock | Backend::Plain => {
                Workspace::Host { path: private.0.clone(), writable: true, protected: Vec::new(), hidden: Vec::new() }
            }
            _ => Workspace::Virtual,
        };
        let argv = vec![INIT.into(), roles::PROBE.into()];
        let spec = SandboxSpec {
            level: if backend == Backend::Plain { SandboxLevel::None } else { SandboxLevel::Relaxed },
            workspace,
            mounts: Vec::new(),
            network,
            limits: Limits::default(),
            allow_missing: Guarantees::ALL,
            backend: Some(backend),
        };
        let command = CommandSpec { argv, cwd: "".into(), env: Vec::new(), stdin: Stdin::Null, timeout: Some(TIME) };
        let plan = Plan::new(spec, command, Chosen { backend, bubblewrap }, false);
        let mut child = launch(means, plan, None).await?;
        let mut answer = Vec::new();
        while let Some(event) = child.event().await {
            match event {
                ChildEvent::Output { stream: Stream::Stdout, bytes } if answer.len() < ANSWER => {
                    answer.extend_from_slice(&bytes);
                }
                ChildEvent::Exited(exit) if !exit.success() => {
                    let message = format!("the probe inside ended with {:?}, signal {:?}", exit.code, exit.signal);
                    return Err(SandboxError::Setup { stage: "probe".into(), message });
                }
                ChildEvent::Failed(error) => return Err(error),
                ChildEvent::Output { .. } | ChildEvent::Exited(_) | ChildEvent::Changes(_) => {}
            }
        }
        let report = child.report();
        let notes = report.notes.clone();
        let inside: Inside = serde_json::from_slice(&answer).map_err(|error| SandboxError::Supervisor {
            message: format!("the probe inside gave no answer: {error}"),
        })?;
        let granted = report.granted.without(inside.disproved());
        Ok(Held { granted, notes, attempts: inside.attempts.into_iter().map(ProbeAttempt::from).collect() })
    }
}

impl From<Attempt> for ProbeAttempt {
    fn from(Attempt { name, against, allowed, detail }: Attempt) -> Self {
        Self { name, against, allowed, detail }
    }
}

/// The error in one line.
fn told(error: &SandboxError) -> String {
    match error {
        SandboxError::Unavailable { why, .. } => why.clone(),
        SandboxError::Setup { stage, message } => format!("{stage}: {message}"),
        other => other.to_string(),
    }
}

/// A backend that cannot be used.
pub(super) fn impossible(level: SandboxLevel, backend: Backend, problem: String) -> Probe {
    let missing = level.required();
    Probe {
        level,
        backend,
        granted: Guarantees::EMPTY,
        missing,
        notes: Vec::new(),
        attempts: Vec::new(),
        problem: Some(problem),
        remedy: Some(remedy(missing, level)),
    }
}

/// An empty directory for the time of a trial.
struct PrivateWorkspace(std::path::PathBuf);

impl PrivateWorkspace {
    fn create(parent: &std::path::Path) -> std::io::Result<Self> {
        Ok(Self(nix::unistd::mkdtemp(&parent.join("openclaw-probe-XXXXXX"))?))
    }
}

impl Drop for PrivateWorkspace {
    fn drop(&mut self) {
        // dropped: an empty directory that stays does no harm
        drop(std::fs::remove_dir_all(&self.0));
    }
}
