use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::soup;
use crate::core::{Error, ErrorKind};
use crate::session::event::{AgentResponse, EventBody, MessageReceived};
use crate::session::message::KnownBlock;
use crate::session::{ContentBlock, Event, EventError, StopReason};

fn round_trip(value: &Value) -> Value {
    let event = Event::from_json(value).expect("an event");
    let text = serde_json::to_string(&event).expect("JSON");
    let again: Event = text.parse().expect("what was written can be read");
    assert_eq!(again, event);
    assert_eq!(serde_json::from_str::<Event>(&text).expect("by serde"), event);
    let written: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(written, event.to_json());
    written
}

/// Members of `base` win over those of `extra`.
fn with(extra: &Map<String, Value>, base: Value) -> Value {
    let mut all = extra.clone();
    if let Value::Object(base) = base {
        all.extend(base);
    }
    Value::Object(all)
}

fn required_data() -> impl Strategy<Value = (&'static str, Value)> {
    prop::sample::select(vec![
        ("SessionStarted", json!({})),
        ("MessageReceived", json!({"content": []})),
        ("ToolCalled", json!({"toolCallId": "c", "tool": "read", "params": null})),
        ("ToolResult", json!({"toolCallId": "c", "tool": "read", "content": [], "success": false})),
        ("AgentResponse", json!({"content": []})),
        ("MessageSent", json!({"content": []})),
        ("StateChanged", json!({"key": "k", "value": null})),
        ("SessionEnded", json!({"reason": "reset"})),
    ])
}

fn block() -> impl Strategy<Value = Value> {
    let base = prop::sample::select(vec![
        json!({"type": "text", "text": "a"}),
        json!({"type": "thinking", "thinking": ""}),
        json!({"type": "thinking", "thinking": "", "thinkingSignature": "s", "redacted": true}),
        json!({"type": "toolCall", "id": "c", "name": "n", "arguments": {"a": 1.0}}),
        json!({"type": "image", "data": "", "mimeType": "image/png"}),
        json!({"type": "image", "url": "https://example.org/x.png"}),
        json!({"type": "text", "text": 5}),
        json!({}),
    ]);
    prop_oneof![(soup::extra(), base).prop_map(|(extra, base)| with(&extra, base)), soup::json_value()]
}

proptest! {
    #[test]
    fn nothing_is_lost(
        (kind, data) in required_data(),
        in_data in soup::extra(),
        in_envelope in soup::extra(),
        blocks in prop::collection::vec(block(), 0..4),
        ts in any::<i64>(),
    ) {
        let mut data = with(&in_data, data);
        if data.get("content").is_some() {
            data["content"] = Value::from(blocks);
        }
        let base = json!({"id": "e", "parentId": null, "ts": ts, "kind": kind, "data": data});
        let value = with(&in_envelope, base);
        prop_assert_eq!(round_trip(&value), value);
    }

    #[test]
    fn every_event_survives(events in soup::events()) {
        for event in events {
            prop_assert_eq!(&Event::from_value(event.to_json()).expect("an event"), &*event);
        }
    }

    #[test]
    fn reading_is_total(value in soup::json_value(), text in ".{0,40}") {
        prop_assert!(Event::from_json(&value).is_err());
        prop_assert!(text.parse::<Event>().is_err());
        let block = ContentBlock::from_json(value.clone());
        prop_assert_eq!(serde_json::to_value(&block).expect("JSON"), value);
    }
}

#[test]
fn known_fields_are_understood_beside_unknown_ones() {
    let value = json!({
        "id": "e2", "parentId": "e1", "ts": 5, "kind": "AgentResponse", "runId": "r", "signature": {"alg": [1, null]},
        "data": {
            "content": [
                {"type": "text", "text": "hi", "textSignature": "x"},
                {"type": "thinking", "thinking": "t", "thinkingSignature": null, "redacted": false},
                {"type": "toolCall", "id": "c", "name": "n", "arguments": {}, "thoughtSignature": "y"},
            ],
            "model": "m", "provider": null, "stopReason": "toolUse",
            "usage": {"input": 3, "output": 1, "totalTokens": 4, "reasoningTokens": 2, "cost": {"total": 0}},
            "ttftMs": 12.5,
        },
    });
    assert_eq!(round_trip(&value), value);
    let event = Event::from_json(&value).expect("an event");
    assert_eq!(event.extra.keys().collect::<Vec<_>>(), ["signature"]);
    let EventBody::AgentResponse(AgentResponse { content, usage, stop_reason, provider, model, .. }) = &event.body
    else {
        panic!("an AgentResponse");
    };
    assert_eq!((provider.as_deref(), model.as_deref()), (None, Some("m")));
    assert_eq!(*stop_reason, Some(StopReason::ToolUse));
    assert_eq!(usage.map(|usage| (usage.input, usage.cache_read, usage.total_tokens)), Some((3, 0, 4)));
    assert_eq!(content[0].as_text(), Some("hi"));
    assert!(matches!(&content[1], ContentBlock::Known(KnownBlock::Thinking { signature: None, redacted: false, .. })));
    assert!(content[2].as_tool_call().is_some());
}

#[test]
fn a_stop_reason_of_others_is_kept() {
    for reason in [json!("injected"), json!(7), json!({"stop": null})] {
        let value = json!({"id": "e", "parentId": null, "ts": 1, "kind": "AgentResponse",
            "data": {"content": [], "stopReason": reason}});
        assert_eq!(round_trip(&value), value);
    }
}

#[test]
fn a_value_set_later_wins_over_the_one_read() {
    let value = json!({"id": "e", "ts": 1, "kind": "AgentResponse", "data": {"content": [], "stopReason": "injected", "usage": {"x": 1}}});
    let mut event = Event::from_value(value).expect("an event");
    let EventBody::AgentResponse(data) = &mut event.body else { panic!("an AgentResponse") };
    data.stop_reason = Some(StopReason::Stop);
    let usage = data.usage.as_mut().expect("usage");
    usage.input = 9;
    let text = serde_json::to_string(&event).expect("JSON");
    assert_eq!(text.matches("stopReason").count(), 1);
    let json = event.to_json();
    assert_eq!((&json["data"]["stopReason"], &json["data"]["usage"]["input"]), (&json!("stop"), &json!(9)));
}

#[test]
fn a_missing_parent_id_and_null_mean_the_same() {
    let event: Event =
        r#"{"id":"e","ts":1,"kind":"SessionEnded","data":{"reason":"reset"}}"#.parse().expect("an event");
    assert_eq!(event.parent_id, None);
    insta::assert_snapshot!(event.to_json(), @r#"{"id":"e","parentId":null,"ts":1,"kind":"SessionEnded","data":{"reason":"reset"}}"#);
}

#[test]
fn errors_name_the_field() {
    let message = |text: &str| text.parse::<Event>().expect_err("no event").to_string();
    let all = [
        "{",
        "[1]",
        "{}",
        r#"{"id":1}"#,
        r#"{"id":""}"#,
        r#"{"id":"e","parentId":1}"#,
        r#"{"id":"e"}"#,
        r#"{"id":"e","ts":"now"}"#,
        r#"{"id":"e","ts":1.5}"#,
        r#"{"id":"e","ts":1}"#,
        r#"{"id":"e","ts":1,"kind":"X"}"#,
        r#"{"id":"e","ts":1,"kind":"X","data":{}}"#,
        r#"{"id":"e","ts":1,"kind":"ToolResult","data":[]}"#,
        r#"{"id":"e","ts":1,"kind":"ToolResult","data":{}}"#,
        r#"{"id":"e","ts":1,"kind":"ToolResult","data":{"toolCallId":"c","tool":"t","content":"x","success":true}}"#,
        r#"{"id":"e","ts":1,"kind":"ToolResult","data":{"toolCallId":"c","tool":"t","content":[],"success":"yes"}}"#,
    ];
    insta::assert_snapshot!(all.map(message).join("\n"), @r#"
    the event is not JSON: EOF while parsing an object at line 1 column 1
    an event must be a JSON object, this is a list
    the event has no "id"
    "id" of the event must be a string that is not empty
    "id" of the event must be a string that is not empty
    "parentId" of the event must be a string or null
    the event has no "ts"
    "ts" of the event must be a whole number of Unix milliseconds
    "ts" of the event must be a whole number of Unix milliseconds
    the event has no "kind"
    the event has no "data"
    "X" is not an event kind
    "data" of the event must be an object
    event e (ToolResult): in "data", "toolCallId" is missing
    event e (ToolResult): in "data", "content" must be a list of content blocks
    event e (ToolResult): in "data", "success" must be true or false
    "#);
}

#[test]
fn errors_become_the_products_error() {
    let error = Error::from(r#"{"id":"e","ts":1,"kind":"X","data":{}}"#.parse::<Event>().expect_err("no event"));
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.fix().is_some_and(|hint| hint.contains("MessageReceived")));
    assert!(matches!("x".parse::<Event>(), Err(EventError::Syntax(_))));
}

#[test]
fn a_fresh_event_has_a_fresh_id() {
    let make = || Event::new(None, 7, None, MessageReceived::default());
    let (one, other) = (make(), make());
    assert_ne!(one.id, other.id);
    assert_eq!((one.ts, one.body.kind()), (7, "MessageReceived"));
    assert!(one.order() < other.order(), "ids made later are greater");
}
