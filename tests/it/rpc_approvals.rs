//! `exec.approval.*` and `exec.approvals.*` of a real gateway: questions of a run, decided by clients.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};
use crate::support::until;
use crate::support::ws::Ws;

/// A gateway on which `write` asks.
fn gateway(provider: &FakeProvider, timeout_seconds: u64) -> Gateway {
    let mut config = provider.config("openai-completions");
    config["tools"] = json!({"ask": ["write"], "exec": {"approvalTimeoutSeconds": timeout_seconds}});
    Home::new(config).start()
}

/// The model writes a file, then says that it is done.
fn writes(provider: &FakeProvider, name: &str, content: &str) {
    provider.push(completions::tools(&[("call_1", "write", json!({"path": name, "content": content}))]));
    provider.push(completions::text(&["Done."]));
}

fn begin(gateway: &Gateway, run: &str) {
    gateway.call("agent", json!({"sessionKey": "main", "message": "write it", "idempotencyKey": run}));
}

fn end(gateway: &Gateway, run: &str) -> Value {
    gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}))
}

fn pending(gateway: &Gateway) -> Value {
    until("a question waits", || {
        let list = gateway.call("exec.approval.list", json!({}));
        list.as_array().expect("a list").first().cloned()
    })
}

fn requested(client: &mut Ws) -> Value {
    client.event("a question", |event| event["method"] == "exec.approval.requested")["params"].clone()
}

fn written(gateway: &Gateway, name: &str) -> Option<String> {
    std::fs::read_to_string(gateway.home.workspace().join(name)).ok()
}

/// What the model was told about its last call.
fn told(provider: &FakeProvider) -> String {
    let seen = provider.seen();
    let body = &seen.last().expect("a request").body;
    body["messages"].as_array().expect("messages").last().expect("one")["content"].to_string()
}

#[test]
fn a_question_is_told_decided_once_and_remembered() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider, 300);
    let mut client = gateway.ws();
    writes(&provider, "a.txt", "x");
    begin(&gateway, "r-1");
    let question = requested(&mut client);
    assert_eq!(question["status"], "pending");
    assert_eq!(
        (&question["agentId"], &question["runId"], &question["sessionKey"]),
        (&json!("main"), &json!("r-1"), &json!("agent:main:main"))
    );
    let request = &question["request"];
    assert_eq!(request["allowedDecisions"], json!(["allow-once", "allow-always", "deny"]));
    assert!(request["command"].as_str().expect("a command").contains("a.txt"), "{request}");
    assert!(question["expiresAtMs"].as_i64() > question["createdAtMs"].as_i64());
    let id = question["id"].as_str().expect("an id").to_owned();
    assert_eq!(pending(&gateway)["id"], id.as_str());
    assert_eq!(gateway.call("exec.approval.get", json!({"id": id}))["status"], "pending");
    assert_eq!(written(&gateway, "a.txt"), None);

    // A client that connects later sees it too, and its decision counts.
    let mut other = gateway.ws();
    let listed = other.call("exec.approval.list", json!({}));
    assert_eq!(listed[0]["id"], id.as_str());
    let resolved = other.call("exec.approval.resolve", json!({"id": id, "decision": "allow-once", "reviewer": "ann"}));
    assert_eq!(resolved["ok"], true);
    let event = client.event("the decision", |event| event["method"] == "exec.approval.resolved");
    assert_eq!((&event["params"]["decision"], &event["params"]["resolvedBy"]), (&json!("allow-once"), &json!("ann")));
    assert_eq!(end(&gateway, "r-1")["status"], "ok");
    assert_eq!(written(&gateway, "a.txt").as_deref(), Some("x"));

    let again = gateway.request("exec.approval.resolve", &json!({"id": id, "decision": "deny"}));
    assert_eq!(
        (&again["error"]["code"], &again["error"]["data"]["details"]["decision"]),
        (&json!(-32009), &json!("allow-once"))
    );
    let waited = gateway.call("exec.approval.waitDecision", json!({"id": id}));
    assert_eq!((&waited["decision"], &waited["status"]), (&json!("allow-once"), &json!("allowed")));
    for method in ["exec.approval.get", "exec.approval.waitDecision"] {
        let unknown = gateway.request(method, &json!({"id": "no-such"}));
        assert_eq!(unknown["error"]["code"], -32004);
        assert_eq!(unknown["error"]["data"]["details"]["code"], "APPROVAL_NOT_FOUND");
    }
    // Once is once: the same call asks again.
    writes(&provider, "a.txt", "x");
    begin(&gateway, "r-2");
    let second = pending(&gateway);
    assert_ne!(second["id"], id.as_str());
    gateway.call("exec.approval.resolve", json!({"id": second["id"], "decision": "deny"}));
    assert_eq!(end(&gateway, "r-2")["status"], "ok");
    assert!(told(&provider).contains("denied by gateway client"), "{}", told(&provider));
}

#[test]
fn allow_always_holds_over_restarts_until_it_is_revoked() {
    let provider = FakeProvider::start();
    let mut gateway = gateway(&provider, 300);
    writes(&provider, "a.txt", "x");
    begin(&gateway, "r-1");
    let question = pending(&gateway);
    gateway.call(
        "exec.approval.resolve",
        json!({"id": question["id"], "decision": "allow-always", "grantExpiresInDays": 3}),
    );
    end(&gateway, "r-1");
    let grants = gateway.call("exec.approval.grants.list", json!({}));
    let grant = &grants["grants"][0];
    assert_eq!((&grant["grantId"], &grant["tool"]), (&question["id"], &json!("write")));
    let days = (grant["expiresAtMs"].as_i64().expect("an end") - grant["createdAtMs"].as_i64().expect("a beginning"))
        / 86_400_000;
    assert_eq!(days, 3);

    gateway.stop();
    gateway.restart();
    writes(&provider, "a.txt", "x");
    let outcome = gateway.turn("main", "again", "r-2");
    assert_eq!(outcome["status"], "ok");
    assert!(!told(&provider).contains("not run"), "{}", told(&provider));

    assert_eq!(gateway.call("exec.approval.grants.revoke", json!({"grantId": question["id"]}))["ok"], true);
    assert_eq!(gateway.call("exec.approval.grants.list", json!({}))["grants"], json!([]));
    let twice = gateway.request("exec.approval.grants.revoke", &json!({"grantId": question["id"]}));
    assert_eq!(twice["error"]["code"], -32009);
    writes(&provider, "a.txt", "x");
    begin(&gateway, "r-3");
    let again = pending(&gateway);
    gateway.call("exec.approval.resolve", json!({"id": again["id"], "decision": "deny"}));
    end(&gateway, "r-3");
}

#[test]
fn a_killed_gateway_leaves_no_open_question() {
    let provider = FakeProvider::start();
    let mut gateway = gateway(&provider, 300);
    writes(&provider, "a.txt", "x");
    begin(&gateway, "r-1");
    let id = pending(&gateway)["id"].clone();
    gateway.kill();
    gateway.restart();
    assert_eq!(gateway.call("exec.approval.list", json!({})), json!([]));
    let row = gateway.call("exec.approval.get", json!({"id": id}));
    assert_eq!((&row["status"], &row["decision"]), (&json!("expired"), &Value::Null));
    let late = gateway.request("exec.approval.resolve", &json!({"id": id, "decision": "allow-once"}));
    assert_eq!(late["error"]["code"], -32009);
    assert_eq!(written(&gateway, "a.txt"), None);
}

#[test]
fn silence_denies() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider, 1);
    writes(&provider, "a.txt", "x");
    let outcome = gateway.turn("main", "write it", "r-1");
    assert_eq!(outcome["status"], "ok");
    assert!(told(&provider).contains("nobody gave one within 1 seconds"), "{}", told(&provider));
    assert_eq!(written(&gateway, "a.txt"), None);
}

#[test]
fn of_two_who_decide_at_once_one_does() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider, 300);
    for round in 0..5 {
        let asked = gateway.call("exec.approval.request", json!({"command": "id", "twoPhase": true}));
        assert_eq!(asked["status"], "accepted");
        let decide = |decision: &'static str| {
            gateway.request("exec.approval.resolve", &json!({"id": asked["id"], "decision": decision}))
        };
        let answers = std::thread::scope(|scope| {
            let yes = scope.spawn(|| decide("allow-once"));
            let no = scope.spawn(|| decide("deny"));
            [yes.join().expect("no panic"), no.join().expect("no panic")]
        });
        let won = answers.iter().filter(|answer| answer.get("result").is_some()).count();
        let lost = answers.iter().filter(|answer| answer["error"]["code"] == -32009).count();
        assert_eq!((won, lost), (1, 1), "round {round}: {answers:?}");
    }
}

#[test]
fn a_client_can_ask_for_itself() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider, 300);
    // Nobody answers within the time the client gave.
    let silent =
        gateway.call("exec.approval.request", json!({"commandArgv": ["rm", "-rf", "x"], "timeoutMs": 50, "cwd": "/w"}));
    assert_eq!((&silent["decision"], &silent["status"]), (&Value::Null, &json!("expired")));
    let asked = gateway.call(
        "exec.approval.request",
        json!({"id": "mine", "command": "ls", "twoPhase": true, "env": {"A": "secret"}}),
    );
    assert_eq!(asked["id"], "mine");
    let waiting = gateway.call("exec.approval.waitDecision", json!({"id": "mine", "timeoutMs": 20}));
    assert_eq!((&waiting["decision"], &waiting["status"]), (&Value::Null, &json!("pending")));
    let shown = gateway.call("exec.approval.get", json!({"id": "mine"}));
    assert_eq!(shown["request"]["allowedDecisions"], json!(["allow-once", "deny"]));
    assert!(!shown.to_string().contains("secret"));
    let decided = std::thread::scope(|scope| {
        let waits = scope.spawn(|| gateway.call("exec.approval.waitDecision", json!({"id": "mine"})));
        gateway.call("exec.approval.resolve", json!({"id": "mine", "decision": "deny"}));
        waits.join().expect("no panic")
    });
    assert_eq!(decided["decision"], "deny");
    let always = gateway.call("exec.approval.request", json!({"command": "ls", "twoPhase": true}));
    let refused = gateway.request("exec.approval.resolve", &json!({"id": always["id"], "decision": "allow-always"}));
    assert_eq!(refused["error"]["code"], -32602);
    let nothing = gateway.request("exec.approval.request", &json!({"cwd": "/w"}));
    assert_eq!(nothing["error"]["code"], -32602);
    assert_eq!(
        gateway.request("exec.approval.request", &json!({"command": "ls", "agentId": "nobody"}))["error"]["code"],
        -32004
    );
}

#[test]
fn the_document_is_read_and_replaced_with_its_hash() {
    let provider = FakeProvider::start();
    let mut gateway = gateway(&provider, 300);
    let empty = gateway.call("exec.approvals.get", json!({}));
    assert_eq!((&empty["exists"], &empty["file"]["version"]), (&json!(false), &json!(1)));
    assert_eq!(empty["resolvedDefaults"]["askFallback"], "deny");
    let file = json!({"version": 1, "socket": {"path": "/s", "token": "bridge-secret"}, "defaults": {"security": "allowlist"},
                      "agents": {"main": {"allowlist": [{"pattern": "/usr/bin/rg", "source": "import"}]}}});
    let set = gateway.call("exec.approvals.set", json!({"file": file}));
    assert_eq!((&set["exists"], &set["resolvedDefaults"]["security"]), (&json!(true), &json!("allowlist")));
    assert!(!set.to_string().contains("bridge-secret"));
    let entry = &set["file"]["agents"]["main"]["allowlist"][0];
    assert_eq!(
        (&entry["pattern"], &entry["source"], entry["id"].is_string()),
        (&json!("/usr/bin/rg"), &json!("import"), true)
    );
    for (params, code) in [
        (json!({"file": {"version": 1}}), -32602),
        (json!({"file": {"version": 1}, "baseHash": "stale"}), -32009),
        (json!({"file": {"version": 1, "defaults": {"ask": "maybe"}}, "baseHash": set["hash"]}), -32602),
        (json!({"file": [], "baseHash": set["hash"]}), -32602),
    ] {
        assert_eq!(gateway.request("exec.approvals.set", &params)["error"]["code"], code, "{params}");
    }
    gateway.stop();
    gateway.restart();
    assert_eq!(gateway.call("exec.approvals.get", json!({}))["hash"], set["hash"]);
    let replaced = gateway.call("exec.approvals.set", json!({"file": {"version": 1}, "baseHash": set["hash"]}));
    assert_eq!(replaced["file"]["agents"], json!({}));
}

#[test]
fn an_aborted_run_takes_its_question_with_it() {
    let provider = FakeProvider::start();
    let gateway = gateway(&provider, 300);
    let mut client = gateway.ws();
    writes(&provider, "a.txt", "x");
    begin(&gateway, "r-1");
    let id = requested(&mut client)["id"].clone();
    gateway.call("chat.abort", json!({"sessionKey": "main"}));
    let resolved =
        client.event("its end", |event| event["method"] == "exec.approval.resolved" && event["params"]["id"] == id);
    assert_eq!((&resolved["params"]["status"], &resolved["params"]["decision"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(end(&gateway, "r-1")["status"], "aborted");
    assert_eq!(gateway.call("exec.approval.list", json!({})), json!([]));
}
