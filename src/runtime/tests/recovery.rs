//! What a process that died leaves behind.

use serde_json::json;

use super::support::{Bench, Gate, Piece, agent, call_tool, main_key, say_slowly, text};
use crate::core::RunId;
use crate::runtime::RunStatus;
use crate::state::{RunInsert, RunState};

/// A run with partial events and two messages behind it, and then the end of the process.
async fn died() -> Bench {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(call_tool("c", "ls", &json!({"path": "."}))).then(vec![
        text("half"),
        Piece::Wait(gate.clone()),
        text("never"),
    ]);
    for run in ["one", "two", "three"] {
        bench.submit(run, run).await;
    }
    gate.reached().await;
    bench.restart().await
}

#[tokio::test]
async fn unfinished_runs_are_recorded_in_order_and_their_messages_kept() {
    let mut bench = died().await;
    let first = bench.events().len();
    for _ in 0..2 {
        for run in ["one", "two", "three"] {
            assert_eq!(bench.row(run).state, RunState::Interrupted);
            assert_eq!(bench.ended(run).await.status, RunStatus::Interrupted);
        }
        assert_eq!(bench.events().len(), first, "a second start changes nothing");
        bench.assert_linear();
        assert_eq!(bench.entry().status.as_deref(), Some("interrupted"));
        bench = bench.restart().await;
    }
    bench.turn("four", "four").await;
    let context = bench.model.last_context();
    let users: Vec<&str> = context.iter().filter_map(|line| line.strip_prefix("user: ")).collect();
    assert_eq!(users, ["one", "two", "three", "four"], "{context:?}");
    bench.assert_linear();
}

#[tokio::test]
async fn a_run_that_cannot_be_read_does_not_keep_the_gateway_from_starting() {
    let bench = Bench::scripted().await;
    bench.turn("hello", "fine").await;
    let row = bench.row("fine");
    for (id, prepared) in [("odd", json!({"version": 99})), ("none", json!("{ torn"))] {
        let mut left = row.clone();
        left.run_id = RunId::from(id);
        left.state = RunState::Running;
        left.result = None;
        left.ended_at = None;
        left.prepared = prepared;
        let stored = bench.runtime.store().write(move |tx| tx.insert_run(&left)).await.expect("stored");
        assert_eq!(stored, RunInsert::Inserted);
    }
    bench.runtime.store().write(|tx| tx.tear_prepared(&RunId::from("none"))).await.expect("torn");
    let bench = bench.restart().await;
    for id in ["odd", "none"] {
        assert_eq!(bench.ended(id).await.status, RunStatus::Interrupted);
    }
    assert_eq!(bench.turn("go on", "next").await.status, RunStatus::Ok);
    bench.assert_linear();
}

#[tokio::test]
async fn a_torn_event_stops_its_session_and_nothing_else() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("half", &gate, ""));
    bench.submit("hello", "torn").await;
    gate.reached().await;
    let session = bench.session_id();
    bench.runtime.store().write(move |tx| tx.tear_event(&agent(), &session, 1)).await.expect("torn");
    let bench = bench.restart().await;
    assert_eq!(bench.row("torn").state, RunState::Interrupted);
    let refused = bench.runtime.submit(super::support::message("more", "more")).await.expect_err("unreadable");
    assert_eq!(refused.kind(), crate::core::ErrorKind::State, "{refused}");
    assert_eq!(bench.runtime.active_runs(&main_key()), []);
    let elsewhere = crate::runtime::TurnRequest {
        session_key: Some("elsewhere".to_owned()),
        ..super::support::message("hello", "other")
    };
    bench.runtime.submit(elsewhere).await.expect("taken");
    assert_eq!(bench.ended("other").await.status, RunStatus::Ok);
}
