use serde_json::{Value, json};

use super::*;
use crate::core::ProviderErrorClass as Class;
use crate::providers::endpoint::decoder::Decoder;
use crate::providers::endpoint::fixtures::{self, checked, fold, request, whole};
use crate::providers::types::{ModelRequest, ThinkingLevel};
use crate::session::message::{ContentBlock, KnownBlock, StopReason, Usage};

const ITEM: &str = r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Look first."}],"encrypted_content":"gAAA"}"#;

fn decoder() -> Box<dyn Decoder> {
    Box::<ResponsesDecoder>::default()
}

fn sent(request: &ModelRequest, openai_host: bool) -> Value {
    serde_json::from_slice(&body(request, "openai", openai_host)).expect("JSON")
}

const STREAM: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","error":null,"incomplete_details":null,"model":"gpt-5-2025-08-07","output":[],"usage":null}}

event: response.in_progress
data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","object":"response","status":"in_progress","error":null,"incomplete_details":null,"model":"gpt-5-2025-08-07","output":[],"usage":null}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_1","type":"reasoning","encrypted_content":"gAAApartial","summary":[]}}

event: response.reasoning_summary_part.added
data: {"type":"response.reasoning_summary_part.added","sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"**Plan** "}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":5,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"grün"}

event: response.reasoning_summary_text.done
data: {"type":"response.reasoning_summary_text.done","sequence_number":6,"item_id":"rs_1","output_index":0,"summary_index":0,"text":"**Plan** grün"}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":7,"item_id":"rs_1","output_index":0,"summary_index":1,"delta":"Then act."}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":8,"output_index":0,"item":{"id":"rs_1","type":"reasoning","status":"completed","encrypted_content":"gAAAwhole","summary":[{"type":"summary_text","text":"**Plan** grün"},{"type":"summary_text","text":"Then act."}]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":9,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","content":[],"role":"assistant"}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":10,"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","annotations":[],"text":""}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":11,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Looking 🌍"}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":12,"item_id":"msg_1","output_index":1,"content_index":0,"text":"Looking 🌍"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":13,"output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"text":"Looking 🌍"}]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":14,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"in_progress","arguments":"","call_id":"call_1","name":"ls"}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":15,"output_index":3,"item":{"id":"fc_2","type":"function_call","status":"in_progress","arguments":"","call_id":"call_2","name":"now"}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":16,"item_id":"fc_1","output_index":2,"delta":"{\"path\":"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":17,"item_id":"fc_1","output_index":2,"delta":"\".\"}"}

event: response.function_call_arguments.done
data: {"type":"response.function_call_arguments.done","sequence_number":18,"item_id":"fc_1","output_index":2,"arguments":"{\"path\":\".\"}"}

event: response.function_call_arguments.done
data: {"type":"response.function_call_arguments.done","sequence_number":19,"item_id":"fc_2","output_index":3,"arguments":"{\"zone\":\"UTC\"}"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":20,"output_index":2,"item":{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"path\":\".\"}","call_id":"call_1","name":"ls"}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":21,"output_index":3,"item":{"id":"fc_2","type":"function_call","status":"completed","arguments":"{\"zone\":\"UTC\"}","call_id":"call_2","name":"now"}}

event: response.completed
data: {"type":"response.completed","sequence_number":22,"response":{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"model":"gpt-5-2025-08-07","output":[{"id":"rs_1","type":"reasoning","encrypted_content":"gAAAwhole","summary":[]},{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"Looking 🌍"}]},{"id":"fc_1","type":"function_call","arguments":"{\"path\":\".\"}","call_id":"call_1","name":"ls"},{"id":"fc_2","type":"function_call","arguments":"{\"zone\":\"UTC\"}","call_id":"call_2","name":"now"}],"usage":{"input_tokens":500,"input_tokens_details":{"cached_tokens":128},"output_tokens":60,"output_tokens_details":{"reasoning_tokens":40},"total_tokens":560}}}

"#;

#[test]
fn a_stream_with_everything_however_it_is_cut() {
    let (deltas, failure) = checked(decoder, STREAM);
    assert_eq!(failure, None);
    let answer = fold(&deltas);
    let [thinking, text, ls, now] = answer.content.as_slice() else { panic!("{:?}", answer.content) };
    let ContentBlock::Known(KnownBlock::Thinking { thinking, signature: Some(item), redacted: false, .. }) = thinking
    else {
        panic!("{thinking:?}")
    };
    assert_eq!(thinking, "**Plan** grün\n\nThen act.");
    let item: Value = serde_json::from_str(item).expect("JSON");
    assert_eq!((&item["id"], &item["encrypted_content"]), (&json!("rs_1"), &json!("gAAAwhole")));
    assert_eq!(item["summary"].as_array().map(Vec::len), Some(2));
    assert_eq!(text.as_text(), Some("Looking 🌍"));
    assert_eq!(*ls, ContentBlock::tool_call("call_1".into(), "ls", json!({"path": "."})));
    assert_eq!(*now, ContentBlock::tool_call("call_2".into(), "now", json!({"zone": "UTC"})));
    let usage = Usage { input: 372, output: 60, cache_read: 128, total_tokens: 560, ..Usage::default() };
    assert_eq!((answer.usage, answer.stop_reason), (usage, Some(StopReason::ToolUse)));
    assert_eq!((answer.response_id.as_deref(), answer.model.as_deref()), (Some("resp_1"), Some("gpt-5-2025-08-07")));
}

fn last(kind: &str, response: &Value) -> String {
    let text = json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "x"});
    format!("data: {text}\n\ndata: {}\n\n", json!({"type": kind, "response": response}))
}

#[test]
fn stop_reasons() {
    for (kind, response, expected) in [
        ("response.completed", json!({"status": "completed"}), StopReason::Stop),
        (
            "response.incomplete",
            json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
            StopReason::Length,
        ),
        (
            "response.incomplete",
            json!({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}),
            StopReason::Refusal,
        ),
        ("response.incomplete", json!({}), StopReason::Length),
    ] {
        let (deltas, failure) = checked(decoder, &last(kind, &response));
        assert_eq!((failure, fold(&deltas).stop_reason), (None, Some(expected)), "{response}");
    }
    let refusal = concat!(
        "data: {\"type\":\"response.refusal.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"I cannot.\"}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
    );
    let answer = fold(&checked(decoder, refusal).0);
    assert_eq!((answer.content[0].as_text(), answer.stop_reason), (Some("I cannot."), Some(StopReason::Refusal)));
}

#[test]
fn failures_in_the_middle_of_the_stream_have_their_class() {
    for (code, class, repeat) in [
        ("rate_limit_exceeded", Class::RateLimit, true),
        ("insufficient_quota", Class::RateLimit, false),
        ("server_error", Class::Overloaded, true),
        ("context_length_exceeded", Class::ContextOverflow, false),
        ("invalid_prompt", Class::InvalidRequest, false),
    ] {
        let error = json!({"code": code, "message": "m"});
        let failed = last("response.failed", &json!({"status": "failed", "error": error}));
        let nested = format!("data: {}\n\n", json!({"type": "error", "error": error}));
        let flat = format!(
            "event: error\ndata: {}\n\n",
            json!({"type": "error", "code": code, "message": "m", "param": null})
        );
        for stream in [failed, nested, flat] {
            let failure = checked(decoder, &stream).1.expect("a failure");
            assert_eq!((failure.class, failure.repeat), (class, repeat), "{stream}");
            assert_eq!(failure.message, format!("m ({code})"));
        }
    }
    let silent = checked(decoder, &last("response.failed", &json!({"status": "failed"}))).1.expect("a failure");
    assert_eq!(silent.class, Class::Overloaded);
}

#[test]
fn a_cut_stream_is_a_network_error() {
    let cut = &STREAM[..STREAM.find("event: response.completed").expect("the end")];
    assert_eq!(checked(decoder, cut).1.expect("cut").class, Class::Network);
}

#[test]
fn a_server_that_sends_only_the_end_or_no_stream_at_all() {
    let response = json!({
        "id": "r", "model": "m", "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 1},
        "output": [
            {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "e"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]},
            {"type": "function_call", "call_id": "c", "name": "ls", "arguments": ""}
        ]
    });
    let event = format!("data: {}\n\n", json!({"type": "response.completed", "response": response}));
    for deltas in [checked(decoder, &event).0, whole(decoder(), &response).expect("accepted")] {
        let answer = fold(&deltas);
        assert!(matches!(&answer.content[0], ContentBlock::Known(KnownBlock::Thinking { redacted: true, .. })));
        assert_eq!(answer.content[1].as_text(), Some("ok"));
        assert_eq!(answer.content[2], ContentBlock::tool_call("c".into(), "ls", json!({})));
        assert_eq!((answer.usage.total_tokens, answer.stop_reason), (4, Some(StopReason::ToolUse)));
    }
    let error = json!({"error": {"message": "m", "type": "invalid_request_error", "code": "model_not_found"}});
    assert_eq!(whole(decoder(), &error).expect_err("an error").class, Class::ModelNotFound);
    assert_eq!(whole(decoder(), &json!({})).expect_err("foreign").class, Class::Protocol);
}

#[test]
fn a_whole_conversation_as_a_request() {
    let mut request = request("gpt-5", fixtures::conversation_signed("openai", ITEM));
    request.max_tokens = Some(900);
    request.temperature = Some(0.5);
    request.thinking = ThinkingLevel::Medium;
    request.session = Some("s1".into());
    assert_eq!(
        sent(&request, true),
        json!({
            "model": "gpt-5",
            "instructions": "You help.",
            "input": [
                {"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"}
                ]},
                {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
                 "summary": [{"type": "summary_text", "text": "Look first."}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]},
                {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{\"path\":\".\"}"},
                {"type": "function_call", "call_id": "call_2", "name": "ls", "arguments": "{\"arguments\":\"not json\"}"},
                {"type": "function_call_output", "call_id": "call_1", "output": [
                    {"type": "input_text", "text": "a.txt"},
                    {"type": "input_image", "image_url": "data:image/jpeg;base64,/9j/", "detail": "auto"}
                ]},
                {"type": "function_call_output", "call_id": "call_2", "output": "bad arguments"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]}
            ],
            "tools": [{
                "type": "function", "name": "ls", "description": "List files.", "strict": false,
                "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}
            }],
            "stream": true,
            "store": false,
            "max_output_tokens": 900,
            "reasoning": {"effort": "medium", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "s1"
        })
    );
}

#[test]
fn without_reasoning_nothing_of_it_is_asked_for() {
    let mut request = request("gpt-4o", vec![fixtures::user("hi")]);
    request.temperature = Some(0.5);
    request.session = Some("s1".into());
    let sent = sent(&request, false);
    assert_eq!(sent["temperature"], json!(0.5));
    for absent in ["reasoning", "include", "prompt_cache_key", "max_output_tokens"] {
        assert_eq!(sent.get(absent), None, "{absent}");
    }
}

#[test]
fn reasoning_items_go_back_only_where_they_are_valid() {
    let kinds = |provider: &str, signature: &str| -> Vec<String> {
        let request = request("gpt-5", fixtures::conversation_signed(provider, signature)[..2].to_vec());
        let sent = sent(&request, true);
        let items = sent["input"].as_array().expect("a list");
        items.iter().map(|item| item["type"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let without = ["message", "message", "function_call", "function_call"];
    assert_eq!(kinds("openai", ITEM)[1], "reasoning");
    assert_eq!(kinds("azure", ITEM), without, "another provider");
    for foreign in [
        "SIG",
        "reasoning_content",
        "{}",
        "[1",
        r#"{"type":"reasoning","id":"rs"}"#,
        r#"{"type":"reasoning","encrypted_content":null}"#,
    ] {
        assert_eq!(kinds("openai", foreign), without, "{foreign}");
    }
    let mut messages = fixtures::conversation_signed("openai", ITEM);
    messages.truncate(1);
    messages.push(std::sync::Arc::new(crate::session::message::ChatMessage::Assistant {
        content: vec![ContentBlock::thinking("x", Some(ITEM.into()))],
        provider: Some("openai".into()),
        model: None,
    }));
    let alone = sent(&request("gpt-5", messages), true);
    assert_eq!(alone["input"].as_array().map(Vec::len), Some(1), "a reasoning item that nothing follows is dropped");
}

#[test]
fn a_long_history_is_written_quickly() {
    fixtures::assert_fast(|request| body(request, "openai", false));
}
