//! `sessions.*`: the list, changes and their effect, and the past.

use std::sync::Arc;

use openclaw::session::Event;
use openclaw::session::timeline::{state_at, timeline_json};
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};

fn gateway(provider: &FakeProvider) -> Gateway {
    provider.always(completions::text(&["fine"]));
    let mut config = provider.config("openai-completions");
    config["models"]["providers"]["fake"]["models"] = json!([
        {"id": "model-a", "contextWindow": 100_000, "maxTokens": 4096},
        {"id": "model-b", "contextWindow": 50_000, "maxTokens": 2048, "reasoning": true},
    ]);
    config["agents"]["list"] = json!([{"id": "main", "default": true}, {"id": "helper"}]);
    Home::new(config).start()
}

fn keys(list: &Value) -> Vec<&str> {
    list["sessions"].as_array().expect("rows").iter().filter_map(|row| row["key"].as_str()).collect()
}

#[test]
fn the_list_pages_searches_and_filters() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    for number in 1..=7 {
        gateway.turn(&format!("room-{number}"), &format!("Über Thema {number}"), &format!("l-{number}"));
    }
    gateway.turn("agent:helper:main", "for the helper", "l-8");
    let list = |params: Value| gateway.call("sessions.list", params);
    let all = list(json!({}));
    assert_eq!((&all["count"], &all["totalCount"], &all["hasMore"]), (&json!(8), &json!(8), &json!(false)));
    assert_eq!(all["nextOffset"], Value::Null);
    let order = keys(&all);
    assert_eq!(order[0], "agent:helper:main", "last used first");
    assert_eq!(order[7], "agent:main:room-1");

    let mut offset = json!(0);
    let mut paged: Vec<String> = Vec::new();
    while !offset.is_null() {
        let page = list(json!({"limit": 3, "offset": offset}));
        assert_eq!((&page["totalCount"], &page["limitApplied"]), (&json!(8), &json!(3)));
        paged.extend(keys(&page).iter().map(|key| (*key).to_owned()));
        assert_eq!(page["hasMore"], !page["nextOffset"].is_null());
        offset = page["nextOffset"].clone();
    }
    assert_eq!(paged, order);
    assert_eq!(list(json!({"offset": 20}))["sessions"], json!([]));

    assert_eq!(keys(&list(json!({"search": "ROOM-3"}))), ["agent:main:room-3"], "by key");
    assert_eq!(keys(&list(json!({"search": "ÜBER THEMA 4"}))), ["agent:main:room-4"], "by title, in any case");
    let found = list(json!({"search": "thema", "limit": 2, "offset": 6}));
    assert_eq!((keys(&found), &found["totalCount"]), (vec!["agent:main:room-1"], &json!(7)));
    assert_eq!(list(json!({"search": "nothing like it"}))["totalCount"], 0);

    gateway.call("sessions.patch", json!({"key": "room-2", "label": "Quarterly Report"}));
    assert_eq!(keys(&list(json!({"search": "quarterly"}))), ["agent:main:room-2"], "by label");
    assert_eq!(keys(&list(json!({"agentId": "helper"}))), ["agent:helper:main"]);
    assert_eq!(keys(&list(json!({"agentId": "Helper"}))), ["agent:helper:main"], "agent ids have no case");
    assert_eq!(list(json!({"agentId": "main"}))["totalCount"], 7);

    gateway.call("sessions.patch", json!({"key": "room-5", "archived": true}));
    assert_eq!(list(json!({}))["totalCount"], 7);
    for only in [json!(true), json!("only"), json!("true")] {
        assert_eq!(keys(&list(json!({"archived": only}))), ["agent:main:room-5"], "{only}");
    }
    for (word, total) in [("include", 8), ("all", 8), ("exclude", 7), ("false", 7)] {
        assert_eq!(list(json!({"archived": word}))["totalCount"], total, "{word}");
    }
    gateway.call("sessions.patch", json!({"key": "room-5", "archived": null}));
    assert_eq!(list(json!({}))["totalCount"], 8);

    // A session that was last used two hours ago.
    let database = rusqlite::Connection::open(gateway.home.database()).expect("the database opens");
    database.busy_timeout(std::time::Duration::from_secs(5)).expect("a timeout");
    let changed = database.execute(
        "UPDATE session_entries SET updated_at = updated_at - 7200000 WHERE session_key = 'agent:main:room-6'",
        [],
    );
    assert_eq!(changed.expect("the row is there"), 1);
    assert_eq!(list(json!({"activeMinutes": 60}))["totalCount"], 7);
    assert_eq!(list(json!({"activeMinutes": 180}))["totalCount"], 8);

    let bare = list(json!({"includeDerivedTitles": false, "includeLastMessage": false, "limit": 1}));
    assert!(
        bare["sessions"][0].get("derivedTitle").is_none() && bare["sessions"][0].get("lastMessagePreview").is_none()
    );
}

#[test]
fn only_configured_agents_pages_like_any_other_list() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    for number in 1..=6 {
        let agent = if number % 2 == 0 { "main" } else { "helper" };
        gateway.turn(&format!("agent:{agent}:room-{number}"), "hi", &format!("c-{number}"));
    }
    gateway.call("config.patch", json!({"raw": "{agents: {list: [{id: 'main', default: true}]}}"}));
    let list = |params: Value| gateway.call("sessions.list", params);
    assert_eq!(list(json!({}))["totalCount"], 6);
    let first = list(json!({"configuredAgentsOnly": true, "limit": 2}));
    assert_eq!(keys(&first), ["agent:main:room-6", "agent:main:room-4"]);
    assert_eq!((&first["totalCount"], &first["nextOffset"]), (&json!(3), &json!(2)));
    let second = list(json!({"configuredAgentsOnly": true, "limit": 2, "offset": 2}));
    assert_eq!((keys(&second), &second["hasMore"]), (vec!["agent:main:room-2"], &json!(false)));
}

#[test]
fn a_patch_is_seen_by_the_next_turn_and_survives_a_reset() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    gateway.turn("main", "one", "p-1");
    let asked = |number: usize| provider.wait_seen(number)[number - 1].body.clone();
    assert_eq!((&asked(1)["model"], &asked(1)["reasoning_effort"]), (&json!("model-a"), &Value::Null));
    let patched = gateway.call(
        "sessions.patch",
        json!({"key": "main", "model": "model-b", "thinkingLevel": "high", "label": "  my notes "}),
    );
    assert_eq!(patched["key"], "agent:main:main");
    assert_eq!(patched["resolved"], json!({"modelProvider": "fake", "model": "model-b"}));
    assert_eq!(patched["entry"]["modelOverride"], "fake/model-b");
    let row = || gateway.call("sessions.describe", json!({"key": "main"}))["session"].clone();
    assert_eq!((&row()["label"], &row()["thinkingLevel"]), (&json!("my notes"), &json!("high")));
    assert_eq!((&row()["modelOverrideSource"], &row()["contextTokens"]), (&json!("user"), &json!(50_000)));
    gateway.turn("main", "two", "p-2");
    assert_eq!((&asked(2)["model"], &asked(2)["reasoning_effort"]), (&json!("model-b"), &json!("high")));
    assert_eq!(row()["model"], "model-b");

    let before = row();
    let reset = gateway.call("sessions.reset", json!({"key": "main", "reason": "new"}));
    assert_eq!(reset["resolved"], json!({"modelProvider": "fake", "model": "model-b"}));
    let after = row();
    assert_ne!(after["sessionId"], before["sessionId"]);
    assert_eq!(after["createdAt"], before["createdAt"]);
    for setting in ["label", "thinkingLevel", "modelOverride"] {
        assert_eq!(after[setting], before[setting], "{setting}");
    }
    assert_eq!((&after["inputTokens"], &after["totalTokens"]), (&json!(0), &json!(0)));
    gateway.turn("main", "three", "p-3");
    assert_eq!((&asked(3)["model"], &asked(3)["reasoning_effort"]), (&json!("model-b"), &json!("high")));
    assert!(!asked(3)["messages"].to_string().contains("\"two\""), "a fresh transcript");
    // The old transcript is kept, and says that it ended.
    let old = gateway.call("sessions.timeline", json!({"key": "main", "sessionId": before["sessionId"]}));
    let last = old["events"].as_array().expect("events").last().expect("one");
    assert_eq!((&last["kind"], &last["summary"]), (&json!("SessionEnded"), &json!("session ended: new")));

    let cleared =
        gateway.call("sessions.patch", json!({"key": "main", "model": null, "thinkingLevel": null, "label": null}));
    assert_eq!(cleared["resolved"]["model"], "model-a");
    assert!(row().get("label").is_none() && row().get("modelOverride").is_none());
    gateway.turn("main", "four", "p-4");
    assert_eq!((&asked(4)["model"], &asked(4)["reasoning_effort"]), (&json!("model-a"), &Value::Null));
    for wrong in [
        json!({"key": "main"}),
        json!({"key": "main", "model": "nobody/unheard-of"}),
        json!({"key": "main", "thinkingLevel": "brilliant"}),
        json!({"key": "main", "label": "x".repeat(201)}),
    ] {
        let response = gateway.request("sessions.patch", &wrong);
        assert!(response["error"]["data"]["hint"].is_string(), "{wrong}: {response}");
    }
    let nowhere = gateway.request("sessions.patch", &json!({"key": "nowhere", "label": "x"}));
    assert_eq!(nowhere["error"]["data"]["kind"], "not_found");
}

#[test]
fn a_reset_or_delete_stops_what_runs() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    for (method, key) in [("sessions.reset", "r-1"), ("sessions.delete", "r-2")] {
        provider.push(crate::support::provider::Script::Hang(completions::text_events(&["busy"])));
        let mut ws = gateway.ws();
        ws.call("chat.send", json!({"sessionKey": "main", "message": "go", "idempotencyKey": key}));
        ws.event("the text", |event| event["params"]["state"] == "delta");
        ws.call(method, json!({"key": "main"}));
        let end = ws.event("the end", |event| event["method"] == "chat" && event["params"]["state"] != "delta");
        assert_eq!(end["params"]["state"], "aborted", "{method}");
        let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
        assert_eq!((&history["messages"], history.get("inFlightRun")), (&json!([]), None), "{method}");
    }
    gateway.turn("main", "again", "r-3");
    assert_eq!(gateway.call("chat.history", json!({"sessionKey": "main"}))["totalMessages"], 2);
}

#[test]
fn a_patch_during_a_run_takes_nothing_from_the_conversation() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    provider.push(completions::tools(&[("call_1", "ls", json!({}))]));
    provider.push(completions::gated(&["first "], &["answer"]));
    let mut ws = gateway.ws();
    ws.call("chat.send", json!({"sessionKey": "main", "message": "one", "idempotencyKey": "m-1"}));
    ws.event("the text", |event| event["params"]["state"] == "delta");
    for label in ["during", "still during"] {
        gateway.call("sessions.patch", json!({"key": "main", "label": label, "model": "fake/model-b"}));
    }
    provider.release();
    gateway.call("agent.wait", json!({"runId": "m-1"}));
    gateway.call("sessions.patch", json!({"key": "main", "thinkingLevel": "low"}));
    gateway.turn("main", "two", "m-2");
    let asked = provider.wait_seen(3)[2].body.clone();
    assert_eq!(asked["model"], "model-b");
    let messages = asked["messages"].as_array().expect("messages");
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "assistant", "user"]);
    assert!(asked["messages"].to_string().contains("first answer"));
    let state = gateway.call("sessions.stateAt", json!({"key": "main"}))["state"].clone();
    assert_eq!((&state["values"]["label"], &state["values"]["thinkingLevel"]), (&json!("still during"), &json!("low")));
    assert_eq!(state["messages"].as_array().map(Vec::len), Some(6), "{state}");
    assert_eq!(gateway.call("chat.history", json!({"sessionKey": "main"}))["totalMessages"], 6);
}

fn rows(gateway: &Gateway, table: &str, session: &str) -> i64 {
    let database = rusqlite::Connection::open(gateway.home.database()).expect("the database opens");
    let sql = format!("SELECT count(*) FROM {table} WHERE session_id = ?1");
    database.query_row(&sql, [session], |row| row.get(0)).expect("a count")
}

#[test]
fn deleting_takes_the_transcript_unless_it_is_to_stay() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    let mut ws = gateway.ws();
    ws.call("sessions.subscribe", json!({}));
    for (key, keep) in [("gone", false), ("kept", true)] {
        gateway.turn(key, "a secret thought", &format!("d-{key}"));
        let session = gateway.call("sessions.describe", json!({"key": key}))["session"]["sessionId"].clone();
        let session = session.as_str().expect("an id");
        let before = rows(&gateway, "transcript_events", session);
        assert_eq!(before, 3);
        let params = if keep { json!({"key": key, "deleteTranscript": false}) } else { json!({"key": key}) };
        assert_eq!(gateway.call("sessions.delete", params.clone())["deleted"], true);
        let event = ws.event("the change", |event| event["params"]["reason"] == "delete");
        assert_eq!(event["params"]["sessionKey"], format!("agent:main:{key}"));
        assert!(event["params"].get("session").is_none());
        assert_eq!(rows(&gateway, "transcript_events", session), if keep { 4 } else { 0 }, "{key}");
        let run = gateway.request("agent.wait", &json!({"runId": format!("d-{key}")}));
        assert_eq!(run.get("result").is_some(), keep, "{run}");
        assert_eq!(gateway.call("sessions.delete", params)["deleted"], false, "twice is once");
        let described = gateway.request("sessions.describe", &json!({"key": key}));
        assert_eq!(described["error"]["data"]["kind"], "not_found");
        let timeline = gateway.request("sessions.timeline", &json!({"key": key, "sessionId": session}));
        if keep {
            assert_eq!(timeline["result"]["lastSeq"], 4, "a kept transcript can be read by its id: {timeline}");
        } else {
            assert_eq!(timeline["error"]["data"]["kind"], "not_found", "{timeline}");
        }
    }
}

#[test]
fn the_past_is_what_the_library_projects_from_an_export() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    provider.push(completions::tools(&[("call_1", "ls", json!({})), ("call_2", "read", json!({"path": "missing"}))]));
    gateway.turn("main", "look around", "t-1");
    gateway.call("sessions.patch", json!({"key": "main", "label": "first", "thinkingLevel": "low"}));
    gateway.call("sessions.patch", json!({"key": "main", "label": "second"}));
    provider.push(crate::support::provider::Script::Status(400, vec![], r#"{"error":"no"}"#.to_owned()));
    gateway.turn("main", "fail", "t-2");
    gateway.turn("main", "go on", "t-3");
    gateway.call("sessions.patch", json!({"key": "main", "label": null, "model": "fake/model-b"}));

    let export = gateway.home.run(&["sessions", "export", "agent:main:main"]);
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    let text = String::from_utf8(export.stdout).expect("UTF-8");
    let events: Vec<(i64, Arc<Event>)> =
        (1..).zip(text.lines().map(|line| Arc::new(line.parse().expect("an event")))).collect();
    assert!(events.len() >= 14, "{text}");

    let last = i64::try_from(events.len()).expect("small");
    for seq in 0..=last {
        let answer = gateway.call("sessions.stateAt", json!({"key": "main", "seq": seq}));
        assert_eq!(answer["seq"], seq);
        assert_eq!(answer["state"], state_at(events.iter().cloned(), Some(seq)).to_json(), "at {seq}");
    }
    let whole = gateway.call("sessions.stateAt", json!({"key": "main"}));
    assert_eq!((&whole["seq"], &whole["state"]["eventCount"]), (&json!(last), &json!(last)));
    assert_eq!(whole["state"]["values"]["model"], "fake/model-b");
    assert!(whole["state"]["values"].get("label").is_none());
    let beyond = gateway.request("sessions.stateAt", &json!({"key": "main", "seq": last + 1}));
    assert_eq!(beyond["error"]["code"], -32602, "{beyond}");

    for limit in [1, 4, 1000] {
        let (mut after, mut seen) = (json!(0), Vec::new());
        loop {
            let page = gateway.call("sessions.timeline", json!({"key": "main", "after": after, "limit": limit}));
            assert_eq!(page["lastSeq"], last);
            seen.extend(page["events"].as_array().expect("events").clone());
            let Some(next) = page.get("nextAfter") else {
                assert_eq!(page["hasMore"], false);
                break;
            };
            assert_eq!(page["hasMore"], true);
            after = next.clone();
        }
        let expected: Vec<Value> = events.iter().map(|(seq, event)| timeline_json(*seq, event)).collect();
        assert_eq!(seen, expected, "limit {limit}");
    }
    let end = gateway.call("sessions.timeline", json!({"key": "main", "after": last}));
    assert_eq!((&end["events"], &end["hasMore"]), (&json!([]), &json!(false)));
}
