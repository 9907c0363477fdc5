//! After a crash: every run that a dead process left behind gets its terminal state, and the transcript says so.

use super::agent_loop::failure_event;
use super::inline::{run_state, settle_entry};
use super::prepared::PreparedAgentRun;
use super::service::Runtime;
use super::submit::message_event;
use super::types::{RunOutcome, RunStatus};
use crate::core::{Error, ErrorKind, EventId, Result, now_ms};
use crate::session::message::{StopReason, Usage};
use crate::state::{RunRow, StoredEvent, WriteTx};

impl Runtime {
    /// Records unfinished runs as interrupted. A message that was still queued is put into its transcript, so nothing that was
    /// acknowledged is lost; it is not run by itself, because whoever sent it may have given up on it.
    pub(super) async fn recover(&self) -> Result<()> {
        let unfinished = self.shared.store.read(|tx| tx.unfinished_runs()).await?;
        for row in unfinished {
            let id = row.run_id.clone();
            tracing::warn!(run = %id, session = %row.session_key, "a run was interrupted by the end of its process");
            self.shared.store.write(move |tx| interrupt(tx, &row)).await?;
        }
        Ok(())
    }
}

/// The end of a run of which nobody knows more.
fn interrupt(tx: &WriteTx<'_>, row: &RunRow) -> Result<()> {
    let now = now_ms();
    let outcome = RunOutcome {
        run_id: row.run_id.clone(),
        status: RunStatus::Interrupted,
        text: String::new(),
        stop_reason: Some(StopReason::Error),
        error: Some(
            Error::new(ErrorKind::Unavailable, "the gateway stopped while this turn was in progress")
                .hint("send the message again")
                .to_json(),
        ),
        usage: Usage::default(),
        provider: String::new(),
        model: String::new(),
        started_at: row.started_at.unwrap_or(row.created_at),
        ended_at: now,
        steps: 0,
        tool_calls: 0,
    };
    close(tx, row, &outcome)
}

/// Writes the end of an unfinished run: its message if the transcript lacks it, a notice after it, the index row, the state.
pub(super) fn close(tx: &WriteTx<'_>, row: &RunRow, outcome: &RunOutcome) -> Result<()> {
    match serde_json::from_value::<PreparedAgentRun>(row.prepared.clone()) {
        Ok(prepared) => {
            let events = tx.events_tail(&row.agent_id, &row.session_id, None, 10_000)?;
            let newest = events.last().map(|stored| stored.event.id.clone());
            let mut parent = last_of_run(&events, &prepared).or_else(|| newest.clone());
            let mut notice = Vec::new();
            if !events.iter().any(|stored| stored.event.id == prepared.message_event_id) && !prepared.content.is_empty()
            {
                notice.push(message_event(&prepared, newest, row.created_at));
                parent = Some(prepared.message_event_id.clone());
            }
            let mut failure = failure_event(&prepared, outcome, outcome.ended_at);
            failure.parent_id = parent;
            notice.push(failure);
            tx.append_events(&row.agent_id, &row.session_id, &notice)?;
        }
        Err(error) => {
            tracing::error!(run = %row.run_id, %error, "the prepared run cannot be read; only its state is closed");
        }
    }
    if let Some(mut entry) =
        tx.session(&row.agent_id, &row.session_key)?.filter(|entry| entry.session_id == row.session_id)
    {
        settle_entry(&mut entry, outcome);
        tx.put_session(&entry)?;
    }
    let result = serde_json::to_value(outcome)
        .map_err(|error| Error::internal("a run's outcome could not be written as JSON").source(error))?;
    tx.set_run_state(&row.run_id, run_state(outcome.status), outcome.ended_at, Some(&result))?;
    Ok(())
}

/// The last event of the run, which is what its notice follows: a run's events are a chain in order of `seq`.
fn last_of_run(events: &[StoredEvent], prepared: &PreparedAgentRun) -> Option<EventId> {
    events
        .iter()
        .rev()
        .find(|stored| stored.event.run_id.as_ref() == Some(&prepared.run_id))
        .map(|stored| stored.event.id.clone())
}
