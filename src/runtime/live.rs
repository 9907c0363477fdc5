//! Projections of the sessions in use, so that a turn does not read its history again.
//!
//! A projection is fed only with committed events, and this process is the only writer, so it cannot disagree with the
//! rows it came from. Who changes a transcript holds [`LiveSession::writing`] from looking at the tip until what was
//! committed has been applied and announced: events follow each other, and subscribers hear of them in that order.
//! A projection that nobody holds may be dropped at any time and read again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::weight::weight;
use crate::core::{AgentId, EventId, Result, SessionId, SessionKey, now_ms};
use crate::session::Event;
use crate::session::projection::{SessionState, TIP_KEY};
use crate::state::{Store, StoredEvent};

/// Bytes kept over all sessions before the least recently used are dropped, about.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Sessions kept.
const MAX_SESSIONS: usize = 512;

/// One session in memory.
#[derive(Debug)]
pub(super) struct LiveSession {
    /// Its transcript.
    pub(super) session_id: SessionId,
    /// No row names this transcript yet.
    pub(super) is_new: AtomicBool,
    state: Mutex<SessionState>,
    bytes: AtomicUsize,
    writing: tokio::sync::Mutex<()>,
}

impl LiveSession {
    fn new(session_id: SessionId, is_new: bool) -> Self {
        Self {
            session_id,
            is_new: is_new.into(),
            state: Mutex::default(),
            bytes: AtomicUsize::new(0),
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// The right to change the transcript; see the module.
    pub(super) async fn writing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// Reads something off the projection.
    pub(super) fn with<T>(&self, read: impl FnOnce(&SessionState) -> T) -> T {
        read(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The event that the next one follows, and the earliest time it may have.
    pub(super) fn end(&self) -> (Option<EventId>, i64) {
        self.with(|state| (state.tip().cloned(), state.next_ts(now_ms())))
    }

    /// Puts a run's next events behind what others have appended since its last one, if that follows it.
    pub(super) fn align(&self, events: &mut [Event]) {
        self.with(|state| {
            if let Some(first) = events.first_mut()
                && let Some(last) = &first.parent_id
                && let Some(tip) = state.tip()
                && tip != last
                && leads_to(state, last, tip)
            {
                first.parent_id = Some(tip.clone());
            }
            for event in events {
                event.ts = state.next_ts(event.ts);
            }
        });
    }

    /// Adds committed events.
    pub(super) fn apply(&self, events: &[StoredEvent]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for stored in events {
            self.bytes.fetch_add(weight(&stored.event), Ordering::Relaxed);
            state.apply(Arc::clone(&stored.event));
        }
    }
}

/// Whether `last` is above `tip` and no pointer lies between them, which would mean that its branch was left.
fn leads_to(state: &SessionState, last: &EventId, tip: &EventId) -> bool {
    let mut at = tip;
    // Foreign transcripts may have loops of parents.
    for _ in 0..state.len() {
        if at == last {
            return true;
        }
        match state.event(at) {
            Some(event) if event.body.state_value(TIP_KEY).is_none() => match &event.parent_id {
                Some(parent) => at = parent,
                None => return false,
            },
            _ => return false,
        }
    }
    false
}

type Slot = Arc<OnceCell<Arc<LiveSession>>>;

#[derive(Debug, Default)]
struct Table {
    slots: HashMap<SessionKey, (Slot, u64)>,
    tick: u64,
}

impl Table {
    fn bytes(&self) -> usize {
        self.slots.values().filter_map(|(slot, _)| slot.get()).map(|live| live.bytes.load(Ordering::Relaxed)).sum()
    }
}

/// The sessions in memory, by key.
#[derive(Debug, Default)]
pub(super) struct LiveSessions {
    table: Mutex<Table>,
}

impl LiveSessions {
    /// The session's projection, read from the database on first use. A key without a row gets a fresh transcript id.
    pub(super) async fn get(&self, store: &Store, agent: &AgentId, key: &SessionKey) -> Result<Arc<LiveSession>> {
        let slot = {
            let mut table = self.lock();
            table.tick += 1;
            let tick = table.tick;
            let entry = table.slots.entry(key.clone()).or_default();
            entry.1 = tick;
            Arc::clone(&entry.0)
        };
        let live = slot.get_or_try_init(|| load(store, agent, key)).await?;
        self.trim(key);
        Ok(Arc::clone(live))
    }

    /// Forgets a session's projection if it is still this one. Another one may be in use already.
    pub(super) fn forget(&self, key: &SessionKey, outdated: &Arc<LiveSession>) {
        let mut table = self.lock();
        let is_it = |slot: &Slot| slot.get().is_some_and(|live| Arc::ptr_eq(live, outdated));
        if table.slots.get(key).is_some_and(|(slot, _)| is_it(slot)) {
            table.slots.remove(key);
        }
    }

    fn trim(&self, keep: &SessionKey) {
        let mut table = self.lock();
        let mut bytes = table.bytes();
        if table.slots.len() <= MAX_SESSIONS && bytes <= MAX_BYTES {
            return;
        }
        // A session that a run holds has a second owner; dropping it here would let two projections of it live.
        let mut idle: Vec<(u64, SessionKey, usize)> = table
            .slots
            .iter()
            .filter(|(key, (slot, _))| *key != keep && Arc::strong_count(slot) == 1)
            .filter_map(|(key, (slot, tick))| match slot.get() {
                None => Some((*tick, key.clone(), 0)),
                Some(live) if Arc::strong_count(live) == 1 => {
                    Some((*tick, key.clone(), live.bytes.load(Ordering::Relaxed)))
                }
                Some(_) => None,
            })
            .collect();
        idle.sort_unstable_by_key(|(tick, ..)| *tick);
        for (_, key, freed) in idle {
            if table.slots.len() <= MAX_SESSIONS / 2 && bytes <= MAX_BYTES / 2 {
                break;
            }
            table.slots.remove(&key);
            bytes -= freed;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn load(store: &Store, agent: &AgentId, key: &SessionKey) -> Result<Arc<LiveSession>> {
    let (agent, key) = (agent.clone(), key.clone());
    store
        .read(move |tx| {
            let Some(entry) = tx.session(&agent, &key)? else {
                return Ok(Arc::new(LiveSession::new(SessionId::generate(), true)));
            };
            let live = LiveSession::new(entry.session_id, false);
            tx.each_event(&agent, &live.session_id, |event| {
                live.apply(&[event]);
                true
            })?;
            Ok(Arc::new(live))
        })
        .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::session::event::{MessageReceived, StateChanged};
    use crate::session::{ContentBlock, EventBody};
    use crate::state::{OpenOptions, SessionEntry, StatePaths};

    fn open() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&StatePaths::new(dir.path()), &OpenOptions::default()).expect("a store");
        (dir, store)
    }

    fn key(number: usize) -> SessionKey {
        SessionKey::new(format!("agent:main:{number}"))
    }

    fn said(parent: Option<&Event>, ts: i64, body: impl Into<EventBody>) -> Event {
        Event::new(parent.map(|event| event.id.clone()), ts, None, body)
    }

    fn message(text: &str) -> MessageReceived {
        MessageReceived { content: vec![ContentBlock::text(text)], ..MessageReceived::default() }
    }

    fn live(events: &[&Event]) -> LiveSession {
        let live = LiveSession::new("s".into(), false);
        for (seq, event) in (1..).zip(events) {
            live.apply(&[StoredEvent { seq, event: Arc::new((*event).clone()) }]);
        }
        live
    }

    #[tokio::test]
    async fn a_session_in_use_is_never_dropped_and_others_are() {
        let (_dir, store) = open();
        let (sessions, agent) = (LiveSessions::default(), AgentId::from("main"));
        let held = sessions.get(&store, &agent, &key(0)).await.expect("readable");
        for number in 1..=2 * MAX_SESSIONS {
            sessions.get(&store, &agent, &key(number)).await.expect("readable");
            assert!(sessions.lock().slots.len() <= MAX_SESSIONS + 1);
        }
        let again = sessions.get(&store, &agent, &key(0)).await.expect("readable");
        assert!(Arc::ptr_eq(&held, &again));
        assert!(!sessions.lock().slots.contains_key(&key(1)));
    }

    #[tokio::test]
    async fn large_sessions_make_place_for_each_other() {
        let (_dir, store) = open();
        let (sessions, agent) = (LiveSessions::default(), AgentId::from("main"));
        let large = "x".repeat(MAX_BYTES / 8);
        for number in 0..8 {
            let live = sessions.get(&store, &agent, &key(number)).await.expect("readable");
            let event = Arc::new(said(None, 1, message(&large)));
            live.apply(&[StoredEvent { seq: 1, event }]);
        }
        sessions.get(&store, &agent, &key(9)).await.expect("readable");
        assert!(sessions.lock().bytes() <= MAX_BYTES);
        assert!(!sessions.lock().slots.contains_key(&key(0)));
    }

    #[tokio::test]
    async fn only_the_outdated_projection_is_forgotten() {
        let (_dir, store) = open();
        let (sessions, agent) = (LiveSessions::default(), AgentId::from("main"));
        let outdated = sessions.get(&store, &agent, &key(0)).await.expect("readable");
        sessions.forget(&key(0), &outdated);
        let current = sessions.get(&store, &agent, &key(0)).await.expect("readable");
        assert!(!Arc::ptr_eq(&outdated, &current));
        sessions.forget(&key(0), &outdated);
        assert!(Arc::ptr_eq(&current, &sessions.get(&store, &agent, &key(0)).await.expect("readable")));
    }

    #[tokio::test]
    async fn a_session_that_cannot_be_read_leaves_nothing_behind() {
        let (_dir, store) = open();
        let (sessions, agent) = (LiveSessions::default(), AgentId::from("main"));
        let entry = SessionEntry::new(agent.clone(), key(0), "torn".into(), 1);
        let event = said(None, 1, message("hello"));
        store
            .write(move |tx| {
                tx.append_events(&entry.agent_id, &entry.session_id, &[event])?;
                tx.tear_event(&entry.agent_id, &entry.session_id, 1)?;
                tx.put_session(&entry)
            })
            .await
            .expect("stored");
        sessions.get(&store, &agent, &key(0)).await.expect_err("torn");
        for number in 1..=MAX_SESSIONS {
            sessions.get(&store, &agent, &key(number)).await.expect("readable");
        }
        assert!(!sessions.lock().slots.contains_key(&key(0)));
    }

    #[test]
    fn a_run_goes_on_behind_what_was_appended_meanwhile() {
        let first = said(None, 10, message("go"));
        let setting = said(Some(&first), 20, StateChanged::new("label", json!("x")));
        let session = live(&[&first, &setting]);
        let mut step = [said(Some(&first), 15, message("answer"))];
        session.align(&mut step);
        assert_eq!(step[0].parent_id.as_ref(), Some(&setting.id));
        assert_eq!(step[0].ts, 20, "not before what it follows");
        session.align(&mut []);
    }

    #[test]
    fn a_run_stays_on_the_branch_that_was_left() {
        let root = said(None, 10, message("root"));
        let run = said(Some(&root), 20, message("go"));
        let pointer = said(Some(&root), 30, StateChanged::new(TIP_KEY, json!(root.id)));
        let other = said(Some(&pointer), 40, message("another branch"));
        let session = live(&[&root, &run, &pointer, &other]);
        for last in [&run, &root] {
            let mut step = [said(Some(last), 50, message("answer"))];
            session.align(&mut step);
            assert_eq!(step[0].parent_id.as_ref(), Some(&last.id));
        }
    }

    #[test]
    fn loops_of_parents_end() {
        let mut one = said(None, 10, message("one"));
        let two = said(Some(&one), 20, message("two"));
        one.parent_id = Some(two.id.clone());
        let session = live(&[&one, &two]);
        let elsewhere = said(None, 5, message("elsewhere"));
        let mut step = [said(Some(&elsewhere), 30, message("answer"))];
        session.align(&mut step);
        assert_eq!(step[0].parent_id.as_ref(), Some(&elsewhere.id));
    }
}
