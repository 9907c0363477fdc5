//! Changes to a session that are not turns: patch, reset, delete. Each appends; nothing rewrites history.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::service::Runtime;
use super::submit::parse_thinking;
use super::types::RuntimeEvent;
use crate::core::{AgentId, Error, EventId, Result, SessionId, SessionKey, now_ms};
use crate::session::Event;
use crate::session::event::{EventBody, SessionEnded, SessionStarted, StateChanged};
use crate::session::message::Usage;
use crate::state::{SessionEntry, StoredEvent};

/// Longest label, in characters.
const MAX_LABEL: usize = 200;

/// What `patch_session` accepts, for messages and schemas.
pub(super) const PATCHABLE: [&str; 6] = ["label", "model", "thinkingLevel", "archived", "pinned", "unread"];

impl Runtime {
    /// Changes a session's settings (see [`PATCHABLE`]); `null` clears one.
    pub async fn patch_session(
        &self,
        key: &SessionKey,
        agent: &AgentId,
        changes: &Map<String, Value>,
    ) -> Result<SessionEntry> {
        let changes = self.check_changes(changes)?;
        let live = self.shared.live.get(&self.shared.store, agent, key).await?;
        let (parent, now) = live.with(|state| (state.tip().cloned(), state.next_ts(now_ms())));
        let (agent_id, session_key, session_id) = (agent.clone(), key.clone(), live.session_id.clone());
        let (entry, stored) = self
            .shared
            .store
            .write(move |tx| {
                let mut entry = tx
                    .session(&agent_id, &session_key)?
                    .filter(|entry| entry.session_id == session_id)
                    .ok_or_else(|| no_session(&session_key))?;
                let mut events = Vec::new();
                for (name, value) in &changes {
                    apply_change(&mut entry, name, value);
                    // Whether a row is unread is a matter of the reader, not of the conversation.
                    if name != "unread" {
                        events.push(event(
                            parent.clone(),
                            now,
                            EventBody::StateChanged(StateChanged {
                                key: name.clone(),
                                value: value.clone(),
                                extra: Map::new(),
                            }),
                        ));
                    }
                }
                entry.updated_at = now;
                let seqs = tx.append_events(&agent_id, &entry.session_id, &events)?;
                tx.put_session(&entry)?;
                Ok((entry, stored(seqs, events)))
            })
            .await?;
        live.apply(&stored);
        let row = Arc::new(entry.clone());
        self.appended(key, &entry.session_id, agent, stored, Some(Arc::clone(&row)));
        self.changed(key, agent, "patch", Some(row));
        Ok(entry)
    }

    fn check_changes(&self, changes: &Map<String, Value>) -> Result<Vec<(String, Value)>> {
        let mut checked = Vec::with_capacity(changes.len());
        for (name, value) in changes {
            let value = match (name.as_str(), value) {
                ("label" | "model" | "thinkingLevel", Value::Null) => Value::Null,
                ("label", Value::String(text)) if text.trim().is_empty() => Value::Null,
                ("label", Value::String(text)) if text.chars().count() > MAX_LABEL || text.contains('\0') => {
                    return Err(Error::user("the label is not usable")
                        .why(format!("a label has at most {MAX_LABEL} characters and no NUL among them"))
                        .hint("choose a shorter one"));
                }
                ("label", Value::String(text)) => json!(text.trim()),
                ("model", Value::String(text)) => json!(self.providers().resolve(text)?.info.reference()),
                ("thinkingLevel", Value::String(text)) => json!(parse_thinking(text)?.as_str()),
                ("archived" | "pinned" | "unread", Value::Bool(_)) => value.clone(),
                ("archived" | "pinned" | "unread", Value::Null) => json!(false),
                (known, other) if PATCHABLE.contains(&known) => {
                    return Err(Error::user(format!("{known} cannot be {other}"))
                        .hint("label, model and thinkingLevel are texts, the others true or false; null clears one"));
                }
                (unknown, _) => {
                    let error = Error::user(format!("a session has no setting {unknown:?}"));
                    return Err(match crate::core::suggest::did_you_mean(unknown, PATCHABLE) {
                        Some(near) => error.hint(format!("did you mean {near}?")),
                        None => error.hint(format!("settings: {}", PATCHABLE.join(", "))),
                    });
                }
            };
            checked.push((name.clone(), value));
        }
        if checked.is_empty() {
            return Err(Error::user("nothing to change").hint(format!("settings: {}", PATCHABLE.join(", "))));
        }
        Ok(checked)
    }

    /// Ends the session's transcript and points its key at a fresh one; settings stay, usage starts at zero.
    pub async fn reset_session(&self, key: &SessionKey, agent: &AgentId, reason: &str) -> Result<SessionEntry> {
        self.abort_and_wait(key).await?;
        let (agent_id, session_key, reason) = (agent.clone(), key.clone(), reason.to_owned());
        let (entry, stored) = self
            .shared
            .store
            .write(move |tx| {
                let mut entry = tx.session(&agent_id, &session_key)?.ok_or_else(|| no_session(&session_key))?;
                let now = now_ms();
                let tip =
                    tx.events_tail(&agent_id, &entry.session_id, None, 1)?.pop().map(|last| last.event.id.clone());
                let ended = event(tip, now, EventBody::SessionEnded(SessionEnded { reason, extra: Map::new() }));
                tx.append_events(&agent_id, &entry.session_id, &[ended])?;
                let started = event(
                    None,
                    now,
                    EventBody::SessionStarted(SessionStarted {
                        channel: entry.channel.clone(),
                        version: Some(1),
                        parent_session: Some(entry.session_id.to_string()),
                        ..SessionStarted::default()
                    }),
                );
                entry.session_id = SessionId::generate();
                entry.usage = Usage::default();
                entry.context_tokens = 0;
                entry.status = None;
                entry.last_run_id = None;
                entry.started_at = None;
                entry.ended_at = None;
                entry.derived_title = None;
                entry.last_message_preview = None;
                entry.updated_at = now;
                let events = vec![started];
                let seqs = tx.append_events(&agent_id, &entry.session_id, &events)?;
                tx.put_session(&entry)?;
                Ok((entry, stored(seqs, events)))
            })
            .await?;
        self.shared.live.forget(key);
        let row = Arc::new(entry.clone());
        self.appended(key, &entry.session_id, agent, stored, Some(Arc::clone(&row)));
        self.changed(key, agent, "reset", Some(row));
        Ok(entry)
    }

    /// Removes the session from the index; with `transcript`, its events as well. `false` if there was none.
    pub async fn delete_session(&self, key: &SessionKey, agent: &AgentId, transcript: bool) -> Result<bool> {
        self.abort_and_wait(key).await?;
        let (agent_id, session_key) = (agent.clone(), key.clone());
        let deleted = self
            .shared
            .store
            .write(move |tx| {
                let Some(entry) = tx.session(&agent_id, &session_key)? else { return Ok(None) };
                let session = entry.session_id.clone();
                if !transcript {
                    let tip =
                        tx.events_tail(&agent_id, &entry.session_id, None, 1)?.pop().map(|last| last.event.id.clone());
                    let ended = event(
                        tip,
                        now_ms(),
                        EventBody::SessionEnded(SessionEnded { reason: "delete".to_owned(), extra: Map::new() }),
                    );
                    tx.append_events(&agent_id, &entry.session_id, &[ended])?;
                }
                Ok(tx.delete_session(&agent_id, &session_key, transcript)?.then_some(session))
            })
            .await?;
        self.shared.live.forget(key);
        if let Some(session) = &deleted {
            if transcript {
                self.shared.registry.forget_session(session);
            }
            self.changed(key, agent, "delete", None);
        }
        Ok(deleted.is_some())
    }

    fn changed(&self, key: &SessionKey, agent: &AgentId, reason: &'static str, entry: Option<Arc<SessionEntry>>) {
        self.broadcast(RuntimeEvent::SessionChanged {
            session_key: key.clone(),
            agent_id: agent.clone(),
            reason,
            entry,
        });
    }
}

fn no_session(key: &SessionKey) -> Error {
    Error::not_found(format!("no session {key}")).hint("openclaw sessions list")
}

fn apply_change(entry: &mut SessionEntry, name: &str, value: &Value) {
    let text = value.as_str().map(str::to_owned);
    match name {
        "label" => entry.label = text,
        "model" => entry.model_override = text,
        "thinkingLevel" => entry.thinking_level = text,
        "archived" => entry.archived = value.as_bool().unwrap_or(false),
        "pinned" => entry.pinned = value.as_bool().unwrap_or(false),
        _ => entry.unread = value.as_bool().unwrap_or(false),
    }
}

fn event(parent_id: Option<EventId>, ts: i64, body: EventBody) -> Event {
    Event { id: EventId::generate(), parent_id, ts, run_id: None, body, extra: Map::new() }
}

fn stored(seqs: Vec<i64>, events: Vec<Event>) -> Vec<StoredEvent> {
    seqs.into_iter().zip(events).map(|(seq, event)| StoredEvent { seq, event: Arc::new(event) }).collect()
}
