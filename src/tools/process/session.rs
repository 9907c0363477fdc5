//! One background session: what it is, what it has written, how it ended.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::log::OutputLog;
use crate::core::{AgentId, SessionKey};
use crate::sandbox::{Exit, SandboxReport, Stream};

/// Whose a session is: an agent's calls reach the sessions that its own conversation started, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProcessOwner {
    /// The agent.
    pub agent: AgentId,
    /// Its session.
    pub session: SessionKey,
}

/// What can be done to a running command.
pub trait ProcessControl: Send + Sync {
    /// Writes to its standard input.
    fn write(&self, data: Vec<u8>) -> BoxFuture<'_, io::Result<()>>;
    /// Ends its standard input.
    fn close(&self) -> io::Result<()>;
    /// Sends a signal to all of its processes.
    fn signal(&self, signal: i32) -> io::Result<()>;
    /// Ends all of its processes.
    fn kill(&self);
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ProcessEnd {
    /// The command ended.
    Exited(Exit),
    /// Its sandbox failed; what the command had done is not known.
    Failed(String),
    /// The gateway that it belonged to stopped, and it with it.
    GatewayStopped,
}

/// What a session is made of.
pub struct NewProcess {
    /// Whose it is.
    pub owner: ProcessOwner,
    /// The command as it was written.
    pub command: String,
    /// Its directory, relative to the workspace.
    pub cwd: String,
    /// Unix milliseconds.
    pub started_at: i64,
    /// Its wall time.
    pub timeout: Option<Duration>,
    /// What holds while it runs.
    pub report: SandboxReport,
    /// How to reach it.
    pub control: Arc<dyn ProcessControl>,
    /// What it has written already; its call has shown that.
    pub(crate) log: OutputLog,
}

/// One background session.
pub struct ProcessSession {
    pub(super) id: String,
    pub(super) owner: ProcessOwner,
    pub(super) command: String,
    pub(super) cwd: String,
    pub(super) started_at: i64,
    pub(super) timeout: Option<Duration>,
    pub(super) control: Option<Arc<dyn ProcessControl>>,
    state: Mutex<State>,
    /// Counts changes, for those who wait for one.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) log: OutputLog,
    /// Up to where `poll` has given the text.
    pub(super) polled: u64,
    pub(super) end: Option<ProcessEnd>,
    pub(super) report: Option<SandboxReport>,
}

impl ProcessSession {
    pub(super) fn running(id: String, new: NewProcess) -> Self {
        Self {
            id,
            owner: new.owner,
            command: new.command,
            cwd: new.cwd,
            started_at: new.started_at,
            timeout: new.timeout,
            control: Some(new.control),
            state: Mutex::new(State { polled: new.log.end(), log: new.log, end: None, report: Some(new.report) }),
            changes: watch::Sender::new(0),
        }
    }

    /// One of an earlier gateway.
    pub(super) fn lost(id: String, owner: ProcessOwner, command: String, cwd: String, started_at: i64) -> Self {
        let state = State { end: Some(ProcessEnd::GatewayStopped), ..State::default() };
        Self {
            id,
            owner,
            command,
            cwd,
            started_at,
            timeout: None,
            control: None,
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
        }
    }

    /// Its name in calls of `process`.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a piece of its output.
    pub fn output(&self, stream: Stream, bytes: &[u8]) {
        self.state().log.push(stream, bytes);
        self.changed();
    }

    /// What it did to protected files.
    pub fn set_tampered(&self, tampered: Vec<String>) {
        if let Some(report) = &mut self.state().report {
            report.tampered = tampered;
        }
    }

    pub(super) fn set_end(&self, end: ProcessEnd) {
        self.state().end.get_or_insert(end);
        self.changed();
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn is_running(&self) -> bool {
        self.state().end.is_none()
    }

    /// Waits until `wanted` holds, or the time is over. Whether it holds.
    pub(super) async fn wait(&self, limit: Duration, wanted: impl Fn(&State) -> bool) -> bool {
        let mut changes = self.changes.subscribe();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if wanted(&self.state()) {
                    return true;
                }
                if changes.changed().await.is_err() {
                    return false;
                }
            }
        };
        tokio::time::timeout(limit, waiting).await.unwrap_or(false)
    }
}
