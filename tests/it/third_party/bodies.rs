//! What we send, against the types of the vendors' own client libraries. Servers are lenient; these descriptions are not.

use serde_json::json;

use super::install::{Installation, installed, succeed};
use super::turn::{self, APIS, PNG};
use crate::support::provider::{FakeProvider, Script, completions};

#[test]
fn requests_have_only_what_the_vendors_libraries_know() {
    let Some(parts) = installed("bodies") else { return };
    let provider = FakeProvider::start();
    let gateway = turn::gateway(&format!("http://127.0.0.1:{}/v1", provider.port), "sk-test-fake-0123456789");
    // A history with everything in it: a picture from the user and one from a tool, parallel calls, a failed one, text beside them.
    let calls = [
        ("call_1", "ls", json!({})),
        ("call_2", "read", json!({"path": "dot.png"})),
        ("call_3", "read", json!({"path": "missing.txt"})),
    ];
    provider.push(completions::tools(&calls));
    provider.push(completions::text(&["Grey."]));
    let attachment = json!([{"type": "file", "fileName": "a.png", "mimeType": "image/png", "content": PNG}]);
    turn::run(&gateway, "main", "completions", "first", &json!({"attachments": attachment}));

    let mut requests = Vec::new();
    for (name, api) in APIS {
        for thinking in ["off", "high"] {
            provider.push(Script::Status(400, Vec::new(), "{}".to_owned()));
            let key = format!("{name}-{thinking}");
            turn::run_to_any_end(&gateway, "main", name, &key, &json!({"thinking": thinking}));
            let body = provider.seen().pop().expect("a request").body;
            let sent = body.to_string();
            assert!(sent.contains(&format!("turn {key}")) && sent.contains(PNG) && sent.contains("call_3"), "{body:#}");
            // The comparison can say no.
            let mut unknown = body.clone();
            unknown["no_such_field"] = json!(1);
            requests.extend([json!({"api": api, "body": body}), json!({"api": api, "body": unknown})]);
        }
    }

    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("requests.json");
    std::fs::write(&file, json!(requests).to_string()).expect("a file");
    let mut command = parts.python(home.path());
    let printed = succeed("the comparison", command.arg(Installation::script("request.py")).arg(&file));
    let complaints: Vec<Option<String>> = serde_json::from_str(&printed).expect("an array");
    assert_eq!(complaints.len(), requests.len());
    for (complaint, request) in complaints.chunks(2).zip(requests.chunks(2)) {
        assert_eq!(complaint[0], None, "{:#}", request[0]);
        assert_eq!(complaint[1].as_deref(), Some("body.no_such_field is unknown"), "{}", request[1]["api"]);
    }
}
