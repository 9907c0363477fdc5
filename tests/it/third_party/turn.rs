//! A gateway in front of somebody else's model server, and turns through it.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};

/// The wire APIs, each under the name its provider and model have in these tests.
pub(super) const APIS: [(&str, &str); 3] =
    [("messages", "anthropic-messages"), ("completions", "openai-completions"), ("responses", "openai-responses")];

/// What the file in the workspace says.
pub(super) const NOTE: &str = "hello from the file";

/// A gateway with one provider per API at `base_url`, and a workspace with a note and a picture.
pub(super) fn gateway(base_url: &str, key: &str) -> Gateway {
    let providers: serde_json::Map<String, Value> = APIS
        .iter()
        .map(|(name, api)| {
            let model = json!({
                "id": format!("model-{name}"), "name": name, "input": ["text", "image"], "reasoning": true,
                "contextWindow": 100_000, "maxTokens": 8192,
                "cost": {"input": 1.0, "output": 2.0, "cacheRead": 0.1, "cacheWrite": 1.25},
            });
            ((*name).to_owned(), json!({"baseUrl": base_url, "apiKey": key, "api": api, "models": [model]}))
        })
        .collect();
    let home = Home::new(json!({
        "models": {"discoverLocal": false, "providers": providers},
        "agents": {"defaults": {"model": {"primary": "completions/model-completions"}}},
    }));
    std::fs::create_dir_all(home.workspace()).expect("a workspace");
    std::fs::write(home.workspace().join("note.txt"), format!("{NOTE}\n")).expect("a file");
    std::fs::write(home.workspace().join("dot.png"), png()).expect("a picture");
    home.start()
}

/// Runs a turn on the model of API `name`; `more` is added to the parameters of `agent`.
pub(super) fn run_to_any_end(gateway: &Gateway, session: &str, name: &str, key: &str, more: &Value) -> Value {
    let mut params = json!({
        "sessionKey": session, "message": format!("turn {key}"), "idempotencyKey": key,
        "model": format!("{name}/model-{name}"),
    });
    for (field, value) in more.as_object().expect("an object") {
        params[field] = value.clone();
    }
    gateway.call("agent", params);
    gateway.call("agent.wait", json!({"runId": key, "timeoutMs": 25_000}))
}

/// The same for a turn that has to go well.
pub(super) fn run(gateway: &Gateway, session: &str, name: &str, key: &str, more: &Value) -> Value {
    let outcome = run_to_any_end(gateway, session, name, key, more);
    assert_eq!(outcome["status"], "ok", "{name} {key}: {outcome:#}");
    assert_eq!(outcome["result"]["meta"]["agentMeta"]["provider"], name, "{outcome:#}");
    outcome
}

/// The text a turn ended with.
pub(super) fn text(outcome: &Value) -> &str {
    outcome["result"]["payloads"][0]["text"].as_str().unwrap_or_default()
}

/// The usage a turn was charged with.
pub(super) fn usage(outcome: &Value) -> &Value {
    &outcome["result"]["meta"]["agentMeta"]["usage"]
}

/// One grey pixel.
pub(super) fn png() -> Vec<u8> {
    data_encoding::BASE64.decode(PNG.as_bytes()).expect("base64")
}

/// The same as base64.
pub(super) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";
