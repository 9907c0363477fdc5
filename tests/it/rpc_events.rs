//! What WebSocket clients hear of a turn, and who hears it.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, Script, completions};
use crate::support::ws::Ws;

fn gateway(provider: &FakeProvider) -> Gateway {
    Home::new(provider.config("openai-completions")).start()
}

fn is_final(event: &Value) -> bool {
    event["method"] == "chat" && event["params"]["state"] != "delta"
}

fn is_settled(event: &Value) -> bool {
    event["method"] == "sessions.changed" && event["params"]["reason"] == "agent.input.settled"
}

/// One word per event: what a client's switch looks at.
fn name(event: &Value) -> String {
    let params = &event["params"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match event["method"].as_str().expect("a method") {
        "chat" => format!("chat {}", word(&params["state"])),
        "agent" => {
            let phase = word(&params["data"]["phase"]);
            format!("agent {} {phase}", word(&params["stream"])).trim().to_owned()
        }
        "session.message" => format!("message {}", word(&params["message"]["role"])),
        "sessions.changed" => {
            let phase = word(&params["phase"]);
            format!("changed {} {phase}", word(&params["reason"])).trim().to_owned()
        }
        other => other.to_owned(),
    }
}

/// `eventSeq` counts from `from` without gaps.
#[track_caller]
fn numbered(events: &[Value], from: u64) {
    let numbers: Vec<u64> =
        events.iter().map(|event| event["params"]["eventSeq"].as_u64().expect("a number")).collect();
    let expected: Vec<u64> = (from..from + numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
}

/// `chat` and `agent` of a run, without the connection's own numbers.
fn of_run(events: &[Value], run: &str) -> Vec<Value> {
    let run_events = events
        .iter()
        .filter(|event| (event["method"] == "chat" || event["method"] == "agent") && event["params"]["runId"] == run);
    run_events
        .map(|event| {
            let mut event = event.clone();
            event["params"].as_object_mut().expect("params").remove("eventSeq");
            event
        })
        .collect()
}

#[test]
fn one_streaming_turn_with_a_tool_call() {
    let provider = FakeProvider::start();
    provider.push(completions::tools(&[("call_1", "ls", json!({}))]));
    provider.push(completions::gated(&["Nothing "], &["is ", "there."]));
    let gateway = gateway(&provider);
    let (mut starter, mut follower, mut stranger, mut lister) =
        (gateway.ws(), gateway.ws(), gateway.ws(), gateway.ws());
    follower.call("sessions.messages.subscribe", json!({"key": "main"}));
    lister.call("sessions.subscribe", json!({}));
    let sent = starter.call("chat.send", json!({"sessionKey": "main", "message": "look", "idempotencyKey": "turn"}));

    // The first part of the text is there while the model still talks; then the rest may come.
    let mut heard = starter.until("the first part", |event| event["params"]["state"] == "delta");
    provider.release();
    heard.extend(starter.until("the end", is_final));
    let followed = follower.until("the end", is_final);
    let listed = lister.until("the end", is_settled);

    let mut order: Vec<String> = heard.iter().map(name).collect();
    // How many pieces the rest comes in is a matter of the network.
    let pair = ["agent assistant".to_owned(), "chat delta".to_owned()];
    let pieces = order.windows(2).filter(|two| **two == pair).count();
    assert!((2..=3).contains(&pieces), "{order:?}");
    let first = order.windows(2).position(|two| *two == pair).expect("a piece");
    order.drain(first + 2..first + 2 * pieces);
    assert_eq!(
        order,
        [
            "agent lifecycle start",
            "agent lifecycle model",
            "agent usage",
            "agent tool start",
            "agent tool result",
            "agent lifecycle model",
            "agent assistant",
            "chat delta",
            "agent usage",
            "agent lifecycle end",
            "chat final",
        ]
    );
    for event in &heard {
        let params = &event["params"];
        assert_eq!(params["runId"], "turn");
        assert_eq!(params["sessionKey"], "agent:main:main");
        assert_eq!(params["sessionId"], sent["sessionId"]);
        assert_eq!(params["agentId"], "main");
        assert!(params["ts"].is_i64() && params["seq"].is_u64(), "{event}");
    }
    // Numbers of the run: 1, 2, 3 … without gaps; what one thing is told about in two streams has one number.
    let mut numbers: Vec<u64> = heard.iter().map(|event| event["params"]["seq"].as_u64().expect("a number")).collect();
    assert!(numbers.is_sorted());
    numbers.dedup();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    numbered(&heard, 1);
    numbered(&followed, 1);
    numbered(&listed, 1);

    let deltas: String = heard.iter().filter_map(|event| event["params"]["deltaText"].as_str()).collect();
    assert_eq!(deltas, "Nothing is there.");
    let tool = &heard[3]["params"]["data"];
    assert_eq!((&tool["name"], &tool["toolCallId"], &tool["args"]), (&json!("ls"), &json!("call_1"), &json!({})));
    let result = &heard[4]["params"]["data"];
    assert_eq!((&result["isError"], &result["toolCallId"]), (&json!(false), &json!("call_1")));
    assert!(result["result"]["content"][0]["text"].is_string(), "{result}");
    let last = &heard.last().expect("events")["params"];
    assert_eq!(last["stopReason"], "stop");
    assert_eq!(last["message"]["content"][0]["text"], "Nothing is there.");
    assert_eq!(last["message"]["role"], "assistant");

    // A client that subscribed to the session hears the same run, and every message as the history has it.
    assert_eq!(of_run(&followed, "turn"), of_run(&heard, "turn"));
    let messages: Vec<&Value> = followed.iter().filter(|event| event["method"] == "session.message").collect();
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    let stored = history["messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 4);
    for (event, stored) in messages.iter().zip(stored) {
        let params = &event["params"];
        assert_eq!(&params["message"], stored);
        assert_eq!(params["messageId"], stored["__openclaw"]["id"]);
        assert_eq!(params["messageSeq"], stored["__openclaw"]["seq"]);
        assert_eq!(params["sessionKey"], "agent:main:main");
    }
    for event in [messages[0], messages[1], messages[3]] {
        assert_eq!(event["params"]["session"]["key"], "agent:main:main", "{event}");
    }
    assert_eq!(messages[0]["params"]["session"]["hasActiveRun"], true);
    assert_eq!(messages[0]["params"]["messageSeq"], sent["messageSeq"]);
    assert_eq!(messages[0]["params"]["message"]["idempotencyKey"], "turn:user");
    let order: Vec<String> = followed.iter().map(name).collect();
    let position = |wanted: &str| order.iter().position(|name| name == wanted).unwrap_or_else(|| panic!("{wanted}"));
    assert!(position("message user") < position("agent lifecycle start"), "{order:?}");
    let answer = order.iter().rposition(|name| name == "message assistant").expect("the answer");
    assert!(answer < position("chat final"), "the history is complete when the end is told: {order:?}");

    // Who follows the list hears rows and messages, and nothing of the stream.
    assert_eq!(
        listed.iter().map(name).collect::<Vec<_>>(),
        [
            "changed create",
            "message user",
            "changed agent.run.started start",
            "message assistant",
            "message toolResult",
            "message assistant",
            "changed agent.input.settled end",
        ]
    );
    let started = &listed[2]["params"]["session"];
    assert_eq!((&started["hasActiveRun"], &started["status"]), (&json!(true), &json!("running")));
    assert_eq!(started["activeRunIds"], json!(["turn"]));
    let settled = &listed.last().expect("events")["params"];
    assert_eq!((&settled["session"]["hasActiveRun"], &settled["session"]["status"]), (&json!(false), &json!("done")));
    let described = gateway.call("sessions.describe", json!({"key": "main"}));
    let row = |row: &Value| {
        let mut row = row.clone();
        row.as_object_mut().expect("a row").remove("snapshotAt");
        row
    };
    assert_eq!(row(&settled["session"]), row(&described["session"]));

    assert_eq!(stranger.so_far(), Vec::<Value>::new(), "who asked for nothing hears nothing");
}

#[test]
fn who_unsubscribes_hears_no_more() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["fine"]));
    let gateway = gateway(&provider);
    let (mut follower, mut lister, mut witness) = (gateway.ws(), gateway.ws(), gateway.ws());
    follower.call("sessions.messages.subscribe", json!({"key": "main"}));
    follower.call("sessions.messages.subscribe", json!({"key": "other"}));
    lister.call("sessions.subscribe", json!({}));
    witness.call("sessions.subscribe", json!({}));
    gateway.turn("main", "one", "u-1");
    for number in 1..=2 {
        if number == 2 {
            gateway.turn("other", "two", "u-2");
        }
        witness.until("the end", is_settled);
    }
    let heard = follower.so_far();
    assert!(heard.iter().any(|event| event["params"]["runId"] == "u-1"));
    assert!(heard.iter().any(|event| event["params"]["runId"] == "u-2"));
    assert!(lister.so_far().iter().filter(|event| is_settled(event)).count() == 2);

    let ended = follower.call("sessions.messages.unsubscribe", json!({"key": "main"}));
    assert_eq!(ended, json!({"subscribed": false, "key": "agent:main:main"}));
    assert_eq!(lister.call("sessions.unsubscribe", json!({})), json!({"subscribed": false}));
    gateway.turn("main", "three", "u-3");
    gateway.turn("other", "four", "u-4");
    witness.until("the end", is_settled);
    witness.until("the end", is_settled);
    assert_eq!(lister.so_far(), Vec::<Value>::new());
    let heard = follower.so_far();
    assert!(!heard.is_empty() && heard.iter().all(|event| event["params"]["sessionKey"] == "agent:main:other"));
    numbered(&heard, heard[0]["params"]["eventSeq"].as_u64().expect("a number"));
}

#[test]
fn subscriptions_need_a_connection() {
    let gateway = Home::new(json!({})).start();
    for (method, params) in [("sessions.subscribe", json!({})), ("sessions.messages.subscribe", json!({"key": "main"}))]
    {
        let response = gateway.request(method, &params);
        assert_eq!(response["error"]["code"], -32602, "{response}");
        assert!(response["error"]["data"]["hint"].as_str().is_some_and(|hint| hint.contains("/ws")), "{response}");
    }
}

#[test]
fn every_end_has_its_state() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    let mut ws = gateway.ws();
    let send = |ws: &mut Ws, key: &str, more: Value| {
        let mut params = json!({"sessionKey": "main", "message": "go", "idempotencyKey": key});
        params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        ws.call("chat.send", params);
    };
    let state = |event: &Value| event["params"]["state"].as_str().unwrap_or_default().to_owned();

    provider.push(Script::Status(400, vec![], r#"{"error":{"message":"no","type":"invalid_request_error"}}"#.into()));
    send(&mut ws, "refused", json!({}));
    let end = ws.event("an end", is_final);
    assert_eq!((state(&end).as_str(), &end["params"]["errorKind"]), ("error", &json!("unknown")), "{end}");
    assert!(end["params"]["errorMessage"].as_str().is_some_and(|message| message.contains("no")), "{end}");

    let overflow = r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#;
    provider.push(Script::Status(400, vec![], overflow.into()));
    send(&mut ws, "long", json!({}));
    assert_eq!(ws.event("an end", is_final)["params"]["errorKind"], "context_length");

    provider.push(Script::Hang(completions::text_events(&["half"])));
    send(&mut ws, "late", json!({"timeoutMs": 150}));
    let end = ws.event("an end", is_final);
    assert_eq!((state(&end).as_str(), &end["params"]["errorKind"]), ("error", &json!("timeout")), "{end}");
    assert_eq!(end["params"]["message"]["content"][0]["text"], "half");

    provider.push(Script::Hang(completions::text_events(&["half"])));
    send(&mut ws, "stopped", json!({}));
    ws.event("the text", |event| event["params"]["state"] == "delta");
    ws.call("chat.abort", json!({"sessionKey": "main", "runId": "stopped"}));
    let end = ws.event("an end", is_final);
    assert_eq!((state(&end).as_str(), &end["params"]["stopReason"]), ("aborted", &json!("rpc")));
    assert_eq!(end["params"]["message"]["content"][0]["text"], "half");
}

#[test]
fn a_repeat_from_another_client_hears_the_rest_of_the_run() {
    let provider = FakeProvider::start();
    provider.push(completions::gated(&["one "], &["two"]));
    let gateway = gateway(&provider);
    let (mut first, mut second) = (gateway.ws(), gateway.ws());
    let params = json!({"sessionKey": "main", "message": "go", "idempotencyKey": "shared"});
    first.call("chat.send", params.clone());
    first.event("the text", |event| event["params"]["state"] == "delta");
    let repeat = second.call("chat.send", params.clone());
    assert_eq!((&repeat["status"], &repeat["runId"]), (&json!("in_flight"), &json!("shared")));
    // `agent` is another door to the same run.
    let by_agent = second.call("agent", json!({"message": "go", "idempotencyKey": "shared"}));
    assert_eq!(by_agent["status"], "in_flight");
    provider.release();
    let end = second.event("the end", is_final);
    assert_eq!(end["params"]["message"]["content"][0]["text"], "one two");
    let done = second.call("agent", json!({"message": "go", "idempotencyKey": "shared"}));
    assert_eq!((&done["status"], &done["result"]["payloads"][0]["text"]), (&json!("ok"), &json!("one two")));
    // A key is the gateway's, not the session's: elsewhere it answers with the run it stands for.
    let elsewhere = json!({"sessionKey": "elsewhere", "message": "go", "idempotencyKey": "shared"});
    let elsewhere = second.call("chat.send", elsewhere);
    assert_eq!((&elsewhere["status"], &elsewhere["sessionKey"]), (&json!("ok"), &json!("agent:main:main")));
    assert_eq!(provider.seen().len(), 1);
    assert_eq!(gateway.call("sessions.list", json!({}))["totalCount"], 1);
}
