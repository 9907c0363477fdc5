//! The host of a run inside the gateway process: providers, tools and database are called directly.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::artifacts::TEXTS;
use super::entries::{end_run, settle_entry, stored};
use super::host::{Billed, RunHost, Step};
use super::images;
use super::live::LiveSession;
use super::teller::Teller;
use super::types::RunEventBody;
use crate::core::{AgentId, ProviderErrorClass, Result, RunId, SessionId, ToolCallId, now_ms};
use crate::providers::registry::ResolvedModel;
use crate::providers::{ModelInfo, ModelRequest, ModelStream, ProviderError};
use crate::session::event::EventBody;
use crate::session::message::plain_text;
use crate::state::{SessionEntry, StoredEvent, UsageRow};
use crate::tools::{ToolContext, ToolOutput, ToolSet};

/// See the module.
pub(super) struct InlineHost {
    pub(super) teller: Teller,
    pub(super) live: Arc<LiveSession>,
    pub(super) models: Vec<ResolvedModel>,
    pub(super) tools: ToolSet,
    pub(super) tool_context: ToolContext,
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
        if !model.info.reasoning {
            request.thinking = crate::providers::ThinkingLevel::Off;
        }
        if request.max_tokens.is_none() && model.info.max_tokens > 0 {
            request.max_tokens = Some(model.info.max_tokens);
        }
        if !model.info.input.iter().any(|kind| kind == "image") {
            images::describe(&mut request.messages);
        }
        model.provider.stream(request)
    }

    fn candidate(&self, attempt: usize) -> Option<ModelInfo> {
        self.models.get(attempt).map(|model| model.info.clone())
    }

    fn tool<'a>(&'a self, id: &'a ToolCallId, name: &'a str, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        let mut context = self.tool_context.clone();
        context.call.tool_call_id = id.clone();
        let live = self.teller.live_output(id, name);
        context.progress = live.sink();
        async move {
            let output = self.tools.call(&context, name, arguments).await;
            live.end();
            output
        }
        .boxed()
    }

    fn tool_is_parallel(&self, name: &str) -> bool {
        self.tools.parallel(name)
    }

    fn commit(&self, step: Step) -> BoxFuture<'_, Result<()>> {
        self.commit_step(step).boxed()
    }

    fn emit(&self, body: RunEventBody) {
        let mut text = self.teller.active.text();
        match &body {
            RunEventBody::Model { .. } => text.clear(),
            RunEventBody::Text { delta } => text.push_str(delta),
            _ => {}
        }
        drop(text);
        self.teller.tell(body);
    }

    fn now(&self) -> i64 {
        // Not before what is there already, so that a clock that steps back cannot reorder the transcript.
        self.live.with(|state| state.next_ts(now_ms()))
    }
}

impl InlineHost {
    async fn commit_step(&self, step: Step) -> Result<()> {
        let Step { mut events, billed, outcome, staged } = step;
        let Teller { runtime, agent_id: agent, session_id: session, session_key: key, run_id: run, .. } =
            self.teller.clone();
        let answered = events.iter().any(|event| matches!(event.body, EventBody::AgentResponse(_)));
        let writing = self.live.writing().await;
        self.live.align(&mut events);
        let (stored, entry, ended) = runtime
            .store()
            .write(move |tx| {
                let seqs = tx.append_events(&agent, &session, &events)?;
                for artifact in &staged.artifacts {
                    tx.put_artifact(&agent, &run, artifact)?;
                }
                for (hash, text) in &staged.texts {
                    tx.kv_keep(TEXTS, hash, text, now_ms())?;
                }
                if let Some(billed) = &billed {
                    tx.record_usage(&usage_row(&agent, &session, &run, billed))?;
                }
                let mut entry = None;
                if billed.is_some() || outcome.is_some() {
                    // The key may point at another transcript if its row was deleted while this run was ending.
                    entry = tx.session(&agent, &key)?.filter(|entry| entry.session_id == session);
                    if let Some(entry) = &mut entry {
                        if let Some(billed) = &billed {
                            count(entry, billed);
                        }
                        if let Some(outcome) = &outcome {
                            settle_entry(entry, outcome);
                        }
                        tx.put_session(entry)?;
                    }
                }
                if let Some(outcome) = &outcome {
                    end_run(tx, outcome)?;
                }
                Ok((stored(seqs, events), entry.map(Arc::new), outcome.is_some()))
            })
            .await?;
        self.live.apply(&stored);
        if answered {
            self.teller.active.text().clear();
        }
        let Teller { agent_id, session_id, session_key, .. } = &self.teller;
        runtime.appended(session_key, session_id, agent_id, stored, entry.clone());
        drop(writing);
        if ended {
            *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = entry;
        }
        Ok(())
    }
}

fn usage_row(agent: &AgentId, session: &SessionId, run: &RunId, billed: &Billed) -> UsageRow {
    UsageRow {
        agent_id: agent.clone(),
        session_id: session.clone(),
        run_id: run.clone(),
        provider: billed.provider.clone(),
        model: billed.model.clone(),
        usage: billed.usage,
        at: now_ms(),
        duration_ms: i64::try_from(billed.duration_ms).unwrap_or(i64::MAX),
    }
}

/// Adds a model call to the session's sums.
fn count(entry: &mut SessionEntry, billed: &Billed) {
    let usage = &billed.usage;
    entry.usage.add(usage);
    entry.context_tokens = usage.input.saturating_add(usage.cache_read).saturating_add(usage.cache_write);
    entry.model_provider = Some(billed.provider.clone());
    entry.model = Some(billed.model.clone());
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
