//! The table itself: names, parameter checks, the discover document.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::args::Args;
use super::spec::{Lifetime, Method, Scope};
use super::{all, discover, table};
use crate::core::{Error, ErrorKind};

fn method(name: &str) -> &'static Method {
    all().find(|method| method.name == name).unwrap_or_else(|| panic!("no method {name}"))
}

fn check(name: &str, params: Value) -> Result<Args, Error> {
    Args::check(method(name), Some(params))
}

fn refusal(name: &str, params: Value) -> String {
    let error = check(name, params).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    format!("{} | {}", error.message(), error.fix().unwrap_or_default())
}

#[test]
fn the_table_has_every_method_once() {
    let names: Vec<&str> = all().map(|method| method.name).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    for wanted in [
        "health",
        "status",
        "agent",
        "agent.wait",
        "chat.send",
        "chat.history",
        "chat.abort",
        "sessions.list",
        "sessions.describe",
        "sessions.patch",
        "sessions.reset",
        "sessions.delete",
        "sessions.subscribe",
        "sessions.unsubscribe",
        "sessions.messages.subscribe",
        "sessions.messages.unsubscribe",
        "models.list",
        "agents.list",
        "config.get",
        "config.schema",
        "config.set",
        "config.patch",
        "logs.tail",
        "sessions.timeline",
        "sessions.stateAt",
        "rpc.discover",
        "exec.approval.list",
        "exec.approval.get",
        "exec.approval.request",
        "exec.approval.waitDecision",
        "exec.approval.resolve",
        "exec.approval.grants.list",
        "exec.approval.grants.revoke",
        "exec.approvals.get",
        "exec.approvals.set",
    ] {
        assert!(names.contains(&wanted), "{wanted}");
    }
    for method in all() {
        let changes = method.scope != Scope::Read && method.name != "agent.wait";
        assert_eq!(method.lifetime == Lifetime::ToTheEnd, changes, "{}: a change runs to its end", method.name);
        let params: HashSet<_> = method.params.iter().map(|param| param.name).collect();
        assert_eq!(params.len(), method.params.len(), "{}", method.name);
    }
}

#[test]
fn parameters_are_checked_before_a_method_runs() {
    let refusals = [
        refusal("chat.send", json!({"sessionKey": "main", "message": "x"})),
        refusal("chat.history", json!({"sesionKey": "main"})),
        refusal("chat.history", json!({"sessionKey": "main", "limit": 0})),
        refusal("chat.history", json!({"sessionKey": "a\u{0}b"})),
        refusal("agent", json!(["hello"])),
        refusal("agents.list", json!({"x": 1})),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    chat.send: the parameter idempotencyKey is missing | idempotencyKey: a fresh id of yours; it becomes the run id, and sending it again starts nothing
    chat.history: there is no parameter "sesionKey" | did you mean sessionKey?
    chat.history: the parameter limit must be a whole number from 1 to 1000 | limit: messages of this page; 200 without it
    chat.history: the parameter sessionKey must not contain control characters | sessionKey: the conversation
    agent: parameters are given by name | send an object with: message, idempotencyKey, sessionKey, sessionId, agentId, model, thinking, timeout, channel, extraSystemPrompt, filesystemMode, trajectory, attachments, deliver
    agents.list: there is no parameter "x" | this method takes no parameters
    "#);
    assert!(refusal("agent", json!({"message": "a\u{0}", "idempotencyKey": "k"})).contains("NUL"));
    assert!(refusal("agent", json!({"message": "a", "idempotencyKey": "k".repeat(513)})).contains("512"));
    assert!(refusal("sessions.patch", json!({"key": "main", "label": 5})).contains("null"));
    assert!(refusal("sessions.patch", json!({"key": null, "label": "x"})).contains("string"));
}

#[test]
fn what_fits_passes() {
    let args =
        check("agent", json!({"message": "bell \u{7}", "idempotencyKey": "k", "model": null, "timeout": 5.0})).unwrap();
    assert_eq!((args.integer("timeout"), args.text("model")), (Some(5), None));
    let args = check("sessions.patch", json!({"key": "main", "label": null})).unwrap();
    assert_eq!(args.get("label"), Some(&Value::Null));
    assert_eq!(check("health", json!([true])).unwrap().flag("probe"), Some(true));
    assert!(check("agents.list", json!([])).is_ok());
    assert!(Args::check(method("rpc.discover"), None).is_ok());
}

#[test]
fn an_unknown_method_is_named_with_its_neighbour() {
    let error = table::unknown_method("chat.histroy");
    assert_eq!((error.kind(), error.kind().rpc_code()), (ErrorKind::MethodNotFound, -32601));
    assert!(error.fix().unwrap().contains("chat.history"));
    assert!(table::unknown_method("\u{0}").message().contains("\\0"));
}

#[test]
fn the_discover_document_is_complete_and_stable() {
    let document = discover::document();
    assert_eq!(document, discover::document());
    assert_eq!(document["openrpc"], "1.3.2");
    let methods = document["methods"].as_array().unwrap();
    assert_eq!(methods.len(), all().count());
    for method in methods {
        assert_eq!(method["paramStructure"], "by-name");
        assert!(method["result"]["name"].is_string() && method["result"]["schema"].is_object());
        let required: Vec<bool> =
            method["params"].as_array().unwrap().iter().map(|param| param["required"].as_bool().unwrap()).collect();
        assert!(required.is_sorted_by(|left, right| left >= right), "{}: required first", method["name"]);
        for error in method["errors"].as_array().unwrap() {
            let pointer = error["$ref"].as_str().unwrap().trim_start_matches('#');
            assert!(document.pointer(pointer).unwrap()["code"].is_i64(), "{pointer}");
        }
        for param in method["params"].as_array().unwrap() {
            assert!(param["schema"].is_object() && !param["summary"].as_str().unwrap().is_empty());
        }
    }
}
