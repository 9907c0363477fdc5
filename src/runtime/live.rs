//! Projections of the sessions in use, so that a turn does not read its history again.
//!
//! A projection is fed only with committed events, and this process is the only writer, so it cannot disagree with the
//! rows it came from. It may be dropped at any time and read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::core::{AgentId, Result, SessionId, SessionKey};
use crate::session::projection::SessionState;
use crate::state::{Store, StoredEvent};

/// Events kept over all sessions before the least recently used are dropped.
const MAX_EVENTS: usize = 50_000;
/// Sessions kept.
const MAX_SESSIONS: usize = 512;
/// Rows read at a time.
const READ_CHUNK: usize = 2_000;

/// One session in memory.
#[derive(Debug)]
pub(super) struct LiveSession {
    /// Its transcript.
    pub(super) session_id: SessionId,
    /// No row names this transcript yet.
    pub(super) is_new: std::sync::atomic::AtomicBool,
    state: Mutex<SessionState>,
}

impl LiveSession {
    /// Reads something off the projection.
    pub(super) fn with<T>(&self, read: impl FnOnce(&SessionState) -> T) -> T {
        read(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds committed events.
    pub(super) fn apply(&self, events: &[StoredEvent]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for stored in events {
            state.apply(Arc::clone(&stored.event));
        }
    }
}

type Slot = Arc<OnceCell<Arc<LiveSession>>>;

#[derive(Debug, Default)]
struct Table {
    slots: HashMap<SessionKey, (Slot, u64)>,
    tick: u64,
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
            let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Forgets a session (reset, delete).
    pub(super) fn forget(&self, key: &SessionKey) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).slots.remove(key);
    }

    fn trim(&self, keep: &SessionKey) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |table: &Table| {
            table
                .slots
                .values()
                .filter_map(|(slot, _)| slot.get())
                .map(|live| live.with(SessionState::len))
                .sum::<usize>()
        };
        if table.slots.len() <= MAX_SESSIONS && (!table.tick.is_multiple_of(64) || size(&table) <= MAX_EVENTS) {
            return;
        }
        // A session that a run holds has a second owner; dropping it here would let two projections of it live.
        let mut idle: Vec<(u64, SessionKey, usize)> = table
            .slots
            .iter()
            .filter(|(key, (slot, _))| *key != keep && Arc::strong_count(slot) == 1)
            .filter_map(|(key, (slot, tick))| {
                let live = slot.get()?;
                (Arc::strong_count(live) == 1).then(|| (*tick, key.clone(), live.with(SessionState::len)))
            })
            .collect();
        idle.sort_unstable_by_key(|(tick, ..)| *tick);
        let mut total = size(&table);
        for (_, key, events) in idle {
            if table.slots.len() <= MAX_SESSIONS / 2 && total <= MAX_EVENTS / 2 {
                break;
            }
            table.slots.remove(&key);
            total -= events;
        }
    }
}

async fn load(store: &Store, agent: &AgentId, key: &SessionKey) -> Result<Arc<LiveSession>> {
    let (agent, key) = (agent.clone(), key.clone());
    store
        .read(move |tx| {
            let Some(entry) = tx.session(&agent, &key)? else {
                return Ok(Arc::new(LiveSession {
                    session_id: SessionId::generate(),
                    is_new: true.into(),
                    state: Mutex::new(SessionState::default()),
                }));
            };
            let mut state = SessionState::default();
            let mut after = 0;
            loop {
                let rows = tx.events(&agent, &entry.session_id, after, READ_CHUNK)?;
                let full = rows.len() == READ_CHUNK;
                for row in rows {
                    after = row.seq;
                    state.apply(row.event);
                }
                if !full {
                    break;
                }
            }
            Ok(Arc::new(LiveSession { session_id: entry.session_id, is_new: false.into(), state: Mutex::new(state) }))
        })
        .await
}
