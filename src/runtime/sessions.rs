//! Changes to a session that are not turns: patch, reset, delete. Each appends; nothing rewrites history.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::entries::{session_restarted, setting_event, stored};
use super::live::LiveSession;
use super::request::parse_thinking;
use super::service::Runtime;
use super::types::RuntimeEvent;
use crate::core::{AgentId, Error, ErrorKind, Result, SessionId, SessionKey};
use crate::session::Event;
use crate::session::event::SessionEnded;
use crate::session::message::Usage;
use crate::state::SessionEntry;
use crate::tools::process::ProcessOwner;

/// Longest label, in characters.
const MAX_LABEL: usize = 200;

/// How often a change is offered to a session that is pointed at another transcript meanwhile.
const TRIES: usize = 3;

/// What became of a change.
enum Patched {
    Changed(Box<SessionEntry>),
    NoSession,
    OtherTranscript,
}

/// What `patch_session` accepts, for messages and schemas.
pub(super) const PATCHABLE: [&str; 6] = ["label", "model", "thinkingLevel", "archived", "pinned", "unread"];

impl Runtime {
    /// Changes a session's settings: `label`, `model`, `thinkingLevel`, `archived`, `pinned`, `unread`; `null` clears one.
    /// All are recorded in the transcript but `unread`. Errors: `NotFound` for no such session, `User` for a bad value.
    pub async fn patch_session(
        &self,
        key: &SessionKey,
        agent: &AgentId,
        changes: &Map<String, Value>,
    ) -> Result<SessionEntry> {
        let changes = self.check_changes(changes)?;
        for _ in 0..TRIES {
            let live = self.shared.live.get(&self.shared.store, agent, key).await?;
            match self.try_patch(key, agent, &changes, &live).await? {
                Patched::Changed(entry) => return Ok(*entry),
                Patched::NoSession => break,
                Patched::OtherTranscript => self.shared.live.forget(key, &live),
            }
        }
        Err(no_session(key))
    }

    async fn try_patch(
        &self,
        key: &SessionKey,
        agent: &AgentId,
        changes: &[(String, Value)],
        live: &LiveSession,
    ) -> Result<Patched> {
        let writing = live.writing().await;
        let (mut parent, now) = live.end();
        let (agent_id, session_key, session_id) = (agent.clone(), key.clone(), live.session_id.clone());
        let changes = changes.to_vec();
        let patched = self
            .shared
            .store
            .write(move |tx| {
                let Some(mut entry) = tx.session(&agent_id, &session_key)? else { return Ok(Err(Patched::NoSession)) };
                if entry.session_id != session_id {
                    return Ok(Err(Patched::OtherTranscript));
                }
                let mut events = Vec::new();
                for (name, value) in &changes {
                    apply_change(&mut entry, name, value);
                    // Whether a row is unread is a matter of the reader, not of the conversation.
                    if name != "unread" {
                        let event = setting_event(parent.take(), now, name, value);
                        parent = Some(event.id.clone());
                        events.push(event);
                    }
                }
                entry.updated_at = now;
                let seqs = tx.append_events(&agent_id, &entry.session_id, &events)?;
                tx.put_session(&entry)?;
                Ok(Ok((entry, stored(seqs, events))))
            })
            .await?;
        let (entry, stored) = match patched {
            Ok(changed) => changed,
            Err(reason) => return Ok(reason),
        };
        live.apply(&stored);
        let row = Arc::new(entry.clone());
        self.appended(key, &entry.session_id, agent, stored, Some(Arc::clone(&row)));
        self.changed(key, agent, "patch", Some(row));
        drop(writing);
        Ok(Patched::Changed(Box::new(entry)))
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

    /// Nobody is left to ask about a conversation's background commands.
    fn end_background(&self, key: &SessionKey, agent: &AgentId) {
        self.shared.processes.end_all_of(&ProcessOwner { agent: agent.clone(), session: key.clone() });
    }

    /// Ends the session's transcript and points its key at a fresh one; settings stay, usage starts at zero.
    ///
    /// Its runs are stopped first. Messages that arrive meanwhile wait and go to the fresh transcript.
    pub async fn reset_session(&self, key: &SessionKey, agent: &AgentId, reason: &str) -> Result<SessionEntry> {
        let lane = self.shared.lanes.close(key).await;
        self.abort_and_wait(key).await?;
        self.end_background(key, agent);
        let live = self.shared.live.get(&self.shared.store, agent, key).await?;
        let writing = live.writing().await;
        let (tip, now) = live.end();
        let (agent_id, session_key) = (agent.clone(), key.clone());
        let ended = Event::new(tip, now, None, SessionEnded::new(reason));
        let (entry, stored) = self
            .shared
            .store
            .write(move |tx| {
                let mut entry = tx.session(&agent_id, &session_key)?.ok_or_else(|| no_session(&session_key))?;
                tx.append_events(&agent_id, &entry.session_id, &[ended])?;
                let events = vec![session_restarted(&entry, now)];
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
                let seqs = tx.append_events(&agent_id, &entry.session_id, &events)?;
                tx.put_session(&entry)?;
                Ok((entry, stored(seqs, events)))
            })
            .await?;
        self.shared.live.forget(key, &live);
        let row = Arc::new(entry.clone());
        self.appended(key, &entry.session_id, agent, stored, Some(Arc::clone(&row)));
        self.changed(key, agent, "reset", Some(row));
        drop((writing, lane));
        Ok(entry)
    }

    /// Removes the session from the index; with `transcript`, its events as well. `false` if there was none.
    ///
    /// Its runs are stopped first. Messages that arrive meanwhile wait and begin a fresh session.
    pub async fn delete_session(&self, key: &SessionKey, agent: &AgentId, transcript: bool) -> Result<bool> {
        let lane = self.shared.lanes.close(key).await;
        self.abort_and_wait(key).await?;
        self.end_background(key, agent);
        let live = match self.shared.live.get(&self.shared.store, agent, key).await {
            Ok(live) => Some(live),
            // A transcript that cannot be read can still be deleted.
            Err(error) if transcript && error.kind() == ErrorKind::State => {
                tracing::warn!(session = %key, %error, "a session that cannot be read is deleted");
                None
            }
            Err(error) => return Err(error),
        };
        let writing = match &live {
            Some(live) => Some(live.writing().await),
            None => None,
        };
        let (agent_id, session_key) = (agent.clone(), key.clone());
        let end = live.as_ref().map(|live| live.end());
        let deleted = self
            .shared
            .store
            .write(move |tx| {
                let Some(entry) = tx.session(&agent_id, &session_key)? else { return Ok(None) };
                if let (false, Some((tip, now))) = (transcript, end) {
                    let ended = Event::new(tip, now, None, SessionEnded::new("delete"));
                    tx.append_events(&agent_id, &entry.session_id, &[ended])?;
                }
                let deleted = tx.delete_session(&agent_id, &session_key, transcript)?;
                Ok(deleted.then_some(entry.session_id))
            })
            .await?;
        drop(writing);
        if let Some(live) = &live {
            self.shared.live.forget(key, live);
        }
        if let Some(session) = &deleted {
            if transcript {
                self.shared.registry.forget_session(session);
            }
            self.changed(key, agent, "delete", None);
        }
        drop(lane);
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
