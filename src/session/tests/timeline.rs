use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{answer, call, called, event, result, says, set, soup, user};
use crate::core::RunId;
use crate::session::event::{AgentResponse, Event, SessionEnded, SessionStarted, ToolResult};
use crate::session::projection::project;
use crate::session::timeline::{diff, state_at, timeline_json};
use crate::session::{SessionState, Usage};

fn log() -> Vec<(i64, Arc<Event>)> {
    let usage = Usage { input: 5, output: 2, total_tokens: 7, ..Usage::default() };
    let events = [
        event("e1", "", 10, SessionStarted { channel: Some("cli".into()), ..SessionStarted::default() }),
        event("e2", "e1", 11, user("list\n the\tfiles\u{7}")),
        event("e3", "e2", 12, AgentResponse { usage: Some(usage), ..answer(vec![call("c1"), call("c2")]) }),
        event("e4", "e3", 13, called("c1")),
        event("e5", "e4", 14, ToolResult { duration_ms: Some(3), ..result("c1", "a b") }),
        event("e6", "e5", 15, ToolResult { success: false, ..result("c2", "") }),
        event("e7", "e6", 16, AgentResponse { error: Some("no network".into()), ..answer(vec![]) }),
        event("e8", "e7", 17, set("label", "trip")),
        event("e9", "e8", 18, set("label", Value::Null)),
        event("ea", "e9", 19, set("compaction", json!({"summary": "we talked ".repeat(20)}))),
        event("eb", "ea", 20, SessionEnded::new("reset")),
    ];
    (1..).zip(events).collect()
}

#[test]
fn a_line_per_event() {
    let lines: Vec<_> = log()
        .iter()
        .map(|(seq, event)| {
            let line = timeline_json(*seq, event);
            format!("{seq} {}: {}", line["kind"].as_str().unwrap_or("?"), line["summary"].as_str().unwrap_or("?"))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    1 SessionStarted: session started on cli
    2 MessageReceived: list the files
    3 AgentResponse: calls read, read
    4 ToolCalled: read
    5 ToolResult: read ok: a b
    6 ToolResult: read failed: (1 block without text)
    7 AgentResponse: failed: no network
    8 StateChanged: label = trip
    9 StateChanged: label removed
    10 StateChanged: compaction = we talked we talked we talked we talked we talked we talked we talked we talked we talked we talked we tal…
    11 SessionEnded: session ended: reset
    ");
}

#[test]
fn the_shape_of_a_line() {
    let log = log();
    insta::assert_snapshot!(timeline_json(5, &log[4].1), @r#"{"seq":5,"id":"e5","parentId":"e4","ts":14,"kind":"ToolResult","summary":"read ok: a b","tool":"read","success":true,"durationMs":3}"#);
    let mut answer = Event::clone(&log[2].1);
    answer.run_id = Some(RunId::from("run-1"));
    insta::assert_snapshot!(timeline_json(3, &answer), @r#"{"seq":3,"id":"e3","parentId":"e2","ts":12,"kind":"AgentResponse","runId":"run-1","summary":"calls read, read","usage":{"input":5,"output":2,"cacheRead":0,"cacheWrite":0,"totalTokens":7,"cost":{"input":0.0,"output":0.0,"cacheRead":0.0,"cacheWrite":0.0,"total":0.0}}}"#);
}

#[test]
fn the_state_at_a_position_is_that_of_the_prefix() {
    let log = log();
    assert_eq!(state_at(log.clone(), Some(0)), SessionState::default());
    assert_eq!(state_at(log.clone(), Some(8)).value("label"), Some(&json!("trip")));
    assert_eq!(state_at(log.clone(), Some(9)).value("label"), None);
    assert_eq!(state_at(log.clone(), None), project(log.into_iter().map(|(_, event)| event)));
}

#[test]
fn a_difference_names_what_changed() {
    let log = log();
    let at = |seq| state_at(log.clone(), Some(seq));
    assert_eq!(diff(&at(8), &at(8)), json!({}));
    insta::assert_snapshot!(diff(&at(2), &at(8)), @r#"{"values":{"label":{"from":null,"to":"trip"}},"tip":{"from":"e2","to":"e8"},"messages":{"from":1,"to":5},"events":{"from":2,"to":8},"usage":{"from":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"totalTokens":0,"cost":{"input":0.0,"output":0.0,"cacheRead":0.0,"cacheWrite":0.0,"total":0.0}},"to":{"input":5,"output":2,"cacheRead":0,"cacheWrite":0,"totalTokens":7,"cost":{"input":0.0,"output":0.0,"cacheRead":0.0,"cacheWrite":0.0,"total":0.0}}}}"#);
    insta::assert_snapshot!(diff(&at(8), &at(11))["values"]["label"], @r#"{"from":"trip","to":null}"#);
    let branched = project(log.iter().map(|(_, event)| Arc::clone(event)).chain([event("z", "e2", 99, says("x"))]));
    insta::assert_snapshot!(diff(&at(11), &branched), @r#"{"tip":{"from":"eb","to":"z"},"messages":{"from":5,"to":2},"events":{"from":11,"to":12}}"#);
}

#[test]
fn long_summaries_are_cut_to_the_character() {
    let summary = |text: &str| timeline_json(1, &event("e", "", 1, user(text)))["summary"].as_str().map(str::to_owned);
    let (fits, long) = ("é".repeat(120), "é".repeat(121));
    assert_eq!(summary(&fits), Some(fits));
    assert_eq!(summary(&long), Some("é".repeat(119) + "…"));
    assert_eq!(summary(&format!("{} {}", "a".repeat(119), "b")), Some("a".repeat(119) + "…"));
    assert_eq!(summary(" \n"), Some("(1 block without text)".to_owned()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn travelling_is_projecting_the_prefix(events in soup::log(), seq in 0..30_i64) {
        let prefix = events.iter().take(usize::try_from(seq).expect("small")).cloned();
        let numbered: Vec<_> = (1..).zip(events.iter().cloned()).collect();
        prop_assert_eq!(state_at(numbered.into_iter().rev(), Some(seq)), project(prefix));
    }

    #[test]
    fn differences_and_lines_are_total(one in soup::events(), other in soup::events()) {
        let lines: Vec<_> = one.iter().map(|event| timeline_json(1, event)).collect();
        for line in lines {
            let summary = line["summary"].as_str().expect("a text");
            prop_assert!(summary.chars().count() <= 120 && !summary.chars().any(char::is_control));
        }
        let (one, other) = (project(one), project(other));
        prop_assert_eq!(diff(&one, &one), json!({}));
        prop_assert_eq!(diff(&one, &other) == json!({}), diff(&other, &one) == json!({}));
    }
}
