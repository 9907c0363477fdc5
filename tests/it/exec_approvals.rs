//! Commands without a sandbox: listed ones run, others wait for a person, and a decision holds for exactly what was shown.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};
use crate::support::until;

/// Level `none`, so that allow list and questions are in force by default; `tool` lies in `bin` of the home.
fn gateway(provider: &FakeProvider) -> Gateway {
    let mut config = provider.config("openai-completions");
    config["agents"]["defaults"]["sandbox"] = json!({"level": "none"});
    let home = Home::new(config);
    let bin = home.root().join("bin");
    std::fs::create_dir(&bin).expect("a directory");
    install(&bin.join("tool"), "one");
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(home.root().join("openclaw.json")).expect("readable")).expect("JSON");
    config["tools"] = json!({"exec": {"pathPrepend": [bin]}});
    std::fs::write(home.root().join("openclaw.json"), config.to_string()).expect("a configuration");
    home.start()
}

fn install(path: &Path, says: &str) {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, format!("#!/bin/sh\necho \"$0 says {says}\"\n")).expect("a file");
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).expect("executable");
    std::fs::rename(fresh, path).expect("replaced");
}

fn begin(gateway: &Gateway, provider: &FakeProvider, run: &str, command: &str) {
    provider.push(completions::tools(&[("call_1", "exec", json!({"command": command}))]));
    provider.push(completions::text(&["Done."]));
    gateway.call("agent", json!({"sessionKey": "main", "message": "run it", "idempotencyKey": run}));
}

/// The question that the run waits for.
fn question(gateway: &Gateway) -> Value {
    until("a question waits", || {
        gateway.call("exec.approval.list", json!({})).as_array().expect("a list").first().cloned()
    })
}

fn decide(gateway: &Gateway, question: &Value, decision: &str) {
    gateway.call("exec.approval.resolve", json!({"id": question["id"], "decision": decision}));
}

/// What the model was told at the end of a run.
fn told(gateway: &Gateway, provider: &FakeProvider, run: &str) -> String {
    let outcome = gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}));
    assert_eq!(outcome["status"], "ok", "{outcome}");
    let seen = provider.seen();
    let body = &seen.last().expect("a request").body;
    body["messages"].as_array().expect("messages").last().expect("one")["content"].to_string()
}

#[test]
fn allowed_once_is_once_and_denied_is_told() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    begin(&gateway, &provider, "r-1", "tool --x");
    let asked = question(&gateway);
    let request = &asked["request"];
    assert_eq!(
        (&request["command"], &request["sandbox"], &request["tool"]),
        (&json!("tool --x"), &json!("none"), &json!("exec"))
    );
    assert!(request["resolvedPath"].as_str().expect("a path").ends_with("bin/tool"), "{request}");
    decide(&gateway, &asked, "allow-once");
    assert!(told(&gateway, &provider, "r-1").contains("tool says one"));
    begin(&gateway, &provider, "r-2", "tool --x");
    decide(&gateway, &question(&gateway), "deny");
    let told = told(&gateway, &provider, "r-2");
    assert!(told.contains("denied by") && !told.contains("says one"), "{told}");
}

#[test]
fn allowed_always_holds_until_the_command_or_the_program_is_another() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    begin(&gateway, &provider, "r-1", "tool --x");
    decide(&gateway, &question(&gateway), "allow-always");
    assert!(told(&gateway, &provider, "r-1").contains("says one"));
    // The same in a later run: nobody is asked.
    begin(&gateway, &provider, "r-2", "tool --x");
    assert!(told(&gateway, &provider, "r-2").contains("says one"));
    for (run, command) in [("r-3", "tool --y"), ("r-4", "tool --x; tool --x")] {
        begin(&gateway, &provider, run, command);
        let asked = question(&gateway);
        assert_eq!(asked["request"]["command"], command);
        decide(&gateway, &asked, "deny");
        assert!(!told(&gateway, &provider, run).contains("says one"));
    }
    install(&gateway.home.root().join("bin/tool"), "another thing");
    begin(&gateway, &provider, "r-5", "tool --x");
    decide(&gateway, &question(&gateway), "deny");
    assert!(!told(&gateway, &provider, "r-5").contains("another thing"));
}

#[test]
fn listed_programs_run_and_shells_never_do_by_a_list() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider);
    for pattern in ["wc", "sh", "*"] {
        assert_eq!(gateway.home.cli(&["approvals", "allowlist", "add", pattern]).code, 0);
    }
    std::fs::write(gateway.home.workspace().join("a.txt"), "x\ny\n").expect("a file");
    begin(&gateway, &provider, "r-1", "wc -l a.txt && echo counted");
    let said = told(&gateway, &provider, "r-1");
    assert!(said.contains("2 a.txt") && said.contains("counted"), "{said}");
    let used = until("the use is noted", || {
        let listed = gateway.home.cli(&["approvals", "allowlist", "list", "--json"]).json();
        listed["entries"].as_array().expect("entries").iter().find(|entry| entry["lastUsedAt"].is_i64()).cloned()
    });
    assert_eq!((&used["pattern"], &used["lastUsedCommand"]), (&json!("wc"), &json!("wc -l a.txt && echo counted")));
    for (run, command) in [("r-2", "sh -c 'wc -l a.txt'"), ("r-3", "wc -l $(echo a.txt)"), ("r-4", "env wc -l a.txt")] {
        begin(&gateway, &provider, run, command);
        let asked = question(&gateway);
        assert_eq!(asked["request"]["allowedDecisions"], json!(["allow-once", "deny"]), "{asked}");
        decide(&gateway, &asked, "deny");
        assert!(!told(&gateway, &provider, run).contains("2 a.txt"));
    }
}
