//! What the state layer costs: `cargo bench --bench state`. Figures are of this machine at this moment.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

mod virtual_files;

use std::time::{Duration, Instant};

use openclaw::core::{AgentId, EventId, RunId, SessionId, SessionKey};
use openclaw::session::{Event, Usage};
use openclaw::state::{OpenOptions, RunRow, RunState, SessionEntry, SessionQuery, StatePaths, Store, UsageRow};
use serde_json::json;

const EVENTS: usize = 20_000;
const SESSIONS: i64 = 10_000;
const TURNS: usize = 1_000;

fn main() {
    opening();
    appending();
    listing();
    disk_per_turn("one session", 1);
    disk_per_turn("32 sessions", 32);
    virtual_files::run();
}

fn root() -> (tempfile::TempDir, StatePaths) {
    let directory = tempfile::tempdir_in(".").unwrap();
    let paths = StatePaths::new(directory.path());
    (directory, paths)
}

fn percentile(times: &mut [Duration], of_hundred: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * of_hundred / 100]
}

fn agent() -> AgentId {
    AgentId::from("main")
}

fn question(text: &str) -> Event {
    let id = EventId::generate();
    serde_json::from_value(json!({"id": id, "parentId": EventId::generate(), "ts": 1_760_000_000_000_i64,
        "runId": RunId::generate(), "kind": "MessageReceived",
        "data": {"content": [{"type": "text", "text": text}], "provenance": {"kind": "cli"}}}))
    .unwrap()
}

fn answer(text: &str) -> Event {
    let id = EventId::generate();
    serde_json::from_value(json!({"id": id, "parentId": EventId::generate(), "ts": 1_760_000_000_500_i64,
        "runId": RunId::generate(), "kind": "AgentResponse",
        "data": {"content": [{"type": "text", "text": text}], "model": "offline-1", "provider": "offline", "api": "offline",
            "usage": Usage { input: 1200, output: 30, total_tokens: 1230, ..Usage::default() }, "stopReason": "stop"}}))
    .unwrap()
}

fn opening() {
    let (_directory, paths) = root();
    let started = Instant::now();
    let store = Store::open(&paths, &OpenOptions::default()).unwrap();
    let first = started.elapsed();
    store.close_blocking().unwrap();
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let started = Instant::now();
            let store = Store::open(&paths, &OpenOptions::default()).unwrap();
            let time = started.elapsed();
            store.close_blocking().unwrap();
            time
        })
        .collect();
    println!("open: first {first:.1?}, up to date p50 {:.2?}", percentile(&mut times, 50));
}

fn appending() {
    let (_directory, paths) = root();
    let store = Store::open(&paths, &OpenOptions::default()).unwrap();
    let text =
        "A message of about one hundred characters, so that it is neither the shortest nor the longest one seen.";
    for (name, batch, indexed) in
        [("text, 1 per write", 1, true), ("tool results, 1 per write", 1, false), ("text, 50 per write", 50, true)]
    {
        let events: Vec<Event> =
            (0..EVENTS).map(|n| if indexed { question(&format!("{text} {n}")) } else { tool_result(text) }).collect();
        let session = SessionId::from(name);
        let mut times = Vec::with_capacity(EVENTS / batch);
        let started = Instant::now();
        for chunk in events.chunks(batch) {
            let (chunk, session) = (chunk.to_vec(), session.clone());
            let begun = Instant::now();
            store.write_blocking(move |tx| tx.append_events(&agent(), &session, &chunk)).unwrap();
            times.push(begun.elapsed());
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "append ({name}): {:.0} events/s, ack p50 {:.1?}, p99 {:.1?}, max {:.1?}",
            f64::from(u32::try_from(EVENTS).unwrap()) / seconds,
            percentile(&mut times, 50),
            percentile(&mut times, 99),
            percentile(&mut times, 100)
        );
    }
    let started = Instant::now();
    let session = SessionId::from("text, 1 per write");
    let events = store.read_blocking(|tx| tx.events_tail(&agent(), &session, Some(5_000), 200)).unwrap();
    println!("tail of 200: {:.2?} ({} events)", started.elapsed(), events.len());
    store.close_blocking().unwrap();
}

fn tool_result(text: &str) -> Event {
    serde_json::from_value(
        json!({"id": EventId::generate(), "parentId": EventId::generate(), "ts": 1, "kind": "ToolResult",
        "data": {"toolCallId": "call", "tool": "read", "content": [{"type": "text", "text": text}], "success": true}}),
    )
    .unwrap()
}

fn entry(key: &str, updated_at: i64) -> SessionEntry {
    let mut entry: SessionEntry = serde_json::from_value(json!({"sessionId": SessionId::generate(), "createdAt": 1_760_000_000_000_i64,
        "updatedAt": updated_at, "derivedTitle": "A question about the garden", "lastMessagePreview": "Here is what I found in the folder",
        "channel": "cli", "modelProvider": "offline", "model": "offline-1", "status": "done"}))
    .unwrap();
    entry.agent_id = agent();
    entry.key = SessionKey::from(key);
    entry
}

fn listing() {
    let (_directory, paths) = root();
    let store = Store::open(&paths, &OpenOptions::default()).unwrap();
    store
        .write_blocking(|tx| {
            (0..SESSIONS).try_for_each(|n| tx.put_session(&entry(&format!("agent:main:session:{n}"), n)))
        })
        .unwrap();
    let query = SessionQuery { agent_id: Some(agent()), archived: Some(false), limit: 50, ..SessionQuery::default() };
    let search = SessionQuery { search: Some("GARDEN".into()), ..query.clone() };
    for (name, query) in [("page of 50 of 10,000 sessions", query), ("the same with a search", search)] {
        let mut times: Vec<Duration> = (0..40)
            .map(|_| {
                let started = Instant::now();
                assert_eq!(store.read_blocking(|tx| tx.sessions(&query)).unwrap().entries.len(), 50);
                started.elapsed()
            })
            .collect();
        println!("{name}: p50 {:.2?}", percentile(&mut times, 50));
    }
    store.close_blocking().unwrap();
}

/// Everything a short turn stores: run, question, answer, usage, session entry.
fn disk_per_turn(name: &str, sessions: usize) {
    let (_directory, paths) = root();
    let store = Store::open(&paths, &OpenOptions::default()).unwrap();
    store.close_blocking().unwrap();
    let size = || std::fs::metadata(paths.database()).unwrap().len();
    let before = size();
    let store = Store::open(&paths, &OpenOptions::default()).unwrap();
    let entries: Vec<SessionEntry> = (0..sessions).map(|n| entry(&format!("agent:main:{n}"), 1)).collect();
    let started = Instant::now();
    for turn in 0..TURNS {
        let mut entry = entries[turn % sessions].clone();
        let session = entry.session_id.clone();
        let run_id = RunId::generate();
        entry.updated_at += 1;
        let run = RunRow {
            run_id: run_id.clone(),
            agent_id: agent(),
            session_key: entry.key.clone(),
            session_id: session.clone(),
            state: RunState::Queued,
            created_at: 1_760_000_000_000,
            started_at: None,
            ended_at: None,
            owner: Some("boot".into()),
            lease_until: None,
            deadline: Some(1_760_000_060_000),
            epoch: 1,
            prepared: json!({"model": "offline/offline-1", "channel": "cli"}),
            result: None,
        };
        let said = question(&format!("What is in folder number {turn}?"));
        store
            .write_blocking({
                let (entry, session) = (entry.clone(), session.clone());
                move |tx| {
                    tx.insert_run(&run)?;
                    tx.append_events(&agent(), &session, &[said])?;
                    tx.put_session(&entry)
                }
            })
            .unwrap();
        let reply = answer(&format!("There are {turn} files in that folder; the largest is notes.txt."));
        store
            .write_blocking(move |tx| {
                tx.append_events(&agent(), &session, &[reply])?;
                tx.record_usage(&UsageRow {
                    agent_id: agent(),
                    session_id: session,
                    run_id: run_id.clone(),
                    provider: "offline".into(),
                    model: "offline-1".into(),
                    usage: Usage { input: 1200, output: 30, total_tokens: 1230, ..Usage::default() },
                    at: 1_760_000_000_500,
                    duration_ms: 500,
                })?;
                tx.set_run_state(&run_id, RunState::Done, 1_760_000_000_500, Some(&json!({"stopReason": "stop"})))?;
                tx.put_session(&entry)
            })
            .unwrap();
    }
    let each = started.elapsed() / u32::try_from(TURNS).unwrap();
    store.close_blocking().unwrap();
    println!("turns ({name}): {} bytes on disk each, {each:.1?} each", (size() - before) / TURNS as u64);
}
