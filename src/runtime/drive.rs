//! A run from its beginning to its end, whatever happens in between.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::SemaphorePermit;

use super::agent_loop::{self, Start, StopCause};
use super::approvals::RunApprover;
use super::durable::until_stored;
use super::ending::End;
use super::entries::{append, begin_entry, message_event};
use super::files::RunFiles;
use super::host::RunHost;
use super::inline::InlineHost;
use super::live::LiveSession;
use super::modes;
use super::prepared::PreparedAgentRun;
use super::prompt::{self, PromptInput};
use super::registry::ActiveRun;
use super::service::Runtime;
use super::teller::Teller;
use super::trajectory::Recorder;
use super::types::{RunOutcome, RuntimeEvent};
use crate::config::AgentConfig;
use crate::core::{Error, ErrorKind, FilesystemMode, Result, RunId, ToolCallId, now_ms};
use crate::providers::ThinkingLevel;
use crate::providers::registry::ResolvedModel;
use crate::session::projection::SessionState;
use crate::state::{RunState, SessionEntry};
use crate::tools::policy::ToolPolicy;
use crate::tools::{CallIdentity, ExecContext, ExecFiles, ToolContext, ToolSet};

/// The session of a run whose message is in the transcript, and its index row.
pub(super) type Begun = (Arc<LiveSession>, Arc<SessionEntry>);

impl Runtime {
    /// Starts the run that came to the front of its lane.
    pub(super) fn start_next(&self, run: Option<RunId>) {
        let Some(active) = run.and_then(|run| self.shared.registry.active(&run)) else { return };
        // Without a runtime the process is ending, and the next start records what was left.
        let Ok(handle) = tokio::runtime::Handle::try_current() else { return };
        let runtime = self.clone();
        handle.spawn(async move {
            // The lane may come free while the message is still being written.
            if active.is_accepted().await {
                runtime.drive(active, None).await;
            }
        });
    }

    /// Runs to the end and records it. Without `begun` the message is put into the transcript first.
    pub(super) async fn drive(self, active: Arc<ActiveRun>, begun: Option<Begun>) {
        let prepared = active.prepared();
        let settled = Arc::new(Mutex::new(None));
        let work = async {
            let (live, entry) = if let Some(begun) = begun {
                begun
            } else {
                let begin = || self.begin_queued(&prepared);
                let begun = until_stored(&prepared.run_id, active.stop.token(), begin).await?;
                active.is_in_transcript();
                begun
            };
            self.execute(&prepared, &active, live, &entry, &settled).await
        };
        let result = AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|_panic| Err(Error::internal("the run failed by a bug in openclaw")));
        match result {
            Ok(outcome) => {
                let entry = settled.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.finish(&active, outcome, entry);
            }
            Err(error) => {
                tracing::error!(run = %prepared.run_id, %error, "the run failed");
                let mut outcome = RunOutcome::failed(&prepared, active.stop.status_of(&error), &error, now_ms());
                outcome.text.clone_from(&active.text());
                self.end(&active, End { prepared: prepared.clone(), outcome, withdrawn: false }).await;
            }
        }
        if prepared.filesystem_mode != FilesystemMode::Disk {
            self.clean_up_after(&prepared);
        }
        self.prune_artifacts_soon();
    }

    async fn begin_queued(&self, prepared: &PreparedAgentRun) -> Result<Begun> {
        let live = self.shared.live.get(&self.shared.store, &prepared.agent_id, &prepared.session_key).await?;
        let writing = live.writing().await;
        let (tip, now) = live.end();
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
        drop(writing);
        Ok((live, entry))
    }

    async fn execute(
        &self,
        prepared: &PreparedAgentRun,
        active: &Arc<ActiveRun>,
        live: Arc<LiveSession>,
        entry: &Arc<SessionEntry>,
        settled: &Arc<Mutex<Option<Arc<SessionEntry>>>>,
    ) -> Result<RunOutcome> {
        let (_slot, entry) = match self.shared.slots.try_acquire() {
            _ if active.stop.token().is_cancelled() => return Err(active.stop.error(prepared)),
            Ok(slot) => (slot, Arc::clone(entry)),
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
        let policy = ToolPolicy::of(&prepared.tools, &prepared.tools_allow, &prepared.tools_deny);
        let tools = ToolSet::for_policy(policy);
        let mode = modes::narrower(prepared.filesystem_mode, modes::of_agent(&setup.config, &agent)?);
        let (RunFiles { files, commands }, system) = self.environment(prepared, mode, &agent, &tools).await?;
        let host = InlineHost {
            teller: Teller {
                runtime: self.clone(),
                active: Arc::clone(active),
                agent_id: prepared.agent_id.clone(),
                session_key: prepared.session_key.clone(),
                session_id: prepared.session_id.clone(),
                run_id: prepared.run_id.clone(),
            },
            live: Arc::clone(&live),
            tool_context: ToolContext {
                cancel: active.stop.token().clone(),
                call: CallIdentity {
                    agent_id: prepared.agent_id.clone(),
                    session_key: prepared.session_key.clone(),
                    run_id: prepared.run_id.clone(),
                    tool_call_id: ToolCallId::default(),
                },
                images: models.first().is_some_and(|model| model.info.input.iter().any(|kind| kind == "image")),
                exec: Some(Arc::new(self.commands(prepared, commands))),
                approver: Arc::new(RunApprover {
                    runtime: self.clone(),
                    timeout: Duration::from_secs(prepared.tools.exec.approval_timeout_seconds),
                }),
                ..ToolContext::for_files(files)
            },
            models,
            tools: tools.clone(),
            settled: Arc::clone(settled),
        };
        let start =
            Start { system, context: live.with(SessionState::context), tools: tools.specs(), thinking, started_at };
        let recorder = prepared.trajectory.then(|| Recorder::new(&host, prepared));
        let host: &dyn RunHost = recorder.as_ref().map_or(&host, |recorder| recorder);
        let run = agent_loop::run(prepared, start, host, &active.stop);
        tokio::pin!(run);
        tokio::select! {
            outcome = &mut run => outcome,
            () = tokio::time::sleep(Duration::from_millis(prepared.timeout_ms)) => {
                active.stop.request(StopCause::Deadline);
                run.await
            }
        }
    }

    /// A place among the runs of all sessions, and the session's row as it is then.
    async fn wait_for_slot<'a>(
        &'a self,
        prepared: &PreparedAgentRun,
        active: &ActiveRun,
        entry: &Arc<SessionEntry>,
    ) -> Result<(SemaphorePermit<'a>, Arc<SessionEntry>)> {
        let slot = tokio::select! {
            biased;
            () = active.stop.token().cancelled() => return Err(active.stop.error(prepared)),
            slot = self.shared.slots.acquire() => {
                slot.map_err(|error| Error::internal("the run limit was closed").source(error))?
            }
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

    /// Opens the run's files and writes the system prompt, off the async threads.
    async fn environment(
        &self,
        prepared: &PreparedAgentRun,
        mode: FilesystemMode,
        agent: &AgentConfig,
        tools: &ToolSet,
    ) -> Result<(RunFiles, String)> {
        let opening = self.files_of(prepared, mode);
        let (agent, channel, extra) = (agent.clone(), prepared.channel.clone(), prepared.extra_system_prompt.clone());
        let specs = tools.specs();
        tokio::task::spawn_blocking(move || {
            let files = opening.open()?;
            let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
            let input = PromptInput {
                agent: &agent,
                date: &prompt::date(now_ms()),
                channel: &channel,
                tools: &names,
                extra: extra.as_deref(),
            };
            let system = prompt::build(&input, Some(&files.files));
            Ok((files, system))
        })
        .await
        .map_err(|error| Error::internal("the workspace could not be prepared").source(error))?
    }

    /// The run's commands.
    fn commands(&self, prepared: &PreparedAgentRun, files: ExecFiles) -> ExecContext {
        ExecContext::new(
            self.shared.sandbox.clone(),
            files,
            &prepared.sandbox,
            prepared.tools.clone(),
            self.shared.processes.clone(),
            self.config().env.vars.iter(),
        )
    }
}
