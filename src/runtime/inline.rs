//! The host of a run inside the gateway process: providers, tools and database are called directly.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::host::{RunHost, Step};
use super::images;
use super::live::LiveSession;
use super::registry::ActiveRun;
use super::service::Runtime;
use super::types::{RunEvent, RunEventBody, RunOutcome, RunStatus, RuntimeEvent};
use crate::core::{AgentId, ProviderErrorClass, Result, RunId, SessionId, SessionKey, ToolCallId, now_ms};
use crate::providers::registry::ResolvedModel;
use crate::providers::{ModelInfo, ModelRequest, ModelStream, ProviderError};
use crate::session::event::EventBody;
use crate::session::message::plain_text;
use crate::state::{RunState, SessionEntry, StoredEvent, UsageRow};
use crate::tools::{ToolContext, ToolOutput, ToolSet};

/// See the module.
pub(super) struct InlineHost {
    pub(super) runtime: Runtime,
    pub(super) active: Arc<ActiveRun>,
    pub(super) live: Arc<LiveSession>,
    pub(super) models: Vec<ResolvedModel>,
    pub(super) tools: ToolSet,
    pub(super) tool_context: ToolContext,
    pub(super) agent_id: AgentId,
    pub(super) session_key: SessionKey,
    pub(super) session_id: SessionId,
    pub(super) run_id: RunId,
    /// The index row as the run's last step left it, for whoever announces the end.
    pub(super) settled: Arc<Mutex<Option<Arc<SessionEntry>>>>,
}

impl RunHost for InlineHost {
    fn model(&self, attempt: usize, mut request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>> {
        let Some(model) = self.models.get(attempt) else {
            let error = ProviderError {
                class: ProviderErrorClass::ModelNotFound,
                provider: String::new(),
                message: "no model is left to try".to_owned(),
                status: None,
                retry_after: None,
                started: false,
            };
            return std::future::ready(Err(error)).boxed();
        };
        request.model.clone_from(&model.info.id);
        if !model.info.input.iter().any(|kind| kind == "image") {
            images::describe(&mut request.messages);
        }
        if !model.info.reasoning {
            request.thinking = crate::providers::ThinkingLevel::Off;
        }
        if request.max_tokens.is_none() && model.info.max_tokens > 0 {
            request.max_tokens = Some(model.info.max_tokens);
        }
        model.provider.stream(request)
    }

    fn candidate(&self, attempt: usize) -> Option<ModelInfo> {
        self.models.get(attempt).map(|model| model.info.clone())
    }

    fn tool<'a>(&'a self, _id: &'a ToolCallId, name: &'a str, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        self.tools.call(&self.tool_context, name, arguments).boxed()
    }

    fn tool_is_parallel(&self, name: &str) -> bool {
        self.tools.parallel(name)
    }

    fn commit(&self, step: Step) -> BoxFuture<'_, Result<()>> {
        self.commit_step(step).boxed()
    }

    fn emit(&self, body: RunEventBody) {
        let mut text = self.active.text.lock().unwrap_or_else(PoisonError::into_inner);
        match &body {
            RunEventBody::Model { .. } => text.clear(),
            RunEventBody::Text { delta } => text.push_str(delta),
            _ => {}
        }
        drop(text);
        self.runtime.broadcast(RuntimeEvent::Run(Arc::new(RunEvent {
            run_id: self.run_id.clone(),
            session_key: self.session_key.clone(),
            session_id: self.session_id.clone(),
            agent_id: self.agent_id.clone(),
            seq: self.active.next_seq(),
            ts: now_ms(),
            body,
        })));
    }

    fn now(&self) -> i64 {
        // Not before what is there already, so that a clock that steps back cannot reorder the transcript.
        self.live.with(|state| state.next_ts(now_ms()))
    }
}

impl InlineHost {
    async fn commit_step(&self, step: Step) -> Result<()> {
        let Step { events, billed, outcome } = step;
        let (agent, session, key, run) =
            (self.agent_id.clone(), self.session_id.clone(), self.session_key.clone(), self.run_id.clone());
        let (stored, entry, ended) = self
            .runtime
            .store()
            .write(move |tx| {
                let seqs = tx.append_events(&agent, &session, &events)?;
                let mut entry = None;
                if let Some(billed) = &billed {
                    tx.record_usage(&UsageRow {
                        agent_id: agent.clone(),
                        session_id: session.clone(),
                        run_id: run.clone(),
                        provider: billed.provider.clone(),
                        model: billed.model.clone(),
                        usage: billed.usage,
                        at: now_ms(),
                        duration_ms: i64::try_from(billed.duration_ms).unwrap_or(i64::MAX),
                    })?;
                }
                if billed.is_some() || outcome.is_some() {
                    // The key may point at a newer transcript if the session was reset while this run was ending.
                    entry = tx.session(&agent, &key)?.filter(|entry| entry.session_id == session);
                    if let Some(entry) = &mut entry {
                        if let Some(billed) = &billed {
                            entry.usage.add(&billed.usage);
                            entry.context_tokens =
                                billed.usage.input + billed.usage.cache_read + billed.usage.cache_write;
                            entry.model_provider = Some(billed.provider.clone());
                            entry.model = Some(billed.model.clone());
                        }
                        if let Some(outcome) = &outcome {
                            settle_entry(entry, outcome);
                        }
                        tx.put_session(entry)?;
                    }
                }
                if let Some(outcome) = &outcome {
                    let result = serde_json::to_value(outcome).map_err(|error| {
                        crate::core::Error::internal("a run's outcome could not be written as JSON").source(error)
                    })?;
                    tx.set_run_state(&run, run_state(outcome.status), outcome.ended_at, Some(&result))?;
                }
                let stored: Vec<StoredEvent> = seqs
                    .into_iter()
                    .zip(events)
                    .map(|(seq, event)| StoredEvent { seq, event: Arc::new(event) })
                    .collect();
                Ok((stored, entry.map(Arc::new), outcome.is_some()))
            })
            .await?;
        self.live.apply(&stored);
        self.runtime.appended(&self.session_key, &self.session_id, &self.agent_id, stored, entry.clone());
        if ended {
            *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = entry;
        }
        Ok(())
    }
}

/// The durable state of a run that ended like this.
pub(super) fn run_state(status: RunStatus) -> RunState {
    match status {
        RunStatus::Ok => RunState::Done,
        RunStatus::Error => RunState::Error,
        RunStatus::Aborted => RunState::Aborted,
        RunStatus::Interrupted => RunState::Interrupted,
    }
}

/// Brings a session's index row up to date with a run's end.
pub(super) fn settle_entry(entry: &mut SessionEntry, outcome: &RunOutcome) {
    entry.status = Some(
        match outcome.status {
            RunStatus::Ok => "done",
            RunStatus::Error => "error",
            RunStatus::Aborted => "killed",
            RunStatus::Interrupted => "interrupted",
        }
        .to_owned(),
    );
    entry.ended_at = Some(outcome.ended_at);
    entry.updated_at = entry.updated_at.max(outcome.ended_at);
    if !outcome.text.is_empty() {
        entry.last_message_preview = Some(preview(&outcome.text));
    }
}

/// The first 120 characters on one line.
pub(super) fn preview(text: &str) -> String {
    const LENGTH: usize = 120;
    let mut words = String::with_capacity(LENGTH);
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.len() > LENGTH * 4 {
            break;
        }
    }
    match words.char_indices().nth(LENGTH) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words,
    }
}

/// The text of the last reply of a run among these events.
pub(super) fn reply_text<'a>(events: impl DoubleEndedIterator<Item = &'a StoredEvent>, run: &RunId) -> String {
    events
        .rev()
        .filter(|stored| stored.event.run_id.as_ref() == Some(run))
        .find_map(|stored| match &stored.event.body {
            EventBody::AgentResponse(response) => Some(plain_text(&response.content)).filter(|text| !text.is_empty()),
            _ => None,
        })
        .unwrap_or_default()
}
