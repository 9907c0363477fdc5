//! The end of the gateway: runs finish or are recorded, clients hear why.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home, signal};
use crate::support::provider::{FakeProvider, Script, completions};

fn gateway(provider: &FakeProvider) -> Gateway {
    Home::new(provider.config("openai-completions")).start()
}

fn texts(gateway: &Gateway, session: &str) -> Vec<String> {
    let history = gateway.call("chat.history", json!({"sessionKey": session}));
    let messages = history["messages"].as_array().expect("messages").iter();
    messages.map(|message| message["content"][0]["text"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_run_that_ends_within_the_grace_is_recorded_as_ok() {
    let provider = FakeProvider::start();
    provider.push(completions::gated(&["almost "], &["done"]));
    let mut gateway = gateway(&provider);
    let (mut ws, mut idle) = (gateway.ws(), gateway.ws());
    ws.call("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": "graceful"}));
    ws.event("the text", |event| event["params"]["state"] == "delta");
    let mut child = gateway.child.take().expect("it runs");
    signal(child.id(), Signal::SIGTERM);
    let goodbye = ws.event("the announcement", |event| event["method"] == "shutdown");
    assert!(goodbye["params"]["reason"].is_string(), "{goodbye}");
    // Nothing further is taken while the run ends.
    let refused = ws.request("chat.send", json!({"sessionKey": "other", "message": "go", "idempotencyKey": "late"}));
    assert_eq!(refused["error"]["data"]["kind"], "unavailable", "{refused}");
    assert_eq!(ws.call("health", json!({}))["ok"], false);
    provider.release();
    let end = ws.event("the end", |event| event["method"] == "chat" && event["params"]["state"] != "delta");
    assert_eq!(end["params"]["state"], "final", "{end}");
    let closed = loop {
        if let Err(closed) = ws.read() {
            break closed;
        }
    };
    assert_eq!(closed, "1012 service restart");
    let mut last = Value::Null;
    let closed = loop {
        match idle.read() {
            Ok(event) => last = event,
            Err(closed) => break closed,
        }
    };
    assert_eq!((&last["method"], closed.as_str()), (&json!("shutdown"), "1012 service restart"));
    assert!(child.wait().expect("it ends").success());

    gateway.restart();
    let outcome = gateway.call("agent.wait", json!({"runId": "graceful"}));
    assert_eq!((&outcome["status"], &outcome["result"]["payloads"][0]["text"]), (&json!("ok"), &json!("almost done")));
    assert_eq!(texts(&gateway, "main"), ["go", "almost done"]);
    assert_eq!(gateway.request("agent.wait", &json!({"runId": "late"}))["error"]["data"]["kind"], "not_found");
}

#[test]
fn a_second_signal_stops_the_runs_and_records_each() {
    let provider = FakeProvider::start();
    provider.push(Script::Hang(completions::text_events(&["half a ", "sentence"])));
    let mut gateway = gateway(&provider);
    let mut ws = gateway.ws();
    ws.call("chat.send", json!({"sessionKey": "main", "message": "one", "idempotencyKey": "running"}));
    ws.event("the text", |event| event["params"]["deltaText"].as_str().is_some_and(|text| text.ends_with("sentence")));
    ws.call("chat.send", json!({"sessionKey": "main", "message": "two", "idempotencyKey": "queued"}));
    let mut child = gateway.child.take().expect("it runs");
    signal(child.id(), Signal::SIGTERM);
    ws.event("the announcement", |event| event["method"] == "shutdown");
    signal(child.id(), Signal::SIGTERM);
    let is_end = |event: &Value| event["method"] == "chat" && event["params"]["state"] != "delta";
    let end = ws.event("the end", is_end);
    assert_eq!((&end["params"]["runId"], &end["params"]["state"]), (&json!("running"), &json!("error")), "{end}");
    assert_eq!(end["params"]["message"]["content"][0]["text"], "half a sentence");
    assert_eq!(ws.event("the other end", is_end)["params"]["runId"], "queued");
    assert!(child.wait().expect("it ends").success());
    provider.wait_gone(1);

    gateway.restart();
    let outcome = gateway.call("agent.wait", json!({"runId": "running"}));
    assert_eq!((&outcome["status"], &outcome["error"]["code"]), (&json!("interrupted"), &json!("unavailable")));
    assert_eq!(outcome["result"]["payloads"][0]["text"], "half a sentence");
    assert_eq!(gateway.call("agent.wait", json!({"runId": "queued"}))["status"], "interrupted");
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    let said: Vec<(&str, &str)> = history["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| (message["role"].as_str().unwrap_or(""), message["content"][0]["text"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(said, [("user", "one"), ("assistant", "half a sentence"), ("user", "two"), ("assistant", "")]);
    assert_eq!(history["sessionInfo"]["hasActiveRun"], false);
    assert_eq!(history["sessionInfo"]["status"], "interrupted");
    // The conversation goes on from there.
    provider.push(completions::text(&["I am back"]));
    assert_eq!(gateway.turn("main", "three", "after")["status"], "ok");
    let asked = provider.seen().last().expect("a request").body["messages"].to_string();
    for said in ["one", "half a sentence", "two", "three"] {
        assert!(asked.contains(said), "{said}: {asked}");
    }
}
