use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::core::ProviderErrorClass as Class;
use crate::providers::endpoint::decoder::Decoder;
use crate::providers::endpoint::fixtures::{self, checked, fold, request, whole};
use crate::providers::types::ThinkingLevel;
use crate::session::message::{ChatMessage, ContentBlock, KnownBlock, StopReason, Usage};

fn decoder() -> Box<dyn Decoder> {
    Box::<AnthropicDecoder>::default()
}

fn sent(request: &crate::providers::types::ModelRequest) -> Value {
    serde_json::from_slice(&body(request, "anthropic")).expect("JSON")
}

const STREAM: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","content":[],"model":"claude-sonnet-4-5","stop_reason":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":100,"cache_read_input_tokens":900,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Two towns, "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"zwei Städte 🌍"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCg=="}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"opaque"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"server_tool_use","id":"srv","name":"web_search","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"I will look — "}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"both."}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: content_block_start
data: {"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_01","name":"weather","input":{}}}

event: content_block_start
data: {"type":"content_block_start","index":5,"content_block":{"type":"tool_use","id":"toolu_02","name":"now","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"town\": \"Zü"}}

event: content_block_delta
data: {"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"rich\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":4}

event: content_block_stop
data: {"type":"content_block_stop","index":5}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}

event: message_stop
data: {"type":"message_stop"}

"#;

#[test]
fn a_stream_with_everything_however_it_is_cut() {
    let (deltas, failure) = checked(decoder, STREAM);
    assert_eq!(failure, None);
    let answer = fold(&deltas);
    assert_eq!(
        answer.content,
        [
            ContentBlock::thinking("Two towns, zwei Städte 🌍", Some("EqQBCg==".into())),
            ContentBlock::Known(KnownBlock::Thinking {
                thinking: String::new(),
                signature: Some("opaque".into()),
                redacted: true,
                extra: serde_json::Map::new(),
            }),
            ContentBlock::text("I will look — both."),
            ContentBlock::tool_call("toolu_01".into(), "weather", json!({"town": "Zürich"})),
            ContentBlock::tool_call("toolu_02".into(), "now", json!({})),
        ]
    );
    let usage =
        Usage { input: 12, output: 89, cache_read: 900, cache_write: 100, total_tokens: 1101, ..Usage::default() };
    assert_eq!((answer.usage, answer.stop_reason), (usage, Some(StopReason::ToolUse)));
    assert_eq!((answer.response_id.as_deref(), answer.model.as_deref()), (Some("msg_01"), Some("claude-sonnet-4-5")));
}

#[test]
fn stop_reasons() {
    for (name, expected) in [
        ("end_turn", StopReason::Stop),
        ("stop_sequence", StopReason::Stop),
        ("pause_turn", StopReason::Stop),
        ("tool_use", StopReason::ToolUse),
        ("max_tokens", StopReason::Length),
        ("model_context_window_exceeded", StopReason::Length),
        ("refusal", StopReason::Refusal),
        ("something_else", StopReason::Stop),
    ] {
        let stream = format!(
            "data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{name}\"}},\"usage\":{{\"output_tokens\":1}}}}\n\ndata: {{\"type\":\"message_stop\"}}\n\n"
        );
        assert_eq!(fold(&checked(decoder, &stream).0).stop_reason, Some(expected), "{name}");
    }
}

#[test]
fn errors_in_the_middle_of_the_stream_have_their_class() {
    let begin = &STREAM[..STREAM.find("event: content_block_start").expect("a block")];
    for (kind, class) in [
        ("overloaded_error", Class::Overloaded),
        ("rate_limit_error", Class::RateLimit),
        ("api_error", Class::Overloaded),
        ("authentication_error", Class::Auth),
    ] {
        let stream = format!(
            "{begin}event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"Overloaded\"}}}}\n\n"
        );
        let failure = checked(decoder, &stream).1.expect("an error");
        assert_eq!(failure.class, class);
        assert_eq!(failure.message, format!("Overloaded ({kind})"));
    }
}

#[test]
fn a_cut_stream_is_a_network_error_and_keeps_what_came() {
    let cut = &STREAM[..STREAM.find("event: message_delta").expect("the end")];
    let (deltas, failure) = checked(decoder, cut);
    assert_eq!(failure.expect("cut").class, Class::Network);
    assert_eq!(fold(&deltas).content[2].as_text(), Some("I will look — both."));
    let without_stop = &STREAM[..STREAM.find("event: message_stop").expect("the end")];
    assert_eq!(checked(decoder, without_stop).1, None, "everything had arrived");
}

#[test]
fn imitators_may_send_arguments_at_once_or_leave_out_block_starts() {
    let stream = concat!(
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"name\":\"ls\",\"input\":{\"p\":1}}}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
    );
    let answer = fold(&checked(decoder, stream).0);
    assert_eq!(answer.content[0].as_text(), Some("hi"));
    let (id, name, arguments) = answer.content[1].as_tool_call().expect("a call");
    assert!(!id.as_str().is_empty());
    assert_eq!((name, arguments), ("ls", &json!({"p": 1})));
}

#[test]
fn a_whole_message_instead_of_a_stream() {
    let message = json!({
        "type": "message", "id": "m", "model": "c", "role": "assistant", "stop_reason": "tool_use",
        "content": [{"type": "text", "text": "ok"}, {"type": "tool_use", "id": "t", "name": "ls", "input": {"a": 1}}],
        "usage": {"input_tokens": 1, "output_tokens": 2}
    });
    let answer = fold(&whole(decoder(), &message).expect("accepted"));
    assert_eq!(answer.content.len(), 2);
    assert_eq!(answer.stop_reason, Some(StopReason::ToolUse));
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}});
    assert_eq!(whole(decoder(), &error).expect_err("an error").class, Class::Overloaded);
    assert_eq!(whole(decoder(), &json!({"ok": true})).expect_err("foreign").class, Class::Protocol);
}

#[test]
fn nonsense_is_a_protocol_error() {
    let failure = checked(decoder, "data: {\"type\":\"message_start\"\n\n").1.expect("broken");
    assert_eq!(failure.class, Class::Protocol);
    assert!(failure.message.contains("message_start"), "{}", failure.message);
}

#[test]
fn a_whole_conversation_as_a_request() {
    let mut request = request("claude-sonnet-4-5", fixtures::conversation("anthropic"));
    request.max_tokens = Some(20_000);
    request.thinking = ThinkingLevel::Low;
    request.temperature = Some(0.3);
    request.session = Some("s".into());
    let cached = json!({"type": "ephemeral"});
    assert_eq!(
        sent(&request),
        json!({
            "model": "claude-sonnet-4-5",
            "max_tokens": 20000,
            "stream": true,
            "system": [{"type": "text", "text": "You help.", "cache_control": cached}],
            "tools": [{
                "name": "ls", "description": "List files.", "cache_control": cached,
                "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}
            }],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
                     "cache_control": cached}
                ]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Look first.", "signature": "SIG"},
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "call_1", "name": "ls", "input": {"path": "."}},
                    {"type": "tool_use", "id": "call_2", "name": "ls", "input": {"arguments": "not json"}}
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": [
                        {"type": "text", "text": "a.txt"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}}
                    ]},
                    {"type": "tool_result", "tool_use_id": "call_2", "is_error": true,
                     "content": [{"type": "text", "text": "bad arguments"}]},
                    {"type": "text", "text": "Go on.", "cache_control": cached}
                ]}
            ],
            "thinking": {"type": "enabled", "budget_tokens": 4096}
        })
    );
}

#[test]
fn another_providers_thinking_and_ids_are_not_sent_as_they_are() {
    let mut messages = fixtures::conversation("deepseek");
    messages.push(Arc::new(ChatMessage::Assistant {
        content: vec![ContentBlock::tool_call("functions.ls:0".into(), "ls", Value::Null)],
        provider: None,
        model: None,
    }));
    messages.push(Arc::new(ChatMessage::ToolResult {
        tool_call_id: "functions.ls:0".into(),
        tool_name: "ls".into(),
        content: vec![ContentBlock::text(" ")],
        is_error: false,
    }));
    let sent = sent(&request("claude-sonnet-4-5", messages));
    assert!(!sent.to_string().contains("SIG"));
    let call = &sent["messages"][3]["content"][0];
    let result = &sent["messages"][4]["content"][0];
    assert_eq!(call["id"], result["tool_use_id"]);
    assert!(call["id"].as_str().is_some_and(|id| !id.contains(['.', ':'])));
    assert_eq!((&call["input"], result.get("content")), (&json!({}), None));
}

#[test]
fn what_another_api_of_the_same_provider_kept_is_not_a_signature() {
    for foreign in ["reasoning_content", "reasoning", "{\"type\":\"reasoning\"}"] {
        let sent = sent(&request("m", fixtures::conversation_signed("anthropic", foreign)));
        assert_eq!(sent["messages"][1]["content"][0], json!({"type": "text", "text": "Looking."}), "{foreign}");
    }
}

#[test]
fn thinking_fits_the_model_and_the_bound() {
    let thinking = |model: &str, level, max_tokens| {
        let mut request = request(model, vec![fixtures::user("hi")]);
        request.thinking = level;
        request.max_tokens = max_tokens;
        request.temperature = Some(0.5);
        let sent = sent(&request);
        (
            sent["thinking"].clone(),
            sent["output_config"].clone(),
            sent["temperature"].clone(),
            sent["max_tokens"].clone(),
        )
    };
    let none = Value::Null;
    assert_eq!(
        thinking("claude-sonnet-4-5", ThinkingLevel::Off, None),
        (none.clone(), none.clone(), json!(0.5), json!(32_000))
    );
    assert_eq!(
        thinking("claude-sonnet-4-5", ThinkingLevel::High, None).0,
        json!({"type": "enabled", "budget_tokens": 24_000 })
    );
    let (budget, _, temperature, max) = thinking("claude-haiku-4-5", ThinkingLevel::Medium, Some(4_096));
    assert_eq!(
        (budget, temperature, max),
        (json!({"type": "enabled", "budget_tokens": 3_072}), none.clone(), json!(4_096))
    );
    assert_eq!(
        thinking("claude-haiku-4-5", ThinkingLevel::High, Some(1_000)).0,
        none,
        "no room for the smallest budget"
    );
    assert_eq!(
        thinking("claude-opus-4-6", ThinkingLevel::Medium, None),
        (json!({"type": "adaptive"}), json!({"effort": "medium"}), none.clone(), json!(32_000))
    );
    assert_eq!(
        thinking("claude-opus-5", ThinkingLevel::Off, Some(9)),
        (none.clone(), none.clone(), none.clone(), json!(9)),
        "newer models take no temperature"
    );
    assert_eq!(
        thinking("claude-opus-4-8", ThinkingLevel::Minimal, None).0,
        json!({"type": "adaptive", "display": "summarized"})
    );
}

#[test]
fn a_tool_loop_begun_without_thinking_goes_on_without() {
    let mut messages = fixtures::conversation("other");
    messages.truncate(4);
    let mut request = request("claude-sonnet-4-5", messages);
    request.thinking = ThinkingLevel::High;
    assert_eq!(sent(&request).get("thinking"), None);
    request.model = "claude-opus-4-6".into();
    assert!(sent(&request).get("thinking").is_some());
}

#[test]
fn a_long_history_is_written_quickly() {
    fixtures::assert_fast(|request| body(request, "anthropic"));
}
