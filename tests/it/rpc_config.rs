//! `config.*`: secrets stay hidden, edits are surgical, changes apply at once.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};

/// Secrets of every form; none of these texts may come out.
const SECRETS: &[&str] = &[
    "plain-provider-key-111",
    "header-secret-222",
    "gateway-password-333",
    "env-secret-444",
    "skill-key-555",
    "bot-token-666",
    "999000777123",
    "sk-comment0secret0888888888",
    "userpass999",
    "from-dotenv-000",
    "oauth-refresh-aaa",
];

fn write(gateway: &Gateway, text: &str) {
    std::fs::write(gateway.home.root().join("openclaw.json"), text).expect("the file can be written");
}

fn on_disk(gateway: &Gateway) -> String {
    std::fs::read_to_string(gateway.home.root().join("openclaw.json")).expect("the file can be read")
}

/// The configuration file with secrets in every form and place.
fn secretive(port: u16) -> String {
    format!(
        r#"// an old key: sk-comment0secret0888888888
{{
  gateway: {{ port: {port}, auth: {{ password: 'gateway-password-333' }} }},
  models: {{ discoverLocal: false, providers: {{
    one: {{ baseUrl: "http://127.0.0.1:9/v1", apiKey: "plain-provider-key-111", api: "openai-completions",
           headers: {{ "X-Custom": "header-secret-222", "User-Agent": "visible-agent" }}, models: [{{ id: "m" }}] }},
    two: {{ baseUrl: "http://user:userpass999@127.0.0.1:9/v1", apiKey: "${{DOTENV_KEY}}", api: "openai-completions", models: [] }},
    three: {{ baseUrl: "http://127.0.0.1:9/v1", apiKey: {{ source: "env", provider: "default", id: "VISIBLE_REFERENCE" }},
             api: "openai-completions", models: [] }},
  }} }},
  env: {{ vars: {{ SOME_VALUE: "env-secret-444" }} }},
  skills: {{ entries: {{ search: {{ apiKey: "skill-key-555" }} }} }},
  channels: {{ telegram: {{ botToken: "bot-token-666", pinToken: 999000777123 }} }},
  auth: {{ profiles: {{ p: {{ refresh: "oauth-refresh-aaa" }} }} }},
}}
"#
    )
}

#[track_caller]
fn is_clean(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is shown: {text}");
    }
}

#[test]
fn config_get_redacts_every_form_of_secret() {
    let home = Home::new(json!({}));
    std::fs::write(home.root().join("openclaw.json"), secretive(home.port)).expect("a configuration");
    std::fs::write(home.root().join(".env"), "DOTENV_KEY=from-dotenv-000\n").expect("a .env file");
    let gateway = home.start();
    let config = gateway.call("config.get", json!({}));
    let text = config.to_string();
    is_clean(&text);
    assert_eq!(config["valid"], true, "{config}");
    for visible in ["visible-agent", "VISIBLE_REFERENCE", "${DOTENV_KEY}", "an old key:", "__OPENCLAW_REDACTED__"] {
        assert!(text.contains(visible), "{visible} is gone: {text}");
    }
    let one = &config["config"]["models"]["providers"]["one"];
    assert_eq!(
        (&one["apiKey"], &one["headers"]["User-Agent"]),
        (&json!("__OPENCLAW_REDACTED__"), &json!("visible-agent"))
    );
    is_clean(&gateway.call("models.list", json!({"includeDetails": true})).to_string());
    is_clean(&gateway.call("status", json!({})).to_string());

    // Giving the redacted text back changes nothing but what was changed.
    let raw = config["raw"].as_str().expect("a text").replace("visible-agent", "another-agent");
    let set = gateway.call("config.set", json!({"raw": raw, "baseHash": config["hash"]}));
    is_clean(&set.to_string());
    assert_eq!(set["changedPaths"], json!(["models.providers.one.headers.User-Agent"]), "{set}");
    assert_eq!(on_disk(&gateway), secretive(gateway.port()).replace("visible-agent", "another-agent"));
    let dry = json!({"raw": "{models: {providers: {one: {apiKey: 'bot-token-666'}}}}", "dryRun": true});
    is_clean(&gateway.call("config.patch", dry).to_string());

    // Also while the file is broken.
    write(&gateway, &secretive(gateway.port()).replace("env: {", "env: { oops "));
    let broken = gateway.call("config.get", json!({}));
    is_clean(&broken.to_string());
    assert_eq!((&broken["valid"], &broken["exists"]), (&json!(false), &json!(true)));
    let issue = &broken["issues"][0];
    assert!(issue["line"].is_u64() && issue["column"].is_u64() && issue["message"].is_string(), "{issue}");
    assert!(broken["raw"].as_str().is_some_and(|raw| raw.contains("oops")), "what is there can be seen: {broken}");
    assert!(broken["hash"].is_string() && broken["hash"] != broken["appliedConfigHash"], "{broken}");
    is_clean(&gateway.request("config.patch", &json!({"raw": "{logging: {level: 'info'}}"})).to_string());
    // And it can be repaired from here.
    let repaired = json!({"raw": secretive(gateway.port()), "baseHash": broken["hash"]});
    assert_eq!(gateway.call("config.set", repaired)["ok"], true);
    assert_eq!(gateway.call("config.get", json!({}))["valid"], true);
}

#[test]
fn edits_are_surgical_and_refuse_what_changed_meanwhile() {
    let home = Home::new(json!({}));
    let text = format!(
        "// mine\n{{\n  gateway: {{ port: {} }}, // the port\n  models: {{ discoverLocal: false }},\n  logging: {{ level: 'info', /* why */ }},\n  mystery: {{ kept: true }},\n}}\n",
        home.port
    );
    std::fs::write(home.root().join("openclaw.json"), &text).expect("a configuration");
    let gateway = home.start();
    let before = gateway.call("config.get", json!({}));
    assert!(before["warnings"].to_string().contains("mystery"), "{}", before["warnings"]);
    let patch = json!({"raw": "{logging: {level: 'debug'}, session: {mainKey: 'main'}}", "baseHash": before["hash"]});
    let preview = gateway.call("config.patch", {
        let mut dry = patch.clone();
        dry["dryRun"] = json!(true);
        dry
    });
    assert!(preview["diff"].as_str().is_some_and(|diff| diff.contains("+  logging: { level: 'debug'")), "{preview}");
    assert_eq!((on_disk(&gateway), &preview["dryRun"]), (text.clone(), &json!(true)));

    let mut ws = gateway.ws();
    let done = gateway.call("config.patch", patch.clone());
    assert_eq!((&done["ok"], &done["hash"]), (&json!(true), &preview["hash"]));
    let event = ws.event("the change", |event| event["method"] == "config.changed");
    assert_eq!((&event["params"]["hash"], &event["params"]["path"]), (&done["hash"], &done["path"]));
    assert!(event["params"]["ts"].is_i64());
    let after = on_disk(&gateway);
    for kept in ["// mine\n", "// the port\n", "/* why */", "mystery: { kept: true }", "level: 'debug'"] {
        assert!(after.contains(kept), "{kept}: {after}");
    }
    assert_eq!(std::fs::read_to_string(gateway.home.root().join("openclaw.json.bak")).expect("a backup"), text);

    let stale = gateway.request("config.patch", &patch);
    assert_eq!((&stale["error"]["code"], &stale["error"]["data"]["kind"]), (&json!(-32009), &json!("conflict")));
    assert_eq!(stale["error"]["data"]["details"]["actual"], done["hash"]);
    let stale = gateway.request("config.set", &json!({"raw": "{}", "baseHash": before["hash"]}));
    assert_eq!(stale["error"]["data"]["kind"], "conflict");

    for (method, raw) in [
        ("config.patch", "{gateway: {port: 'x'}}"),
        ("config.patch", "[1]"),
        ("config.patch", "{gateway: "),
        ("config.set", "{gateway: {port: 70000}}"),
        ("config.set", "{a: 1"),
    ] {
        let refused = gateway.request(method, &json!({"raw": raw}));
        assert!(refused["error"]["data"]["hint"].is_string(), "{method} {raw}: {refused}");
        assert_eq!(on_disk(&gateway), after, "{method} {raw}");
    }
    // null removes; replacePaths replaces where a merge would keep.
    gateway.call("config.patch", json!({"raw": "{mystery: null}"}));
    assert!(!on_disk(&gateway).contains("mystery"));
    gateway.call("config.patch", json!({"raw": "{logging: {file: 'x.log'}}", "replacePaths": ["logging"]}));
    let config = gateway.call("config.get", json!({}));
    assert_eq!(config["parsed"]["logging"], json!({"file": "x.log"}));
    assert_eq!(ws.so_far().len(), 2, "one event per change");
}

#[test]
fn a_change_is_used_by_the_next_turn() {
    let (first, second) = (FakeProvider::start(), FakeProvider::start());
    first.always(completions::text(&["old"]));
    second.always(completions::text(&["new"]));
    let gateway = Home::new(first.config("openai-completions")).start();
    let said = |key: &str| gateway.turn("main", "hi", key)["result"]["payloads"][0]["text"].clone();
    assert_eq!(said("c-1"), "old");
    let provider = json!({"models": {"providers": {"added": {
        "baseUrl": format!("http://127.0.0.1:{}/v1", second.port), "api": "openai-completions", "apiKey": "added-key",
        "models": [{"id": "fresh"}],
    }}}});
    let added = gateway.call("config.patch", json!({"raw": provider.to_string()}));
    assert_eq!((&added["requiresRestart"], &added["restartPaths"]), (&json!(false), &json!([])));
    let models = gateway.call("models.list", json!({}));
    assert!(models.to_string().contains("fresh"), "{models}");
    assert_eq!(said("c-2"), "old", "the default is what it was");
    gateway.call("sessions.patch", json!({"key": "main", "model": "added/fresh"}));
    assert_eq!(said("c-3"), "new");
    gateway.call("sessions.patch", json!({"key": "main", "model": null}));
    let default = json!({"raw": "{agents: {defaults: {model: {primary: 'added/fresh'}}}}"});
    gateway.call("config.patch", default);
    assert_eq!(said("c-4"), "new");
    assert_eq!(
        second.seen()[1].headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.as_str()),
        Some("Bearer added-key")
    );
    assert_eq!(gateway.call("agents.list", json!({}))["agents"][0]["model"]["primary"], "added/fresh");

    // A new agent is there at once, with a workspace of its own.
    gateway.call("config.patch", json!({"raw": "{agents: {list: [{id: 'main', default: true}, {id: 'second'}]}}"}));
    gateway.call("agent", json!({"message": "hi", "idempotencyKey": "c-5", "agentId": "second"}));
    assert_eq!(gateway.call("agent.wait", json!({"runId": "c-5"}))["status"], "ok");
    assert!(gateway.home.root().join("workspace-second").is_dir());

    // A run that has begun goes on with what it began with.
    second.push(completions::gated(&["begun "], &["before"]));
    let mut ws = gateway.ws();
    ws.call("chat.send", json!({"sessionKey": "main", "message": "hi", "idempotencyKey": "c-6"}));
    ws.event("the text", |event| event["params"]["state"] == "delta");
    gateway.call(
        "config.patch",
        json!({"raw": "{models: {providers: {added: null}}, agents: {defaults: {model: {primary: 'fake/model-a'}}}}"}),
    );
    second.release();
    let outcome = gateway.call("agent.wait", json!({"runId": "c-6"}));
    assert_eq!((&outcome["status"], &outcome["result"]["payloads"][0]["text"]), (&json!("ok"), &json!("begun before")));
    assert_eq!(said("c-7"), "old");
}

#[test]
fn what_needs_a_restart_is_said_until_it_has_happened() {
    let mut gateway = Home::new(json!({})).start();
    let running = gateway.port();
    let patch = |gateway: &Gateway, raw: Value| gateway.call("config.patch", json!({"raw": raw.to_string()}));
    let moved = patch(&gateway, json!({"gateway": {"port": running + 1}}));
    assert_eq!((&moved["requiresRestart"], &moved["restartPaths"]), (&json!(true), &json!(["gateway.port"])));
    let later = patch(&gateway, json!({"logging": {"level": "debug"}}));
    assert_eq!(later["restartPaths"], json!(["gateway.port"]), "still waiting for the restart");
    let token = patch(&gateway, json!({"gateway": {"auth": {"token": "a-new-token-for-later"}}}));
    assert_eq!(token["restartPaths"], json!(["gateway.port", "gateway.auth.token"]));
    assert_eq!(gateway.call("health", json!({}))["ok"], true, "the old port and token are in force");
    let back = patch(&gateway, json!({"gateway": {"port": running, "auth": null}}));
    assert_eq!((&back["requiresRestart"], &back["restartPaths"]), (&json!(false), &json!([])));
    gateway.stop();
    gateway.restart();
    assert_eq!(patch(&gateway, json!({"logging": {"level": "info"}}))["restartPaths"], json!([]));
}

#[test]
fn the_schema_describes_the_file() {
    let gateway = Home::new(json!({})).start();
    let answer = gateway.call("config.schema", json!({}));
    let schema = &answer["schema"];
    assert!(schema["$schema"].is_string() && schema["type"] == "object");
    for key in ["gateway", "agents", "models", "session", "tools", "logging"] {
        assert!(schema["properties"].get(key).is_some(), "{key}");
    }
    let hints = answer["uiHints"].as_object().expect("hints");
    assert_eq!(hints["gateway.auth.token"]["sensitive"], true);
    assert!(hints.values().all(|hint| hint["label"].is_string() || hint["help"].is_string()));
}
