//! From a message to a finished run: accept durably, wait for the lane, run, record, let the next one go.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Map, Value};
use tokio::sync::SemaphorePermit;

use super::agent_loop::{self, Start, StopCause, failed_before_start, failure_event};
use super::durable::{may_pass, until_stored};
use super::inline::{InlineHost, preview, run_state, settle_entry};
use super::lanes::Place;
use super::live::LiveSession;
use super::prepared::{PREPARED_VERSION, PreparedAgentRun};
use super::prompt::{self, PromptInput};
use super::recovery;
use super::registry::ActiveRun;
use super::service::Runtime;
use super::types::{Accepted, AcceptedStatus, RunEvent, RunEventBody, RunOutcome, RuntimeEvent, TurnRequest};
use crate::config::AgentConfig;
use crate::core::limits::{MAX_KEY_BYTES, MAX_MESSAGE_BYTES};
use crate::core::{AgentId, Error, ErrorKind, EventId, Result, RunId, SessionKey, now_ms};
use crate::fs::{HostCapabilityFs, HostFsOptions};
use crate::providers::ThinkingLevel;
use crate::providers::registry::ResolvedModel;
use crate::session::Event;
use crate::session::event::{EventBody, MessageReceived, SessionStarted};
use crate::session::message::{ContentBlock, plain_text};
use crate::session::projection::SessionState;
use crate::state::{RunInsert, RunRow, RunState, SessionEntry, StoredEvent, WriteTx};
use crate::tools::{AgentFilesystem, ToolContext, ToolSet};

/// What the accepting transaction found.
enum Taken {
    Accepted { stored: Vec<StoredEvent>, entry: Box<SessionEntry>, created: bool },
    Repeated(Box<RunRow>),
    StaleTranscript,
}

impl Runtime {
    /// Takes a message; resolves when it is durable. A repeated idempotency key answers with the first run's state.
    pub async fn submit(&self, request: TurnRequest) -> Result<Accepted> {
        if self.shared.closing.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the gateway is shutting down")
                .hint("send the message again in a moment"));
        }
        check_content(&request.content)?;
        let (key, agent_id) = self.session_key(request.session_key.as_deref(), request.agent_id.as_deref())?;
        let run_id = match &request.idempotency_key {
            Some(text) => RunId::new(check_idempotency_key(text)?),
            None => RunId::generate(),
        };
        let prepared = self.prepare(&request, run_id.clone(), &key, &agent_id)?;
        if let Some(repeat) = self.repeated_in_memory(&prepared) {
            return Ok(repeat);
        }
        let mut tries = 0;
        loop {
            let live = self.shared.live.get(&self.shared.store, &agent_id, &key).await?;
            if let Some(expected) = &request.session_id
                && *expected != live.session_id
            {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("session {key} is not at transcript {expected} any more"),
                )
                .why(format!("its current transcript is {}", live.session_id))
                .hint("reload the session and send again"));
            }
            let mut prepared = prepared.clone();
            prepared.session_id = live.session_id.clone();
            if let Some(accepted) = self.accept(prepared, &request.content, live).await? {
                return Ok(accepted);
            }
            // The session was reset between the look-up and the commit.
            self.shared.live.forget(&key);
            tries += 1;
            if tries == 3 {
                return Err(Error::new(ErrorKind::Conflict, format!("session {key} is being reset"))
                    .hint("send the message again"));
            }
        }
    }

    fn repeated_in_memory(&self, prepared: &PreparedAgentRun) -> Option<Accepted> {
        let active = self.shared.registry.active(&prepared.run_id)?;
        Some(accepted(&active.prepared(), AcceptedStatus::InFlight, None))
    }

    fn prepare(
        &self,
        request: &TurnRequest,
        run_id: RunId,
        key: &SessionKey,
        agent_id: &AgentId,
    ) -> Result<PreparedAgentRun> {
        let setup = self.setup();
        let agent =
            setup.config.view.agent(agent_id).ok_or_else(|| Error::not_found(format!("no agent {agent_id}")))?;
        let models = match &request.model {
            Some(reference) => vec![setup.providers.resolve(reference)?.info.reference()],
            None => Vec::new(),
        };
        let thinking = request.thinking.as_deref().map(parse_thinking).transpose()?;
        let timeout = request.timeout.unwrap_or(Duration::from_secs(agent.timeout_seconds));
        Ok(PreparedAgentRun {
            version: PREPARED_VERSION,
            run_id,
            agent_id: agent_id.clone(),
            session_key: key.clone(),
            session_id: "".into(),
            message_event_id: EventId::generate(),
            content: Vec::new(),
            channel: request.channel.clone(),
            models,
            thinking,
            max_steps: agent.max_steps,
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
            workspace: self.workspace_of(agent),
            tools_allow: agent.tools_allow.clone(),
            tools_deny: agent.tools_deny.clone(),
            extra_system_prompt: request.extra_system_prompt.clone(),
        })
    }

    /// The agent's workspace directory.
    pub fn workspace_of(&self, agent: &AgentConfig) -> PathBuf {
        match &agent.workspace {
            Some(path) => path.clone(),
            None if agent.is_default => self.shared.paths.default_workspace(),
            None => self.shared.paths.root.join(format!("workspace-{}", agent.id)),
        }
    }

    /// `None` when the session points at another transcript by now.
    async fn accept(
        &self,
        mut prepared: PreparedAgentRun,
        content: &[ContentBlock],
        live: Arc<LiveSession>,
    ) -> Result<Option<Accepted>> {
        let run_id = prepared.run_id.clone();
        let active = ActiveRun::new(prepared.clone());
        if let Err(existing) = self.shared.registry.insert(&run_id, &active) {
            return Ok(Some(accepted(&existing.prepared(), AcceptedStatus::InFlight, None)));
        }
        // From here on every way out must leave the registry and the lane as they were, or start the run.
        let place = match self.shared.lanes.enter(&prepared.session_key, &run_id) {
            Ok(place) => place,
            Err(error) => {
                self.shared.registry.remove(&run_id);
                return Err(error);
            }
        };
        let starts = place == Place::Running;
        let message = PreparedAgentRun { content: content.to_vec(), ..prepared.clone() };
        if !starts {
            prepared.content = content.to_vec();
        }
        *active.prepared.lock().unwrap_or_else(PoisonError::into_inner) = message.clone();
        let taken = self.take(prepared, message.clone(), starts, &live).await;
        match taken {
            Ok(Taken::Accepted { stored, entry, created }) => {
                live.is_new.store(false, Ordering::SeqCst);
                active.accepted.send_replace(Some(true));
                let message_seq = stored.iter().find(|row| row.event.id == message.message_event_id).map(|row| row.seq);
                live.apply(&stored);
                let entry = Arc::new(*entry);
                self.announce(&message, stored, &entry, if created { "create" } else { "send" });
                let status = match place {
                    Place::Running => {
                        self.spawn(active, live, entry);
                        AcceptedStatus::Started
                    }
                    Place::Behind(length) => AcceptedStatus::Queued(length),
                };
                Ok(Some(accepted(&message, status, message_seq)))
            }
            other => {
                active.accepted.send_replace(Some(false));
                self.shared.registry.remove(&run_id);
                self.release(&message.session_key, &run_id);
                match other? {
                    Taken::Repeated(row) => self.repeated(*row).await.map(Some),
                    _ => Ok(None),
                }
            }
        }
    }

    /// The run that a repeated key stands for, whatever session the repeat names.
    async fn repeated(&self, row: RunRow) -> Result<Accepted> {
        Ok(Accepted {
            run_id: row.run_id.clone(),
            session_key: row.session_key.clone(),
            session_id: row.session_id.clone(),
            agent_id: row.agent_id.clone(),
            accepted_at: row.created_at,
            message_seq: None,
            status: if row.state.is_terminal() {
                AcceptedStatus::Finished(Box::new(self.stored_outcome(row).await?))
            } else {
                AcceptedStatus::InFlight
            },
        })
    }

    async fn take(
        &self,
        prepared: PreparedAgentRun,
        message: PreparedAgentRun,
        starts: bool,
        live: &LiveSession,
    ) -> Result<Taken> {
        let tip = live.with(|state| state.tip().cloned());
        let is_new = live.is_new.load(Ordering::SeqCst);
        let now = live.with(|state| state.next_ts(now_ms()));
        let owner = self.shared.boot_id.clone();
        self.shared
            .store
            .write(move |tx| {
                let existing = tx.session(&message.agent_id, &message.session_key)?;
                let row = RunRow {
                    run_id: prepared.run_id.clone(),
                    agent_id: prepared.agent_id.clone(),
                    session_key: prepared.session_key.clone(),
                    session_id: prepared.session_id.clone(),
                    state: if starts { RunState::Running } else { RunState::Queued },
                    created_at: now,
                    started_at: starts.then_some(now),
                    ended_at: None,
                    owner: Some(owner),
                    lease_until: None,
                    deadline: None,
                    epoch: 0,
                    prepared: to_json(&prepared)?,
                    result: None,
                };
                let current = match &existing {
                    Some(entry) => entry.session_id == message.session_id,
                    None => is_new,
                };
                if !current {
                    return Ok(Taken::StaleTranscript);
                }
                if let RunInsert::Existing(row) = tx.insert_run(&row)? {
                    return Ok(Taken::Repeated(Box::new(row)));
                }
                let created = existing.is_none();
                let mut entry = existing.unwrap_or_else(|| new_entry(&message, now));
                let mut events = Vec::with_capacity(2);
                let mut parent = tip;
                if created {
                    let started = started_event(&message, now);
                    parent = Some(started.id.clone());
                    events.push(started);
                }
                if starts {
                    events.push(message_event(&message, parent, now));
                    begin_entry(&mut entry, &message, now);
                }
                entry.updated_at = now;
                let stored = append(tx, &message, events)?;
                tx.put_session(&entry)?;
                Ok(Taken::Accepted { stored, entry: Box::new(entry), created })
            })
            .await
    }

    /// Tells subscribers about committed events and the changed index row.
    fn announce(
        &self,
        prepared: &PreparedAgentRun,
        stored: Vec<StoredEvent>,
        entry: &Arc<SessionEntry>,
        reason: &'static str,
    ) {
        self.broadcast(RuntimeEvent::SessionChanged {
            session_key: prepared.session_key.clone(),
            agent_id: prepared.agent_id.clone(),
            reason,
            entry: Some(Arc::clone(entry)),
        });
        let row = Some(Arc::clone(entry));
        self.appended(&prepared.session_key, &prepared.session_id, &prepared.agent_id, stored, row);
    }

    /// Leaves the lane and starts whoever is next.
    fn release(&self, session: &SessionKey, run: &RunId) {
        self.start_next(self.shared.lanes.leave(session, run));
    }

    fn start_next(&self, run: Option<RunId>) {
        if let Some(active) = run.and_then(|run| self.shared.registry.active(&run)) {
            let runtime = self.clone();
            tokio::spawn(async move { runtime.start_queued(active).await });
        }
    }

    /// Puts a queued message into the transcript and runs it.
    async fn start_queued(self, active: Arc<ActiveRun>) {
        // The lane may come free while the message is still being written.
        if !active.is_accepted().await {
            return;
        }
        let prepared = active.prepared();
        let stop = active.stop.token();
        match until_stored(&prepared.run_id, stop, || self.begin_queued(&prepared)).await {
            Ok((live, entry)) => self.drive(active, live, entry).await,
            Err(error) => {
                tracing::error!(run = %prepared.run_id, %error, "a queued run could not be started");
                let outcome = failed_before_start(&prepared, &error, now_ms());
                if let Err(error) = self.close_queued(&prepared, &outcome).await {
                    tracing::error!(run = %prepared.run_id, %error, "the run's end could not be stored; the next start will record it");
                }
                self.finish(&active, outcome, None);
            }
        }
    }

    /// Ends a run that never left the queue. Its message was acknowledged, so it goes into the transcript all the same,
    /// unless the session has another one by now.
    async fn close_queued(&self, prepared: &PreparedAgentRun, outcome: &RunOutcome) -> Result<()> {
        let (message, ended) = (prepared.clone(), outcome.clone());
        self.shared
            .store
            .write(move |tx| {
                let current = tx
                    .session(&message.agent_id, &message.session_key)?
                    .is_some_and(|entry| entry.session_id == message.session_id);
                if let Some(row) = tx.run(&message.run_id)?.filter(|row| current && !row.state.is_terminal()) {
                    return recovery::close(tx, &row, &ended);
                }
                let result = to_json(&ended)?;
                tx.set_run_state(&message.run_id, run_state(ended.status), ended.ended_at, Some(&result))?;
                Ok(())
            })
            .await?;
        // What was written past the projection is read with the session's next use.
        self.shared.live.forget(&prepared.session_key);
        Ok(())
    }

    async fn begin_queued(&self, prepared: &PreparedAgentRun) -> Result<(Arc<LiveSession>, Arc<SessionEntry>)> {
        let live = self.shared.live.get(&self.shared.store, &prepared.agent_id, &prepared.session_key).await?;
        let tip = live.with(|state| state.tip().cloned());
        let now = live.with(|state| state.next_ts(now_ms()));
        let message = prepared.clone();
        let (stored, entry) = self
            .shared
            .store
            .write(move |tx| {
                let mut entry = tx
                    .session(&message.agent_id, &message.session_key)?
                    .filter(|entry| entry.session_id == message.session_id)
                    .ok_or_else(|| {
                        Error::new(
                            ErrorKind::Conflict,
                            format!("session {} was reset while the message waited", message.session_key),
                        )
                        .hint("send the message again")
                    })?;
                let events = vec![message_event(&message, tip, now)];
                begin_entry(&mut entry, &message, now);
                let stored = append(tx, &message, events)?;
                tx.put_session(&entry)?;
                tx.set_run_state(&message.run_id, RunState::Running, now, None)?;
                Ok((stored, entry))
            })
            .await?;
        live.apply(&stored);
        let entry = Arc::new(entry);
        self.announce(prepared, stored, &entry, "send");
        Ok((live, entry))
    }

    fn spawn(&self, active: Arc<ActiveRun>, live: Arc<LiveSession>, entry: Arc<SessionEntry>) {
        let runtime = self.clone();
        tokio::spawn(async move { runtime.drive(active, live, entry).await });
    }

    /// Runs to the end, whatever happens, and records it.
    async fn drive(self, active: Arc<ActiveRun>, live: Arc<LiveSession>, entry: Arc<SessionEntry>) {
        let prepared = active.prepared();
        let settled = Arc::new(Mutex::new(None));
        let work = AssertUnwindSafe(self.execute(&prepared, &active, &live, &entry, &settled)).catch_unwind();
        let result = work.await.unwrap_or_else(|_panic| Err(Error::internal("the run failed by a bug in openclaw")));
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(run = %prepared.run_id, %error, "the run failed");
                let outcome = failed_before_start(&prepared, &error, now_ms());
                if let Err(error) = self.record_failure(&prepared, &live, &outcome, &settled).await {
                    if may_pass(&error) {
                        return self.finish_late(&active, &live, outcome, &settled).await;
                    }
                    tracing::error!(run = %prepared.run_id, %error, "the run's end could not be stored; the next start will record it");
                }
                outcome
            }
        };
        let entry = settled.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.finish(&active, outcome, entry);
    }

    /// The end of a run that cannot be stored yet: whoever waits hears of it at once, but the session's next run starts
    /// when the transcript has it, so that its order stays that of what happened.
    async fn finish_late(
        &self,
        active: &Arc<ActiveRun>,
        live: &Arc<LiveSession>,
        outcome: RunOutcome,
        settled: &Arc<Mutex<Option<Arc<SessionEntry>>>>,
    ) {
        let prepared = active.prepared();
        self.tell_end(active, &prepared, Arc::new(outcome.clone()));
        let record = || self.record_failure(&prepared, live, &outcome, settled);
        if let Err(error) = until_stored(&prepared.run_id, &self.shared.hurry, record).await {
            tracing::error!(run = %prepared.run_id, %error, "the run's end could not be stored; the next start will record it");
        }
        let entry = settled.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.tell_settled(&prepared, entry);
        self.release(&prepared.session_key, &prepared.run_id);
    }

    fn finish(&self, active: &Arc<ActiveRun>, outcome: RunOutcome, entry: Option<Arc<SessionEntry>>) {
        let prepared = active.prepared();
        let next = self.shared.lanes.leave(&prepared.session_key, &prepared.run_id);
        self.tell_end(active, &prepared, Arc::new(outcome));
        self.tell_settled(&prepared, entry);
        self.start_next(next);
    }

    fn tell_end(&self, active: &ActiveRun, prepared: &PreparedAgentRun, outcome: Arc<RunOutcome>) {
        self.shared.registry.finish(&prepared.run_id, &outcome);
        self.broadcast(RuntimeEvent::Run(Arc::new(RunEvent {
            run_id: prepared.run_id.clone(),
            session_key: prepared.session_key.clone(),
            session_id: prepared.session_id.clone(),
            agent_id: prepared.agent_id.clone(),
            seq: active.next_seq(),
            ts: now_ms(),
            body: RunEventBody::Ended { outcome },
        })));
    }

    fn tell_settled(&self, prepared: &PreparedAgentRun, entry: Option<Arc<SessionEntry>>) {
        if let Some(entry) = entry {
            self.broadcast(RuntimeEvent::SessionChanged {
                session_key: prepared.session_key.clone(),
                agent_id: prepared.agent_id.clone(),
                reason: "agent.input.settled",
                entry: Some(entry),
            });
        }
    }

    async fn execute(
        &self,
        prepared: &PreparedAgentRun,
        active: &Arc<ActiveRun>,
        live: &Arc<LiveSession>,
        entry: &Arc<SessionEntry>,
        settled: &Arc<Mutex<Option<Arc<SessionEntry>>>>,
    ) -> Result<RunOutcome> {
        let (_slot, entry) = match self.shared.slots.try_acquire() {
            Ok(slot) => (Some(slot), Arc::clone(entry)),
            Err(_none_free) => self.wait_for_slot(prepared, active, entry).await?,
        };
        // As in the run's row, so that the outcome reads the same after a restart.
        let started_at = entry.started_at.unwrap_or_else(now_ms);
        self.broadcast(RuntimeEvent::SessionChanged {
            session_key: prepared.session_key.clone(),
            agent_id: prepared.agent_id.clone(),
            reason: "agent.run.started",
            entry: Some(Arc::clone(&entry)),
        });
        let setup = self.setup();
        let agent = setup
            .config
            .view
            .agent(&prepared.agent_id)
            .ok_or_else(|| Error::not_found(format!("agent {} is not configured any more", prepared.agent_id)))?
            .clone();
        let models = self.candidates(prepared, &agent, &entry)?;
        let thinking = prepared
            .thinking
            .or_else(|| entry.thinking_level.as_deref().and_then(ThinkingLevel::parse))
            .or_else(|| agent.thinking.as_deref().and_then(ThinkingLevel::parse))
            .unwrap_or_default();
        let tools = ToolSet::builtin(&prepared.tools_allow, &prepared.tools_deny);
        let (files, system) = self.environment(prepared, &agent, &tools).await?;
        let host = InlineHost {
            runtime: self.clone(),
            active: Arc::clone(active),
            live: Arc::clone(live),
            tool_context: ToolContext {
                files,
                cancel: active.stop.token().clone(),
                run_id: prepared.run_id.clone(),
                images: models.first().is_some_and(|model| model.info.input.iter().any(|kind| kind == "image")),
            },
            models,
            tools: tools.clone(),
            agent_id: prepared.agent_id.clone(),
            session_key: prepared.session_key.clone(),
            session_id: prepared.session_id.clone(),
            run_id: prepared.run_id.clone(),
            settled: Arc::clone(settled),
        };
        let start =
            Start { system, context: live.with(SessionState::context), tools: tools.specs(), thinking, started_at };
        let run = agent_loop::run(prepared, start, &host, &active.stop);
        tokio::pin!(run);
        tokio::select! {
            outcome = &mut run => outcome,
            () = tokio::time::sleep(Duration::from_millis(prepared.timeout_ms)) => {
                active.stop.request(StopCause::Deadline);
                run.await
            }
        }
    }

    /// A place among the runs of all sessions, and the session's row as it is then. A run that is stopped while it waits goes
    /// on without a place: all it does is to record that.
    async fn wait_for_slot<'a>(
        &'a self,
        prepared: &PreparedAgentRun,
        active: &ActiveRun,
        entry: &Arc<SessionEntry>,
    ) -> Result<(Option<SemaphorePermit<'a>>, Arc<SessionEntry>)> {
        let slot = tokio::select! {
            biased;
            slot = self.shared.slots.acquire() => {
                Some(slot.map_err(|error| Error::internal("the run limit was closed").source(error))?)
            }
            () = active.stop.token().cancelled() => None,
        };
        let (agent, key) = (prepared.agent_id.clone(), prepared.session_key.clone());
        let current = self.shared.store.read(move |tx| tx.session(&agent, &key)).await?;
        let current = current.filter(|current| current.session_id == prepared.session_id);
        Ok((slot, current.map_or_else(|| Arc::clone(entry), Arc::new)))
    }

    /// The models to try: the caller's, else the session's, else the agent's with its fallbacks, else the gateway's default.
    fn candidates(
        &self,
        prepared: &PreparedAgentRun,
        agent: &AgentConfig,
        entry: &SessionEntry,
    ) -> Result<Vec<ResolvedModel>> {
        let providers = self.setup().providers;
        if !prepared.models.is_empty() {
            return prepared.models.iter().map(|reference| providers.resolve(reference)).collect();
        }
        if let Some(reference) = &entry.model_override {
            return Ok(vec![providers.resolve(reference)?]);
        }
        let Some(primary) = &agent.model else { return Ok(vec![providers.default_model()]) };
        let mut models = vec![providers.resolve(primary)?];
        for reference in &agent.fallbacks {
            match providers.resolve(reference) {
                Ok(model) => models.push(model),
                Err(error) => tracing::warn!(agent = %agent.id, %error, "a fallback model is left out"),
            }
        }
        Ok(models)
    }

    /// Opens the workspace and writes the system prompt, off the async threads.
    async fn environment(
        &self,
        prepared: &PreparedAgentRun,
        agent: &AgentConfig,
        tools: &ToolSet,
    ) -> Result<(AgentFilesystem, String)> {
        let (workspace, agent, channel, extra) =
            (prepared.workspace.clone(), agent.clone(), prepared.channel.clone(), prepared.extra_system_prompt.clone());
        let specs = tools.specs();
        let options = HostFsOptions {
            create: true,
            protected: vec![self.shared.paths.state_dir(), self.config().path.clone()],
            ..HostFsOptions::default()
        };
        tokio::task::spawn_blocking(move || {
            let files = HostCapabilityFs::open_with(&workspace, &options).map_err(|error| {
                Error::from(error)
                    .why(format!("the workspace of agent {} is {}", agent.id, workspace.display()))
                    .hint("create the directory, or set agents.defaults.workspace")
            })?;
            let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
            let input = PromptInput {
                agent: &agent,
                date: &prompt::date(now_ms()),
                channel: &channel,
                tools: &names,
                extra: extra.as_deref(),
            };
            let system = prompt::build(&input, Some(&files));
            Ok((AgentFilesystem { workspace: Some(Arc::new(files)) }, system))
        })
        .await
        .map_err(|error| Error::internal("the workspace could not be prepared").source(error))?
    }

    /// Closes a run that failed outside the loop.
    async fn record_failure(
        &self,
        prepared: &PreparedAgentRun,
        live: &Arc<LiveSession>,
        outcome: &RunOutcome,
        settled: &Arc<Mutex<Option<Arc<SessionEntry>>>>,
    ) -> Result<()> {
        let mut event = failure_event(prepared, outcome, live.with(|state| state.next_ts(now_ms())));
        if let Some(last) = live.with(|state| last_of_run(state, &prepared.run_id)) {
            event.parent_id = Some(last);
        }
        let (message, ended) = (prepared.clone(), outcome.clone());
        let (stored, entry) = self
            .shared
            .store
            .write(move |tx| {
                let result = to_json(&ended)?;
                if !tx.set_run_state(&message.run_id, run_state(ended.status), ended.ended_at, Some(&result))? {
                    return Ok((Vec::new(), None));
                }
                let stored = append(tx, &message, vec![event])?;
                let mut entry = tx
                    .session(&message.agent_id, &message.session_key)?
                    .filter(|entry| entry.session_id == message.session_id);
                if let Some(entry) = &mut entry {
                    settle_entry(entry, &ended);
                    tx.put_session(entry)?;
                }
                Ok((stored, entry.map(Arc::new)))
            })
            .await?;
        live.apply(&stored);
        self.appended(&prepared.session_key, &prepared.session_id, &prepared.agent_id, stored, entry.clone());
        *settled.lock().unwrap_or_else(PoisonError::into_inner) = entry;
        Ok(())
    }
}

fn accepted(prepared: &PreparedAgentRun, status: AcceptedStatus, message_seq: Option<i64>) -> Accepted {
    Accepted {
        run_id: prepared.run_id.clone(),
        session_key: prepared.session_key.clone(),
        session_id: prepared.session_id.clone(),
        agent_id: prepared.agent_id.clone(),
        status,
        accepted_at: now_ms(),
        message_seq,
    }
}

/// The newest event of that run on the way to the tip.
fn last_of_run(state: &SessionState, run: &RunId) -> Option<EventId> {
    state.path().iter().rev().find(|event| event.run_id.as_ref() == Some(run)).map(|event| event.id.clone())
}

fn check_content(content: &[ContentBlock]) -> Result<()> {
    let mut bytes = 0;
    let mut filled = false;
    for block in content {
        match block.as_text() {
            Some(text) => {
                if text.contains('\0') {
                    return Err(Error::user("the message contains a NUL character").hint("remove it and send again"));
                }
                bytes += text.len();
                filled |= !text.trim().is_empty();
            }
            None => filled = true,
        }
    }
    if !filled {
        return Err(Error::user("the message is empty").hint("send some text or an image"));
    }
    if bytes > MAX_MESSAGE_BYTES {
        return Err(Error::new(ErrorKind::TooLarge, format!("the message has {bytes} bytes"))
            .why(format!("the limit is {MAX_MESSAGE_BYTES} bytes"))
            .hint("put the text into a file in the workspace and ask the agent to read it"));
    }
    Ok(())
}

fn check_idempotency_key(text: &str) -> Result<&str> {
    let usable = !text.is_empty() && text.len() <= MAX_KEY_BYTES && !text.chars().any(char::is_control);
    usable.then_some(text).ok_or_else(|| {
        Error::user("the idempotencyKey is not usable")
            .hint(format!("use 1 to {MAX_KEY_BYTES} bytes without control characters; a UUID is a good choice"))
    })
}

/// A thinking level by its name.
pub(super) fn parse_thinking(text: &str) -> Result<ThinkingLevel> {
    ThinkingLevel::parse(text).ok_or_else(|| {
        Error::user(format!("unknown thinking level {text:?}")).hint("use off, minimal, low, medium or high")
    })
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::internal("a value could not be written as JSON").source(error))
}

fn new_entry(prepared: &PreparedAgentRun, now: i64) -> SessionEntry {
    let mut entry =
        SessionEntry::new(prepared.agent_id.clone(), prepared.session_key.clone(), prepared.session_id.clone(), now);
    entry.channel = Some(prepared.channel.clone());
    entry
}

fn begin_entry(entry: &mut SessionEntry, message: &PreparedAgentRun, now: i64) {
    entry.updated_at = now;
    entry.started_at = Some(now);
    entry.ended_at = None;
    entry.status = Some("running".to_owned());
    entry.last_run_id = Some(message.run_id.clone());
    let text = preview(&plain_text(&message.content));
    if !text.is_empty() {
        entry.last_message_preview = Some(text.clone());
        entry.derived_title.get_or_insert(text);
    }
}

fn append(tx: &WriteTx<'_>, prepared: &PreparedAgentRun, events: Vec<Event>) -> Result<Vec<StoredEvent>> {
    let seqs = tx.append_events(&prepared.agent_id, &prepared.session_id, &events)?;
    Ok(seqs.into_iter().zip(events).map(|(seq, event)| StoredEvent { seq, event: Arc::new(event) }).collect())
}

fn started_event(prepared: &PreparedAgentRun, ts: i64) -> Event {
    Event {
        id: EventId::generate(),
        parent_id: None,
        ts,
        run_id: None,
        body: EventBody::SessionStarted(SessionStarted {
            channel: Some(prepared.channel.clone()),
            cwd: Some(prepared.workspace.display().to_string()),
            version: Some(1),
            ..SessionStarted::default()
        }),
        extra: Map::new(),
    }
}

/// The user message as an event.
pub(super) fn message_event(prepared: &PreparedAgentRun, parent: Option<EventId>, ts: i64) -> Event {
    Event {
        id: prepared.message_event_id.clone(),
        parent_id: parent,
        ts,
        run_id: Some(prepared.run_id.clone()),
        body: EventBody::MessageReceived(MessageReceived {
            content: prepared.content.clone(),
            idempotency_key: Some(prepared.run_id.to_string()),
            sender: (!prepared.channel.is_empty()).then(|| serde_json::json!({"channel": prepared.channel})),
            ..MessageReceived::default()
        }),
        extra: Map::new(),
    }
}
