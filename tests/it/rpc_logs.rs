//! `logs.tail` on a live log, and what must never be in it.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, Script, completions};

fn lines(tail: &Value) -> Vec<String> {
    tail["lines"].as_array().expect("lines").iter().map(|line| line.as_str().expect("a text").to_owned()).collect()
}

fn tail(gateway: &Gateway, params: Value) -> Value {
    gateway.call("logs.tail", params)
}

#[test]
fn a_cursor_follows_the_live_log_without_gaps_or_repeats() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["fine"]));
    let mut config = provider.config("openai-completions");
    config["logging"]["level"] = json!("debug");
    let gateway = Home::new(config).start();
    let mut cursor = json!(0);
    let mut seen = Vec::new();
    for number in 0..8 {
        // A call that fails is one line of the log.
        gateway.request("agent.wait", &json!({"runId": format!("nobody-{number}")}));
        loop {
            let part = tail(&gateway, json!({"cursor": cursor, "limit": 5000}));
            assert_eq!((&part["reset"], &part["truncated"]), (&json!(false), &json!(false)), "{part}");
            cursor = part["cursor"].clone();
            assert!(cursor.as_u64() <= part["size"].as_u64());
            let new = lines(&part);
            if new.is_empty() {
                break;
            }
            seen.extend(new);
        }
    }
    let file = tail(&gateway, json!({"limit": 1}))["file"].as_str().expect("a path").to_owned();
    let text = std::fs::read_to_string(&file).expect("the log");
    let written: Vec<&str> = text.lines().collect();
    assert_eq!(seen, written[..seen.len()], "each line once, in order");
    for number in 0..8 {
        let count = seen.iter().filter(|line| line.contains(&format!("nobody-{number}"))).count();
        assert_eq!(count, 1, "nobody-{number}");
    }
    for line in &seen {
        let entry: Value = serde_json::from_str(line).expect("every line is JSON");
        assert!(entry["level"].is_string() && entry["time"].is_string(), "{entry}");
    }
    let short = tail(&gateway, json!({"limit": 2}));
    assert_eq!((lines(&short).len(), &short["truncated"]), (2, &json!(true)));
    let beyond = tail(&gateway, json!({"cursor": 1_000_000_000, "limit": 1}));
    assert_eq!((&beyond["reset"], lines(&beyond).len()), (&json!(true), 1));
    // A log that was rotated away: the reader starts over.
    std::fs::OpenOptions::new().write(true).open(&file).and_then(|log| log.set_len(0)).expect("it can be emptied");
    gateway.request("agent.wait", &json!({"runId": "after-the-cut"}));
    let fresh = tail(&gateway, json!({"cursor": cursor}));
    assert_eq!(fresh["reset"], true, "{fresh}");
    assert!(lines(&fresh).iter().any(|line| line.contains("after-the-cut")), "{fresh}");
}

/// Keys in forms that no pattern recognises.
const PROVIDER_KEY: &str = "planted.provider.key.one";
const HEADER_KEY: &str = "planted.header.key.two";
const GATEWAY_TOKEN: &str = "planted.gateway.token.three.with.enough.length";
const SPARE_KEY: &str = "planted.spare.key.four";

#[test]
fn no_secret_gets_into_the_log_events_errors_or_history() {
    let provider = FakeProvider::start();
    let mut config = provider.config("openai-completions");
    config["logging"]["level"] = json!("trace");
    config["gateway"]["auth"] = json!({"token": GATEWAY_TOKEN});
    config["models"]["providers"]["fake"]["apiKey"] = json!("${PLANTED_KEY}");
    config["models"]["providers"]["fake"]["headers"] = json!({"x-extra": HEADER_KEY});
    config["models"]["providers"]["spare"] = json!({"baseUrl": format!("http://127.0.0.1:{}/v1", provider.port),
        "api": "anthropic-messages", "apiKey": {"source": "file", "provider": "keys", "id": "/spare"}, "models": [{"id": "s"}]});
    let home = Home::new(config.clone());
    let keys = home.root().join("keys.json");
    std::fs::write(&keys, json!({"spare": SPARE_KEY}).to_string()).expect("keys");
    let mut permissions = std::fs::metadata(&keys).expect("keys").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(&keys, permissions).expect("a mode");
    config["secrets"] = json!({"providers": {"keys": {"source": "file", "path": keys, "mode": "json"}}});
    config["gateway"]["port"] = json!(home.port);
    std::fs::write(home.root().join("openclaw.json"), config.to_string()).expect("a configuration");
    std::fs::write(home.root().join(".env"), format!("PLANTED_KEY={PROVIDER_KEY}\n")).expect("a .env");
    let gateway = {
        let child = home.spawn(&["--verbose"]);
        let mut gateway = Gateway { home, child: Some(child), token: GATEWAY_TOKEN.to_owned() };
        gateway.wait_ready();
        gateway
    };
    let mut ws = gateway.ws();
    ws.call("sessions.subscribe", json!({}));
    ws.call("sessions.messages.subscribe", json!({"key": "main"}));
    let mut shown = String::new();

    // A provider that echoes what it was sent, in every way it can fail.
    let echo = |keys: &str| format!("Incorrect API key provided: {keys}");
    let refusal = |keys: &str| {
        json!({"error": {"message": echo(keys), "type": "invalid_request_error", "code": "invalid_api_key"}})
            .to_string()
    };
    let own = format!("{PROVIDER_KEY} ({HEADER_KEY})");
    provider.push(completions::text(&["fine"]));
    shown += &gateway.turn("main", "one", "s-1").to_string();
    provider.push(Script::Status(401, vec![], refusal(&own)));
    shown += &gateway.turn("main", "two", "s-2").to_string();
    provider.push(Script::Status(400, vec![], format!("<html>{}</html>", echo(&own))));
    shown += &gateway.turn("main", "three", "s-3").to_string();
    let mut cut = completions::text_events(&["half"]);
    cut.push(format!("data: {}\n\n", refusal(&own)));
    provider.push(Script::Sse(cut));
    shown += &gateway.turn("main", "four", "s-4").to_string();
    provider.push(Script::Status(401, vec![], refusal(SPARE_KEY)));
    gateway.call("agent", json!({"message": "five", "idempotencyKey": "s-5", "model": "spare/s"}));
    let spare = gateway.call("agent.wait", json!({"runId": "s-5"}));
    assert!(spare["error"]["message"].as_str().is_some_and(|message| message.contains("[redacted]")), "{spare}");
    shown += &spare.to_string();
    // The keys were really in use.
    let seen = provider.seen();
    let sent = |index: usize, name: &str| {
        let headers = &seen[index].headers;
        headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!(sent(0, "authorization"), format!("Bearer {PROVIDER_KEY}"));
    assert_eq!(sent(0, "x-extra"), HEADER_KEY);
    assert_eq!(sent(4, "x-api-key"), SPARE_KEY);

    // Wrong guesses and calls that fail are logged, too.
    let wrong = format!("Bearer {GATEWAY_TOKEN}x");
    let request = crate::support::http::request("POST", "/rpc", gateway.port(), &[("Authorization", &wrong)], b"{}");
    let refused = crate::support::http::raw(gateway.port(), &request).expect("an answer");
    assert_eq!(refused.status, 401);
    shown += &String::from_utf8_lossy(&refused.body);
    shown += &gateway
        .request("config.patch", &json!({"raw": format!("{{gateway: {{port: '{GATEWAY_TOKEN}'}}}}")}))
        .to_string()
        .replace(&format!("'{GATEWAY_TOKEN}'"), "");
    for (method, params) in [
        ("chat.history", json!({"sessionKey": "main"})),
        ("sessions.timeline", json!({"key": "main"})),
        ("sessions.stateAt", json!({"key": "main"})),
        ("sessions.list", json!({})),
        ("status", json!({})),
        ("health", json!({"probe": true})),
        ("models.list", json!({"includeDetails": true})),
        ("agents.list", json!({})),
        ("config.get", json!({})),
        ("config.schema", json!({})),
    ] {
        shown += &gateway.call(method, params).to_string();
    }
    for event in ws.so_far() {
        shown += &event.to_string();
    }
    shown += &lines(&tail(&gateway, json!({"limit": 5000}))).join("\n");
    shown += &std::fs::read_to_string(gateway.home.root().join("gateway.out")).expect("what it printed");
    let database = std::fs::read(gateway.home.database()).expect("the database");
    let log = std::fs::read(gateway.home.root().join("state/openclaw.sqlite-wal")).unwrap_or_default();
    shown += &String::from_utf8_lossy(&database);
    shown += &String::from_utf8_lossy(&log);
    assert!(shown.contains("half") && shown.contains("[redacted]"));
    for secret in [PROVIDER_KEY, HEADER_KEY, GATEWAY_TOKEN, SPARE_KEY] {
        if let Some(at) = shown.find(secret) {
            let from = shown.floor_char_boundary(at.saturating_sub(300));
            let to = shown.floor_char_boundary((at + 100).min(shown.len()));
            panic!("{secret} got out: …{}…", &shown[from..to]);
        }
    }
}
