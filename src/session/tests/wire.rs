use std::sync::Arc;

use serde_json::json;

use super::{called, event, result, says, set, user};
use crate::core::RunId;
use crate::session::event::{
    AgentResponse, Event, MessageReceived, MessageSent, SessionEnded, SessionStarted, ToolResult,
};
use crate::session::message::Cost;
use crate::session::projection::{message_json, project};
use crate::session::{EventBody, StopReason, Usage};

fn in_run(event: &Arc<Event>) -> Event {
    Event { run_id: Some(RunId::from("run-1")), ..Event::clone(event) }
}

#[test]
fn a_user_message() {
    let message = MessageReceived { idempotency_key: Some("run-1".into()), ..user("hi") };
    let json = message_json(&in_run(&event("e1", "", 5, message)), 3).expect("a message");
    insta::assert_snapshot!(json, @r#"{"role":"user","content":[{"type":"text","text":"hi"}],"idempotencyKey":"run-1:user","timestamp":5,"__openclaw":{"id":"e1","seq":3,"recordTimestampMs":5,"runId":"run-1","idempotencyKey":"run-1:user","transcriptPosition":{"source":"sqlite","rawSeq":3}}}"#);
    let imported = MessageReceived { idempotency_key: Some("run-1:user".into()), ..user("hi") };
    let json = message_json(&event("e1", "", 5, imported), 3).expect("a message");
    assert_eq!(json["idempotencyKey"], "run-1:user");
}

#[test]
fn an_assistant_message() {
    let cost = Cost { total: 0.5, ..Cost::default() };
    let message = AgentResponse {
        api: Some("anthropic-messages".into()),
        provider: Some("anthropic".into()),
        model: Some("m".into()),
        usage: Some(Usage { input: 1, output: 2, total_tokens: 3, cost, ..Usage::default() }),
        stop_reason: Some(StopReason::ToolUse),
        response_id: Some("msg_1".into()),
        error: Some("cut".into()),
        ..says("yes")
    };
    insta::assert_snapshot!(message_json(&in_run(&event("e2", "e1", 6, message)), 4).expect("a message"), @r#"{"role":"assistant","content":[{"type":"text","text":"yes"}],"api":"anthropic-messages","provider":"anthropic","model":"m","usage":{"input":1,"output":2,"cacheRead":0,"cacheWrite":0,"totalTokens":3,"cost":{"input":0.0,"output":0.0,"cacheRead":0.0,"cacheWrite":0.0,"total":0.5}},"stopReason":"toolUse","responseId":"msg_1","errorMessage":"cut","timestamp":6,"__openclaw":{"id":"e2","seq":4,"recordTimestampMs":6,"runId":"run-1","transcriptPosition":{"source":"sqlite","rawSeq":4}}}"#);
}

#[test]
fn a_foreign_stop_reason_and_marks_reach_the_client() {
    let value = json!({"id": "e", "ts": 1, "kind": "AgentResponse",
        "data": {"content": [{"type": "chart", "x": 1}], "stopReason": "injected", "excludeFromContext": true}});
    let json = message_json(&Event::from_value(value).expect("an event"), 1).expect("a message");
    assert_eq!((&json["stopReason"], &json["excludeFromContext"]), (&json!("injected"), &json!(true)));
    assert_eq!(json["content"], json!([{"type": "chart", "x": 1}]));
}

#[test]
fn a_tool_result() {
    let message = ToolResult { success: false, details: Some(json!({"exitCode": 3})), ..result("c1", "oops") };
    insta::assert_snapshot!(message_json(&event("e3", "e2", 7, message), 5).expect("a message"), @r#"{"role":"toolResult","toolCallId":"c1","toolName":"read","content":[{"type":"text","text":"oops"}],"details":{"exitCode":3},"isError":true,"timestamp":7,"__openclaw":{"id":"e3","seq":5,"recordTimestampMs":7,"transcriptPosition":{"source":"sqlite","rawSeq":5}}}"#);
}

#[test]
fn other_kinds_are_no_messages() {
    let others: [EventBody; 5] = [
        SessionStarted::default().into(),
        called("c").into(),
        MessageSent::default().into(),
        set("label", "x").into(),
        SessionEnded::new("reset").into(),
    ];
    for body in others {
        assert_eq!(message_json(&event("e", "", 1, body), 1), None);
    }
}

#[test]
fn a_state_for_clients() {
    let mut state = project([
        event("e1", "", 1, user("hi")),
        event("e2", "e1", 2, set("label", "trip")),
        event("e3", "e2", 3, says("hello")),
        event("e4", "e1", 2, says("another branch")),
    ]);
    insta::assert_snapshot!(state.to_json(), @r#"{"tip":"e3","values":{"label":"trip"},"messages":[{"role":"user","content":[{"type":"text","text":"hi"}],"timestamp":1,"__openclaw":{"id":"e1","seq":1,"recordTimestampMs":1,"transcriptPosition":{"source":"sqlite","rawSeq":1}}},{"role":"assistant","content":[{"type":"text","text":"hello"}],"timestamp":3,"__openclaw":{"id":"e3","seq":3,"recordTimestampMs":3,"transcriptPosition":{"source":"sqlite","rawSeq":3}}}],"usage":{"input":0,"output":0,"cacheRead":0,"cacheWrite":0,"totalTokens":0,"cost":{"input":0.0,"output":0.0,"cacheRead":0.0,"cacheWrite":0.0,"total":0.0}},"counts":{"AgentResponse":2,"MessageReceived":1,"StateChanged":1},"eventCount":4}"#);
    state.apply(event("e5", "e3", 4, SessionEnded::new("reset")));
    assert_eq!(state.to_json()["ended"], "reset");
}
