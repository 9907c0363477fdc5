//! Whole turns through the real gateway against a scripted model server.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, Script, completions};

fn gateway(provider: &FakeProvider) -> Gateway {
    Home::new(provider.config("openai-completions")).start()
}

#[test]
fn a_turn_with_tools_reads_the_workspace_and_answers() {
    let provider = FakeProvider::start();
    provider.push(completions::tools(&[("call_1", "ls", json!({})), ("call_2", "read", json!({"path": "note.txt"}))]));
    provider.push(completions::text(&["The note says ", "hello."]));
    let gateway = gateway(&provider);
    std::fs::create_dir_all(gateway.home.workspace()).expect("a workspace");
    std::fs::write(gateway.home.workspace().join("note.txt"), "hello from the file\n").expect("a file");

    let outcome = gateway.turn("main", "what does the note say?", "run-tools-1");
    assert_eq!(outcome["status"], "ok", "{outcome}");
    assert_eq!(outcome["result"]["payloads"][0]["text"], "The note says hello.");

    let seen = provider.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].path, "/v1/chat/completions");
    assert_eq!(seen[0].body["model"], "model-a");
    let messages = seen[1].body["messages"].as_array().expect("messages");
    let results: Vec<&Value> = messages.iter().filter(|message| message["role"] == "tool").collect();
    assert_eq!(results.len(), 2);
    assert!(results.iter().any(|result| result["content"].to_string().contains("hello from the file")), "{results:?}");

    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    let roles: Vec<&str> = history["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|message| message["role"].as_str())
        .collect();
    assert_eq!(roles, ["user", "assistant", "toolResult", "toolResult", "assistant"]);
}

#[test]
fn a_greeting_costs_at_most_twelve_kilobytes() {
    let provider = FakeProvider::start();
    provider.push(completions::text(&["Hi."]));
    let gateway = gateway(&provider);
    gateway.turn("main", "hello", "run-greeting");
    let size = provider.seen()[0].body.to_string().len();
    assert!(size <= 12_000, "the request has {size} bytes");
}

#[test]
fn a_message_sent_twice_with_one_key_runs_once() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["once"]));
    let mut gateway = gateway(&provider);
    let params = json!({"sessionKey": "main", "message": "do it", "idempotencyKey": "same-key"});
    let first = gateway.call("chat.send", params.clone());
    assert_eq!(first["status"], "started");
    gateway.call("agent.wait", json!({"runId": "same-key", "timeoutMs": 30_000}));
    let again = gateway.call("chat.send", params.clone());
    assert_eq!(again["runId"], "same-key");
    assert_eq!(again["status"], "ok");
    // The key outlives the process.
    gateway.stop();
    gateway.restart();
    assert_eq!(gateway.call("chat.send", params)["status"], "ok");
    assert_eq!(provider.seen().len(), 1);
}

#[test]
fn concurrent_repeats_run_once() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["once"]));
    let gateway = gateway(&provider);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                gateway.call("chat.send", json!({"sessionKey": "main", "message": "do it", "idempotencyKey": "raced"}));
            });
        }
    });
    gateway.call("agent.wait", json!({"runId": "raced", "timeoutMs": 30_000}));
    assert_eq!(provider.seen().len(), 1);
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    assert_eq!(history["messages"].as_array().expect("messages").len(), 2);
}

#[test]
fn an_abort_keeps_the_partial_reply_and_closes_the_providers_connection() {
    let provider = FakeProvider::start();
    provider.push(Script::Hang(completions::text_events(&["half a ", "sentence"])));
    let gateway = gateway(&provider);
    let mut ws = gateway.ws();
    ws.call("chat.send", json!({"sessionKey": "main", "message": "talk", "idempotencyKey": "to-abort"}));
    ws.event("the text", |event| {
        event["method"] == "chat"
            && event["params"]["deltaText"].as_str().is_some_and(|text| text.ends_with("sentence"))
    });
    let aborted = ws.call("chat.abort", json!({"sessionKey": "main"}));
    assert_eq!(aborted["aborted"], true);
    assert_eq!(aborted["runIds"], json!(["to-abort"]));
    ws.event("the end", |event| event["method"] == "chat" && event["params"]["state"] == "aborted");
    provider.wait_gone(1);
    let outcome = gateway.call("agent.wait", json!({"runId": "to-abort", "timeoutMs": 30_000}));
    assert_eq!(outcome["stopReason"], "aborted", "{outcome}");
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    let last = history["messages"].as_array().expect("messages").last().expect("a reply").clone();
    assert_eq!(last["content"][0]["text"], "half a sentence");

    // The next turn starts from a valid context.
    provider.push(completions::text(&["going on"]));
    assert_eq!(gateway.turn("main", "go on", "after-abort")["status"], "ok");
}

#[test]
fn messages_of_one_session_take_turns_and_those_of_others_do_not_wait() {
    let provider = FakeProvider::start();
    provider.push(Script::Hang(completions::text_events(&["busy"])));
    let gateway = gateway(&provider);
    gateway.call("chat.send", json!({"sessionKey": "main", "message": "one", "idempotencyKey": "lane-1"}));
    provider.wait_seen(1);
    gateway.call("chat.send", json!({"sessionKey": "main", "message": "two", "idempotencyKey": "lane-2"}));
    provider.push(completions::text(&["from the other session"]));
    let other = gateway.turn("agent:main:other", "hi", "lane-other");
    assert_eq!(other["result"]["payloads"][0]["text"], "from the other session");
    assert_eq!(provider.seen().len(), 2, "the second message of the busy session waits");
    provider.push(completions::text(&["second answer"]));
    gateway.call("chat.abort", json!({"sessionKey": "main", "runId": "lane-1"}));
    let second = gateway.call("agent.wait", json!({"runId": "lane-2", "timeoutMs": 30_000}));
    assert_eq!(second["result"]["payloads"][0]["text"], "second answer");
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    let texts: Vec<String> = history["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| message["content"][0]["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(texts, ["one", "busy", "two", "second answer"]);
}

#[test]
fn a_model_that_repeats_itself_is_stopped() {
    let provider = FakeProvider::start();
    provider.always(completions::tools(&[("call_same", "ls", json!({}))]));
    let gateway = gateway(&provider);
    let outcome = gateway.turn("main", "loop", "looping");
    assert_eq!(outcome["status"], "error", "{outcome}");
    assert!(outcome["error"].to_string().contains("repeated the same tool calls"), "{outcome}");
    assert!(provider.seen().len() <= 7, "{} calls were made", provider.seen().len());
}

#[test]
fn the_step_limit_ends_a_run() {
    let provider = FakeProvider::start();
    for number in 0..5 {
        provider.push(completions::tools(&[(&format!("call_{number}"), "ls", json!({"limit": number + 1}))]));
    }
    let mut config = provider.config("openai-completions");
    config["agents"]["defaults"]["maxSteps"] = json!(3);
    let gateway = Home::new(config).start();
    let outcome = gateway.turn("main", "go", "limited");
    assert_eq!(outcome["status"], "error");
    assert_eq!(provider.seen().len(), 3);
    provider.push(completions::text(&["fine"]));
    // The script still has two tool steps; they are consumed by the next turn, which then ends well.
    let next = gateway.turn("main", "go on", "limited-2");
    assert_eq!(next["status"], "ok", "{next}");
}

#[test]
fn deltas_arrive_while_the_model_is_still_talking() {
    let provider = FakeProvider::start();
    provider.push(Script::Hang(completions::text_events(&["early"])));
    let gateway = gateway(&provider);
    let mut ws = gateway.ws();
    ws.call("chat.send", json!({"sessionKey": "main", "message": "talk", "idempotencyKey": "stream-1"}));
    let delta = ws.event("a delta", |event| event["method"] == "chat" && event["params"]["state"] == "delta");
    assert_eq!(delta["params"]["deltaText"], "early");
    assert_eq!(delta["params"]["runId"], "stream-1");
    gateway.call("chat.abort", json!({"sessionKey": "main"}));
}

#[test]
fn sessions_can_be_patched_reset_and_deleted() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["yes"]));
    let gateway = gateway(&provider);
    gateway.turn("main", "hi", "s-1");
    let patched = gateway.call("sessions.patch", json!({"key": "main", "label": "my notes", "thinkingLevel": "low"}));
    assert_eq!(patched["entry"]["label"], "my notes");
    let described = gateway.call("sessions.describe", json!({"key": "main"}));
    assert_eq!(described["session"]["label"], "my notes");
    let before = described["session"]["sessionId"].clone();
    let state = gateway.call("sessions.stateAt", json!({"key": "main", "seq": 2}));
    assert_eq!(state["state"]["messages"].as_array().expect("messages").len(), 1, "{state}");
    let timeline = gateway.call("sessions.timeline", json!({"key": "main"}));
    let kinds: Vec<&str> =
        timeline["events"].as_array().expect("events").iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds, ["SessionStarted", "MessageReceived", "AgentResponse", "StateChanged", "StateChanged"]);

    let reset = gateway.call("sessions.reset", json!({"key": "main"}));
    assert_ne!(reset["entry"]["sessionId"], before);
    assert_eq!(gateway.call("chat.history", json!({"sessionKey": "main"}))["messages"], json!([]));
    gateway.turn("main", "again", "s-2");
    let asked = provider.seen().last().expect("a request").body["messages"].to_string();
    assert!(!asked.contains("\"hi\""), "a reset forgets: {asked}");

    let deleted = gateway.call("sessions.delete", json!({"key": "main"}));
    assert_eq!(deleted["deleted"], true);
    assert_eq!(gateway.call("sessions.list", json!({}))["sessions"], json!([]));
}

#[test]
fn a_failing_first_model_hands_over_to_the_fallback() {
    let broken = FakeProvider::start();
    broken.always(Script::Status(529, vec![], r#"{"error":{"type":"overloaded_error","message":"busy"}}"#.to_owned()));
    let healthy = FakeProvider::start();
    healthy.push(completions::text(&["from the fallback"]));
    let mut config = broken.config("openai-completions");
    config["models"]["providers"]["fake"]["maxRetries"] = json!(0);
    config["models"]["providers"]["spare"] =
        healthy.config("openai-completions")["models"]["providers"]["fake"].clone();
    config["agents"]["defaults"]["model"] = json!({"primary": "fake/model-a", "fallbacks": ["spare/model-a"]});
    let gateway = Home::new(config).start();
    let outcome = gateway.turn("main", "hi", "failover");
    assert_eq!(outcome["status"], "ok", "{outcome}");
    assert_eq!(outcome["result"]["payloads"][0]["text"], "from the fallback");
}
