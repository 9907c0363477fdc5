//! What runs leave behind besides their transcript.

use serde_json::{Value, json};

use super::support::{Bench, call_tool, message, soon};
use crate::core::{RunId, now_ms};
use crate::runtime::{RunStatus, TurnRequest, artifact_content};
use crate::state::{Artifact, ArtifactEntry, ArtifactQuery};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot much of an image";

fn artifacts(bench: &Bench, run: Option<&str>) -> Vec<ArtifactEntry> {
    let query = ArtifactQuery { run: run.map(RunId::from), limit: 100, ..ArtifactQuery::default() };
    bench.runtime.store().read_blocking(|tx| tx.artifact_list(&query)).expect("readable")
}

fn whole(bench: &Bench, id: &str) -> ArtifactEntry {
    bench.runtime.store().read_blocking(|tx| tx.artifact(id)).expect("readable").expect("stored")
}

fn exported(bench: &Bench, run: &str) -> Vec<Value> {
    let listed = artifacts(bench, Some(run));
    let entry = whole(bench, &listed[0].artifact.artifact_id);
    let file = bench.runtime.store().read_blocking(|tx| artifact_content(tx, &entry)).expect("readable");
    let text = String::from_utf8(file).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

async fn recorded(bench: &Bench, text: &str, key: &str) {
    let request = TurnRequest { trajectory: Some(true), ..message(text, key) };
    bench.runtime.submit(request).await.expect("taken");
    assert_eq!(bench.ended(key).await.status, RunStatus::Ok);
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).map(|line| &line["data"]).collect()
}

#[tokio::test]
async fn an_image_that_a_tool_returns_is_an_artifact_of_its_run() {
    let bench = Bench::configured(json!({"defaults": {"model": "fake/eyes"}})).await;
    std::fs::create_dir_all(bench.dir.path().join("workspace")).expect("a workspace");
    std::fs::write(bench.dir.path().join("workspace/cat.png"), PNG).expect("an image");
    for id in ["one", "two"] {
        bench.model.then(call_tool(id, "read", &json!({"path": "cat.png", "limit": id.len()})));
    }
    assert_eq!(bench.turn("look", "run").await.status, RunStatus::Ok);
    let listed = artifacts(&bench, Some("run"));
    assert_eq!(listed.len(), 1, "the same image twice is one artifact: {listed:?}");
    let entry = &listed[0];
    assert_eq!((entry.artifact.kind.as_str(), entry.bytes), ("media", Some(PNG.len() as u64)));
    assert_eq!(entry.session_key.as_ref().map(ToString::to_string).as_deref(), Some("agent:main:main"));
    assert_eq!(entry.artifact.metadata["path"], "cat.png");
    assert_eq!(entry.artifact.blob, None, "lists leave the content out");
    assert_eq!(whole(&bench, &entry.artifact.artifact_id).artifact.blob.as_deref(), Some(PNG));
}

#[tokio::test]
async fn no_trajectory_unless_asked_for() {
    let bench = Bench::scripted().await;
    bench.turn("hello", "plain").await;
    assert_eq!(artifacts(&bench, None), []);
    recorded(&bench, "hello", "kept").await;
    assert_eq!(artifacts(&bench, None).len(), 1);
}

#[tokio::test]
async fn a_trajectory_tells_each_step_once_and_is_whole_when_exported() {
    let bench = Bench::scripted().await;
    bench.turn("before", "earlier").await;
    bench.model.then(call_tool("c1", "ls", &json!({"path": "."})));
    recorded(&bench, "what is here? my key is sk-abcdefghijklmnopqrstuvwx", "run").await;

    let lines = exported(&bench, "run");
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    assert_eq!(
        types,
        [
            "session.started",
            "trace.metadata",
            "context.compiled",
            "prompt.submitted",
            "model.completed",
            "prompt.submitted",
            "model.completed",
            "trace.artifacts",
            "session.ended"
        ]
    );
    for (number, line) in lines.iter().enumerate() {
        assert_eq!((&line["traceSchema"], &line["schemaVersion"]), (&json!("openclaw-trajectory"), &json!(1)));
        assert_eq!((&line["seq"], &line["runId"]), (&json!(number + 1), &json!("run")));
        assert_eq!(line["sessionKey"], "agent:main:main");
        assert_eq!((&line["provider"], &line["modelId"]), (&json!("fake"), &json!("plain")));
        assert!(line["ts"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }
    let requests = bench.model.requests();
    let compiled = of_type(&lines, "context.compiled")[0];
    assert_eq!(compiled["systemPrompt"], requests[1].system);
    assert_eq!(compiled["tools"].as_array().map(Vec::len), Some(requests[1].tools.len()));
    let before: Vec<&str> = compiled["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|said| said["content"][0]["text"].as_str())
        .collect();
    assert_eq!(before, ["before", "fine"], "the conversation before the run comes from the transcript");

    let submitted = of_type(&lines, "prompt.submitted");
    let roles = |data: &Value| -> Vec<String> {
        data["messages"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|said| said["role"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(roles(submitted[0]), ["user"]);
    assert_eq!(roles(submitted[1]), ["assistant", "toolResult"]);
    let said = submitted[0].to_string();
    assert!(said.contains("what is here?") && !said.contains("sk-abcdef"), "{said}");
    let completed = of_type(&lines, "model.completed");
    assert_eq!((&completed[0]["stopReason"], &completed[1]["stopReason"]), (&json!("toolUse"), &json!("stop")));
    assert_eq!(completed[1]["usage"]["totalTokens"], 15);
    assert!(completed[0]["durationMs"].is_u64() && completed[0]["firstOutputMs"].is_u64(), "{}", completed[0]);
    assert_eq!(of_type(&lines, "trace.artifacts")[0]["toolMetas"][0]["toolName"], "ls");
    assert_eq!(of_type(&lines, "session.ended")[0]["status"], "success");
}

#[tokio::test]
async fn the_system_prompt_is_stored_once_and_the_same_request_has_the_same_digest() {
    let bench = Bench::scripted().await;
    let mut digests = Vec::new();
    for (session, run) in [("a", "r1"), ("b", "r2")] {
        let request = TurnRequest {
            session_key: Some(session.to_owned()),
            trajectory: Some(true),
            ..message("the same words", run)
        };
        bench.runtime.submit(request).await.expect("taken");
        bench.ended(run).await;
        digests.push(of_type(&exported(&bench, run), "prompt.submitted")[0]["requestDigest"].clone());
    }
    assert_eq!(digests[0], digests[1]);
    let texts: Vec<(String, Value)> =
        bench.runtime.store().read_blocking(|tx| tx.kv_list("artifact.texts")).expect("readable");
    assert_eq!(texts.len(), 2, "one prompt, one list of tools");
    for entry in artifacts(&bench, None) {
        let blob = whole(&bench, &entry.artifact.artifact_id).artifact.blob.expect("content");
        assert!(!String::from_utf8_lossy(&blob).contains("You are a personal AI agent"));
    }
}

#[tokio::test]
async fn an_aborted_run_has_its_trajectory_too() {
    let bench = Bench::scripted().await;
    let gate = super::support::Gate::new();
    bench.model.then(super::support::say_slowly("I will", &gate, "not"));
    let request = TurnRequest { trajectory: Some(true), ..message("go", "run") };
    bench.runtime.submit(request).await.expect("taken");
    gate.reached().await;
    bench.runtime.abort(&super::support::main_key(), None);
    assert_eq!(bench.ended("run").await.status, RunStatus::Aborted);
    let lines = exported(&bench, "run");
    let completed = of_type(&lines, "model.completed")[0];
    assert_eq!(completed["content"][0]["text"], "I will");
    assert_eq!(of_type(&lines, "session.ended")[0]["aborted"], true);
}

#[tokio::test]
async fn what_is_too_old_goes_after_a_run() {
    let bench = Bench::scripted().await;
    let day = 24 * 3_600_000;
    let old = |id: &str, days: i64| Artifact {
        artifact_id: id.to_owned(),
        kind: "media".to_owned(),
        metadata: json!({}),
        blob: Some(vec![1]),
        created_at: now_ms() - days * day,
    };
    let (gone, kept) = (old("gone", 31), old("kept", 29));
    bench
        .runtime
        .store()
        .write(move |tx| {
            tx.put_artifact(&super::support::agent(), &"past".into(), &gone)?;
            tx.put_artifact(&super::support::agent(), &"past".into(), &kept)
        })
        .await
        .expect("stored");
    bench.turn("hello", "run").await;
    let only_kept = async {
        loop {
            let ids: Vec<String> =
                artifacts(&bench, Some("past")).into_iter().map(|entry| entry.artifact.artifact_id).collect();
            if ids == ["kept"] {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(only_kept).await;
}
