//! The store against real files.

mod approvals;
mod log;
mod opening;
mod searching;
mod sessions;
mod tables;
mod vfs;
mod writing;

use serde_json::{Map, json};
use tempfile::TempDir;

use super::{Access, OpenOptions, SessionEntry, StatePaths, Store};
use crate::core::{AgentId, EventId, SessionId, SessionKey};
use crate::session::Event;

/// A state root that is deleted at the end of the test.
struct Root {
    directory: TempDir,
}

impl Root {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("temporary directory") }
    }

    fn paths(&self) -> StatePaths {
        StatePaths::new(self.directory.path())
    }

    fn open(&self) -> Store {
        Store::open(&self.paths(), &OpenOptions::default()).expect("open for writing")
    }

    fn open_to_read(&self) -> crate::core::Result<Store> {
        Store::open(&self.paths(), &OpenOptions { access: Access::Read, ..OpenOptions::default() })
    }

    /// Error of opening for writing.
    fn refusal(&self) -> crate::core::Error {
        match Store::open(&self.paths(), &OpenOptions::default()) {
            Ok(_) => panic!("opened"),
            Err(error) => error,
        }
    }
}

fn main_agent() -> AgentId {
    AgentId::from("main")
}

/// An event from its JSON, so that tests do not depend on how the types are built.
fn event(value: serde_json::Value) -> Event {
    serde_json::from_value(value).expect("a valid event")
}

fn received(id: &str, text: &str) -> Event {
    event(json!({"id": id, "parentId": null, "ts": 1_700_000_000_000_i64, "kind": "MessageReceived",
        "data": {"content": [{"type": "text", "text": text}]}}))
}

fn fresh(text: &str) -> Event {
    received(EventId::generate().as_str(), text)
}

fn entry(key: &str, session: &str, updated_at: i64) -> SessionEntry {
    let mut entry: SessionEntry =
        serde_json::from_value(json!({"sessionId": session, "updatedAt": updated_at})).expect("a valid entry");
    entry.agent_id = main_agent();
    entry.key = SessionKey::from(key);
    assert_eq!(entry.extra, Map::new());
    entry
}

fn session(id: &str) -> SessionId {
    SessionId::from(id)
}
