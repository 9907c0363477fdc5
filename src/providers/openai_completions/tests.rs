use serde_json::{Value, json};

use super::*;
use crate::core::ProviderErrorClass as Class;
use crate::providers::endpoint::decoder::Decoder;
use crate::providers::endpoint::fixtures::{self, checked, fold, request, whole};
use crate::providers::types::{ModelAnswer, ModelRequest, ThinkingLevel};
use crate::session::message::{ContentBlock, StopReason, Usage};

fn decoder() -> Box<dyn Decoder> {
    Box::<CompletionsDecoder>::default()
}

fn sent(request: &ModelRequest, openai_host: bool) -> Value {
    serde_json::from_slice(&body(request, "openai", openai_host)).expect("JSON")
}

/// A stream of chunks whose first choice has these deltas; `finish` ends it.
fn stream(deltas: &[Value], finish: Option<&str>) -> String {
    let mut chunks: Vec<Value> = deltas
        .iter()
        .map(|delta| json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta}]}))
        .collect();
    chunks.extend(finish.map(|finish| json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})));
    let events: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    events.concat() + if finish.is_some() { "data: [DONE]\n\n" } else { "" }
}

fn answer(deltas: &[Value], finish: &str) -> ModelAnswer {
    let (deltas, failure) = checked(decoder, &stream(deltas, Some(finish)));
    assert_eq!(failure, None);
    fold(&deltas)
}

fn calls(answer: &ModelAnswer) -> Vec<(String, Value)> {
    answer
        .content
        .iter()
        .filter_map(ContentBlock::as_tool_call)
        .map(|(id, name, arguments)| {
            assert!(!id.as_str().is_empty());
            (name.to_owned(), arguments.clone())
        })
        .collect()
}

const STREAM: &str = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"Grüße, "},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"Welt 🌍"},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"ls","arguments":""}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"path\":"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"now","arguments":""}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\".\"}"}}]},"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}],"usage":null}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-2024-08-06","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":50,"total_tokens":1050,"prompt_tokens_details":{"cached_tokens":600,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":20}}}

data: [DONE]

"#;

#[test]
fn a_stream_with_everything_however_it_is_cut() {
    let (deltas, failure) = checked(decoder, STREAM);
    assert_eq!(failure, None);
    let answer = fold(&deltas);
    assert_eq!(
        answer.content,
        [
            ContentBlock::text("Grüße, Welt 🌍"),
            ContentBlock::tool_call("call_a".into(), "ls", json!({"path": "."})),
            ContentBlock::tool_call("call_b".into(), "now", json!({})),
        ]
    );
    let usage = Usage { input: 400, output: 50, cache_read: 600, total_tokens: 1050, ..Usage::default() };
    assert_eq!((answer.usage, answer.stop_reason), (usage, Some(StopReason::ToolUse)));
    assert_eq!(
        (answer.response_id.as_deref(), answer.model.as_deref()),
        (Some("chatcmpl-1"), Some("gpt-4o-2024-08-06"))
    );
}

#[test]
fn reasoning_in_either_field_is_thinking() {
    for field in ["reasoning_content", "reasoning"] {
        let deltas = [
            json!({"role": "assistant", "content": null, field: "Let me "}),
            json!({"content": null, field: "see."}),
            json!({"content": "Yes.", field: null}),
        ];
        let answer = answer(&deltas, "stop");
        assert_eq!(
            answer.content,
            [ContentBlock::thinking("Let me see.", Some(field.into())), ContentBlock::text("Yes.")]
        );
    }
    let both = answer(&[json!({"reasoning": "x", "reasoning_content": "x"})], "stop");
    assert_eq!(both.content, [ContentBlock::thinking("x", Some("reasoning_content".into()))]);
}

#[test]
fn tool_calls_of_careless_servers() {
    let ls = |arguments: Value| ("ls".to_owned(), arguments);
    let function = |arguments: Value| json!({"name": "ls", "arguments": arguments});
    // Ollama: whole calls, no index or always 0, with or without ids.
    for pieces in [
        [json!({"function": function(json!("{\"a\":1}"))}), json!({"function": function(json!("{\"a\":2}"))})],
        [
            json!({"index": 0, "id": "x", "function": function(json!("{\"a\":1}"))}),
            json!({"index": 0, "id": "y", "function": function(json!("{\"a\":2}"))}),
        ],
        [
            json!({"id": "x", "function": function(json!("{\"a\":1}"))}),
            json!({"id": "y", "function": function(json!("{\"a\":2}"))}),
        ],
        [
            json!({"index": 0, "function": function(json!({"a": 1}))}),
            json!({"index": 1, "function": function(json!({"a": 2}))}),
        ],
    ] {
        let expected = [ls(json!({"a": 1})), ls(json!({"a": 2}))];
        assert_eq!(calls(&answer(&[json!({"tool_calls": pieces})], "stop")), expected, "{pieces:?}");
        let apart = pieces.clone().map(|piece| json!({"tool_calls": [piece]}));
        assert_eq!(calls(&answer(&apart, "stop")), expected, "{pieces:?}");
    }
    // Id and name repeated with every piece; pieces with neither; a name that comes late.
    for pieces in [
        [
            json!({"index": 0, "id": "x", "function": {"name": "ls", "arguments": "{\"a\""}}),
            json!({"index": 0, "id": "x", "function": {"name": "ls", "arguments": ":1}"}}),
        ],
        [
            json!({"id": "x", "function": {"name": "ls", "arguments": "{\"a\""}}),
            json!({"function": {"name": null, "arguments": ":1}"}}),
        ],
        [
            json!({"index": 0, "id": "x", "function": {"arguments": "{\"a\":"}}),
            json!({"index": 0, "id": "", "function": {"name": "ls", "arguments": "1}"}}),
        ],
    ] {
        let apart = pieces.clone().map(|piece| json!({"tool_calls": [piece]}));
        let answer = answer(&apart, "tool_calls");
        assert_eq!(calls(&answer), [ls(json!({"a": 1}))], "{pieces:?}");
        assert_eq!(answer.stop_reason, Some(StopReason::ToolUse));
    }
}

#[test]
fn stop_reasons() {
    for (name, expected) in [
        ("stop", StopReason::Stop),
        ("eos", StopReason::Stop),
        ("tool_calls", StopReason::Stop),
        ("length", StopReason::Length),
        ("content_filter", StopReason::Refusal),
    ] {
        assert_eq!(answer(&[json!({"content": "x"})], name).stop_reason, Some(expected), "{name} without any call");
    }
    let refused = answer(&[json!({"refusal": "I cannot."})], "stop");
    assert_eq!((refused.content[0].as_text(), refused.stop_reason), (Some("I cannot."), Some(StopReason::Refusal)));
    let failed = checked(decoder, &stream(&[json!({"content": "x"})], Some("error"))).1.expect("an error");
    assert_eq!(failed.class, Class::Overloaded);
}

#[test]
fn the_closing_mark_may_be_missing_but_not_the_finish_reason() {
    let finished = stream(&[json!({"content": "x"})], Some("stop")).replace("data: [DONE]\n\n", "");
    assert_eq!(checked(decoder, &finished).1, None);
    let (deltas, failure) = checked(decoder, &stream(&[json!({"content": "x"})], None));
    assert_eq!((failure.expect("cut").class, fold(&deltas).content.len()), (Class::Network, 1));
    let unfinished = stream(&[json!({"content": "x"})], None) + "data: [DONE]\n\n";
    assert_eq!(checked(decoder, &unfinished).1, None, "the mark alone is a promise that this is all");
    assert_eq!(checked(decoder, "data: [DONE]\n\n").1.expect("nothing").class, Class::Protocol);
}

#[test]
fn errors_in_the_middle_of_the_stream_have_their_class() {
    for (error, class) in [
        (json!({"message": "slow down", "code": 429}), Class::RateLimit),
        (json!({"message": "m", "type": "server_error"}), Class::Overloaded),
        (json!({"message": "m", "code": "context_length_exceeded"}), Class::ContextOverflow),
        (json!("worker died"), Class::Overloaded),
    ] {
        let text = stream(&[json!({"content": "x"})], None) + &format!("data: {}\n\n", json!({"error": error}));
        assert_eq!(checked(decoder, &text).1.expect("an error").class, class, "{error}");
    }
}

#[test]
fn a_whole_completion_instead_of_a_stream() {
    let completion = json!({
        "id": "c", "object": "chat.completion", "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "ok", "reasoning_content": "hm",
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "ls", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    });
    let answer = fold(&whole(decoder(), &completion).expect("accepted"));
    assert_eq!(answer.content.len(), 3);
    assert_eq!((answer.usage.total_tokens, answer.stop_reason), (7, Some(StopReason::ToolUse)));
    let error = json!({"error": {"message": "m", "code": "invalid_api_key"}});
    assert_eq!(whole(decoder(), &error).expect_err("an error").class, Class::Auth);
    assert_eq!(whole(decoder(), &json!([1])).expect_err("foreign").class, Class::Protocol);
}

#[test]
fn usage_in_the_dialects_of_servers() {
    let usage = |tokens: Value| {
        let text =
            format!("data: {}\n\n", json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": tokens}));
        fold(&checked(decoder, &text).0).usage
    };
    let deepseek = usage(json!({"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}));
    assert_eq!((deepseek.input, deepseek.cache_read, deepseek.total_tokens), (6, 4, 11));
    let beside = usage(json!({"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 16,
        "completion_tokens_details": {"reasoning_tokens": 5}}));
    assert_eq!((beside.output, beside.total_tokens), (6, 16));
    let in_choice = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}]}\n\n";
    assert_eq!(fold(&checked(decoder, in_choice).0).usage.total_tokens, 5);
}

#[test]
fn a_whole_conversation_as_a_request() {
    let mut request = request("gpt-4o", fixtures::conversation("openai"));
    request.max_tokens = Some(1_000);
    request.temperature = Some(0.5);
    request.session = Some("s1".into());
    let expected = json!({
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "You help."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
            ]},
            {"role": "assistant", "content": "Looking.", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": "{\"path\":\".\"}"}},
                {"id": "call_2", "type": "function", "function": {"name": "ls", "arguments": "{\"arguments\":\"not json\"}"}}
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "a.txt"},
            {"role": "tool", "tool_call_id": "call_2", "content": "bad arguments"},
            {"role": "user", "content": [
                {"type": "text", "text": "Output of the tool ls:"},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/"}},
                {"type": "text", "text": "Go on."}
            ]}
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
        "tools": [{"type": "function", "function": {
            "name": "ls", "description": "List files.",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}
        }}],
        "max_completion_tokens": 1000,
        "temperature": 0.5,
        "prompt_cache_key": "s1"
    });
    assert_eq!(sent(&request, true), expected);
    let elsewhere = sent(&request, false);
    assert_eq!((&elsewhere["max_tokens"], elsewhere.get("max_completion_tokens")), (&json!(1000), None));
    assert_eq!(elsewhere.get("prompt_cache_key"), None, "only OpenAI's own hosts get the session's id");
}

#[test]
fn plain_text_is_sent_as_a_string_and_neighbours_are_merged() {
    let request = request("m", vec![fixtures::user("one"), fixtures::user("two")]);
    let sent = sent(&request, false);
    assert_eq!(sent["messages"][1], json!({"role": "user", "content": "one\ntwo"}));
    assert_eq!(sent["messages"].as_array().map(Vec::len), Some(2));
}

#[test]
fn reasoning_goes_back_only_within_its_tool_loop_and_to_its_provider() {
    for field in ["reasoning_content", "reasoning"] {
        let whole = fixtures::conversation_signed("openai", field);
        let in_loop = request("m", whole[..4].to_vec());
        assert_eq!(sent(&in_loop, false)["messages"][2][field], json!("Look first."));
        assert_eq!(sent(&request("m", whole), false)["messages"][2].get(field), None, "the turn is over");
    }
    for foreign in [fixtures::conversation("openai"), fixtures::conversation_signed("deepseek", "reasoning")] {
        let sent = sent(&request("m", foreign[..4].to_vec()), false).to_string();
        assert!(!sent.contains("Look first."), "{sent}");
    }
}

#[test]
fn reasoning_effort_is_one_the_server_knows() {
    let effort = |model: &str, level, openai_host| {
        let mut request = request(model, vec![fixtures::user("hi")]);
        request.thinking = level;
        request.temperature = Some(1.0);
        let sent = sent(&request, openai_host);
        (sent["reasoning_effort"].clone(), sent.get("temperature").is_some())
    };
    assert_eq!(effort("gpt-5", ThinkingLevel::Off, true), (Value::Null, true));
    assert_eq!(effort("gpt-5-mini", ThinkingLevel::Minimal, true), (json!("minimal"), false));
    assert_eq!(effort("gpt-5.1", ThinkingLevel::Minimal, true), (json!("low"), false));
    assert_eq!(effort("gpt-oss:20b", ThinkingLevel::Minimal, false), (json!("low"), true));
    assert_eq!(effort("o3", ThinkingLevel::High, true), (json!("high"), false));
}

#[test]
fn a_long_history_is_written_quickly() {
    fixtures::assert_fast(|request| body(request, "openai", false));
}
