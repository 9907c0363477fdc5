//! The background sessions of this process, and their rows in the database.
//!
//! A session is entered when its command goes on in the background and leaves `cleanupMs` after its end. Its row exists from the entry
//! to the end of the command; rows that a dead gateway left behind are taken out at the next start and live on as sessions that say so.
//! The processes themselves cannot outlive the gateway: their supervisor ends with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::session::{NewProcess, ProcessEnd, ProcessOwner, ProcessSession};
use crate::core::{Error, Result, RunId};
use crate::state::{SandboxEntry, Store};

/// `registry_kind` of the rows.
const KIND: &str = "process";
/// Most background sessions of one conversation that run at the same time.
const MAX_PER_OWNER: usize = 16;
/// Most background sessions that run at the same time.
const MAX_RUNNING: usize = 64;
/// Most ended sessions that are kept; the oldest go first.
const MAX_ENDED: usize = 64;
/// How long sessions of an earlier gateway can be asked about.
const LOST_KEPT: Duration = Duration::from_secs(1800);
/// How long a shutdown waits for the processes to be gone.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);
/// Longest command text in a row, in bytes.
const MAX_ROW_COMMAND: usize = 1024;

/// The background sessions; cheap to clone.
#[derive(Clone)]
pub struct ProcessRegistry {
    shared: Arc<Shared>,
}

struct Shared {
    store: Option<Store>,
    boot_id: String,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<String, Arc<ProcessSession>>,
    /// Places that are taken: by running sessions, and by commands that may become one.
    places: HashMap<ProcessOwner, usize>,
    closed: bool,
}

/// A place among the running sessions; free again when it is dropped.
pub struct ProcessPlace {
    registry: Weak<Shared>,
    owner: ProcessOwner,
}

/// What a row says about its session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    boot_id: String,
    command: String,
    cwd: String,
    started_at: i64,
}

impl ProcessRegistry {
    /// A registry without rows: for tests, and for runs outside of a gateway.
    pub fn in_memory() -> Self {
        Self::new(None, String::new())
    }

    fn new(store: Option<Store>, boot_id: String) -> Self {
        Self { shared: Arc::new(Shared { store, boot_id, table: Mutex::default() }) }
    }

    /// The registry of the gateway process that `boot_id` names. What an earlier one left behind is reported and removed.
    pub async fn start(store: Store, boot_id: &str) -> Result<Self> {
        let registry = Self::new(Some(store.clone()), boot_id.to_owned());
        let left = store.read(|tx| tx.sandbox_entries(KIND)).await?;
        let left: Vec<SandboxEntry> =
            left.into_iter().filter(|entry| entry.entry["bootId"].as_str() != Some(boot_id)).collect();
        for entry in &left {
            registry.adopt_lost(entry);
        }
        if !left.is_empty() {
            store
                .write(move |tx| {
                    for entry in &left {
                        tx.delete_sandbox_entry(KIND, &entry.name)?;
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(registry)
    }

    fn adopt_lost(&self, entry: &SandboxEntry) {
        tracing::warn!(
            process = %entry.name, agent = %entry.agent_id, session = %entry.session_key, command = %entry.entry["command"],
            "a background command ended with the gateway that ran it"
        );
        let text = |key: &str| entry.entry[key].as_str().unwrap_or_default().to_owned();
        let owner = ProcessOwner { agent: entry.agent_id.clone(), session: entry.session_key.clone() };
        let id = entry.name.clone();
        let session = ProcessSession::lost(id.clone(), owner, text("command"), text("cwd"), entry.created_at);
        self.lock().sessions.insert(id.clone(), Arc::new(session));
        self.forget_later(id, LOST_KEPT);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a command that may go on in the background; the error says why there is none.
    pub fn reserve(&self, owner: &ProcessOwner) -> Result<ProcessPlace, String> {
        let mut table = self.lock();
        if table.closed {
            return Err("the gateway is shutting down".to_owned());
        }
        let own = table.places.get(owner).copied().unwrap_or(0);
        if own >= MAX_PER_OWNER || table.places.values().sum::<usize>() >= MAX_RUNNING {
            return Err(format!(
                "{own} background commands of this session are running, and no more than {MAX_PER_OWNER} (of all sessions {MAX_RUNNING}) \
                 may; end one with process"
            ));
        }
        *table.places.entry(owner.clone()).or_default() += 1;
        Ok(ProcessPlace { registry: Arc::downgrade(&self.shared), owner: owner.clone() })
    }

    /// Enters a command that goes on in the background. Its row is stored before this returns.
    pub async fn enter(&self, new: NewProcess) -> Result<Arc<ProcessSession>> {
        let (row, backend) = (self.row(&new), new.report.backend.as_str().to_owned());
        let (owner, started_at) = (new.owner.clone(), new.started_at);
        let session = {
            let mut table = self.lock();
            let id = fresh_id(&table);
            let session = Arc::new(ProcessSession::running(id.clone(), new));
            table.sessions.insert(id, Arc::clone(&session));
            session
        };
        let Some(store) = &self.shared.store else { return Ok(session) };
        let entry = SandboxEntry {
            kind: KIND.to_owned(),
            name: session.id.clone(),
            agent_id: owner.agent,
            session_key: owner.session,
            backend,
            entry: serde_json::to_value(row).map_err(|error| Error::internal(error.to_string()))?,
            created_at: started_at,
        };
        if let Err(error) = store.write(move |tx| tx.put_sandbox_entry(&entry)).await {
            self.lock().sessions.remove(&session.id);
            return Err(error);
        }
        Ok(session)
    }

    fn row(&self, new: &NewProcess) -> Row {
        let mut command = new.command.clone();
        command.truncate(command.floor_char_boundary(MAX_ROW_COMMAND));
        Row { boot_id: self.shared.boot_id.clone(), command, cwd: new.cwd.clone(), started_at: new.started_at }
    }

    /// Records the end of a session; it can be asked about for `kept` more.
    pub async fn end(&self, session: &ProcessSession, end: ProcessEnd, kept: Duration) {
        session.set_end(end);
        self.drop_oldest_ended();
        self.forget_later(session.id.clone(), kept);
        if let Some(store) = &self.shared.store {
            let id = session.id.clone();
            if let Err(error) = store.write(move |tx| tx.delete_sandbox_entry(KIND, &id)).await {
                // The next start takes the row out.
                tracing::warn!(process = %session.id, %error, "the row of an ended background command could not be removed");
            }
        }
    }

    fn drop_oldest_ended(&self) {
        let mut table = self.lock();
        let mut ended: Vec<(i64, String)> = table
            .sessions
            .values()
            .filter(|session| !session.is_running())
            .map(|session| (session.started_at, session.id.clone()))
            .collect();
        ended.sort_unstable();
        let excess = ended.len().saturating_sub(MAX_ENDED);
        for (_, id) in ended.into_iter().take(excess) {
            table.sessions.remove(&id);
        }
    }

    fn forget_later(&self, id: String, after: Duration) {
        // Without a runtime the process is ending.
        let Ok(handle) = tokio::runtime::Handle::try_current() else { return };
        let shared = Arc::downgrade(&self.shared);
        handle.spawn(async move {
            tokio::time::sleep(after).await;
            if let Some(shared) = shared.upgrade() {
                shared.table.lock().unwrap_or_else(PoisonError::into_inner).sessions.remove(&id);
            }
        });
    }

    /// The sessions of an owner, oldest first.
    pub(super) fn list(&self, owner: &ProcessOwner) -> Vec<Arc<ProcessSession>> {
        let mut own: Vec<_> =
            self.lock().sessions.values().filter(|session| session.owner == *owner).cloned().collect();
        own.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        own
    }

    /// A session of that owner; those of others do not exist for it.
    pub(super) fn get(&self, owner: &ProcessOwner, id: &str) -> Option<Arc<ProcessSession>> {
        self.lock().sessions.get(id).filter(|session| session.owner == *owner).cloned()
    }

    /// Forgets a session.
    pub(super) fn remove(&self, session: &ProcessSession) {
        self.lock().sessions.remove(&session.id);
    }

    /// Sessions that are running.
    pub fn running(&self) -> usize {
        self.lock().sessions.values().filter(|session| session.is_running()).count()
    }

    /// Ends everything that a conversation has running in the background: it was deleted or reset.
    pub fn end_all_of(&self, owner: &ProcessOwner) {
        for session in self.list(owner) {
            if let Some(control) = session.control.as_ref().filter(|_| session.is_running()) {
                control.kill();
            }
        }
    }

    /// Takes no more sessions, ends all that are running, and waits until they are gone.
    pub async fn shutdown(&self) {
        let all: Vec<Arc<ProcessSession>> = {
            let mut table = self.lock();
            table.closed = true;
            table.sessions.values().filter(|session| session.is_running()).cloned().collect()
        };
        for session in &all {
            if let Some(control) = &session.control {
                control.kill();
            }
        }
        let ended = all.iter().map(|session| session.wait(SHUTDOWN_PATIENCE, |state| state.end.is_some()));
        let missing = futures_util::future::join_all(ended).await.into_iter().filter(|ended| !ended).count();
        if missing > 0 {
            tracing::error!(missing, "background commands did not end in time; they end with this process");
        }
    }
}

impl Drop for ProcessPlace {
    fn drop(&mut self) {
        let Some(shared) = self.registry.upgrade() else { return };
        let mut table = shared.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.places.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                table.places.remove(&self.owner);
            }
        }
    }
}

/// Short, because models repeat it; not in use, because others may have a session of that name.
fn fresh_id(table: &Table) -> String {
    loop {
        let id = RunId::generate().to_string();
        // The end of a UUIDv7 is random, its start is the time.
        let short: String = id.chars().skip(id.len().saturating_sub(8)).collect();
        let name = format!("p-{short}");
        if !table.sessions.contains_key(&name) {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::future::BoxFuture;

    use super::*;
    use crate::sandbox::{Backend, Exit, Guarantees, SandboxLevel, SandboxReport, Stream};
    use crate::state::{OpenOptions, StatePaths};

    /// Stands for a command: being killed is all that it can do.
    struct Command {
        killed: Arc<AtomicBool>,
    }

    impl super::super::ProcessControl for Command {
        fn write(&self, _data: Vec<u8>) -> BoxFuture<'_, std::io::Result<()>> {
            Box::pin(std::future::ready(Ok(())))
        }
        fn close(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn signal(&self, _signal: i32) -> std::io::Result<()> {
            Ok(())
        }
        fn kill(&self) {
            self.killed.store(true, Ordering::SeqCst);
        }
    }

    fn owner(agent: &str, session: &str) -> ProcessOwner {
        ProcessOwner { agent: agent.into(), session: session.into() }
    }

    fn new(owner: &ProcessOwner) -> (NewProcess, Arc<AtomicBool>) {
        let killed = Arc::new(AtomicBool::new(false));
        let report = SandboxReport {
            level: SandboxLevel::None,
            backend: Backend::Plain,
            granted: Guarantees::EMPTY,
            missing: Guarantees::EMPTY,
            notes: Vec::new(),
            tampered: Vec::new(),
        };
        let process = NewProcess {
            owner: owner.clone(),
            command: "sleep 9".into(),
            cwd: String::new(),
            started_at: crate::core::now_ms(),
            timeout: None,
            report,
            control: Arc::new(Command { killed: Arc::clone(&killed) }),
            log: super::super::OutputLog::default(),
        };
        (process, killed)
    }

    #[tokio::test]
    async fn sessions_belong_to_one_conversation() {
        let registry = ProcessRegistry::in_memory();
        let (mine, other) = (owner("main", "a"), owner("main", "b"));
        let session = registry.enter(new(&mine).0).await.unwrap();
        assert!(registry.get(&mine, session.id()).is_some());
        assert!(registry.get(&other, session.id()).is_none());
        assert!(registry.get(&owner("else", "a"), session.id()).is_none());
        assert_eq!((registry.list(&mine).len(), registry.list(&other).len()), (1, 0));
    }

    #[tokio::test]
    async fn places_are_bounded_and_come_back() {
        let registry = ProcessRegistry::in_memory();
        let mine = owner("main", "a");
        let mut places: Vec<ProcessPlace> = (0..MAX_PER_OWNER).map(|_| registry.reserve(&mine).unwrap()).collect();
        let Err(full) = registry.reserve(&mine) else { unreachable!("there is no place") };
        assert!(full.starts_with("16 background commands"), "{full}");
        places.pop();
        places.push(registry.reserve(&mine).unwrap());
        for other in ["b", "c", "d"] {
            let other = owner("main", other);
            places.extend((0..MAX_PER_OWNER).map(|_| registry.reserve(&other).unwrap()));
        }
        assert!(registry.reserve(&owner("main", "e")).is_err());
        places.clear();
        assert!(registry.lock().places.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_session_can_be_asked_about_for_a_while() {
        let registry = ProcessRegistry::in_memory();
        let mine = owner("main", "a");
        let session = registry.enter(new(&mine).0).await.unwrap();
        session.output(Stream::Stdout, b"hello");
        assert_eq!(registry.running(), 1);
        let exit = ProcessEnd::Exited(Exit { code: Some(0), ..Exit::default() });
        registry.end(&session, exit, Duration::from_secs(60)).await;
        assert_eq!(registry.running(), 0);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert!(registry.get(&mine, session.id()).is_some());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(registry.get(&mine, session.id()).is_none());
    }

    #[tokio::test]
    async fn a_shutdown_ends_everything_and_lets_nothing_in() {
        let registry = ProcessRegistry::in_memory();
        let mine = owner("main", "a");
        let (process, killed) = new(&mine);
        let session = registry.enter(process).await.unwrap();
        let ending = async {
            session.wait(Duration::from_secs(5), |_| killed.load(Ordering::SeqCst)).await;
            registry.end(&session, ProcessEnd::Failed("gone".into()), Duration::ZERO).await;
        };
        tokio::join!(registry.shutdown(), ending);
        assert!(killed.load(Ordering::SeqCst));
        assert!(registry.reserve(&mine).is_err());
    }

    #[tokio::test]
    async fn what_a_dead_gateway_left_is_known_and_its_rows_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&StatePaths::new(dir.path()), &OpenOptions::default()).unwrap();
        let mine = owner("main", "agent:main:main");
        let first = ProcessRegistry::start(store.clone(), "boot-1").await.unwrap();
        let left = first.enter(new(&mine).0).await.unwrap();
        let ended = first.enter(new(&mine).0).await.unwrap();
        first.end(&ended, ProcessEnd::Failed("x".into()), Duration::from_secs(9)).await;
        let rows = store.read(|tx| tx.sandbox_entries(KIND)).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), [left.id()]);
        assert_eq!((rows[0].backend.as_str(), &rows[0].entry["command"]), ("plain", &"sleep 9".into()));
        // A registry of the same process leaves its own rows alone.
        let same = ProcessRegistry::start(store.clone(), "boot-1").await.unwrap();
        assert!(same.list(&mine).is_empty());
        let second = ProcessRegistry::start(store.clone(), "boot-2").await.unwrap();
        let found = second.get(&mine, left.id()).unwrap();
        assert_eq!(found.state().end, Some(ProcessEnd::GatewayStopped));
        assert_eq!(second.list(&mine).len(), 1);
        assert!(store.read(|tx| tx.sandbox_entries(KIND)).await.unwrap().is_empty());
    }
}
