//! Questions of tools to people: asked, answered once, remembered, ended.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio_util::sync::CancellationToken;

use super::support::{Bench, agent, call_tool, main_key, say, soon};
use crate::core::{ErrorKind, now_ms};
use crate::runtime::approvals::{self, Answer, Question, document};
use crate::runtime::{RunStatus, RuntimeEvent};
use crate::state::{ApprovalRow, ApprovalStatus};
use crate::tools::ApprovalRequest;
use crate::tools::policy::{ExecApprovals, Used};

/// A bench on which `write` asks.
async fn bench(timeout_seconds: u64) -> Bench {
    Bench::configured(json!({
        "defaults": {"model": "fake/plain"},
        "list": [{"id": "main", "tools": {"ask": ["write"], "exec": {"approvalTimeoutSeconds": timeout_seconds}}}],
    }))
    .await
}

/// The model wants to write this.
fn writes(bench: &Bench, name: &str, content: &str) {
    bench.model.then(call_tool("call", "write", &json!({"path": name, "content": content}))).then(say("done"));
}

async fn requested(events: &mut Receiver<Arc<RuntimeEvent>>) -> Arc<ApprovalRow> {
    soon(async {
        loop {
            if let RuntimeEvent::ApprovalRequested { approval } = &*events.recv().await.expect("the runtime lives") {
                return Arc::clone(approval);
            }
        }
    })
    .await
}

fn written(bench: &Bench, name: &str) -> Option<String> {
    std::fs::read_to_string(bench.dir.path().join("workspace").join(name)).ok()
}

fn actions(bench: &Bench) -> Vec<String> {
    let rows = bench.runtime.store().read_blocking(|tx| tx.audit(100)).expect("readable");
    rows.into_iter().rev().map(|row| format!("{} {} {}", row.action, row.outcome, row.actor)).collect()
}

#[tokio::test]
async fn allowed_once_runs_once_and_asks_again() {
    let bench = bench(300).await;
    let mut events = bench.runtime.subscribe();
    for (run, content) in [("one", "first"), ("two", "second")] {
        writes(&bench, "a.txt", content);
        bench.submit("write it", run).await;
        let question = requested(&mut events).await;
        assert_eq!((question.status, question.tool.as_deref()), (ApprovalStatus::Pending, Some("write")));
        assert_eq!(question.run_id.as_ref().map(ToString::to_string).as_deref(), Some(run));
        assert_ne!(written(&bench, "a.txt").as_deref(), Some(content), "nothing happens before the answer");
        bench.runtime.resolve_approval(&question.approval_id, Answer::AllowOnce, "me", None).await.expect("decided");
        assert_eq!(bench.ended(run).await.status, RunStatus::Ok);
        assert_eq!(written(&bench, "a.txt").as_deref(), Some(content));
    }
    assert_eq!(
        actions(&bench),
        [
            "approval.requested ok agent main",
            "approval.decided ok me",
            "approval.requested ok agent main",
            "approval.decided ok me"
        ]
    );
}

#[tokio::test]
async fn allowed_always_holds_for_exactly_that_until_it_is_revoked() {
    let bench = bench(300).await;
    let mut events = bench.runtime.subscribe();
    writes(&bench, "a.txt", "same");
    bench.submit("write it", "one").await;
    let question = requested(&mut events).await;
    bench.runtime.resolve_approval(&question.approval_id, Answer::AllowAlways, "me", None).await.expect("decided");
    bench.ended("one").await;
    std::fs::remove_file(bench.dir.path().join("workspace/a.txt")).expect("it was written");
    // The same again, in another run: nobody is asked.
    writes(&bench, "a.txt", "same");
    assert_eq!(bench.turn("again", "two").await.status, RunStatus::Ok);
    assert_eq!(written(&bench, "a.txt").as_deref(), Some("same"));
    assert_eq!(actions(&bench).last().map(String::as_str), Some("approval.standing ok me"));
    // Something else asks.
    writes(&bench, "a.txt", "other");
    bench.submit("something else", "three").await;
    let other = requested(&mut events).await;
    assert_ne!(other.request_hash, question.request_hash);
    bench.runtime.resolve_approval(&other.approval_id, Answer::Deny, "me", None).await.expect("decided");
    bench.ended("three").await;
    assert_eq!(written(&bench, "a.txt").as_deref(), Some("same"));
    // Revoked, the same asks again; it can be revoked once.
    let id = question.approval_id.clone();
    let revoke = move |tx: &crate::state::WriteTx<'_>| approvals::revoke(tx, &id, "me");
    bench.runtime.store().write(revoke.clone()).await.expect("it stood");
    assert_eq!(bench.runtime.store().write(revoke).await.expect_err("not twice").kind(), ErrorKind::Conflict);
    writes(&bench, "a.txt", "same");
    bench.submit("the first again", "four").await;
    let again = requested(&mut events).await;
    bench.runtime.resolve_approval(&again.approval_id, Answer::AllowOnce, "me", None).await.expect("decided");
    bench.ended("four").await;
}

#[tokio::test]
async fn a_permission_ends_with_its_time() {
    let bench = bench(300).await;
    let mut events = bench.runtime.subscribe();
    writes(&bench, "a.txt", "same");
    bench.submit("write it", "one").await;
    let question = requested(&mut events).await;
    bench.runtime.resolve_approval(&question.approval_id, Answer::AllowAlways, "me", Some(2)).await.expect("decided");
    bench.ended("one").await;
    let hash = question.request_hash.clone().expect("a fingerprint");
    let stands = |days: i64| {
        let hash = hash.clone();
        let at = now_ms() + days * 24 * 3_600_000;
        bench
            .runtime
            .store()
            .read_blocking(move |tx| tx.standing_grant(&agent(), "write", &hash, at))
            .expect("readable")
            .is_some()
    };
    assert!(stands(0) && stands(1) && !stands(2) && !stands(3));
}

#[tokio::test]
async fn a_denial_and_silence_are_told_to_the_model() {
    let bench = bench(1).await;
    let mut events = bench.runtime.subscribe();
    writes(&bench, "a.txt", "x");
    bench.submit("write it", "one").await;
    let question = requested(&mut events).await;
    bench.runtime.resolve_approval(&question.approval_id, Answer::Deny, "the owner", None).await.expect("decided");
    assert_eq!(bench.ended("one").await.status, RunStatus::Ok, "the turn goes on");
    let told = bench.model.last_context().join("\n");
    assert!(told.contains("write: The tool was not run: it was denied by the owner."), "{told}");
    // Nobody answers within the second that is configured.
    writes(&bench, "b.txt", "x");
    bench.turn("write it", "two").await;
    let told = bench.model.last_context().join("\n");
    assert!(told.contains("nobody gave one within 1 seconds"), "{told}");
    assert_eq!((written(&bench, "a.txt"), written(&bench, "b.txt")), (None, None));
    assert_eq!(actions(&bench).last().map(String::as_str), Some("approval.decided denied openclaw"));
    assert!(bench.runtime.pending_approvals().await.expect("readable").is_empty());
}

#[tokio::test]
async fn of_many_who_decide_one_does() {
    let bench = bench(300).await;
    let mut events = bench.runtime.subscribe();
    writes(&bench, "a.txt", "x");
    bench.submit("write it", "one").await;
    let question = requested(&mut events).await;
    let deciders = (0..8).map(|number| {
        let (runtime, id) = (bench.runtime.clone(), question.approval_id.clone());
        let answer = if number % 2 == 0 { Answer::AllowOnce } else { Answer::Deny };
        tokio::spawn(
            async move { (answer, runtime.resolve_approval(&id, answer, &format!("person {number}"), None).await) },
        )
    });
    let results: Vec<_> =
        futures_util::future::join_all(deciders).await.into_iter().map(|result| result.expect("no panic")).collect();
    let winners: Vec<_> =
        results.iter().filter_map(|(answer, result)| result.as_ref().ok().map(|row| (answer, row))).collect();
    assert_eq!(winners.len(), 1);
    for error in results.iter().filter_map(|(_, result)| result.as_ref().err()) {
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.data().expect("details")["decision"], winners[0].0.as_str());
    }
    bench.ended("one").await;
    assert_eq!(written(&bench, "a.txt").is_some(), *winners[0].0 == Answer::AllowOnce);
}

#[tokio::test]
async fn a_question_ends_with_its_run() {
    let bench = bench(300).await;
    let mut events = bench.runtime.subscribe();
    writes(&bench, "a.txt", "x");
    bench.submit("write it", "one").await;
    let question = requested(&mut events).await;
    bench.runtime.abort(&main_key(), None);
    assert_eq!(bench.ended("one").await.status, RunStatus::Aborted);
    let row = soon(bench.runtime.await_approval(&question.approval_id, None)).await.expect("known").expect("decided");
    assert_eq!(row.status, ApprovalStatus::Cancelled);
    let late = bench.runtime.resolve_approval(&question.approval_id, Answer::AllowOnce, "me", None).await;
    assert_eq!(late.expect_err("too late").kind(), ErrorKind::Conflict);
    assert_eq!(written(&bench, "a.txt"), None);
}

#[tokio::test]
async fn a_restart_ends_what_was_not_decided() {
    let bench = bench(300).await;
    let mut events = bench.runtime.subscribe();
    writes(&bench, "a.txt", "x");
    bench.submit("write it", "one").await;
    let question = requested(&mut events).await;
    let bench = bench.restart().await;
    let row = bench.runtime.approval(&question.approval_id).await.expect("known");
    assert_eq!((row.status, row.reason.as_deref()), (ApprovalStatus::Expired, Some("the gateway was started again")));
    assert!(bench.runtime.pending_approvals().await.expect("readable").is_empty());
    assert_eq!(written(&bench, "a.txt"), None);
}

fn question(id: &str, may_stand: bool, allow_unanswered: bool, milliseconds: u64) -> Question {
    Question {
        id: Some(id.to_owned()),
        agent_id: agent(),
        session_key: None,
        run_id: None,
        tool_call_id: None,
        request: ApprovalRequest {
            kind: "exec",
            tool: "exec".to_owned(),
            summary: "sh -c id".to_owned(),
            reason: "it is a shell".to_owned(),
            binding: json!({}),
            fingerprint: [7; 32],
            may_stand,
            allow_unanswered,
        },
        timeout: Duration::from_millis(milliseconds),
    }
}

#[tokio::test]
async fn what_cannot_stand_is_not_allowed_for_always() {
    let bench = bench(300).await;
    bench.runtime.ask_approval(question("q-1", false, false, 60_000), CancellationToken::new()).await.expect("asked");
    let error = bench.runtime.resolve_approval("q-1", Answer::AllowAlways, "me", None).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::User);
    // The question is open still, and a part of its id is enough.
    assert_eq!(
        bench.runtime.resolve_approval("q", Answer::AllowOnce, "me", None).await.expect("decided").approval_id,
        "q-1"
    );
    let unknown = bench.runtime.resolve_approval("nothing", Answer::Deny, "me", None).await.expect_err("unknown");
    assert_eq!(
        (unknown.kind(), &unknown.data().expect("details")["code"]),
        (ErrorKind::NotFound, &json!("APPROVAL_NOT_FOUND"))
    );
    let twice = bench.runtime.ask_approval(question("q-1", false, false, 1), CancellationToken::new()).await;
    assert_eq!(twice.expect_err("an id names one question").kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn the_fallback_decides_when_nobody_does() {
    let bench = bench(300).await;
    for (id, allow, expected) in [("yes", true, ApprovalStatus::Allowed), ("no", false, ApprovalStatus::Expired)] {
        bench.runtime.ask_approval(question(id, false, allow, 1), CancellationToken::new()).await.expect("asked");
        let row = soon(bench.runtime.await_approval(id, None)).await.expect("known").expect("decided");
        assert_eq!(row.status, expected);
    }
}

#[tokio::test]
async fn the_document_is_compared_before_it_is_set_and_notes_uses() {
    let bench = bench(300).await;
    let store = bench.runtime.store();
    let parsed = |pattern: &str| {
        ExecApprovals::parse(json!({"version": 1, "agents": {"main": {"allowlist": [{"pattern": pattern}]}}}))
            .expect("valid")
    };
    let set = |pattern: &str, base: Option<String>| {
        let document = parsed(pattern);
        store.write_blocking(move |tx| document::replace(tx, &document, base.as_deref(), "me", 5))
    };
    let first = set("ls", None).expect("there was none");
    assert_eq!(set("cat", None).expect_err("the hash is missing").kind(), ErrorKind::User);
    assert_eq!(set("cat", Some("wrong".into())).expect_err("stale").kind(), ErrorKind::Conflict);
    let second = set("cat", Some(first.hash.clone())).expect("fresh");
    assert_ne!(first.hash, second.hash);
    let used = Used { pattern: "cat".into(), arg_pattern: None, resolved: "/usr/bin/cat".into() };
    store.write_blocking(move |tx| approvals::document::note_use(tx, "main", &[used], "cat a", 99)).expect("noted");
    let now = store.read_blocking(document::load).expect("readable");
    let entry = &now.document.agents["main"].allowlist[0];
    assert_eq!((entry.last_used_at, entry.last_used_command.as_deref()), (Some(99), Some("cat a")));
    assert_eq!(now.hash, second.hash, "a use is no change");
}
