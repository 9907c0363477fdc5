//! Turns as a caller sees them, with the built-in offline model.

use std::time::Duration;

use serde_json::{Map, json};

use super::support::{Bench, message};
use crate::core::{ErrorKind, RunId};
use crate::runtime::{AcceptedStatus, RunEventBody, RunStatus, RuntimeEvent, TurnRequest};
use crate::state::RunState;

#[tokio::test]
async fn a_turn_runs_tools_and_ends_once() {
    let bench = Bench::offline().await;
    std::fs::create_dir(bench.dir.path().join("workspace")).expect("a workspace");
    std::fs::write(bench.dir.path().join("workspace/seen.txt"), "x").expect("a file");
    let mut events = bench.runtime.subscribe();
    let accepted = bench.runtime.submit(message("ls: .", "one")).await.expect("it is taken");
    assert_eq!(accepted.status, AcceptedStatus::Started);
    assert_eq!(accepted.message_seq, Some(2));
    let outcome = bench.runtime.wait(&accepted.run_id, None).await.expect("it ends").expect("no time-out");
    assert_eq!(outcome.status, RunStatus::Ok, "{outcome:?}");
    assert!(outcome.text.contains("seen.txt"), "{}", outcome.text);
    assert_eq!(outcome.tool_calls, 1);
    let mut ended = 0;
    let mut last_seq = 0;
    while let Ok(event) = events.try_recv() {
        if let RuntimeEvent::Run(event) = &*event {
            assert_eq!(event.seq, last_seq + 1, "run events are numbered without gaps");
            last_seq = event.seq;
            ended += usize::from(matches!(event.body, RunEventBody::Ended { .. }));
        }
    }
    assert_eq!(ended, 1);
    let row = bench.runtime.store().read_blocking(|tx| tx.run(&RunId::from("one"))).expect("readable").expect("stored");
    assert_eq!(row.state, RunState::Done);
}

#[tokio::test]
async fn a_stored_outcome_has_its_text_after_a_restart() {
    let first = Bench::offline().await;
    let accepted = first.runtime.submit(message("say: remember me", "kept")).await.expect("taken");
    first.runtime.wait(&accepted.run_id, None).await.expect("it ends");
    first.runtime.shutdown(Duration::from_secs(5)).await.expect("it stops");
    let second = first.restart().await;
    let again = second.runtime.submit(message("say: remember me", "kept")).await.expect("taken");
    let AcceptedStatus::Finished(outcome) = again.status else { panic!("{:?}", again.status) };
    assert!(outcome.text.contains("remember me"));
}

#[tokio::test]
async fn queued_messages_run_in_order_and_each_ends() {
    let bench = Bench::offline().await;
    let mut runs = Vec::new();
    for number in 0..20 {
        runs.push(
            bench
                .runtime
                .submit(message(&format!("say: number {number}"), &format!("q{number}")))
                .await
                .expect("taken"),
        );
    }
    for accepted in &runs {
        let outcome = bench.runtime.wait(&accepted.run_id, None).await.expect("it ends").expect("no time-out");
        assert_eq!(outcome.status, RunStatus::Ok);
    }
    let state = bench.runtime.state_at(&runs[0].agent_id, &runs[0].session_id, None).await.expect("a state");
    let texts: Vec<String> = state.to_json()["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| message["content"][0]["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    let expected: Vec<String> = (0..20).map(|number| format!("say: number {number}")).collect();
    assert_eq!(texts, expected);
    assert_eq!(bench.runtime.active_run_count(), 0);
}

#[tokio::test]
async fn bad_messages_are_refused_with_a_reason() {
    let bench = Bench::offline().await;
    for (request, kind) in [
        (message("  ", "empty"), ErrorKind::User),
        (message("a\0b", "nul"), ErrorKind::User),
        (message("hi", "bad\nkey"), ErrorKind::User),
        (TurnRequest { agent_id: Some("mian".to_owned()), ..message("hi", "who") }, ErrorKind::NotFound),
        (TurnRequest { model: Some("no-such-model".to_owned()), ..message("hi", "which") }, ErrorKind::NotFound),
        (TurnRequest { thinking: Some("hard".to_owned()), ..message("hi", "level") }, ErrorKind::User),
        (TurnRequest { session_id: Some("other".into()), ..message("hi", "stale") }, ErrorKind::Conflict),
    ] {
        let shown = format!("{request:?}");
        let error = bench.runtime.submit(request).await.expect_err("it must be refused");
        assert_eq!(error.kind(), kind, "{shown}: {error}");
        assert!(error.fix().is_some(), "{error}");
    }
    assert_eq!(bench.runtime.active_run_count(), 0);
    let wrong = bench.runtime.session_key(None, Some("mian")).expect_err("no such agent");
    assert_eq!(wrong.fix(), Some("did you mean main?"));
}

#[tokio::test]
async fn runs_left_by_a_dead_process_are_recorded_and_their_messages_kept() {
    let first = Bench::offline().await;
    let accepted = first.runtime.submit(message("say: hello", "alive")).await.expect("taken");
    first.runtime.wait(&accepted.run_id, None).await.expect("it ends");
    // What a crash leaves: one run that was going on, one that was still waiting in its lane.
    let row =
        first.runtime.store().read_blocking(|tx| tx.run(&RunId::from("alive"))).expect("readable").expect("stored");
    let mut waiting = row.clone();
    waiting.run_id = "waiting".into();
    waiting.state = RunState::Queued;
    waiting.result = None;
    waiting.ended_at = None;
    waiting.prepared = json!({
        "version": 1, "runId": "waiting", "agentId": row.agent_id, "sessionKey": row.session_key, "sessionId": row.session_id,
        "messageEventId": "waiting-message", "content": [{"type": "text", "text": "do not lose me"}], "channel": "test",
        "maxSteps": 1, "timeoutMs": 1000, "workspace": first.dir.path(),
    });
    let mut running = waiting.clone();
    running.run_id = "running".into();
    running.state = RunState::Running;
    running.prepared["runId"] = json!("running");
    running.prepared["messageEventId"] = json!("gone");
    running.prepared["content"] = json!([]);
    first
        .runtime
        .store()
        .write(move |tx| {
            tx.insert_run(&waiting)?;
            tx.insert_run(&running)?;
            Ok(())
        })
        .await
        .expect("rows");
    let second = first.restart().await;
    for run in ["waiting", "running"] {
        let outcome = second.runtime.wait(&RunId::from(run), None).await.expect("known").expect("ended");
        assert_eq!(outcome.status, RunStatus::Interrupted);
    }
    let text =
        second.runtime.state_at(&row.agent_id, &row.session_id, None).await.expect("a state").to_json().to_string();
    assert!(text.contains("do not lose me"), "{text}");
    let next = second.runtime.submit(message("say: going on", "next")).await.expect("taken");
    let outcome = second.runtime.wait(&next.run_id, None).await.expect("it ends").expect("no time-out");
    assert_eq!(outcome.status, RunStatus::Ok);
}

#[tokio::test]
async fn a_shutdown_refuses_messages_and_records_what_runs() {
    let bench = Bench::offline().await;
    let accepted = bench.runtime.submit(message("say: quick", "quick")).await.expect("taken");
    bench.runtime.shutdown(Duration::from_secs(10)).await.expect("it stops");
    let outcome = bench.runtime.wait(&accepted.run_id, None).await.expect("known").expect("ended");
    assert_eq!(outcome.status, RunStatus::Ok);
    let refused = bench.runtime.submit(message("too late", "late")).await.expect_err("closed");
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn settings_live_in_the_transcript_and_survive_a_reset() {
    let bench = Bench::offline().await;
    let accepted = bench.runtime.submit(message("say: hi", "first")).await.expect("taken");
    bench.runtime.wait(&accepted.run_id, None).await.expect("it ends");
    let changes = Map::from_iter([("label".to_owned(), json!("notes")), ("model".to_owned(), json!("offline"))]);
    let entry =
        bench.runtime.patch_session(&accepted.session_key, &accepted.agent_id, &changes).await.expect("patched");
    assert_eq!(entry.model_override.as_deref(), Some("offline/offline"));
    let state = bench.runtime.state_at(&accepted.agent_id, &accepted.session_id, None).await.expect("a state");
    assert_eq!(state.value("label"), Some(&json!("notes")));
    let unknown = Map::from_iter([("lable".to_owned(), json!("x"))]);
    let error =
        bench.runtime.patch_session(&accepted.session_key, &accepted.agent_id, &unknown).await.expect_err("unknown");
    assert_eq!(error.fix(), Some("did you mean label?"));
    let reset = bench.runtime.reset_session(&accepted.session_key, &accepted.agent_id, "new").await.expect("reset");
    assert_ne!(reset.session_id, accepted.session_id);
    assert_eq!(reset.label.as_deref(), Some("notes"));
    assert!(bench.runtime.delete_session(&accepted.session_key, &accepted.agent_id, true).await.expect("deleted"));
    assert!(
        !bench.runtime.delete_session(&accepted.session_key, &accepted.agent_id, true).await.expect("gone already")
    );
}
