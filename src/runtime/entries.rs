//! The events and rows that the runtime writes besides those of the agent loop.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::prepared::PreparedAgentRun;
use super::types::{RunOutcome, RunStatus};
use crate::core::{Error, EventId, Result};
use crate::session::Event;
use crate::session::event::{AgentResponse, EventBody, MessageReceived, SessionStarted, StateChanged};
use crate::session::message::plain_text;
use crate::state::{RunState, SessionEntry, StoredEvent, WriteTx};

/// The version of the event format that this program writes.
const FORMAT: u32 = 1;

/// Appends to the run's transcript.
pub(super) fn append(tx: &WriteTx<'_>, prepared: &PreparedAgentRun, events: Vec<Event>) -> Result<Vec<StoredEvent>> {
    let seqs = tx.append_events(&prepared.agent_id, &prepared.session_id, &events)?;
    Ok(stored(seqs, events))
}

/// Appended events with the positions they got.
pub(super) fn stored(seqs: Vec<i64>, events: Vec<Event>) -> Vec<StoredEvent> {
    seqs.into_iter().zip(events).map(|(seq, event)| StoredEvent { seq, event: Arc::new(event) }).collect()
}

/// The first event of a session that begins with this run.
pub(super) fn session_started(prepared: &PreparedAgentRun, ts: i64) -> Event {
    let body = SessionStarted {
        channel: Some(prepared.channel.clone()),
        cwd: Some(prepared.workspace.display().to_string()),
        version: Some(FORMAT),
        ..SessionStarted::default()
    };
    Event::new(None, ts, None, body)
}

/// The first event of the transcript that takes the place of another.
pub(super) fn session_restarted(entry: &SessionEntry, ts: i64) -> Event {
    let body = SessionStarted {
        channel: entry.channel.clone(),
        version: Some(FORMAT),
        parent_session: Some(entry.session_id.to_string()),
        ..SessionStarted::default()
    };
    Event::new(None, ts, None, body)
}

/// The user message as an event.
pub(super) fn message_event(prepared: &PreparedAgentRun, parent: Option<EventId>, ts: i64) -> Event {
    let body = MessageReceived {
        content: prepared.content.clone(),
        idempotency_key: Some(prepared.run_id.to_string()),
        sender: (!prepared.channel.is_empty()).then(|| json!({"channel": prepared.channel})),
        ..MessageReceived::default()
    };
    Event::with_id(prepared.message_event_id.clone(), parent, ts, Some(prepared.run_id.clone()), body)
}

/// A message that was taken back before a model saw it: people see it, models do not.
pub(super) fn withdrawn_message_event(prepared: &PreparedAgentRun, parent: Option<EventId>, ts: i64) -> Event {
    let mut event = message_event(prepared, parent, ts);
    if let EventBody::MessageReceived(data) = &mut event.body {
        data.extra.insert("excludeFromContext".to_owned(), true.into());
    }
    event
}

/// The transcript's record of a turn that ended without an answer.
pub(super) fn failure_event(
    prepared: &PreparedAgentRun,
    outcome: &RunOutcome,
    parent: Option<EventId>,
    ts: i64,
) -> Event {
    let message =
        outcome.error.as_ref().and_then(|error| error["message"].as_str()).unwrap_or("the run ended without an answer");
    let body = AgentResponse {
        stop_reason: outcome.stop_reason,
        error: Some(message.to_owned()),
        extra: Map::from_iter([("runStatus".to_owned(), json!(outcome.status.as_str()))]),
        ..AgentResponse::default()
    };
    Event::new(parent, ts, Some(prepared.run_id.clone()), body)
}

/// A changed setting.
pub(super) fn setting_event(parent: Option<EventId>, ts: i64, key: &str, value: &Value) -> Event {
    Event::new(parent, ts, None, StateChanged::new(key, value.clone()))
}

/// The index row of a conversation that begins with this run.
pub(super) fn new_entry(prepared: &PreparedAgentRun, now: i64) -> SessionEntry {
    let mut entry =
        SessionEntry::new(prepared.agent_id.clone(), prepared.session_key.clone(), prepared.session_id.clone(), now);
    entry.channel = Some(prepared.channel.clone());
    entry
}

/// Brings a session's index row up to date with a run's beginning.
pub(super) fn begin_entry(entry: &mut SessionEntry, message: &PreparedAgentRun, now: i64) {
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

/// Brings a session's index row up to date with a run's end. The row shows the run that began last.
pub(super) fn settle_entry(entry: &mut SessionEntry, outcome: &RunOutcome) {
    entry.updated_at = entry.updated_at.max(outcome.ended_at);
    if entry.last_run_id.as_ref() != Some(&outcome.run_id) {
        return;
    }
    let status = match outcome.status {
        RunStatus::Ok => "done",
        RunStatus::Error => "error",
        RunStatus::Aborted => "killed",
        RunStatus::Interrupted => "interrupted",
    };
    entry.status = Some(status.to_owned());
    entry.ended_at = Some(outcome.ended_at);
    if !outcome.text.is_empty() {
        entry.last_message_preview = Some(preview(&outcome.text));
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

/// Writes a run's terminal state; false if it has one already.
pub(super) fn end_run(tx: &WriteTx<'_>, outcome: &RunOutcome) -> Result<bool> {
    tx.set_run_state(&outcome.run_id, run_state(outcome.status), outcome.ended_at, Some(&to_json(outcome)?))
}

/// The first 120 characters on one line.
fn preview(text: &str) -> String {
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

/// A value of ours as JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::internal("a value could not be written as JSON").source(error))
}
