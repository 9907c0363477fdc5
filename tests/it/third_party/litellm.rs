//! LiteLLM's proxy (<https://github.com/BerriAI/litellm>) between our gateway and a scripted upstream: the gateway speaks each of the three APIs to
//! it, and it speaks Chat Completions to the upstream. So what arrives there is our request as LiteLLM understood it, and what we decode is
//! LiteLLM's own stream.

use serde_json::{Value, json};

use super::install::{Installation, installed};
use super::server::Server;
use super::turn::{self, APIS, NOTE, PNG};
use crate::support::free_port;
use crate::support::gateway::Gateway;
use crate::support::provider::{FakeProvider, Script, completions};

const KEY: &str = "sk-test-litellm-0123456789";
const UPSTREAM_KEY: &str = "sk-test-upstream-0123456789";

/// The proxy with one model per API, each with an upstream of its own.
struct Proxy {
    server: Server,
    upstreams: Vec<FakeProvider>,
}

impl Proxy {
    fn start(parts: &Installation) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let upstreams: Vec<FakeProvider> = APIS.iter().map(|_| FakeProvider::start()).collect();
        let models: Vec<Value> = APIS
            .iter()
            .zip(&upstreams)
            .map(|((name, _), upstream)| {
                json!({"model_name": format!("model-{name}"), "litellm_params": {
                    "model": "custom_openai/scripted", "api_key": UPSTREAM_KEY,
                    "api_base": format!("http://127.0.0.1:{}/v1", upstream.port),
                    // Else /v1/responses is handed on as it is, and nobody independent has read it.
                    "use_chat_completions_api": true,
                    // It knows nothing of a model it has never heard of.
                    "allowed_openai_params": ["reasoning_effort"],
                }})
            })
            .collect();
        // JSON is YAML.
        let config = json!({
            "model_list": models,
            // The same for /v1/messages.
            "litellm_settings": {"telemetry": false, "num_retries": 0, "use_chat_completions_url_for_anthropic_messages": true},
            "general_settings": {"master_key": KEY},
        });
        let file = home.path().join("config.yaml");
        std::fs::write(&file, config.to_string()).expect("a configuration");
        let port = free_port();
        let mut command = parts.python(home.path());
        command
            .args(["-m", "litellm.proxy.proxy_cli", "--host", "127.0.0.1", "--telemetry", "False", "--config"])
            .arg(&file)
            .args(["--port", &port.to_string()])
            // The price list comes with the package instead of from the network.
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("LITELLM_TELEMETRY", "False")
            .env("DISABLE_ADMIN_UI", "True");
        let server = Server::spawn("LiteLLM", port, home, command);
        Self { server, upstreams }
    }
}

/// A Chat Completions stream that thinks before it goes on with `rest`.
fn thinking(text: &str, rest: Script) -> Script {
    let Script::Sse(mut events) = rest else { return rest };
    let delta = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
        "choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": text}, "finish_reason": null}]});
    events.insert(0, format!("data: {delta}\n\n"));
    Script::Sse(events)
}

/// The messages of a Chat Completions request that have `role`.
fn messages<'a>(body: &'a Value, role: &str) -> Vec<&'a Value> {
    let all = body["messages"].as_array().expect("messages");
    all.iter().filter(|message| message["role"] == role).collect()
}

#[test]
fn each_api_does_turns_with_tools_images_and_thinking_through_litellm() {
    let Some(parts) = installed("litellm") else { return };
    let mut proxy = Proxy::start(&parts);
    let gateway = turn::gateway(&format!("http://127.0.0.1:{}", proxy.server.port), KEY);
    proxy.server.wait_ready("/health/liveliness");

    for ((name, _), upstream) in APIS.iter().zip(&proxy.upstreams) {
        let session = format!("own-{name}");
        two_parallel_tool_calls(&gateway, &session, name, upstream);
        a_picture_in_the_message_and_one_from_a_tool(&gateway, &session, name, upstream);
        thinking_around_a_tool_call(&gateway, &session, name, upstream);
        what_the_upstream_refuses_is_an_error(&gateway, name, upstream);
        a_stream_that_breaks(&gateway, name, upstream);
    }
    one_conversation_over_all_apis(&gateway, &proxy.upstreams);
}

fn two_parallel_tool_calls(gateway: &Gateway, session: &str, name: &str, upstream: &FakeProvider) {
    let before = upstream.seen().len();
    upstream.push(completions::tools(&[("call_1", "ls", json!({})), ("call_2", "read", json!({"path": "note.txt"}))]));
    upstream.push(completions::text(&["The note ", "says hello."]));
    let outcome = turn::run(gateway, session, name, &format!("tools-{name}"), &json!({}));
    assert_eq!(turn::text(&outcome), "The note says hello.", "{name}");
    assert_eq!(outcome["result"]["meta"]["toolCalls"], 2, "{name}: {outcome:#}");
    // Two calls of 20 and 4 tokens, as the upstream counts.
    let usage = turn::usage(&outcome);
    assert_eq!(
        (&usage["input"], &usage["output"], &usage["totalTokens"]),
        (&json!(40), &json!(8), &json!(48)),
        "{name}: {usage}"
    );
    assert!(usage["cost"]["total"].as_f64().is_some_and(|cost| (cost - 56e-6).abs() < 1e-12), "{name}: {usage}");

    let seen = upstream.seen().split_off(before);
    let [first, second] = seen.as_slice() else { panic!("{name}: {} requests", seen.len()) };
    assert_eq!(first.path, "/v1/chat/completions", "{name}");
    assert_eq!(first.body["stream"], true, "{name}");
    let offered: Vec<&str> = first.body["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(|tool| tool["function"]["name"].as_str())
        .collect();
    for tool in ["ls", "read", "write", "edit", "find", "grep"] {
        assert!(offered.contains(&tool), "{name}: {offered:?}");
    }
    let system = messages(&first.body, "system");
    assert_eq!(system.len(), 1, "{name}: {:#}", first.body["messages"]);
    assert!(system[0]["content"].to_string().len() > 200, "{name}: {system:?}");
    let user = messages(&first.body, "user");
    assert!(user[0]["content"].to_string().contains(&format!("turn tools-{name}")), "{name}: {user:?}");

    let calls: Vec<(&Value, &Value)> = messages(&second.body, "assistant")
        .into_iter()
        .flat_map(|message| message["tool_calls"].as_array().expect("calls"))
        .map(|call| (&call["id"], &call["function"]["name"]))
        .collect();
    assert_eq!(calls, [(&json!("call_1"), &json!("ls")), (&json!("call_2"), &json!("read"))], "{name}");
    let results = messages(&second.body, "tool");
    assert_eq!(results.len(), 2, "{name}: {results:?}");
    assert_eq!(results[0]["tool_call_id"], "call_1", "{name}");
    assert!(results[0]["content"].to_string().contains("note.txt"), "{name}: {results:?}");
    assert_eq!(results[1]["tool_call_id"], "call_2", "{name}");
    assert!(results[1]["content"].to_string().contains(NOTE), "{name}: {results:?}");
}

fn a_picture_in_the_message_and_one_from_a_tool(gateway: &Gateway, session: &str, name: &str, upstream: &FakeProvider) {
    let before = upstream.seen().len();
    upstream.push(completions::tools(&[("call_3", "read", json!({"path": "dot.png"}))]));
    upstream.push(completions::text(&["Both are grey."]));
    let attachment = json!([{"type": "file", "fileName": "a.png", "mimeType": "image/png", "content": PNG}]);
    let outcome = turn::run(gateway, session, name, &format!("image-{name}"), &json!({"attachments": attachment}));
    assert_eq!(turn::text(&outcome), "Both are grey.", "{name}");
    let seen = upstream.seen().split_off(before);
    let pictures = |body: &Value| body["messages"].to_string().matches(&format!("data:image/png;base64,{PNG}")).count();
    assert_eq!(pictures(&seen[0].body), 1, "{name}: {:#}", seen[0].body["messages"]);
    assert_eq!(pictures(&seen[1].body), 2, "{name}: {:#}", seen[1].body["messages"]);
}

fn thinking_around_a_tool_call(gateway: &Gateway, session: &str, name: &str, upstream: &FakeProvider) {
    let before = upstream.seen().len();
    upstream.push(thinking("I look first.", completions::tools(&[("call_4", "ls", json!({}))])));
    upstream.push(thinking("Seen enough.", completions::text(&["Done."])));
    let outcome = turn::run(gateway, session, name, &format!("thinking-{name}"), &json!({"thinking": "low"}));
    assert_eq!(turn::text(&outcome), "Done.", "{name}");
    let seen = upstream.seen().split_off(before);
    let [first, second] = seen.as_slice() else { panic!("{name}: {} requests", seen.len()) };
    // Which of its levels LiteLLM takes for an Anthropic budget is its own affair.
    assert!(first.body["reasoning_effort"].is_string(), "{name}: {:#}", first.body);
    if name == "completions" {
        let last = messages(&second.body, "assistant").pop().expect("the call");
        assert_eq!(last["reasoning_content"], "I look first.", "the reasoning of a tool loop goes back: {last:#}");
    }
    let history = gateway.call("chat.history", json!({"sessionKey": session}));
    let thoughts: Vec<&str> = history["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|message| message["content"].as_array())
        .flatten()
        .filter(|block| block["type"] == "thinking")
        .filter_map(|block| block["thinking"].as_str())
        .collect();
    assert_eq!(thoughts, ["I look first.", "Seen enough."], "{name}");
}

fn what_the_upstream_refuses_is_an_error(gateway: &Gateway, name: &str, upstream: &FakeProvider) {
    let before = upstream.seen().len();
    let body = json!({"error": {"message": "the colour is wrong", "type": "invalid_request_error", "param": null, "code": null}});
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    upstream.push(Script::Status(400, headers, body.to_string()));
    let outcome =
        turn::run_to_any_end(gateway, &format!("refused-{name}"), name, &format!("refused-{name}"), &json!({}));
    assert_eq!(outcome["status"], "error", "{name}: {outcome:#}");
    assert!(
        outcome["summary"].as_str().is_some_and(|text| text.contains("the colour is wrong")),
        "{name}: {outcome:#}"
    );
    assert_eq!(upstream.seen().len(), before + 1, "{name}: a refused request is not sent again");
}

/// LiteLLM tells of the break in each API's own way: a stream's error event, a failed response, status 500.
fn a_stream_that_breaks(gateway: &Gateway, name: &str, upstream: &FakeProvider) {
    upstream.always(completions::text(&["A whole answer."]));

    // Before the first word it is tried again.
    let before = upstream.seen().len();
    upstream.push(Script::Cut(completions::text_events(&[])));
    let key = format!("cut-early-{name}");
    let outcome = turn::run(gateway, &key, name, &key, &json!({}));
    assert_eq!(turn::text(&outcome), "A whole answer.", "{name}");
    assert_eq!(upstream.seen().len(), before + 2, "{name}");

    // After it the part is kept but never taken for an answer. Whether LiteLLM hands on the words it has is a matter of timing.
    let before = upstream.seen().len();
    upstream.push(Script::Cut(completions::text_events(&["Half an ", "answ"])));
    let key = format!("cut-late-{name}");
    let outcome = turn::run_to_any_end(gateway, &key, name, &key, &json!({}));
    let requests = upstream.seen().len() - before;
    match (outcome["status"].as_str(), requests) {
        (Some("ok"), 2) => assert_eq!(turn::text(&outcome), "A whole answer.", "{name}: {outcome:#}"),
        (Some("error"), 1) => {
            assert!(
                "Half an answ".starts_with(turn::text(&outcome)) && !turn::text(&outcome).is_empty(),
                "{name}: {outcome:#}"
            );
            assert_eq!(outcome["error"]["code"], "provider", "{name}: {outcome:#}");
        }
        _ => panic!("{name}: {requests} requests, {outcome:#}"),
    }
}

/// One session, a turn on each API: each has to send what the others have said and done.
fn one_conversation_over_all_apis(gateway: &Gateway, upstreams: &[FakeProvider]) {
    for (turn, ((name, _), upstream)) in APIS.iter().zip(upstreams).enumerate() {
        let id = format!("call_shared_{turn}");
        upstream.push(thinking("Let me see.", completions::tools(&[(&id, "ls", json!({}))])));
        upstream.push(completions::text(&[name, " has looked."]));
        let outcome = turn::run(gateway, "shared", name, &format!("shared-{name}"), &json!({"thinking": "low"}));
        assert_eq!(turn::text(&outcome), format!("{name} has looked."));

        let last = upstream.seen().pop().expect("a request").body;
        let before: Vec<String> = APIS[..turn].iter().map(|(name, _)| format!("{name} has looked.")).collect();
        let said =
            messages(&last, "assistant").iter().map(|message| message["content"].to_string()).collect::<String>();
        assert!(before.iter().all(|text| said.contains(text)), "{name}: {:#}", last["messages"]);
        let calls: Vec<String> = messages(&last, "assistant")
            .into_iter()
            .filter_map(|message| message["tool_calls"].as_array())
            .flatten()
            .map(|call| call["id"].to_string())
            .collect();
        let results: Vec<String> =
            messages(&last, "tool").into_iter().map(|message| message["tool_call_id"].to_string()).collect();
        let expected: Vec<String> = (0..=turn).map(|turn| format!("\"call_shared_{turn}\"")).collect();
        assert_eq!((&calls, &results), (&expected, &expected), "{name}: {:#}", last["messages"]);
    }
}
