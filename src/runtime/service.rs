//! The runtime as a service: start, submit, wait, abort, shut down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::agent_loop::StopCause;
use super::artifacts::Pruned;
use super::explain::{self, Posture};
use super::inline::reply_text;
use super::lanes::Lanes;
use super::live::LiveSessions;
use super::modes;
use super::registry::Registry;
use super::trajectory;
use super::types::{RunOutcome, RuntimeEvent};
use crate::config::LoadedConfig;
use crate::core::{AgentId, Error, ErrorKind, Result, RunId, SessionId, SessionKey};
use crate::providers::ProviderRegistry;
use crate::sandbox::Sandbox;
use crate::session::projection::SessionState;
use crate::session::{ContentBlock, key};
use crate::state::{RunRow, SessionEntry, StatePaths, Store, StoredEvent};
use crate::tools::process::ProcessRegistry;

/// Broadcast slots, all in memory from the start; a subscriber that falls further behind is told that it missed events.
const EVENT_SLOTS: usize = 2_048;
/// How long a shutdown waits for runs that were told to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Rows read at a time while the text of a reply is looked for from the end.
const READ_CHUNK: usize = 200;

/// The runtime; cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) paths: StatePaths,
    pub(super) setup: RwLock<Setup>,
    pub(super) lanes: Lanes,
    pub(super) live: LiveSessions,
    pub(super) registry: Registry,
    pub(super) events: broadcast::Sender<Arc<RuntimeEvent>>,
    pub(super) slots: Semaphore,
    pub(super) closing: AtomicBool,
    /// Counts decisions about approvals, to wake those who wait for one.
    pub(super) approvals: watch::Sender<u64>,
    /// Cancelled when a shutdown waits no longer.
    pub(super) hurry: CancellationToken,
    /// Names this process in `runs.owner`.
    pub(super) boot_id: String,
    pub(super) pruned: Pruned,
    /// Runs the commands of all agents.
    pub(super) sandbox: Sandbox,
    /// Commands that go on in the background.
    pub(super) processes: ProcessRegistry,
    /// What is known of the agents' sandboxes.
    pub(super) postures: Mutex<Vec<Posture>>,
    /// Work that runs and starts leave behind: files to delete, what is too old.
    pub(super) chores: TaskTracker,
}

#[derive(Clone)]
pub(super) struct Setup {
    pub(super) config: Arc<LoadedConfig>,
    pub(super) providers: ProviderRegistry,
}

impl Runtime {
    /// Starts on an open store. Runs that a dead process left unfinished are recorded as interrupted first.
    ///
    /// Error: `Config` when [`modes::VARIABLE`] or [`trajectory::VARIABLE`] has a value that means nothing.
    pub async fn start(
        store: Store,
        paths: StatePaths,
        config: Arc<LoadedConfig>,
        providers: ProviderRegistry,
    ) -> Result<Self> {
        modes::from_environment(&config.env)?;
        trajectory::by_default(config.view.trajectory, &config.env)?;
        let slots = config.view.max_concurrent.max(1);
        let boot_id = RunId::generate().to_string();
        let sandbox = explain::sandbox(&paths, &config);
        let processes = ProcessRegistry::start(store.clone(), &boot_id).await?;
        let runtime = Self {
            shared: Arc::new(Shared {
                store,
                paths,
                setup: RwLock::new(Setup { config, providers }),
                lanes: Lanes::default(),
                live: LiveSessions::default(),
                registry: Registry::default(),
                events: broadcast::channel(EVENT_SLOTS).0,
                slots: Semaphore::new(slots),
                closing: AtomicBool::new(false),
                approvals: watch::Sender::new(0),
                hurry: CancellationToken::new(),
                boot_id,
                pruned: Pruned::default(),
                sandbox,
                processes,
                postures: Mutex::default(),
                chores: TaskTracker::new(),
            }),
        };
        runtime.recover_approvals().await?;
        runtime.recover().await?;
        runtime.clean_up_leftovers();
        Ok(runtime)
    }

    /// Swaps configuration and providers for runs that start from here on.
    pub fn reconfigure(&self, config: Arc<LoadedConfig>, providers: ProviderRegistry) {
        let (path, hash) = (config.path.display().to_string(), config.hash.clone());
        *self.shared.setup.write().unwrap_or_else(PoisonError::into_inner) = Setup { config, providers };
        self.broadcast(RuntimeEvent::ConfigChanged { path, hash });
    }

    pub(super) fn setup(&self) -> Setup {
        self.shared.setup.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<LoadedConfig> {
        self.setup().config
    }

    /// The models at hand.
    pub fn providers(&self) -> ProviderRegistry {
        self.setup().providers
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Where the state lives.
    pub fn paths(&self) -> &StatePaths {
        &self.shared.paths
    }

    /// Names this process; fresh on every start.
    pub fn boot_id(&self) -> &str {
        &self.shared.boot_id
    }

    /// What confines the commands of all agents.
    pub fn sandbox(&self) -> &Sandbox {
        &self.shared.sandbox
    }

    /// The commands that go on in the background.
    pub fn processes(&self) -> &ProcessRegistry {
        &self.shared.processes
    }

    /// Everything that happens, from here on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<RuntimeEvent>> {
        self.shared.events.subscribe()
    }

    pub(super) fn broadcast(&self, event: RuntimeEvent) {
        // dropped: an error only says that nobody listens
        drop(self.shared.events.send(Arc::new(event)));
    }

    pub(super) fn appended(
        &self,
        key: &SessionKey,
        session: &SessionId,
        agent: &AgentId,
        events: Vec<StoredEvent>,
        entry: Option<Arc<SessionEntry>>,
    ) {
        if !events.is_empty() {
            self.broadcast(RuntimeEvent::Appended {
                session_key: key.clone(),
                session_id: session.clone(),
                agent_id: agent.clone(),
                events: Arc::new(events),
                entry,
            });
        }
    }

    /// Waits for the end of a run, also of one that has ended already; `None` when `timeout` passes first.
    pub async fn wait(&self, run: &RunId, timeout: Option<Duration>) -> Result<Option<RunOutcome>> {
        if let Some(active) = self.shared.registry.active(run) {
            let mut ended = active.ended.subscribe();
            drop(active);
            let outcome = async move { ended.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone()) };
            let outcome = match timeout {
                Some(limit) => match tokio::time::timeout(limit, outcome).await {
                    Ok(outcome) => outcome,
                    Err(_elapsed) => return Ok(None),
                },
                None => outcome.await,
            };
            if let Some(outcome) = outcome {
                return Ok(Some((*outcome).clone()));
            }
        }
        if let Some(outcome) = self.shared.registry.recent(run) {
            return Ok(Some((*outcome).clone()));
        }
        let id = run.clone();
        let row = self.shared.store.read(move |tx| tx.run(&id)).await?;
        let Some(row) = row else {
            return Err(
                Error::not_found(format!("no run {run}")).hint("list the session's events: openclaw sessions show KEY")
            );
        };
        self.stored_outcome(row).await.map(Some)
    }

    /// The outcome of a run whose row is terminal; its text comes from the transcript.
    pub(super) async fn stored_outcome(&self, row: RunRow) -> Result<RunOutcome> {
        let mut outcome: RunOutcome = match &row.result {
            Some(result) => serde_json::from_value(result.clone()).map_err(|error| {
                Error::new(ErrorKind::State, format!("the stored result of run {} cannot be read", row.run_id))
                    .source(error)
            })?,
            None => return Err(Error::new(ErrorKind::State, format!("run {} has no stored result", row.run_id))),
        };
        outcome.run_id = row.run_id.clone();
        outcome.started_at = row.started_at.unwrap_or(row.created_at);
        outcome.ended_at = row.ended_at.unwrap_or(outcome.started_at);
        let (agent, session, run) = (row.agent_id, row.session_id, row.run_id);
        outcome.text = self
            .shared
            .store
            .read(move |tx| {
                let mut before = None;
                loop {
                    let rows = tx.events_tail(&agent, &session, before, READ_CHUNK)?;
                    let text = reply_text(rows.iter(), &run);
                    match rows.first() {
                        Some(first) if text.is_empty() && rows.len() == READ_CHUNK => before = Some(first.seq),
                        _ => return Ok(text),
                    }
                }
            })
            .await?;
        Ok(outcome)
    }

    /// Stops the session's running run and the queued ones, or only `run`. Returns the ids that were asked to stop.
    ///
    /// A queued one ends at once; its message stays visible in the transcript and is not shown to models. Needs a tokio
    /// runtime.
    pub fn abort(&self, session: &SessionKey, run: Option<&RunId>) -> Vec<RunId> {
        let mut stopped = Vec::new();
        // From the back, so that no queued run starts because the one before it ended.
        for id in self.shared.lanes.runs(session).into_iter().rev() {
            if run.is_none_or(|wanted| *wanted == id)
                && let Some(active) = self.shared.registry.active(&id)
            {
                active.stop.request(StopCause::Abort);
                if self.shared.lanes.withdraw(session, &id) {
                    self.withdraw(active);
                }
                stopped.push(id);
            }
        }
        stopped.reverse();
        stopped
    }

    /// Stops the session's runs and waits until they are over.
    pub(super) async fn abort_and_wait(&self, session: &SessionKey) -> Result<()> {
        let mut stopping = self.abort(session, None);
        // A message that was withdrawn from the lane earlier may not have reached its transcript yet.
        stopping.extend(self.shared.registry.all().iter().filter(|active| active.is_ending()).filter_map(|active| {
            let prepared = active.prepared();
            (prepared.session_key == *session).then_some(prepared.run_id)
        }));
        for run in stopping {
            match self.wait(&run, None).await {
                // Its message was refused.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// Ids of a session's runs: the running one first, then those that wait.
    pub fn active_runs(&self, session: &SessionKey) -> Vec<RunId> {
        self.shared.lanes.runs(session)
    }

    /// Messages of a session that were accepted and wait for the runs before them, in order.
    pub fn queued_messages(&self, session: &SessionKey) -> Vec<(RunId, Vec<ContentBlock>)> {
        let waiting = self.shared.lanes.runs(session).into_iter().skip(1);
        waiting
            .filter_map(|run| {
                let content = self.shared.registry.active(&run)?.prepared().content;
                Some((run, content))
            })
            .collect()
    }

    /// Runs of all sessions that have not ended.
    pub fn active_run_count(&self) -> usize {
        self.shared.registry.len()
    }

    /// The running run of a session and the reply text it has streamed that is not in the transcript yet.
    pub fn in_flight_text(&self, session: &SessionKey) -> Option<(RunId, String)> {
        let run = self.shared.lanes.runs(session).into_iter().next()?;
        let active = self.shared.registry.active(&run)?;
        let text = active.text().clone();
        Some((run, text))
    }

    /// The canonical key and the agent for what a client sent.
    pub fn session_key(&self, session: Option<&str>, agent: Option<&str>) -> Result<(SessionKey, AgentId)> {
        let config = self.config();
        let default = config.view.default_agent();
        let wanted = match agent {
            Some(text) => key::parse_agent_id(text).map_err(Error::from)?,
            None => default.id.clone(),
        };
        let key = key::canonical(session.unwrap_or("main"), &wanted, &config.view.main_key).map_err(Error::from)?;
        let agent_id = key.agent().unwrap_or_else(|| wanted.clone());
        if agent.is_some() && agent_id != wanted {
            return Err(Error::user(format!("session {key} does not belong to agent {wanted}"))
                .hint("leave the agent out, or name a session of that agent"));
        }
        if config.view.agent(&agent_id).is_none() {
            let known: Vec<&str> = config.view.agents.iter().map(|agent| agent.id.as_str()).collect();
            let error = Error::not_found(format!("no agent {agent_id}"))
                .why(format!("configured agents: {}", known.join(", ")));
            return Err(match crate::core::suggest::did_you_mean(agent_id.as_str(), known.iter().copied()) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint("openclaw agents list"),
            });
        }
        Ok((key, agent_id))
    }

    /// Projection of a transcript up to `seq`; `None` = all of it.
    pub async fn state_at(&self, agent: &AgentId, session: &SessionId, seq: Option<i64>) -> Result<SessionState> {
        let (agent, session) = (agent.clone(), session.clone());
        self.shared
            .store
            .read(move |tx| {
                let mut state = SessionState::default();
                let upto = seq.unwrap_or(i64::MAX);
                tx.each_event(&agent, &session, |row| {
                    let is_wanted = row.seq <= upto;
                    if is_wanted {
                        state.apply(row.event);
                    }
                    is_wanted
                })?;
                Ok(state)
            })
            .await
    }

    /// Takes no more work, lets runs finish for `grace`, then stops and records the rest. A run that cannot be stopped
    /// within ten further seconds is left to the next start, which records it as interrupted.
    pub async fn shutdown(&self, grace: Duration) -> Result<()> {
        self.shared.closing.store(true, Ordering::SeqCst);
        let registry = &self.shared.registry;
        if tokio::time::timeout(grace, registry.idle()).await.is_err() {
            self.shared.hurry.cancel();
            for active in registry.all() {
                active.stop.request(StopCause::Shutdown);
            }
            if tokio::time::timeout(STOP_PATIENCE, registry.idle()).await.is_err() {
                let runs = registry.len();
                tracing::error!(runs, "runs did not stop; the next start records them");
            }
        }
        self.shared.processes.shutdown().await;
        self.shared.chores.close();
        if tokio::time::timeout(STOP_PATIENCE, self.shared.chores.wait()).await.is_err() {
            tracing::warn!("what is left to delete is left to the next start");
        }
        Ok(())
    }
}
