//! aimock (<https://github.com/CopilotKit/aimock>), a second independent server of the three APIs. It answers from fixtures that match on what it
//! has understood of a request, and keeps what it has understood.

use serde_json::{Value, json};

use super::install::{Installation, installed};
use super::server::Server;
use super::turn::{self, APIS, NOTE, PNG};
use crate::support::free_port;
use crate::support::gateway::Gateway;

/// The signature of the thoughts where the API has one.
const SIGNATURE: &str = "c2lnbmVk";

/// Answers for the model of one API: the second fixture matches only when the result of `read` has arrived as the last message.
fn fixtures(name: &str) -> [Value; 3] {
    let usage = |input: u64, output: u64| match name {
        "completions" => {
            json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
        }
        _ => json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output}),
    };
    let model = format!("model-{name}");
    [
        json!({"match": {"model": model, "userMessage": "look", "hasToolResult": false}, "response": {
            "content": "I look.", "reasoning": "Two things to do.", "reasoningSignature": SIGNATURE,
            "toolCalls": [
                {"id": "call_1", "name": "ls", "arguments": {}},
                {"id": "call_2", "name": "read", "arguments": {"path": "note.txt"}},
            ],
            "usage": usage(30, 5),
        }}),
        json!({"match": {"model": model, "toolCallId": "call_2", "toolResultContains": NOTE}, "response": {
            "content": "The note says hello.", "usage": usage(50, 7),
        }}),
        json!({"match": {"model": model, "userMessage": "limit"}, "response": {
            "error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429,
        }}),
    ]
}

fn start(parts: &Installation) -> Server {
    let home = tempfile::tempdir().expect("a directory");
    let fixtures: Vec<Value> = APIS.iter().flat_map(|(name, _)| fixtures(name)).collect();
    let file = home.path().join("fixtures.json");
    std::fs::write(&file, json!({"fixtures": fixtures}).to_string()).expect("fixtures");
    let port = free_port();
    let mut command = Installation::node(home.path());
    command
        .arg(parts.module("@copilotkit/aimock/dist/cli.js"))
        .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--fixtures"])
        .arg(&file);
    let mut server = Server::spawn("aimock", port, home, command);
    server.wait_ready("/health");
    server
}

/// The requests it has had for a model, oldest first.
fn journal(server: &Server, model: &str) -> Vec<Value> {
    let (status, body) = server.get("/__aimock/journal");
    assert_eq!(status, 200);
    let all: Vec<Value> = serde_json::from_slice(&body).expect("a journal");
    all.into_iter().filter(|entry| entry["body"]["model"] == model).collect()
}

#[test]
fn each_api_does_turns_with_tools_against_aimock() {
    let Some(parts) = installed("aimock") else { return };
    let server = start(&parts);
    let gateway = turn::gateway(&format!("http://127.0.0.1:{}", server.port), "sk-test-aimock-0123456789");
    for (name, _) in APIS {
        a_turn_with_tools(&gateway, &server, name);
        a_rate_limit(&gateway, name);
    }
}

fn a_turn_with_tools(gateway: &Gateway, server: &Server, name: &str) {
    let attachment = json!([{"type": "file", "fileName": "a.png", "mimeType": "image/png", "content": PNG}]);
    let more = json!({"message": "look at the note", "thinking": "low", "attachments": attachment});
    let outcome = turn::run(gateway, name, name, &format!("tools-{name}"), &more);
    assert_eq!(turn::text(&outcome), "The note says hello.", "{name}");
    let usage = turn::usage(&outcome);
    assert_eq!((&usage["input"], &usage["output"]), (&json!(80), &json!(12)), "{name}: {usage}");

    let history = gateway.call("chat.history", json!({"sessionKey": name}));
    let blocks = &history["messages"][1]["content"];
    assert_eq!(blocks[0]["thinking"], "Two things to do.", "{name}: {blocks:#}");
    assert_eq!(blocks[1]["text"], "I look.", "{name}: {blocks:#}");
    let signature = blocks[0]["thinkingSignature"].as_str().unwrap_or_default();
    match name {
        "messages" => assert_eq!(signature, SIGNATURE),
        "responses" => assert!(signature.contains("encrypted_content"), "{signature}"),
        _ => {}
    }

    let asked = journal(server, &format!("model-{name}"));
    let [first, second] = asked.as_slice() else { panic!("{name}: {asked:#?}") };
    assert_eq!(first["headers"]["accept"], "text/event-stream", "{name}");
    let messages = second["body"]["messages"].as_array().expect("messages");
    let results: Vec<(&str, &str)> = messages
        .iter()
        .filter(|message| message["role"] == "tool")
        .filter_map(|message| Some((message["tool_call_id"].as_str()?, message["content"].as_str()?)))
        .collect();
    let [("call_1", listing), ("call_2", note)] = results.as_slice() else { panic!("{name}: {messages:#?}") };
    assert!(listing.contains("note.txt") && note.contains(NOTE), "{name}: {results:?}");
}

fn a_rate_limit(gateway: &Gateway, name: &str) {
    let key = format!("limit-{name}");
    let outcome = turn::run_to_any_end(gateway, &key, name, &key, &json!({"message": "the limit"}));
    assert_eq!(outcome["status"], "error", "{name}: {outcome:#}");
    assert_eq!(outcome["error"]["class"], "rate_limit", "{name}: {outcome:#}");
}
