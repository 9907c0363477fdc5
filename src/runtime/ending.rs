//! Ends of runs: told to everybody in order, and made durable where the agent loop could not.

use std::sync::Arc;

use super::durable::{may_pass, until_stored};
use super::entries::{append, end_run, failure_event, message_event, settle_entry, withdrawn_message_event};
use super::prepared::PreparedAgentRun;
use super::registry::ActiveRun;
use super::service::Runtime;
use super::types::{RunEvent, RunEventBody, RunOutcome, RuntimeEvent};
use crate::core::{Error, Result, now_ms};
use crate::state::SessionEntry;

/// An end that the agent loop did not record.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) prepared: PreparedAgentRun,
    pub(super) outcome: RunOutcome,
    /// The message was taken back before it was begun.
    pub(super) withdrawn: bool,
}

impl Runtime {
    /// Records the end that the agent loop did not record itself, and ends the run.
    ///
    /// While there is no space for it, whoever waits hears of it at once, but the session's next run starts when the
    /// transcript has it, so that its order stays that of what happened.
    pub(super) async fn end(&self, active: &Arc<ActiveRun>, end: End) {
        let run = &end.prepared.run_id;
        let lost = |error: &Error| tracing::error!(%run, %error, "the run's end could not be stored; the next start records it");
        match self.try_record_end(&end).await {
            Ok(entry) => self.finish(active, end.outcome, entry),
            Err(error) if may_pass(&error) => {
                self.tell_end(active, &end.prepared, &Arc::new(end.outcome.clone()), None);
                match until_stored(run, &self.shared.hurry, || self.try_record_end(&end)).await {
                    Ok(Some(entry)) => self.tell_settled(&end.prepared, entry),
                    Ok(None) => {}
                    Err(error) => lost(&error),
                }
                self.start_next(self.shared.lanes.leave(&end.prepared.session_key, run));
            }
            Err(error) => {
                lost(&error);
                self.finish(active, end.outcome, None);
            }
        }
    }

    /// Leaves the lane, tells everybody, wakes who waits, lets the next run start; in this order.
    pub(super) fn finish(&self, active: &Arc<ActiveRun>, outcome: RunOutcome, entry: Option<Arc<SessionEntry>>) {
        let prepared = active.prepared();
        let next = self.shared.lanes.leave(&prepared.session_key, &prepared.run_id);
        self.tell_end(active, &prepared, &Arc::new(outcome), entry);
        self.start_next(next);
    }

    /// Tells everybody, then wakes who waits.
    fn tell_end(
        &self,
        active: &ActiveRun,
        prepared: &PreparedAgentRun,
        outcome: &Arc<RunOutcome>,
        entry: Option<Arc<SessionEntry>>,
    ) {
        self.shared.registry.conclude(&prepared.run_id, &prepared.session_id, outcome);
        self.broadcast(RuntimeEvent::Run(Arc::new(RunEvent {
            run_id: prepared.run_id.clone(),
            session_key: prepared.session_key.clone(),
            session_id: prepared.session_id.clone(),
            agent_id: prepared.agent_id.clone(),
            seq: active.next_seq(),
            ts: now_ms(),
            body: RunEventBody::Ended { outcome: Arc::clone(outcome) },
        })));
        if let Some(entry) = entry {
            self.tell_settled(prepared, entry);
        }
        self.shared.registry.wake(active, outcome);
    }

    fn tell_settled(&self, prepared: &PreparedAgentRun, entry: Arc<SessionEntry>) {
        self.broadcast(RuntimeEvent::SessionChanged {
            session_key: prepared.session_key.clone(),
            agent_id: prepared.agent_id.clone(),
            reason: "agent.input.settled",
            entry: Some(entry),
        });
    }

    /// Ends a run that was stopped before its message was begun. It has left the lane already.
    pub(super) fn withdraw(&self, active: Arc<ActiveRun>) {
        let runtime = self.clone();
        tokio::spawn(async move {
            if active.is_accepted().await {
                let prepared = active.prepared();
                let error = active.stop.error(&prepared);
                let outcome = RunOutcome::failed(&prepared, active.stop.status_of(&error), &error, now_ms());
                runtime.end(&active, End { prepared, outcome, withdrawn: true }).await;
            }
        });
    }

    /// One transaction: the message if it is not in the transcript, a note of the end, the run's terminal state, the
    /// index row. Does nothing if the run has a terminal state already.
    pub(super) async fn try_record_end(&self, end: &End) -> Result<Option<Arc<SessionEntry>>> {
        let prepared = &end.prepared;
        let live = self.shared.live.get(&self.shared.store, &prepared.agent_id, &prepared.session_key).await?;
        let writing = live.writing().await;
        let (mut tip, now) = live.end();
        let mut events = Vec::new();
        // A transcript that has ended since then gets no more events.
        if live.session_id == prepared.session_id {
            if !prepared.content.is_empty() && live.with(|state| state.event(&prepared.message_event_id).is_none()) {
                let make = if end.withdrawn { withdrawn_message_event } else { message_event };
                events.push(make(prepared, tip.take(), now));
                tip = Some(prepared.message_event_id.clone());
            }
            events.push(failure_event(prepared, &end.outcome, tip, now));
        }
        let (message, outcome) = (prepared.clone(), end.outcome.clone());
        let (stored, entry) = self
            .shared
            .store
            .write(move |tx| {
                if !end_run(tx, &outcome)? {
                    return Ok((Vec::new(), None));
                }
                let stored = append(tx, &message, events)?;
                let mut entry = tx
                    .session(&message.agent_id, &message.session_key)?
                    .filter(|entry| entry.session_id == message.session_id);
                if let Some(entry) = &mut entry {
                    settle_entry(entry, &outcome);
                    tx.put_session(entry)?;
                }
                Ok((stored, entry.map(Arc::new)))
            })
            .await?;
        live.apply(&stored);
        self.appended(&prepared.session_key, &prepared.session_id, &prepared.agent_id, stored, entry.clone());
        drop(writing);
        Ok(entry)
    }
}
