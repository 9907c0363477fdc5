//! Taking a message: a place in the lane, one transaction with the run and (if it may begin) the message, an answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::admission::{Admission, Admitted};
use super::entries::{append, begin_entry, message_event, new_entry, session_started, to_json};
use super::live::LiveSession;
use super::prepared::PreparedAgentRun;
use super::request::{check_content, check_idempotency_key};
use super::service::Runtime;
use super::types::{Accepted, AcceptedStatus, RuntimeEvent, TurnRequest};
use crate::core::{Error, ErrorKind, Result, RunId, SessionId, now_ms};
use crate::state::{RunInsert, RunRow, RunState, SessionEntry, StoredEvent};

/// How often a message is offered to a session that is pointed at another transcript meanwhile.
const TRIES: usize = 3;

/// What the accepting transaction found.
enum Taken {
    Accepted { stored: Vec<StoredEvent>, entry: Box<SessionEntry>, created: bool },
    Repeated(Box<RunRow>),
    StaleTranscript,
}

impl Runtime {
    /// Takes a message; resolves when it is durable. A repeated idempotency key answers with the first run's state and
    /// session, whatever session the repeat names.
    ///
    /// A caller that stops waiting does not call the message back. Errors: `User` for an empty or unusable message or
    /// key, `NotFound` for an unknown agent or model, `Conflict` when the session has another transcript than
    /// `request.session_id`, `Unavailable` when the lane is full or the gateway shuts down, `State` when it cannot be
    /// stored.
    pub async fn submit(&self, request: TurnRequest) -> Result<Accepted> {
        check_content(&request.content)?;
        let (key, agent_id) = self.session_key(request.session_key.as_deref(), request.agent_id.as_deref())?;
        let run_id = match &request.idempotency_key {
            Some(text) => RunId::new(check_idempotency_key(text)?),
            None => RunId::generate(),
        };
        let prepared = self.prepare(&request, run_id, &key, &agent_id)?;
        let admission = loop {
            match self.admit(&prepared)? {
                Admitted::Entered(admission) => break admission,
                Admitted::Repeat(existing) => {
                    if existing.is_accepted().await {
                        return Ok(accepted(&existing.prepared(), AcceptedStatus::InFlight, None));
                    }
                }
                Admitted::Closed(opening) => opening.wait().await,
            }
        };
        // After the run is registered: a shutdown that begins now waits for it.
        if self.shared.closing.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "the gateway is shutting down")
                .hint("send the message again in a moment"));
        }
        // On a task of its own, because a write that has been queued is carried out whether or not the caller waits.
        let taking = tokio::spawn(self.clone().accept(admission, request.session_id));
        taking.await.unwrap_or_else(|error| Err(Error::internal("the message could not be taken").source(error)))
    }

    async fn accept(self, admission: Admission, expected: Option<SessionId>) -> Result<Accepted> {
        let (mut prepared, behind) = (admission.active.prepared(), admission.behind);
        let (agent, key) = (prepared.agent_id.clone(), prepared.session_key.clone());
        for _ in 0..TRIES {
            let live = self.shared.live.get(&self.shared.store, &agent, &key).await?;
            if let Some(expected) = expected.as_ref().filter(|expected| **expected != live.session_id) {
                return self.with_other_transcript(&prepared, expected, &live.session_id).await;
            }
            prepared.session_id.clone_from(&live.session_id);
            admission.active.belongs_to(&live.session_id);
            let writing = live.writing().await;
            match self.take(&prepared, behind == 0, &live).await? {
                Taken::Accepted { stored, entry, created } => {
                    live.is_new.store(false, Ordering::SeqCst);
                    let message = stored.iter().find(|row| row.event.id == prepared.message_event_id);
                    let message_seq = message.map(|row| row.seq);
                    live.apply(&stored);
                    let entry = Arc::new(*entry);
                    self.announce(&prepared, stored, &entry, if created { "create" } else { "send" });
                    drop(writing);
                    let active = admission.keep();
                    active.accepted.send_replace(Some(true));
                    let status = match behind {
                        0 => {
                            active.is_in_transcript();
                            tokio::spawn(self.clone().drive(active, Some((live, entry))));
                            AcceptedStatus::Started
                        }
                        runs => AcceptedStatus::Queued(runs),
                    };
                    return Ok(accepted(&prepared, status, message_seq));
                }
                Taken::Repeated(row) => return self.repeated(*row).await,
                // The session was reset or deleted after its projection was read.
                Taken::StaleTranscript => self.shared.live.forget(&key, &live),
            }
        }
        Err(Error::new(ErrorKind::Conflict, format!("session {key} is being reset")).hint("send the message again"))
    }

    /// The caller knows another transcript: an error, unless the message was taken before.
    async fn with_other_transcript(
        &self,
        prepared: &PreparedAgentRun,
        expected: &SessionId,
        current: &SessionId,
    ) -> Result<Accepted> {
        let run = prepared.run_id.clone();
        if let Some(row) = self.shared.store.read(move |tx| tx.run(&run)).await? {
            return self.repeated(row).await;
        }
        let key = &prepared.session_key;
        Err(Error::new(ErrorKind::Conflict, format!("session {key} is not at transcript {expected} any more"))
            .why(format!("its current transcript is {current}"))
            .hint("reload the session and send again"))
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
            } else if let Some(outcome) = self.shared.registry.recent(&row.run_id) {
                // Its end could not be stored yet.
                AcceptedStatus::Finished(Box::new((*outcome).clone()))
            } else {
                AcceptedStatus::InFlight
            },
        })
    }

    async fn take(&self, prepared: &PreparedAgentRun, starts: bool, live: &LiveSession) -> Result<Taken> {
        let mut message = prepared.clone();
        let (tip, now) = live.end();
        let is_new = live.is_new.load(Ordering::SeqCst);
        let owner = self.shared.boot_id.clone();
        self.shared
            .store
            .write(move |tx| {
                let existing = tx.session(&message.agent_id, &message.session_key)?;
                let current = match &existing {
                    Some(entry) => entry.session_id == message.session_id,
                    None => is_new,
                };
                if !current {
                    return Ok(Taken::StaleTranscript);
                }
                if let RunInsert::Existing(row) = tx.insert_run(&run_row(&mut message, starts, owner, now)?)? {
                    return Ok(Taken::Repeated(Box::new(row)));
                }
                let created = existing.is_none();
                let mut entry = existing.unwrap_or_else(|| new_entry(&message, now));
                let mut events = Vec::with_capacity(2);
                let mut parent = tip;
                if created {
                    let started = session_started(&message, now);
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
    pub(super) fn announce(
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
}

/// The row of a run that begins now or waits. Only a waiting one keeps its message in the row: it is nowhere else yet.
fn run_row(message: &mut PreparedAgentRun, starts: bool, owner: String, now: i64) -> Result<RunRow> {
    let content = if starts { std::mem::take(&mut message.content) } else { Vec::new() };
    let prepared = to_json(message)?;
    if starts {
        message.content = content;
    }
    Ok(RunRow {
        run_id: message.run_id.clone(),
        agent_id: message.agent_id.clone(),
        session_key: message.session_key.clone(),
        session_id: message.session_id.clone(),
        state: if starts { RunState::Running } else { RunState::Queued },
        created_at: now,
        started_at: starts.then_some(now),
        ended_at: None,
        owner: Some(owner),
        lease_until: None,
        deadline: None,
        epoch: 0,
        prepared,
        result: None,
    })
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
