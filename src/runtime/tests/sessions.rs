//! Settings, resets and deletions.

use serde_json::{Map, json};

use super::support::{Bench, Gate, agent, main_key, message, say_slowly, soon, told};
use crate::core::{ErrorKind, RunId};
use crate::runtime::{RunStatus, TurnRequest};
use crate::session::EventBody;

#[tokio::test]
async fn several_settings_at_once_follow_each_other() {
    let bench = Bench::scripted().await;
    bench.turn("hello", "one").await;
    let changes = Map::from_iter([
        ("label".to_owned(), json!("notes")),
        ("pinned".to_owned(), json!(true)),
        ("archived".to_owned(), json!(true)),
    ]);
    bench.runtime.patch_session(&main_key(), &agent(), &changes).await.expect("patched");
    bench.turn("again", "two").await;
    bench.assert_linear();
}

#[tokio::test]
async fn a_reset_stops_what_runs_and_begins_afresh() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("half", &gate, ""));
    let first = bench.submit("one", "one").await;
    bench.submit("two", "two").await;
    gate.reached().await;
    let entry = soon(bench.runtime.reset_session(&main_key(), &agent(), "test")).await.expect("reset");
    assert_ne!(entry.session_id, first.session_id);
    for run in ["one", "two"] {
        assert_eq!(bench.ended(run).await.status, RunStatus::Aborted);
    }
    let entry = bench.entry();
    assert_eq!((entry.status.as_deref(), entry.last_run_id, entry.usage.input), (None, None, 0));
    bench.turn("three", "three").await;
    assert_eq!(bench.model.last_context(), ["user: three"]);
    let old =
        bench.runtime.store().read_blocking(|tx| tx.events(&agent(), &first.session_id, 0, 100)).expect("readable");
    assert!(matches!(old.last().expect("events").event.body, EventBody::SessionEnded(_)));
    bench.assert_linear();
}

#[tokio::test]
async fn a_message_sent_during_a_reset_goes_to_the_new_transcript() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("half", &gate, ""));
    let first = bench.submit("one", "one").await;
    gate.reached().await;
    let (key, agent) = (main_key(), agent());
    let reset = bench.runtime.reset_session(&key, &agent, "test");
    let sent = bench.runtime.submit(message("two", "two"));
    let (reset, sent) = soon(async { tokio::join!(reset, sent) }).await;
    let (reset, sent) = (reset.expect("reset"), sent.expect("taken"));
    assert_ne!(reset.session_id, first.session_id);
    assert_eq!(sent.session_id, reset.session_id);
    assert_eq!(bench.ended("two").await.status, RunStatus::Ok);
    assert_eq!(bench.conversation().await, ["user: two", "assistant: fine"]);
    let stale = TurnRequest { session_id: Some(first.session_id), ..message("three", "three") };
    assert_eq!(bench.runtime.submit(stale).await.expect_err("stale").kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_deleted_session_is_gone_and_its_key_can_be_used_again() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("half", &gate, ""));
    bench.submit("one", "one").await;
    gate.reached().await;
    assert!(soon(bench.runtime.delete_session(&main_key(), &agent(), true)).await.expect("deleted"));
    let gone = bench.runtime.wait(&RunId::from("one"), None).await.expect_err("its outcome is deleted too");
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!(bench.turn("two", "two").await.status, RunStatus::Ok);
    assert_eq!(bench.model.last_context(), ["user: two"]);
    bench.assert_linear();
}

#[tokio::test]
async fn what_happens_is_told_in_a_useful_order() {
    let bench = Bench::scripted().await;
    let mut events = bench.runtime.subscribe();
    bench.turn("hello", "one").await;
    assert_eq!(
        told(&mut events),
        [
            "changed create",
            "appended SessionStarted+MessageReceived",
            "changed agent.run.started",
            "started",
            "model fake",
            "text fine",
            "usage",
            "appended AgentResponse",
            "ended ok",
            "changed agent.input.settled",
        ]
    );
    assert_eq!(bench.runtime.active_runs(&main_key()), Vec::<RunId>::new());
}
