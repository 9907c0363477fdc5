//! A database that refuses, a provider that breaks.

use super::support::{Bench, Gate, Piece, main_key, message, say, say_slowly, text};
use crate::core::ErrorKind;
use crate::runtime::{AcceptedStatus, RunStatus};
use crate::session::EventBody;
use crate::state::RunState;

impl Bench {
    async fn refuse_writes(&self, refuse: bool) {
        self.runtime.store().write(move |tx| tx.refuse_writes(refuse)).await.expect("a switch");
    }
}

#[tokio::test]
async fn a_provider_that_panics_ends_its_run_only() {
    let bench = Bench::scripted().await;
    bench.model.then(vec![text("so far"), Piece::Panic]);
    let outcome = bench.turn("go", "broken").await;
    assert_eq!(outcome.status, RunStatus::Error);
    assert_eq!(outcome.error.expect("an error")["code"], "internal");
    assert_eq!(bench.row("broken").state, RunState::Error);
    assert_eq!(bench.turn("again", "next").await.status, RunStatus::Ok);
    bench.assert_linear();
}

#[tokio::test]
async fn a_message_that_cannot_be_stored_is_refused_and_blocks_nobody() {
    let bench = Bench::scripted().await;
    bench.turn("before", "before").await;
    bench.refuse_writes(true).await;
    let refused = bench.runtime.submit(message("lost", "lost")).await.expect_err("not stored");
    assert_eq!(refused.kind(), ErrorKind::State, "{refused}");
    assert_eq!(bench.runtime.active_run_count(), 0);
    bench.refuse_writes(false).await;
    assert_eq!(bench.submit("lost", "lost").await.status, AcceptedStatus::Started);
    assert_eq!(bench.ended("lost").await.status, RunStatus::Ok);
    bench.assert_linear();
}

#[tokio::test]
async fn an_answer_that_cannot_be_stored_ends_the_run_with_an_error() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("an", &gate, "swer"));
    bench.submit("go", "go").await;
    gate.reached().await;
    bench.refuse_writes(true).await;
    gate.open();
    let outcome = bench.ended("go").await;
    assert_eq!(outcome.status, RunStatus::Error);
    assert_eq!(outcome.error.as_ref().expect("an error")["code"], "state");
    assert_eq!(bench.runtime.active_runs(&main_key()), []);
    // The same message again must not be told to wait for a run that is over.
    let again = bench.submit("go", "go").await;
    assert!(matches!(again.status, AcceptedStatus::Finished(_)), "{again:?}");
    bench.refuse_writes(false).await;
    assert_eq!(bench.turn("next", "next").await.status, RunStatus::Ok);
    bench.assert_linear();
}

#[tokio::test]
async fn a_leftover_run_does_not_take_later_turns_out_of_the_conversation() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("an", &gate, "swer"));
    bench.submit("go", "go").await;
    gate.reached().await;
    bench.refuse_writes(true).await;
    gate.open();
    bench.ended("go").await;
    bench.refuse_writes(false).await;
    bench.turn("next", "next").await;
    let bench = bench.restart().await;
    assert!(bench.row("go").state.is_terminal());
    assert_eq!(bench.conversation().await, ["user: go", "user: next", "assistant: fine"]);
    bench.turn("last", "last").await;
    bench.assert_linear();
}

#[tokio::test]
async fn a_queued_message_that_cannot_begin_is_not_lost() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("an", &gate, "swer"));
    bench.submit("one", "one").await;
    gate.reached().await;
    bench.submit("two", "two").await;
    bench.refuse_writes(true).await;
    gate.open();
    for run in ["one", "two"] {
        assert_eq!(bench.ended(run).await.status, RunStatus::Error);
    }
    assert_eq!(bench.runtime.active_run_count(), 0);
    bench.refuse_writes(false).await;
    let bench = bench.restart().await;
    let conversation = bench.conversation().await;
    assert_eq!(conversation, ["user: one", "user: two"]);
    bench.turn("three", "three").await;
    bench.assert_linear();
}

#[tokio::test]
async fn a_closed_store_ends_runs_instead_of_hanging_them() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    bench.model.then(say_slowly("an", &gate, "swer"));
    bench.submit("one", "one").await;
    bench.submit("two", "two").await;
    gate.reached().await;
    bench.runtime.store().close().await.expect("it closes");
    gate.open();
    for run in ["one", "two"] {
        assert_eq!(bench.ended(run).await.status, RunStatus::Error);
    }
    assert_eq!(bench.runtime.active_run_count(), 0);
    let bench = bench.restart().await;
    assert_eq!(bench.conversation().await, ["user: one", "user: two"]);
}

#[tokio::test]
async fn usage_is_counted_once_for_every_call_of_every_run() {
    let bench = Bench::scripted().await;
    let sessions = ["a", "b", "c"];
    for number in 0..8 {
        for session in sessions {
            let request = crate::runtime::TurnRequest {
                session_key: Some(session.to_owned()),
                ..message("hello", &format!("{session}{number}"))
            };
            bench.model.then(say("fine"));
            bench.runtime.submit(request).await.expect("taken");
        }
    }
    for number in 0..8 {
        for session in sessions {
            let outcome = bench.ended(&format!("{session}{number}")).await;
            assert_eq!((outcome.usage.input, outcome.usage.output), (10, 5));
        }
    }
    for session in sessions {
        let key = crate::core::SessionKey::from(format!("agent:main:{session}").as_str());
        let agent = super::support::agent();
        let entry =
            bench.runtime.store().read_blocking(|tx| tx.session(&agent, &key)).expect("readable").expect("a session");
        assert_eq!((entry.usage.input, entry.usage.output), (80, 40));
        let state = bench.runtime.state_at(&agent, &entry.session_id, None).await.expect("a state");
        assert_eq!(state.usage().total_tokens, 120);
        assert!(state.path().iter().any(|event| matches!(event.body, EventBody::SessionStarted(_))));
    }
}
