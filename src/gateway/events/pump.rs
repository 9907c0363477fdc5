//! The one task that turns runtime events into notifications.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

use super::frame::EventFrame;
use super::hub::{Hub, send};
use super::shapes;
use crate::core::{AgentId, SessionKey, now_ms};
use crate::runtime::{RunEventBody, RuntimeEvent, approvals};
use crate::session::projection::message_json;
use crate::state::SessionEntry;

/// Makes the session row of `sessions.changed` and `session.message`.
pub(crate) type RowMaker = Arc<dyn Fn(&SessionEntry, &SessionKey, &AgentId) -> Value + Send + Sync>;

/// Delivers until `stop`, then delivers what is left and ends.
pub(crate) async fn run(
    hub: Arc<Hub>,
    mut events: Receiver<Arc<RuntimeEvent>>,
    row: RowMaker,
    tick: Duration,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + tick, tick);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => deliver(&hub, &event, &row),
                Err(RecvError::Lagged(missed)) => hub.resync(missed),
                Err(RecvError::Closed) => return,
            },
            _ = ticks.tick() => send(&hub.everybody(), &shapes::tick()),
            () = stop.cancelled() => break,
        }
    }
    loop {
        match events.try_recv() {
            Ok(event) => deliver(&hub, &event, &row),
            Err(TryRecvError::Lagged(missed)) => hub.resync(missed),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

fn deliver(hub: &Hub, event: &RuntimeEvent, row: &RowMaker) {
    match event {
        RuntimeEvent::Run(event) => {
            let audience = hub.run_audience(&event.run_id, &event.session_key);
            if !audience.is_empty() {
                for frame in shapes::run_event(event) {
                    send(&audience, &frame);
                }
            }
            if matches!(event.body, RunEventBody::Ended { .. }) {
                hub.forget_run(&event.run_id);
            }
        }
        RuntimeEvent::Appended { session_key, session_id, agent_id, events, entry } => {
            let audience = hub.message_audience(session_key);
            if audience.is_empty() {
                return;
            }
            let row = entry.as_deref().map(|entry| row(entry, session_key, agent_id));
            for stored in events.iter() {
                if let Some(message) = message_json(&stored.event, stored.seq) {
                    let mut params = json!({
                        "sessionKey": session_key, "sessionId": session_id, "agentId": agent_id,
                        "message": message, "messageId": stored.event.id, "messageSeq": stored.seq,
                    });
                    if let Some(row) = &row {
                        params["session"] = row.clone();
                    }
                    send(&audience, &EventFrame::new("session.message", &params));
                }
            }
        }
        RuntimeEvent::SessionChanged { session_key, agent_id, reason, entry } => {
            hub.note_session_change();
            let audience = hub.list_audience();
            if audience.is_empty() {
                return;
            }
            let mut params = json!({
                "sessionKey": session_key, "agentId": agent_id, "reason": reason, "ts": now_ms(),
            });
            match *reason {
                "agent.run.started" => params["phase"] = "start".into(),
                "agent.input.settled" => params["phase"] = "end".into(),
                _ => {}
            }
            if let Some(entry) = entry {
                params["sessionId"] = json!(entry.session_id);
                params["updatedAt"] = entry.updated_at.into();
                params["session"] = row(entry, session_key, agent_id);
            }
            send(&audience, &EventFrame::new("sessions.changed", &params));
        }
        RuntimeEvent::ApprovalRequested { approval } => {
            hub.broadcast("exec.approval.requested", &approvals::shape::approval(approval));
        }
        RuntimeEvent::ApprovalResolved { approval } => {
            hub.broadcast("exec.approval.resolved", &approvals::shape::approval(approval));
        }
        RuntimeEvent::ConfigChanged { path, hash } => hub.config_changed(path, hash),
    }
}
