//! What the agent loop makes of a model's answers.

use std::collections::HashSet;

use serde_json::json;

use super::support::{Bench, Gate, Piece, call, call_tool, done, main_key, message, say, text, used};
use crate::core::ToolCallId;
use crate::providers::{Delta, ThinkingLevel};
use crate::runtime::{RunStatus, TurnRequest};
use crate::session::{ChatMessage, ContentBlock, EventBody, StopReason};

/// Ids of the calls that were announced, and of the results, in order.
fn recorded(bench: &Bench) -> (Vec<ToolCallId>, Vec<ToolCallId>) {
    let (mut calls, mut results) = (Vec::new(), Vec::new());
    for event in bench.events() {
        match &event.body {
            EventBody::ToolCalled(data) => calls.push(data.tool_call_id.clone()),
            EventBody::ToolResult(data) => results.push(data.tool_call_id.clone()),
            _ => {}
        }
    }
    (calls, results)
}

#[tokio::test]
async fn tool_calls_get_ids_of_their_own_when_the_model_repeats_one() {
    let bench = Bench::scripted().await;
    std::fs::create_dir(bench.dir.path().join("workspace")).expect("a workspace");
    for name in ["a", "b", "c", "d"] {
        std::fs::write(bench.dir.path().join("workspace").join(name), format!("content of {name}")).expect("a file");
    }
    let read = |name: &str| json!({"path": name});
    // The same id in one answer, in the next step, and in the next turn.
    let mut twice = call(0, "call_0", "read", &read("a").to_string());
    twice.extend(call(1, "call_0", "read", &read("b").to_string()));
    twice.push(done(StopReason::ToolUse));
    bench.model.then(twice).then(call_tool("call_0", "read", &read("c"))).then(say("read"));
    bench.turn("read them", "one").await;
    bench.model.then(call_tool("call_0", "read", &read("d"))).then(say("read"));
    bench.turn("and that", "two").await;
    let (calls, results) = recorded(&bench);
    assert_eq!(calls, results);
    assert_eq!(calls.iter().collect::<HashSet<_>>().len(), 4, "{calls:?}");
    let response_calls: Vec<ToolCallId> = bench
        .events()
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::AgentResponse(data) => Some(data.content.clone()),
            _ => None,
        })
        .flatten()
        .filter_map(|block| block.as_tool_call().map(|call| call.0.clone()))
        .collect();
    assert_eq!(response_calls, calls, "the answer that is stored names the same calls");
    for request in bench.model.requests() {
        let mut open: Vec<ToolCallId> = Vec::new();
        let mut seen = HashSet::new();
        for message in &request.messages {
            match &**message {
                ChatMessage::Assistant { content, .. } => {
                    assert!(open.is_empty());
                    open = content.iter().filter_map(|block| block.as_tool_call().map(|call| call.0.clone())).collect();
                    assert!(open.iter().all(|id| seen.insert(id.clone())), "{open:?} again");
                }
                ChatMessage::ToolResult { tool_call_id, .. } => assert_eq!(open.remove(0), *tool_call_id),
                ChatMessage::User { .. } => assert!(open.is_empty()),
            }
        }
    }
    let conversation = bench.conversation().await.join("\n");
    for name in ["a", "b", "c", "d"] {
        assert!(conversation.contains(&format!("content of {name}")), "{conversation}");
    }
}

#[tokio::test]
async fn what_the_loop_sends_is_what_a_later_turn_would_send() {
    let bench = Bench::scripted().await;
    let mut odd = vec![Piece::Say(Delta::Thinking { index: 0, text: " ".to_owned() })];
    odd.extend(call(1, "functions.ls:0", "ls", "not json"));
    odd.push(done(StopReason::ToolUse));
    bench.model.then(odd).then(say("done"));
    bench.turn("go", "one").await;
    let within = bench.model.requests()[1].messages.clone();
    bench.turn("again", "two").await;
    let later = bench.model.requests()[2].messages.clone();
    assert_eq!(within[..], later[..within.len()]);
    assert_eq!(crate::session::repair::repair(within.clone()), within);
}

#[tokio::test]
async fn an_answer_without_anything_is_an_error() {
    for (reason, expected) in [
        (StopReason::Stop, "empty"),
        (StopReason::ToolUse, "empty"),
        (StopReason::Length, "output limit"),
        (StopReason::Refusal, "declined"),
    ] {
        let bench = Bench::scripted().await;
        bench.model.then(vec![used(10, 0), done(reason)]);
        let outcome = bench.turn("say something", "nothing").await;
        assert_eq!(outcome.status, RunStatus::Error, "{reason:?}");
        assert_eq!(outcome.stop_reason, Some(reason));
        let error = outcome.error.expect("an error");
        assert!(error["message"].as_str().expect("a text").contains(expected), "{error}");
        assert_eq!(bench.entry().usage.input, 10, "it is billed");
        assert_eq!(bench.turn("again", "next").await.status, RunStatus::Ok);
        assert_eq!(bench.model.last_context(), ["user: say something", "user: again"]);
    }
}

#[tokio::test]
async fn nothing_more_to_say_after_tools_is_a_good_end() {
    let bench = Bench::scripted().await;
    bench.model.then(call_tool("c", "ls", &json!({"path": "."}))).then(vec![done(StopReason::Stop)]);
    let outcome = bench.turn("tidy up", "quiet").await;
    assert_eq!(outcome.status, RunStatus::Ok, "{outcome:?}");
}

#[tokio::test]
async fn a_call_that_the_output_limit_cut_is_not_run() {
    for cut in ["", "{\"path\": \"a\", \"content\": \"half"] {
        let bench = Bench::scripted().await;
        let mut answer = call(0, "whole", "ls", "{\"path\": \".\"}");
        answer.push(Piece::Say(Delta::ToolCallStart { index: 1, id: "cut".into(), name: "ls".to_owned() }));
        answer.push(Piece::Say(Delta::ToolCallArguments { index: 1, json: cut.to_owned() }));
        answer.push(done(StopReason::Length));
        bench.model.then(answer).then(say("I see"));
        let outcome = bench.turn("go", "cut").await;
        assert_eq!(outcome.status, RunStatus::Ok, "{outcome:?}");
        let results: Vec<(bool, String)> = bench
            .events()
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::ToolResult(data) => Some((data.success, crate::session::message::plain_text(&data.content))),
                _ => None,
            })
            .collect();
        assert!(results[0].0, "{results:?}");
        assert!(!results[1].0 && results[1].1.contains("cut off"), "{results:?}");
    }
}

#[tokio::test]
async fn the_text_in_flight_is_only_what_is_not_stored_yet() {
    let bench = Bench::scripted().await;
    let gate = Gate::new();
    let mut first = vec![text("I will look.")];
    first.extend(call(1, "c", "ls", "{\"path\": \".\"}"));
    first.push(done(StopReason::ToolUse));
    let mut second = vec![Piece::Wait(gate.clone())];
    second.extend(say("Seen."));
    bench.model.then(first).then(second);
    bench.submit("go", "go").await;
    gate.reached().await;
    let (_, in_flight) = bench.runtime.in_flight_text(&main_key()).expect("it runs");
    assert_eq!(in_flight, "");
    gate.open();
    bench.ended("go").await;
    assert_eq!(bench.runtime.in_flight_text(&main_key()), None);
}

#[tokio::test]
async fn the_step_limit_ends_the_run_and_the_session_goes_on() {
    let bench = Bench::configured(json!({"defaults": {"model": "fake/plain", "maxSteps": 2}})).await;
    for step in 0..2 {
        bench.model.then(call_tool(&format!("c{step}"), "ls", &json!({"path": ".", "limit": step + 1})));
    }
    let outcome = bench.turn("go", "long").await;
    assert_eq!((outcome.status, outcome.steps), (RunStatus::Error, 2));
    bench.turn("go on", "next").await;
    let context = bench.model.last_context();
    assert!(context[4].contains("interrupted"), "{context:?}");
    bench.assert_linear();
}

#[tokio::test]
async fn a_model_that_repeats_itself_is_warned_and_then_stopped() {
    let bench = Bench::scripted().await;
    for step in 0..10 {
        bench.model.then(call_tool(&format!("c{step}"), "ls", &json!({"path": "."})));
    }
    let outcome = bench.turn("go", "loop").await;
    assert_eq!(outcome.status, RunStatus::Error);
    assert_eq!(outcome.steps, 6);
    let (calls, results) = recorded(&bench);
    assert_eq!(calls, results);
    bench.assert_linear();
}

#[tokio::test]
async fn thinking_is_asked_for_by_run_then_session_then_agent_and_only_where_it_exists() {
    let bench = Bench::configured(json!({"defaults": {"model": "fake/plain", "thinkingDefault": "low"}})).await;
    let levels = |bench: &Bench| bench.model.requests().iter().map(|request| request.thinking).collect::<Vec<_>>();
    bench.turn("a", "agent").await;
    let changes = serde_json::Map::from_iter([("thinkingLevel".to_owned(), json!("high"))]);
    bench.runtime.patch_session(&main_key(), &super::support::agent(), &changes).await.expect("patched");
    bench.turn("b", "session").await;
    for (key, model) in [("run", None), ("cannot", Some("fake/eyes".to_owned()))] {
        let request = TurnRequest { thinking: Some("minimal".to_owned()), model, ..message("c", key) };
        bench.runtime.submit(request).await.expect("taken");
        bench.ended(key).await;
    }
    assert_eq!(levels(&bench), [ThinkingLevel::Low, ThinkingLevel::High, ThinkingLevel::Minimal, ThinkingLevel::Off]);
}

#[tokio::test]
async fn images_are_sent_only_to_models_that_can_see() {
    let bench = Bench::scripted().await;
    let with_image = |key: &str, model: &str| TurnRequest {
        content: vec![ContentBlock::image("aGVsbG8=", "image/png")],
        model: Some(model.to_owned()),
        ..message("", key)
    };
    for (key, model) in [("eyes", "fake/eyes"), ("plain", "fake/plain")] {
        bench.runtime.submit(with_image(key, model)).await.expect("taken");
        assert_eq!(bench.ended(key).await.status, RunStatus::Ok);
    }
    let has_image = |index: usize| {
        bench.model.requests()[index].messages.iter().any(|message| match &**message {
            ChatMessage::User { content } | ChatMessage::ToolResult { content, .. } => content
                .iter()
                .any(|block| matches!(block, ContentBlock::Known(crate::session::message::KnownBlock::Image { .. }))),
            ChatMessage::Assistant { .. } => false,
        })
    };
    assert!(has_image(0));
    assert!(!has_image(1));
    let context = bench.model.last_context();
    assert!(context[0].contains("image") && context[2].contains("image"), "{context:?}");
}

#[test]
fn every_thinking_level_that_a_configuration_may_name_is_understood() {
    let schema = crate::config::schema();
    let mut levels = Vec::new();
    let mut open = vec![&schema];
    while let Some(node) = open.pop() {
        if let Some(names) = node.get("thinkingDefault").and_then(|setting| setting.get("enum")) {
            levels.extend(names.as_array().expect("names").iter().filter_map(serde_json::Value::as_str));
        }
        match node {
            serde_json::Value::Object(members) => open.extend(members.values()),
            serde_json::Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(levels.len() > 5, "{levels:?}");
    for level in levels {
        assert!(ThinkingLevel::parse(level).is_some(), "{level}");
    }
}
