//! The state layer alone, in this process: one caller that waits for each answer.

use std::time::Instant;

use openclaw::core::{AgentId, EventId, RunId, SessionId};
use openclaw::session::Event;
use openclaw::state::{OpenOptions, StatePaths, Store};
use serde_json::json;

use super::Bench;
use crate::rows::Figures;
use crate::stats::{median, ms};
use crate::subject::Subject;

pub(crate) fn append(bench: &Bench, _subject: &Subject) -> Result<Figures, String> {
    let directory = tempfile::tempdir_in(bench.directory.path()).map_err(|error| error.to_string())?;
    let text = |error: openclaw::core::Error| error.to_string();
    let store = Store::open(&StatePaths::new(directory.path()), &OpenOptions::default()).map_err(text)?;
    let session = SessionId::generate();
    let events: Vec<Event> = (0..bench.count(20_000)).map(|_| event()).collect();
    let mut times = Vec::with_capacity(events.len());
    let began = Instant::now();
    for event in events {
        let session = session.clone();
        let sent = Instant::now();
        store.write_blocking(move |tx| tx.append_events(&AgentId::from("main"), &session, &[event])).map_err(text)?;
        times.push(ms(sent.elapsed()));
    }
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    store.close_blocking().map_err(text)?;
    Ok(vec![("append.rate", rate), ("append.p50", median(&times))])
}

/// A tool's result of 1 kB, whose text is not indexed for search.
fn event() -> Event {
    serde_json::from_value(json!({
        "id": EventId::generate(), "parentId": EventId::generate(), "ts": 1_760_000_000_000_i64, "runId": RunId::generate(),
        "kind": "ToolResult", "data": {"toolCallId": "call", "tool": "read", "success": true,
            "content": [{"type": "text", "text": "0123456789 abcdef ".repeat(40)}]},
    }))
    .unwrap()
}
