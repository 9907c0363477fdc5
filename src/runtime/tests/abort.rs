//! Runs that are stopped: by a person, by their time limit, by the end of the process.

use std::time::Duration;

use serde_json::json;

use super::support::{Bench, Gate, call_tool, main_key, message, say_slowly, soon, text};
use crate::core::RunId;
use crate::runtime::{RunStatus, TurnRequest};
use crate::session::{EventBody, StopReason};
use crate::state::RunState;

fn other(name: &str, key: &str) -> TurnRequest {
    TurnRequest { session_key: Some(name.to_owned()), ..message("hello", key) }
}

#[tokio::test]
async fn what_was_said_before_a_stop_is_kept_and_the_next_turn_works() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("half an ans", &gate, "wer"));
    bench.submit("first", "first").await;
    gate.reached().await;
    assert_eq!(bench.runtime.in_flight_text(&main_key()), Some((RunId::from("first"), "half an ans".to_owned())));
    assert_eq!(bench.runtime.abort(&main_key(), None), [RunId::from("first")]);
    let outcome = bench.ended("first").await;
    assert_eq!((outcome.status, outcome.stop_reason), (RunStatus::Aborted, Some(StopReason::Aborted)));
    assert_eq!(outcome.text, "half an ans");
    assert_eq!(bench.row("first").state, RunState::Aborted);
    assert_eq!(bench.entry().status.as_deref(), Some("killed"));
    assert_eq!(bench.turn("second", "second").await.status, RunStatus::Ok);
    assert_eq!(bench.model.last_context(), ["user: first", "assistant: half an ans", "user: second"]);
    assert_eq!(bench.runtime.abort(&main_key(), None), Vec::<RunId>::new());
    assert_eq!(bench.runtime.abort(&main_key(), Some(&RunId::from("first"))), Vec::<RunId>::new());
}

#[tokio::test]
async fn a_run_that_waits_for_a_slot_can_be_stopped() {
    let bench = Bench::configured(json!({"defaults": {"model": "fake/plain", "maxConcurrent": 1}})).await;
    let gate = Gate::new();
    bench.model.then(say_slowly("busy", &gate, ""));
    bench.submit("hold the slot", "holder").await;
    gate.reached().await;
    let waiting = bench.runtime.submit(other("elsewhere", "waiting")).await.expect("taken");
    assert_eq!(bench.runtime.abort(&waiting.session_key, None), [RunId::from("waiting")]);
    assert_eq!(bench.ended("waiting").await.status, RunStatus::Aborted);
    assert_eq!(bench.model.requests().len(), 1, "the model was not asked");
    gate.open();
    assert_eq!(bench.ended("holder").await.status, RunStatus::Ok);
}

#[tokio::test]
async fn a_queued_message_that_is_stopped_ends_before_the_running_one() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("busy", &gate, ""));
    bench.submit("one", "one").await;
    gate.reached().await;
    bench.submit("two", "two").await;
    bench.submit("three", "three").await;
    assert_eq!(bench.runtime.abort(&main_key(), Some(&RunId::from("two"))), [RunId::from("two")]);
    assert_eq!(bench.ended("two").await.status, RunStatus::Aborted);
    assert_eq!(bench.runtime.active_runs(&main_key()), [RunId::from("one"), RunId::from("three")]);
    gate.open();
    assert_eq!(bench.ended("three").await.status, RunStatus::Ok);
    assert_eq!(bench.row("two").state, RunState::Aborted);
    assert_eq!(bench.conversation().await, ["user: one", "assistant: busy", "user: three", "assistant: fine"]);
    bench.assert_linear();
}

#[tokio::test]
async fn stopping_a_session_stops_what_waits_in_it() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("busy", &gate, ""));
    for run in ["one", "two", "three"] {
        bench.submit(run, run).await;
    }
    gate.reached().await;
    assert_eq!(bench.runtime.abort(&main_key(), None).len(), 3);
    for run in ["one", "two", "three"] {
        assert_eq!(bench.ended(run).await.status, RunStatus::Aborted);
        assert_eq!(bench.row(run).state, RunState::Aborted);
    }
    assert_eq!(bench.model.requests().len(), 1);
    assert_eq!(bench.entry().status.as_deref(), Some("killed"));
    bench.turn("four", "four").await;
    bench.assert_linear();
}

#[tokio::test]
async fn the_time_limit_stops_a_run_and_says_so() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("slow", &gate, ""));
    let request = TurnRequest { timeout: Some(Duration::from_millis(30)), ..message("hurry", "hurry") };
    bench.runtime.submit(request).await.expect("taken");
    let outcome = bench.ended("hurry").await;
    assert_eq!(outcome.status, RunStatus::Error);
    assert_eq!(outcome.error.expect("an error")["code"], "timeout");
    assert_eq!(outcome.text, "slow");
}

#[tokio::test]
async fn waiting_for_a_slot_is_no_run_time() {
    let bench = Bench::configured(json!({"defaults": {"model": "fake/plain", "maxConcurrent": 1}})).await;
    let gate = Gate::new();
    bench.model.then(say_slowly("busy", &gate, ""));
    bench.submit("hold the slot", "holder").await;
    gate.reached().await;
    let request = TurnRequest { timeout: Some(Duration::from_secs(5)), ..other("elsewhere", "waiting") };
    bench.runtime.submit(request).await.expect("taken");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(10)).await;
    tokio::time::resume();
    gate.open();
    assert_eq!(bench.ended("waiting").await.status, RunStatus::Ok);
}

#[tokio::test]
async fn a_shutdown_records_what_runs_and_what_waits() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("half", &gate, ""));
    bench.submit("one", "one").await;
    bench.submit("two", "two").await;
    gate.reached().await;
    soon(bench.runtime.shutdown(Duration::from_millis(20))).await.expect("it stops");
    for run in ["one", "two"] {
        assert_eq!(bench.row(run).state, RunState::Interrupted);
        assert_eq!(bench.ended(run).await.status, RunStatus::Interrupted);
    }
    let bench = bench.restart().await;
    assert_eq!(bench.conversation().await, ["user: one", "assistant: half", "user: two"]);
    bench.assert_linear();
}

#[tokio::test]
async fn a_run_stopped_between_its_steps_can_be_continued() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    let mut second = vec![super::support::Piece::Wait(gate.clone())];
    second.push(text("never"));
    bench.model.then(call_tool("c1", "ls", &json!({"path": "."}))).then(second);
    bench.submit("look", "look").await;
    gate.reached().await;
    bench.runtime.abort(&main_key(), None);
    assert_eq!(bench.ended("look").await.status, RunStatus::Aborted);
    bench.turn("go on", "next").await;
    let context = bench.model.last_context();
    assert_eq!(context.len(), 4, "{context:?}");
    assert_eq!((context[1].as_str(), context[3].as_str()), ("assistant: [ls]", "user: go on"));
    assert!(bench.events().iter().any(|event| matches!(&event.body, EventBody::ToolResult(_))));
}
