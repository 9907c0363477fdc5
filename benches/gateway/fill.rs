//! Databases with a past, written through the library's own state layer.

use std::path::{Path, PathBuf};

use openclaw::core::{AgentId, EventId, SessionId, SessionKey};
use openclaw::session::Event;
use openclaw::state::{OpenOptions, SessionEntry, StatePaths, Store};
use serde_json::{Value, json};

/// Sessions of the large database.
pub(crate) const SESSIONS: usize = 10_000;
/// Messages of its long sessions.
pub(crate) const LONG: [usize; 3] = [10, 1_000, 5_000];
/// Characters of a message, as in the measurement of OpenClaw (`shared/protocol/PEER_PERF.md`).
const MESSAGE: usize = 200;
const BEGINNING: i64 = 1_760_000_000_000;

/// The key of the session with so many messages.
pub(crate) fn long_key(messages: usize) -> String {
    format!("agent:main:long-{messages}")
}

/// Makes the large database below `parent`; gives the file.
pub(crate) fn large(parent: &Path) -> PathBuf {
    let paths = StatePaths::new(parent);
    let store = Store::open(&paths, &OpenOptions::default()).unwrap();
    for (at, messages) in LONG.into_iter().enumerate() {
        add(&store, vec![(long_key(messages), messages, BEGINNING + millis(at))]);
    }
    for first in (0..SESSIONS).step_by(500) {
        let batch =
            (first..first + 500).map(|n| (format!("agent:main:session:{n}"), 2, BEGINNING + 60_000 + millis(n)));
        add(&store, batch.collect());
    }
    store.close_blocking().unwrap();
    paths.database()
}

/// Writes sessions (key, messages, time) in one transaction.
fn add(store: &Store, sessions: Vec<(String, usize, i64)>) {
    let agent = AgentId::from("main");
    store
        .write_blocking(move |tx| {
            for (key, messages, at) in &sessions {
                let session = SessionId::generate();
                let events = conversation(*messages, *at);
                tx.append_events(&agent, &session, &events)?;
                let mut entry: SessionEntry = serde_json::from_value(json!({
                    "sessionId": session, "createdAt": at, "updatedAt": at, "derivedTitle": "A question about the garden",
                    "lastMessagePreview": "Here is what I found in the folder", "channel": "rpc",
                    "modelProvider": "bench", "model": "instant", "status": "done",
                }))
                .unwrap();
                entry.agent_id = agent.clone();
                entry.key = SessionKey::from(key.as_str());
                tx.put_session(&entry)?;
            }
            Ok(())
        })
        .unwrap();
}

/// The n-th message of a conversation.
pub(crate) fn text(n: usize) -> String {
    let words = "the quick gardener counted seven green tomatoes before breakfast and wrote the number down ";
    format!("{n}: {}", words.chars().cycle().take(MESSAGE - 8).collect::<String>())
}

fn conversation(messages: usize, at: i64) -> Vec<Event> {
    let mut parent = EventId::generate();
    let mut events = vec![event(&parent, None, at, "SessionStarted", &json!({"channel": "rpc", "version": 1}))];
    for n in 0..messages {
        let id = EventId::generate();
        let content = json!([{"type": "text", "text": text(n)}]);
        let (kind, data) = if n % 2 == 0 {
            ("MessageReceived", json!({"content": content}))
        } else {
            let data = json!({"content": content, "model": "instant", "provider": "bench", "api": "openai-completions", "stopReason": "stop"});
            ("AgentResponse", data)
        };
        events.push(event(&id, Some(&parent), at + millis(n), kind, &data));
        parent = id;
    }
    events
}

fn event(id: &EventId, parent: Option<&EventId>, ts: i64, kind: &str, data: &Value) -> Event {
    serde_json::from_value(json!({"id": id, "parentId": parent, "ts": ts, "kind": kind, "data": data})).unwrap()
}

/// A count as a number of milliseconds.
fn millis(count: usize) -> i64 {
    i64::try_from(count).expect("counts here are small")
}
