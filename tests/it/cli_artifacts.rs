//! `openclaw artifacts` and `artifacts.*`: what runs left behind.

use serde_json::{Value, json};

use crate::support::gateway::Home;
use crate::support::provider::{FakeProvider, completions};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot much of an image";

/// A home in which a run has looked at an image and kept its trajectory.
fn home(provider: &FakeProvider) -> Home {
    let mut config = provider.config("openai-completions");
    for models in config["models"]["providers"].as_object_mut().expect("providers").values_mut() {
        for model in models["models"].as_array_mut().expect("models") {
            model["input"] = json!(["text", "image"]);
        }
    }
    let home = Home::new(config);
    std::fs::create_dir_all(home.workspace().join("pics")).expect("a workspace");
    std::fs::write(home.workspace().join("pics/cat.png"), PNG).expect("an image");
    provider.push(completions::tools(&[("c", "read", json!({"path": "pics/cat.png"}))]));
    provider.push(completions::text(&["a cat"]));
    let ran = home.cli(&["agent", "-m", "what is in the picture?", "--local", "--trajectory"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    home
}

fn ids(listed: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    listed["artifacts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|found| (text(&found["type"]), text(&found["id"])))
        .collect()
}

#[test]
fn artifacts_are_listed_shown_and_exported() {
    let provider = FakeProvider::start();
    let home = home(&provider);
    let listed = home.cli(&["artifacts", "--json"]).json();
    let found = ids(&listed);
    let types: Vec<&str> = found.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(types, ["trajectory", "image"], "{listed}");
    let image = listed["artifacts"][1].clone();
    assert_eq!((&image["mimeType"], &image["sizeBytes"]), (&json!("image/png"), &json!(PNG.len())));
    assert_eq!((&image["title"], &image["sessionKey"]), (&json!("cat.png"), &json!("agent:main:main")));

    let table = home.cli(&["artifacts", "list", "--kind", "media"]);
    assert!(table.out.contains("pics/cat.png") && !table.out.contains("trajectory"), "{table:?}");
    let id = &found[1].1;
    let shown = home.cli(&["artifacts", "show", &id[..12], "--json"]).json();
    assert_eq!(shown["metadata"]["path"], "pics/cat.png");

    let exported = home.cli(&["artifacts", "export", id, "-o", "copy.png"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert_eq!(std::fs::read(home.root().join("copy.png")).expect("a copy"), PNG);

    let trajectory = home.cli(&["artifacts", "export", &found[0].1]);
    let lines = trajectory.json_lines();
    assert_eq!(lines[0]["traceSchema"], "openclaw-trajectory");
    assert_eq!(lines.last().expect("a line")["type"], "session.ended");
    let compiled = lines.iter().find(|line| line["type"] == "context.compiled").expect("the prompt");
    assert_eq!(compiled["data"]["systemPrompt"], provider.seen()[0].body["messages"][0]["content"]);
    assert!(!trajectory.out.contains("iVBOR"), "images are in artifacts of their own");
}

#[test]
fn what_is_not_there_is_said() {
    let provider = FakeProvider::start();
    let home = Home::new(provider.config("openai-completions"));
    assert_eq!(home.cli(&["artifacts"]).out.trim(), "no artifacts");
    let unknown = home.cli(&["artifacts", "show", "art-0"]);
    assert_ne!(unknown.code, 0);
    assert!(unknown.err.contains("openclaw artifacts"), "{}", unknown.err);
}

#[test]
fn clients_get_artifacts_of_a_conversation() {
    let provider = FakeProvider::start();
    let gateway = home(&provider).start();
    let listed = gateway.call("artifacts.list", json!({"sessionKey": "main", "type": "image"}));
    let found = ids(&listed);
    assert_eq!(found.len(), 1, "{listed}");
    let id = &found[0].1;
    let one = gateway.call("artifacts.get", json!({"artifactId": id, "sessionKey": "main"}));
    assert_eq!(one["artifact"], listed["artifacts"][0]);
    let content = gateway.call("artifacts.download", json!({"artifactId": id}));
    assert_eq!(content["encoding"], "base64");
    assert_eq!(data_encoding::BASE64.decode(content["data"].as_str().expect("text").as_bytes()).expect("base64"), PNG);
    let elsewhere = gateway.request("artifacts.get", &json!({"artifactId": id, "sessionKey": "other"}));
    assert!(elsewhere["error"].is_object(), "{elsewhere}");
    let other = gateway.call("artifacts.list", json!({"sessionKey": "other"}));
    assert_eq!(other["artifacts"], json!([]));
    gateway.call("sessions.delete", json!({"key": "main", "deleteTranscript": true}));
    assert_eq!(gateway.call("artifacts.list", json!({}))["artifacts"], json!([]), "they go with their conversation");
}
