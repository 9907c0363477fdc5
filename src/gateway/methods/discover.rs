//! The OpenRPC 1.3 document (<https://spec.open-rpc.org>), made from the method table.

use serde_json::{Value, json};

use super::spec::{Method, Scope};
use crate::core::{ErrorKind, ProviderErrorClass};

/// The document. The same program always gives the same text.
pub fn document() -> Value {
    let methods: Vec<Value> = super::all().map(describe).collect();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "openclaw gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A personal AI agent gateway. Calls go to POST /rpc or over a WebSocket on /ws, with Authorization: Bearer <token>. \
                            On a WebSocket, events arrive as notifications named chat, agent, session.message, sessions.changed, config.changed, \
                            tick, resync and shutdown.",
            "license": {"name": "MIT"},
        },
        "servers": [{"name": "local", "url": "http://127.0.0.1:18789/rpc"}],
        "x-scopes": scopes(),
        "methods": methods,
        "components": {"errors": errors()},
    })
}

fn describe(method: &Method) -> Value {
    let mut params: Vec<Value> = Vec::new();
    // OpenRPC wants required parameters first.
    for required in [true, false] {
        for param in method.params.iter().filter(|param| param.required == required) {
            params.push(json!({
                "name": param.name, "summary": param.summary, "required": param.required, "schema": param.kind.schema(),
            }));
        }
    }
    json!({
        "name": method.name,
        "summary": method.summary,
        "tags": [{"name": method.scope.as_str()}],
        "x-scope": method.scope.as_str(),
        "paramStructure": "by-name",
        "params": params,
        "result": {"name": format!("{}.result", method.name), "schema": (method.result)()},
        "errors": [
            {"$ref": "#/components/errors/invalid_input"},
            {"$ref": "#/components/errors/not_found"},
            {"$ref": "#/components/errors/unavailable"},
            {"$ref": "#/components/errors/internal"},
        ],
    })
}

/// What the `x-scope` of a method means, and that it is a description so far.
fn scopes() -> Value {
    let scopes: serde_json::Map<String, Value> =
        Scope::ALL.iter().map(|scope| (scope.as_str().to_owned(), scope.summary().into())).collect();
    json!({
        "enforced": false,
        "note": "Each method's x-scope says what it does. In this version every valid secret has all scopes, so none is refused for want of one.",
        "scopes": scopes,
    })
}

/// Every kind of error a call may be answered with; `data.kind` has the name used here.
fn errors() -> Value {
    const KINDS: [(ErrorKind, &str); 15] = [
        (ErrorKind::User, "A parameter is missing, unknown or does not fit"),
        (ErrorKind::MethodNotFound, "The method does not exist"),
        (ErrorKind::Internal, "A bug of the gateway"),
        (ErrorKind::NotFound, "The named thing does not exist"),
        (ErrorKind::Auth, "The caller is not authenticated"),
        (ErrorKind::Policy, "A policy forbids it"),
        (ErrorKind::Config, "The configuration is broken"),
        (ErrorKind::Conflict, "The thing changed or is in use"),
        (ErrorKind::Provider(ProviderErrorClass::Network), "A model provider did not answer; data.class says why"),
        (ErrorKind::Sandbox, "A sandbox guarantee is missing"),
        (ErrorKind::State, "The database or state directory cannot be used"),
        (ErrorKind::Timeout, "It took too long"),
        (ErrorKind::Cancelled, "It was cancelled"),
        (ErrorKind::TooLarge, "A bound was passed"),
        (ErrorKind::Unavailable, "It cannot be done right now"),
    ];
    KINDS
        .iter()
        .map(|(kind, message)| (kind.as_str().to_owned(), json!({"code": kind.rpc_code(), "message": message})))
        .collect::<serde_json::Map<String, Value>>()
        .into()
}
