//! The runs of this process: active ones to stop and wait for, recent outcomes to answer repeats from.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::agent_loop::Stop;
use super::prepared::PreparedAgentRun;
use super::types::RunOutcome;
use crate::core::{RunId, SessionId};

/// Outcomes kept in memory; older ones are read from the database.
const RECENT: usize = 256;
/// Bytes of reply text kept with them.
const RECENT_BYTES: usize = 4 * 1024 * 1024;

/// A run that has been accepted and has not ended.
#[derive(Debug)]
pub(super) struct ActiveRun {
    prepared: Mutex<PreparedAgentRun>,
    pub(super) stop: Stop,
    /// Events told so far.
    pub(super) seq: AtomicU64,
    text: Mutex<String>,
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

    /// Says which transcript it writes to; known once the session has been read.
    pub(super) fn belongs_to(&self, session: &SessionId) {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).session_id.clone_from(session);
    }

    /// Its message is in the transcript: the copy is not needed any more, and it may be large.
    pub(super) fn is_in_transcript(&self) {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).content = Vec::new();
    }

    /// The reply text that is not in the transcript yet.
    pub(super) fn text(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the message is durable and the run was asked to stop, so that it ends soon and needs nobody for it.
    pub(super) fn is_ending(&self) -> bool {
        self.stop.token().is_cancelled() && *self.accepted.borrow() == Some(true)
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
    /// Bytes of text in `recent`.
    bytes: usize,
}

impl Inner {
    /// Keeps an outcome, and forgets the oldest ones beyond the bounds.
    fn remember(&mut self, run: &RunId, session: SessionId, outcome: &Arc<RunOutcome>) {
        self.bytes += outcome.text.len();
        match self.recent.insert(run.clone(), (session, Arc::clone(outcome))) {
            Some((_, former)) => self.bytes -= former.text.len(),
            None => self.order.push_back(run.clone()),
        }
        while self.order.len() > RECENT || (self.bytes > RECENT_BYTES && self.order.len() > 1) {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some((_, forgotten)) = self.recent.remove(&oldest) {
                self.bytes -= forgotten.text.len();
            }
        }
    }
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

    /// Removes a run that was never accepted, and says so to those who ask.
    pub(super) fn refuse(&self, run: &RunId) {
        let refused = self.lock().active.remove(run);
        self.announce_count();
        if let Some(refused) = refused {
            refused.accepted.send_replace(Some(false));
        }
    }

    /// Moves a run to the recent ones. Whoever waits for it is woken by [`Registry::wake`], after everybody has been told.
    pub(super) fn conclude(&self, run: &RunId, session: &SessionId, outcome: &Arc<RunOutcome>) {
        let mut inner = self.lock();
        inner.active.remove(run);
        inner.remember(run, session.clone(), outcome);
    }

    /// Forgets what was said in a session whose transcript is gone.
    pub(super) fn forget_session(&self, session: &SessionId) {
        let mut inner = self.lock();
        let Inner { recent, order, bytes, .. } = &mut *inner;
        recent.retain(|_, (of, _)| of != session);
        order.retain(|run| recent.contains_key(run));
        *bytes = recent.values().map(|(_, outcome)| outcome.text.len()).sum();
    }

    /// Wakes those who wait for the end of this run, or for the end of all.
    pub(super) fn wake(&self, active: &ActiveRun, outcome: &Arc<RunOutcome>) {
        // The number first, so that whoever hears of the end does not find the run counted.
        self.announce_count();
        active.ended.send_replace(Some(Arc::clone(outcome)));
    }

    fn announce_count(&self) {
        // Under the lock, so that an older number cannot overtake a newer one.
        let inner = self.lock();
        self.count.send_replace(inner.active.len());
    }

    /// Resolves when no run is active.
    pub(super) async fn idle(&self) {
        let mut count = self.count.subscribe();
        // dropped: the sender lives in self, so the wait cannot fail
        drop(count.wait_for(|count| *count == 0).await);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(run: &RunId, text: &str) -> Arc<RunOutcome> {
        Arc::new(RunOutcome { text: text.to_owned(), ..RunOutcome::of(run.clone(), 0) })
    }

    #[test]
    fn recent_outcomes_are_bounded_in_number_and_in_bytes() {
        let registry = Registry::default();
        let long = "x".repeat(RECENT_BYTES / 2);
        for (round, text) in ["", long.as_str()].into_iter().enumerate() {
            for number in 0..2 * RECENT {
                let run = RunId::new(format!("{round}-{number}"));
                registry.conclude(&run, &"s".into(), &outcome(&run, text));
                registry.conclude(&run, &"s".into(), &outcome(&run, text));
                assert!(registry.recent(&run).is_some(), "the newest is always there");
                let inner = registry.lock();
                assert_eq!(inner.order.len(), inner.recent.len());
                assert!(inner.order.len() <= RECENT && inner.bytes <= RECENT_BYTES);
            }
        }
        assert_eq!(registry.lock().order.len(), 2);
    }

    #[test]
    fn a_forgotten_session_takes_its_outcomes_along() {
        let registry = Registry::default();
        for (run, session) in [("a", "gone"), ("b", "kept"), ("c", "gone")] {
            let run = RunId::from(run);
            registry.conclude(&run, &session.into(), &outcome(&run, "said"));
        }
        registry.forget_session(&"gone".into());
        let known = ["a", "b", "c"].map(|run| registry.recent(&RunId::from(run)).is_some());
        assert_eq!(known, [false, true, false]);
        let inner = registry.lock();
        assert_eq!((inner.order.len(), inner.bytes), (1, "said".len()));
    }
}
