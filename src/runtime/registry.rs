//! The runs of this process: active ones to stop and wait for, recent outcomes to answer repeats from.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::agent_loop::Stop;
use super::prepared::PreparedAgentRun;
use super::types::RunOutcome;
use crate::core::{RunId, SessionId};

/// Outcomes kept in memory; older ones are read from the database.
const RECENT: usize = 256;

/// A run that has been accepted and has not ended.
#[derive(Debug)]
pub(super) struct ActiveRun {
    pub(super) prepared: Mutex<PreparedAgentRun>,
    pub(super) stop: Stop,
    /// Events told so far.
    pub(super) seq: AtomicU64,
    /// Reply text of the model call in progress.
    pub(super) text: Mutex<String>,
    /// Whether the message became durable; `None` until that is known.
    pub(super) accepted: watch::Sender<Option<bool>>,
    pub(super) ended: watch::Sender<Option<Arc<RunOutcome>>>,
}

impl ActiveRun {
    pub(super) fn new(prepared: PreparedAgentRun) -> Arc<Self> {
        Arc::new(Self {
            prepared: Mutex::new(prepared),
            stop: Stop::default(),
            seq: AtomicU64::new(0),
            text: Mutex::new(String::new()),
            accepted: watch::channel(None).0,
            ended: watch::channel(None).0,
        })
    }

    pub(super) fn prepared(&self) -> PreparedAgentRun {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when the message is durable (`true`) or was refused.
    pub(super) async fn is_accepted(&self) -> bool {
        let mut accepted = self.accepted.subscribe();
        accepted.wait_for(Option::is_some).await.is_ok_and(|known| *known == Some(true))
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[derive(Debug, Default)]
struct Inner {
    active: HashMap<RunId, Arc<ActiveRun>>,
    recent: HashMap<RunId, (SessionId, Arc<RunOutcome>)>,
    order: VecDeque<RunId>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
    /// Number of active runs, for whoever waits until there are none.
    count: watch::Sender<usize>,
}

impl Registry {
    /// Adds a run; `Err` with the one that is already there under that id.
    pub(super) fn insert(&self, run: &RunId, active: &Arc<ActiveRun>) -> Result<(), Arc<ActiveRun>> {
        let mut inner = self.lock();
        if let Some(existing) = inner.active.get(run) {
            return Err(Arc::clone(existing));
        }
        inner.active.insert(run.clone(), Arc::clone(active));
        self.count.send_replace(inner.active.len());
        Ok(())
    }

    pub(super) fn active(&self, run: &RunId) -> Option<Arc<ActiveRun>> {
        self.lock().active.get(run).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<ActiveRun>> {
        self.lock().active.values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        *self.count.borrow()
    }

    pub(super) fn recent(&self, run: &RunId) -> Option<Arc<RunOutcome>> {
        self.lock().recent.get(run).map(|(_, outcome)| Arc::clone(outcome))
    }

    /// Removes a run that was never accepted.
    pub(super) fn remove(&self, run: &RunId) {
        let mut inner = self.lock();
        inner.active.remove(run);
        self.count.send_replace(inner.active.len());
    }

    /// Moves a run to the recent ones and wakes whoever waits for it.
    pub(super) fn finish(&self, run: &RunId, outcome: &Arc<RunOutcome>) {
        let active = {
            let mut inner = self.lock();
            let active = inner.active.remove(run);
            if let Some(active) = &active {
                let session = active.prepared().session_id;
                if inner.recent.insert(run.clone(), (session, Arc::clone(outcome))).is_none() {
                    inner.order.push_back(run.clone());
                }
            }
            if inner.order.len() > RECENT
                && let Some(oldest) = inner.order.pop_front()
            {
                inner.recent.remove(&oldest);
            }
            self.count.send_replace(inner.active.len());
            active
        };
        if let Some(active) = active {
            active.ended.send_replace(Some(Arc::clone(outcome)));
        }
    }

    /// Forgets what was said in a session whose transcript is gone.
    pub(super) fn forget_session(&self, session: &SessionId) {
        let mut inner = self.lock();
        let Inner { recent, order, .. } = &mut *inner;
        recent.retain(|_, (of, _)| of != session);
        order.retain(|run| recent.contains_key(run));
    }

    /// Resolves when no run is active.
    pub(super) async fn idle(&self) {
        let mut count = self.count.subscribe();
        // dropped: the sender lives in self, so the wait cannot fail
        drop(count.wait_for(|count| *count == 0).await);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::types::RunStatus;
    use crate::session::Usage;

    fn outcome(run: &RunId) -> Arc<RunOutcome> {
        Arc::new(RunOutcome {
            run_id: run.clone(),
            status: RunStatus::Ok,
            text: "said".into(),
            stop_reason: None,
            error: None,
            usage: Usage::default(),
            provider: String::new(),
            model: String::new(),
            started_at: 0,
            ended_at: 0,
            steps: 0,
            tool_calls: 0,
        })
    }

    #[test]
    fn a_forgotten_session_takes_its_outcomes_along() {
        let registry = Registry::default();
        for (run, session) in [("a", "gone"), ("b", "kept"), ("c", "gone")] {
            let run = RunId::from(run);
            let prepared: PreparedAgentRun = serde_json::from_value(serde_json::json!({
                "version": 1, "runId": run, "agentId": "main", "sessionKey": "agent:main:main", "sessionId": session,
                "messageEventId": "e", "channel": "rpc", "models": [], "maxSteps": 1, "timeoutMs": 1, "workspace": "/",
                "toolsAllow": [], "toolsDeny": [],
            }))
            .expect("a prepared run");
            registry.insert(&run, &ActiveRun::new(prepared)).expect("the first of that id");
            registry.finish(&run, &outcome(&run));
        }
        registry.forget_session(&"gone".into());
        let known = ["a", "b", "c"].map(|run| registry.recent(&RunId::from(run)).is_some());
        assert_eq!((known, registry.len()), ([false, true, false], 0));
    }
}
