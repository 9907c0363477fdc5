//! Files sent with a message: what reaches the provider on each wire, what is refused.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, Script};

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A gateway whose provider refuses everything; what it was asked is what counts here.
fn gateway(provider: &FakeProvider, api: &str) -> Gateway {
    let refusal = json!({"error": {"type": "invalid_request_error", "message": "seen enough"}}).to_string();
    provider.always(Script::Status(400, vec![("content-type".into(), "application/json".into())], refusal));
    Home::new(provider.config(api)).start()
}

fn files() -> Value {
    json!([
        {"type": "image", "mimeType": "application/pdf", "fileName": "dot.png", "content": format!("data:image/x;base64,{PNG}")},
        {"type": "file", "mimeType": "text/plain", "fileName": "note.txt", "content": BASE64.encode("grüße".as_bytes())},
    ])
}

/// The user message of the only request.
fn asked(api: &str) -> (String, Value) {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider, api);
    let params = json!({"sessionKey": "main", "message": "look", "idempotencyKey": "file", "attachments": files()});
    gateway.call("chat.send", params);
    let seen = provider.wait_seen(1)[0].clone();
    let messages = if api == "openai-responses" { &seen.body["input"] } else { &seen.body["messages"] };
    let mut users = messages.as_array().expect("messages").iter();
    let user = users.rfind(|message| message["role"] == "user").cloned().expect("a user message");
    // The history has the image as OpenClaw's clients read it.
    gateway.call("agent.wait", json!({"runId": "file"}));
    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    assert_eq!(
        history["messages"][0]["content"],
        json!([{"type": "text", "text": "look"}, {"type": "image", "data": PNG, "mimeType": "image/png"},
               {"type": "text", "text": "File note.txt:\n\ngrüße"}])
    );
    (seen.path, user["content"].clone())
}

#[test]
fn images_reach_each_wire_in_its_own_shape() {
    let url = format!("data:image/png;base64,{PNG}");
    let (path, content) = asked("openai-completions");
    assert_eq!(path, "/v1/chat/completions");
    assert_eq!(content[0], json!({"type": "text", "text": "look"}));
    assert_eq!(content[1], json!({"type": "image_url", "image_url": {"url": url}}));
    assert_eq!(content[2], json!({"type": "text", "text": "File note.txt:\n\ngrüße"}));

    let (path, content) = asked("openai-responses");
    assert_eq!(path, "/v1/responses");
    assert_eq!(content[0], json!({"type": "input_text", "text": "look"}));
    assert_eq!((&content[1]["type"], &content[1]["image_url"]), (&json!("input_image"), &json!(url)));
    assert_eq!(content[2]["type"], "input_text");

    let (path, content) = asked("anthropic-messages");
    assert_eq!(path, "/v1/messages");
    assert_eq!((&content[0]["type"], &content[0]["text"]), (&json!("text"), &json!("look")));
    assert_eq!(
        content[1],
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}})
    );
}

#[test]
fn a_model_without_eyes_gets_words_instead() {
    let provider = FakeProvider::start();
    let mut config = provider.config("openai-completions");
    config["models"]["providers"]["fake"]["models"] = json!([{"id": "model-a", "input": ["text"]}]);
    provider.always(crate::support::provider::completions::text(&["I cannot see"]));
    let gateway = Home::new(config).start();
    let params = json!({"message": "look", "idempotencyKey": "blind", "attachments": files()});
    gateway.call("agent", params);
    assert_eq!(gateway.call("agent.wait", json!({"runId": "blind"}))["status"], "ok");
    let body = provider.seen()[0].body.to_string();
    assert!(!body.contains("image_url") && !body.contains(PNG), "{body}");
    assert!(body.contains("image"), "the model is told that there was one: {body}");
}

#[test]
fn bad_and_oversized_files_are_refused_and_nothing_is_stored() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider, "openai-completions");
    let png = |size: usize| {
        let mut bytes = BASE64.decode(PNG.as_bytes()).expect("base64");
        bytes.resize(size, 0);
        BASE64.encode(&bytes)
    };
    for (file, kind, words) in [
        (
            json!({"fileName": "a.zip", "content": BASE64.encode(b"PK\x03\x04\x00")}),
            "invalid_input",
            "neither an image",
        ),
        (json!({"fileName": "a.bin", "content": BASE64.encode(b"\xff\xfe\x00")}), "invalid_input", "neither an image"),
        (json!({"fileName": "a.png", "content": "not base64!"}), "invalid_input", "not base64"),
        (json!({"fileName": "a.png", "content": ""}), "invalid_input", "no content"),
        (json!({"fileName": "a.png"}), "invalid_input", "no content"),
        (json!({"fileName": "a.png", "content": 5}), "invalid_input", "no content"),
        (json!({"fileName": "big.png", "content": png(6_291_457)}), "too_large", "6291456 bytes"),
        (
            json!({"fileName": "big.txt", "content": BASE64.encode(&vec![b'a'; 4_194_305])}),
            "too_large",
            "4194304 bytes",
        ),
    ] {
        let name = file["fileName"].as_str().expect("a name").to_owned();
        let params = json!({"sessionKey": "main", "message": "look", "idempotencyKey": "bad", "attachments": [file]});
        let response = gateway.request("chat.send", &params);
        let error = &response["error"];
        assert_eq!(error["data"]["kind"], kind, "{name}: {response}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(&name)), "{error}");
        assert!(error["data"]["why"].as_str().is_some_and(|why| why.contains(words)), "{error}");
        assert!(error["data"]["hint"].is_string(), "{error}");
        assert_eq!(error["data"]["details"]["fileName"], name);
    }
    let many: Vec<Value> = (0..21).map(|_| json!({"content": "aGk="})).collect();
    let params = json!({"sessionKey": "main", "message": "look", "idempotencyKey": "bad", "attachments": many});
    assert_eq!(gateway.request("chat.send", &params)["error"]["code"], -32602);
    assert_eq!(gateway.call("sessions.list", json!({}))["totalCount"], 0);
    // The largest image that is allowed gets through.
    let params = json!({"sessionKey": "main", "message": "", "idempotencyKey": "large",
                        "attachments": [{"fileName": "large.png", "content": png(6_291_456)}]});
    assert_eq!(gateway.call("chat.send", params)["status"], "started");
    let asked = provider.wait_seen(1)[0].body.to_string();
    assert!(asked.len() > 8_388_608, "{}", asked.len());
}
