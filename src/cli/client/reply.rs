//! JSON-RPC 2.0 answers (<https://www.jsonrpc.org/specification>) as results of ours.

use serde_json::{Value, json};

use crate::core::{Error, ErrorKind, ProviderErrorClass, Result};

/// A request object.
pub(super) fn request(id: u64, method: &str, params: &Value) -> Value {
    if params.is_null() {
        json!({ "jsonrpc": "2.0", "id": id, "method": method })
    } else {
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }
}

/// The result of a response object, or its error.
pub(super) fn outcome(mut response: Value) -> Result<Value> {
    if let Some(error) = response.get("error") {
        return Err(rpc_error(error));
    }
    match response.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(malformed("the response has neither result nor error")),
    }
}

/// The error for an answer that is not JSON-RPC.
pub(super) fn malformed(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unavailable, "what answers there does not speak the gateway's protocol")
        .why(why)
        .hint("check the address and port: openclaw gateway status")
}

/// The product's error from a JSON-RPC error object, or from the error object of a run.
pub(crate) fn rpc_error(error: &Value) -> Error {
    let data = error.get("data").filter(|data| data.is_object()).unwrap_or(error);
    let text = |from: &Value, name: &str| from.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let name = text(data, "kind").or_else(|| text(data, "code")).or_else(|| text(error, "code"));
    let class = text(data, "class").unwrap_or_default();
    let kind = name
        .and_then(|name| kind_named(&name, &class))
        .or_else(|| error.get("code").and_then(Value::as_i64).map(kind_of_code))
        .unwrap_or(ErrorKind::Internal);
    let mut out = Error::new(kind, text(error, "message").unwrap_or_else(|| "the gateway reports an error".to_owned()));
    if let Some(why) = text(data, "why") {
        out = out.why(why);
    }
    if let Some(hint) = text(data, "hint") {
        out = out.hint(hint);
    }
    if let Some(details) = data.get("details") {
        out = out.details(details.clone());
    }
    out
}

const KINDS: [ErrorKind; 15] = [
    ErrorKind::User,
    ErrorKind::NotFound,
    ErrorKind::MethodNotFound,
    ErrorKind::Config,
    ErrorKind::Auth,
    ErrorKind::Policy,
    ErrorKind::Sandbox,
    ErrorKind::State,
    ErrorKind::Unreachable,
    ErrorKind::Timeout,
    ErrorKind::Cancelled,
    ErrorKind::Conflict,
    ErrorKind::TooLarge,
    ErrorKind::Unavailable,
    ErrorKind::Internal,
];

fn kind_named(name: &str, class: &str) -> Option<ErrorKind> {
    if name == "provider" {
        let class = ProviderErrorClass::named(class).unwrap_or(ProviderErrorClass::Protocol);
        return Some(ErrorKind::Provider(class));
    }
    KINDS.into_iter().find(|kind| kind.as_str() == name)
}

/// By number, for gateways that send no kind.
fn kind_of_code(code: i64) -> ErrorKind {
    match code {
        -32_700 | -32_600 => ErrorKind::User,
        code => KINDS.into_iter().find(|kind| kind.rpc_code() == code).unwrap_or(ErrorKind::Internal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_wire() {
        let provider = ProviderErrorClass::ALL.into_iter().map(ErrorKind::Provider);
        for kind in KINDS.into_iter().chain(provider) {
            let sent = Error::new(kind, "what").why("why").hint("do");
            let mut data = sent.to_json();
            data["kind"] = kind.as_str().into();
            let wire = json!({ "code": kind.rpc_code(), "message": "what", "data": data });
            let back = rpc_error(&wire);
            assert_eq!(back.kind(), kind);
            assert_eq!(back.reason().as_deref(), Some("why"));
            assert_eq!(back.fix(), Some("do"));
        }
    }

    #[test]
    fn a_bare_code_is_enough() {
        assert_eq!(rpc_error(&json!({"code": -32601, "message": "m"})).kind(), ErrorKind::MethodNotFound);
        assert_eq!(rpc_error(&json!({"code": -32700, "message": "m"})).kind(), ErrorKind::User);
        assert_eq!(rpc_error(&json!({"code": 7, "message": "m"})).kind(), ErrorKind::Internal);
        assert_eq!(rpc_error(&json!({"code": "not_found", "message": "m"})).kind(), ErrorKind::NotFound);
    }

    #[test]
    fn results_and_nonsense_are_told_apart() {
        assert_eq!(outcome(json!({"result": {"a": 1}})).expect("a result"), json!({"a": 1}));
        assert_eq!(outcome(json!({"result": null})).expect("null is a result"), Value::Null);
        assert!(outcome(json!({"hello": 1})).is_err());
    }
}
