//! `chat.history`: pages, what is being said, and the same answer after a restart.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};

fn with_turns(provider: &FakeProvider, turns: usize) -> Gateway {
    provider.always(completions::text(&["answer"]));
    let gateway = Home::new(provider.config("openai-completions")).start();
    for number in 1..=turns {
        gateway.turn("main", &format!("question {number}"), &format!("h-{number}"));
    }
    gateway
}

fn seqs(history: &Value) -> Vec<i64> {
    let messages = history["messages"].as_array().expect("messages").iter();
    messages.map(|message| message["__openclaw"]["seq"].as_i64().expect("a position")).collect()
}

#[test]
fn pages_by_offset_and_by_cursor_cover_everything_once() {
    let provider = FakeProvider::start();
    let gateway = with_turns(&provider, 6);
    // Changes lie between the messages and are none.
    gateway.call("sessions.patch", json!({"key": "main", "label": "pages"}));
    gateway.turn("main", "question 7", "h-7");
    let whole = gateway.call("chat.history", json!({"sessionKey": "main"}));
    assert_eq!((&whole["hasMore"], &whole["totalMessages"]), (&json!(false), &json!(14)));
    assert!(whole.get("nextCursor").is_none());
    let all = seqs(&whole);
    assert!(all.is_sorted() && all.len() == 14);

    for limit in [1, 3, 5, 14, 100] {
        let (mut by_offset, mut by_cursor) = (Vec::new(), Vec::new());
        let mut cursor = None;
        for page in 0.. {
            let offset = json!({"sessionKey": "main", "limit": limit, "offset": page * limit});
            let answer = gateway.call("chat.history", offset);
            assert_eq!(answer["totalMessages"], 14);
            let mut found = seqs(&answer);
            assert!(found.is_sorted() && found.len() <= limit);
            assert_eq!(answer["hasMore"], (page + 1) * limit < 14, "limit {limit}, page {page}");
            found.extend(by_offset);
            by_offset = found;

            let mut params = json!({"sessionKey": "main", "limit": limit});
            if let Some(cursor) = &cursor {
                params["cursor"] = Value::clone(cursor);
            }
            let answer = gateway.call("chat.history", params);
            assert_eq!(answer["totalMessages"], 14);
            let mut found = seqs(&answer);
            found.extend(by_cursor);
            by_cursor = found;
            cursor = answer.get("nextCursor").cloned();
            assert_eq!(cursor.is_some(), answer["hasMore"] == true);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(by_offset, all, "limit {limit}");
        assert_eq!(by_cursor, all, "limit {limit}");
    }
    let text = gateway.call("chat.history", json!({"sessionKey": "main", "limit": 2, "cursor": all[4].to_string()}));
    assert_eq!(seqs(&text), all[2..4], "a cursor may be a text");
    let beyond = gateway.call("chat.history", json!({"sessionKey": "main", "offset": 50}));
    assert_eq!((&beyond["messages"], &beyond["hasMore"]), (&json!([]), &json!(false)));
    assert_eq!(beyond["totalMessages"], 14);
    let small = gateway.call("chat.history", json!({"sessionKey": "main", "maxBytes": 1024}));
    assert!(small["hasMore"] == true && !seqs(&small).is_empty(), "{small}");
    assert_eq!(seqs(&small).last(), all.last());
    let wrong = gateway.request("chat.history", &json!({"sessionKey": "main", "cursor": "x"}));
    assert_eq!(wrong["error"]["code"], -32602);
}

#[test]
fn a_session_that_is_not_there_is_empty() {
    let gateway = Home::new(json!({})).start();
    let history = gateway.call("chat.history", json!({"sessionKey": "nowhere"}));
    assert_eq!((&history["messages"], &history["totalMessages"]), (&json!([]), &json!(0)));
    assert!(history.get("sessionId").is_none() && history.get("sessionInfo").is_none(), "{history}");
    let foreign = gateway.request("chat.history", &json!({"sessionKey": "agent:nobody:main"}));
    assert_eq!(foreign["error"]["data"]["kind"], "not_found", "{foreign}");
    assert_eq!(gateway.call("sessions.list", json!({}))["totalCount"], 0, "looking makes nothing");
}

#[test]
fn what_is_being_said_is_shown() {
    let provider = FakeProvider::start();
    provider.push(completions::gated(&["half ", "of it"], &[" and the rest"]));
    let gateway = Home::new(provider.config("openai-completions")).start();
    let mut ws = gateway.ws();
    ws.call("chat.send", json!({"sessionKey": "main", "message": "talk", "idempotencyKey": "said"}));
    ws.event("the text", |event| {
        event["params"]["state"] == "delta"
            && event["params"]["deltaText"].as_str().is_some_and(|text| text.ends_with("it"))
    });
    gateway.call("chat.send", json!({"sessionKey": "main", "message": "next", "idempotencyKey": "waiting"}));
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    assert_eq!(history["inFlightRun"], json!({"runId": "said", "text": "half of it"}));
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(1), "what waits is not said yet: {history}");
    assert_eq!(history["sessionInfo"]["activeRunIds"], json!(["said", "waiting"]));
    assert_eq!(history["sessionInfo"]["hasActiveRun"], true);
    let pending = &history["pendingInputs"];
    assert_eq!(pending["total"], 1, "{pending}");
    assert_eq!(pending["items"][0]["runId"], "waiting", "{pending}");
    provider.push(completions::text(&["done"]));
    provider.release();
    gateway.call("agent.wait", json!({"runId": "waiting"}));
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    assert!(history.get("inFlightRun").is_none());
    assert_eq!((&history["pendingInputs"]["total"], &history["totalMessages"]), (&json!(0), &json!(4)));
}

/// Everything but the time of the answer.
fn timeless(gateway: &Gateway, method: &str, params: &Value) -> String {
    let mut answer = gateway.call(method, params.clone());
    for place in ["", "/sessionInfo", "/session", "/sessions/0"] {
        if let Some(row) = answer.pointer_mut(place).and_then(Value::as_object_mut) {
            row.shift_remove("snapshotAt");
            row.shift_remove("ts");
        }
    }
    answer.to_string()
}

#[test]
fn after_a_restart_everything_is_the_same_byte_for_byte() {
    let provider = FakeProvider::start();
    provider
        .push(completions::tools(&[("call_1", "ls", json!({"path": "."})), ("call_2", "read", json!({"path": "ä"}))]));
    let mut gateway = with_turns(&provider, 3);
    gateway.call("sessions.patch", json!({"key": "main", "label": "a \"label\"\t✓", "thinkingLevel": "low"}));
    let questions = [
        ("chat.history", json!({"sessionKey": "main"})),
        ("chat.history", json!({"sessionKey": "main", "limit": 3, "offset": 2})),
        ("sessions.describe", json!({"key": "main"})),
        ("sessions.list", json!({})),
        ("sessions.timeline", json!({"key": "main"})),
        ("sessions.stateAt", json!({"key": "main"})),
        ("agent.wait", json!({"runId": "h-1"})),
    ];
    let ask = |gateway: &Gateway| -> Vec<String> {
        questions.iter().map(|(method, params)| timeless(gateway, method, params)).collect()
    };
    let before = ask(&gateway);
    gateway.stop();
    gateway.restart();
    assert_eq!(ask(&gateway), before);
    gateway.kill();
    gateway.restart();
    assert_eq!(ask(&gateway), before);
}
