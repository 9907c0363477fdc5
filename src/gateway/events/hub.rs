//! Who gets which event.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::connection::Connection;
use super::frame::EventFrame;
use crate::core::{Error, ErrorKind, Result, RunId, SessionKey, now_ms};
use crate::gateway::lock::lock;
use crate::gateway::tuning::Tuning;

/// Sessions one connection may follow.
const MAX_FOLLOWED_SESSIONS: usize = 1000;

struct Member {
    connection: Arc<Connection>,
    sessions: HashSet<SessionKey>,
    runs: HashSet<RunId>,
}

#[derive(Default)]
struct Index {
    members: HashMap<u64, Member>,
    runs: HashMap<RunId, Vec<u64>>,
    sessions: HashMap<SessionKey, Vec<u64>>,
    /// Connections that follow all sessions.
    everything: HashSet<u64>,
    config_hash: String,
}

/// All connections and their subscriptions.
#[derive(Default)]
pub(crate) struct Hub {
    index: Mutex<Index>,
    next_id: AtomicU64,
    session_changes: AtomicU64,
}

impl Hub {
    /// Takes in a client.
    pub(crate) fn connect(&self, tuning: &Tuning) -> Arc<Connection> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = Arc::new(Connection::new(id, tuning));
        let member = Member { connection: Arc::clone(&connection), sessions: HashSet::new(), runs: HashSet::new() };
        lock(&self.index).members.insert(id, member);
        connection
    }

    /// Forgets a client and its subscriptions.
    pub(crate) fn disconnect(&self, connection: &Connection) {
        connection.gone.cancel();
        let mut index = lock(&self.index);
        let Some(member) = index.members.remove(&connection.id) else { return };
        index.everything.remove(&connection.id);
        for session in &member.sessions {
            drop_from(&mut index.sessions, session, connection.id);
        }
        for run in &member.runs {
            drop_from(&mut index.runs, run, connection.id);
        }
    }

    /// Clients connected.
    pub(crate) fn len(&self) -> usize {
        lock(&self.index).members.len()
    }

    /// Clients that ever connected.
    pub(crate) fn total(&self) -> u64 {
        self.next_id.load(Ordering::Relaxed)
    }

    /// `chat` and `agent` events of a run go to this connection until the run ends; false if they did already.
    pub(crate) fn follow_run(&self, connection: &Connection, run: &RunId) -> bool {
        let mut index = lock(&self.index);
        let Some(member) = index.members.get_mut(&connection.id) else { return false };
        let begins = member.runs.insert(run.clone());
        if begins {
            index.runs.entry(run.clone()).or_default().push(connection.id);
        }
        begins
    }

    /// The opposite, for a run that did not start.
    pub(crate) fn unfollow_run(&self, connection: &Connection, run: &RunId) {
        let mut index = lock(&self.index);
        let Some(member) = index.members.get_mut(&connection.id) else { return };
        if member.runs.remove(run) {
            drop_from(&mut index.runs, run, connection.id);
        }
    }

    /// All events of one session go to this connection.
    pub(crate) fn follow_session(&self, connection: &Connection, key: &SessionKey) -> Result<()> {
        let mut index = lock(&self.index);
        let Some(member) = index.members.get_mut(&connection.id) else { return Ok(()) };
        if member.sessions.len() >= MAX_FOLLOWED_SESSIONS && !member.sessions.contains(key) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("this connection follows {MAX_FOLLOWED_SESSIONS} sessions already"),
            )
            .hint("use sessions.subscribe for all sessions, or unsubscribe from some"));
        }
        if member.sessions.insert(key.clone()) {
            index.sessions.entry(key.clone()).or_default().push(connection.id);
        }
        Ok(())
    }

    /// Ends [`Self::follow_session`]; whether it was followed.
    pub(crate) fn unfollow_session(&self, connection: &Connection, key: &SessionKey) -> bool {
        let mut index = lock(&self.index);
        let Some(member) = index.members.get_mut(&connection.id) else { return false };
        let followed = member.sessions.remove(key);
        if followed {
            drop_from(&mut index.sessions, key, connection.id);
        }
        followed
    }

    /// `sessions.changed` and `session.message` of all sessions go to this connection, or no longer; whether that changed.
    pub(crate) fn follow_everything(&self, connection: &Connection, follow: bool) -> bool {
        let mut index = lock(&self.index);
        if !index.members.contains_key(&connection.id) {
            return false;
        }
        if follow { index.everything.insert(connection.id) } else { index.everything.remove(&connection.id) }
    }

    /// Who gets the events of a run: its starters and those who follow its session.
    pub(crate) fn run_audience(&self, run: &RunId, session: &SessionKey) -> Vec<Arc<Connection>> {
        let index = lock(&self.index);
        let ids = index.runs.get(run).into_iter().chain(index.sessions.get(session)).flatten();
        index.resolve(ids)
    }

    /// Who gets the messages of a session.
    pub(crate) fn message_audience(&self, session: &SessionKey) -> Vec<Arc<Connection>> {
        let index = lock(&self.index);
        index.resolve(index.sessions.get(session).into_iter().flatten().chain(&index.everything))
    }

    /// Who gets changes of the session list.
    pub(crate) fn list_audience(&self) -> Vec<Arc<Connection>> {
        let index = lock(&self.index);
        index.resolve(index.everything.iter())
    }

    /// Who gets any events at all.
    fn subscribers(&self) -> Vec<Arc<Connection>> {
        let index = lock(&self.index);
        let ids: Vec<u64> = index
            .members
            .iter()
            .filter(|(id, member)| {
                !member.runs.is_empty() || !member.sessions.is_empty() || index.everything.contains(*id)
            })
            .map(|(id, _)| *id)
            .collect();
        index.resolve(ids.iter())
    }

    /// Everybody.
    pub(crate) fn everybody(&self) -> Vec<Arc<Connection>> {
        lock(&self.index).members.values().map(|member| Arc::clone(&member.connection)).collect()
    }

    /// A run ended: nobody follows it any more.
    pub(crate) fn forget_run(&self, run: &RunId) {
        let mut index = lock(&self.index);
        for id in index.runs.remove(run).unwrap_or_default() {
            if let Some(member) = index.members.get_mut(&id) {
                member.runs.remove(run);
            }
        }
    }

    /// Sends one notification to everybody.
    pub(crate) fn broadcast(&self, method: &str, params: &Value) {
        send(&self.everybody(), &EventFrame::new(method, params));
    }

    /// Tells those who follow anything that events were lost.
    pub(crate) fn resync(&self, missed: u64) {
        self.note_session_change();
        let frame = EventFrame::new("resync", &json!({"reason": "lagged", "missed": missed, "ts": now_ms()}));
        send(&self.subscribers(), &frame);
    }

    /// Sends `config.changed`, once per hash.
    pub(crate) fn config_changed(&self, path: &str, hash: &str) {
        let mut index = lock(&self.index);
        if index.config_hash == hash {
            return;
        }
        hash.clone_into(&mut index.config_hash);
        drop(index);
        self.broadcast("config.changed", &json!({"path": path, "hash": hash, "ts": now_ms()}));
    }

    /// Counts changes of the session list, so that what was computed from it knows when it is stale.
    pub(crate) fn session_changes(&self) -> u64 {
        self.session_changes.load(Ordering::Acquire)
    }

    /// One more change of the session list.
    pub(crate) fn note_session_change(&self) {
        self.session_changes.fetch_add(1, Ordering::AcqRel);
    }
}

impl Index {
    fn resolve<'a>(&self, ids: impl Iterator<Item = &'a u64>) -> Vec<Arc<Connection>> {
        let mut ids: Vec<u64> = ids.copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().filter_map(|id| self.members.get(id)).map(|member| Arc::clone(&member.connection)).collect()
    }
}

/// Queues a notification for each.
pub(crate) fn send(audience: &[Arc<Connection>], frame: &Arc<EventFrame>) {
    for connection in audience {
        connection.outbox.event(frame);
    }
}

fn drop_from<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<u64>>, key: &K, id: u64) {
    if let Some(ids) = map.get_mut(key) {
        ids.retain(|other| *other != id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}
