//! The error member of a response.

use serde_json::{Map, Value, json};

use crate::core::{Error, ErrorKind};

/// Invalid JSON was received.
pub(crate) const PARSE_ERROR: i64 = -32700;
/// The JSON is not a valid request object.
pub(crate) const INVALID_REQUEST: i64 = -32600;
/// The parameters do not fit the method.
pub(crate) const INVALID_PARAMS: i64 = -32602;

/// `{code, message, data?}` of a response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RpcError {
    /// One of the reserved codes, or ours (`ErrorKind::rpc_code`).
    pub(crate) code: i64,
    /// What happened, in one sentence.
    pub(crate) message: String,
    /// `{kind, why?, hint?, class?, details?}`.
    pub(crate) data: Value,
}

impl RpcError {
    /// The bytes are not JSON.
    pub(crate) fn parse(why: impl Into<String>, details: &Value) -> Self {
        Self {
            code: PARSE_ERROR,
            message: "the message is not valid JSON".to_owned(),
            data: json!({"kind": "parse_error", "why": why.into(), "details": details}),
        }
    }

    /// The JSON is no request.
    pub(crate) fn invalid_request(why: impl Into<String>) -> Self {
        Self {
            code: INVALID_REQUEST,
            message: "the message is not a JSON-RPC 2.0 request".to_owned(),
            data: json!({
                "kind": "invalid_request",
                "why": why.into(),
                "hint": "send {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health\",\"params\":{}}",
            }),
        }
    }

    /// The parameters cannot be read.
    pub(crate) fn invalid_params(message: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            code: INVALID_PARAMS,
            message: message.into(),
            data: json!({"kind": ErrorKind::User.as_str(), "why": why.into()}),
        }
    }

    /// The object for the wire.
    pub(crate) fn to_json(&self) -> Value {
        json!({"code": self.code, "message": self.message, "data": self.data})
    }
}

impl From<Error> for RpcError {
    fn from(error: Error) -> Self {
        let mut data = Map::new();
        data.insert("kind".into(), error.kind().as_str().into());
        if let ErrorKind::Provider(class) = error.kind() {
            data.insert("class".into(), class.as_str().into());
        }
        if let Some(why) = error.reason() {
            data.insert("why".into(), why.into());
        }
        if let Some(hint) = error.fix() {
            data.insert("hint".into(), hint.into());
        }
        if let Some(details) = error.data() {
            data.insert("details".into(), details.clone());
        }
        Self { code: error.kind().rpc_code(), message: error.message().to_owned(), data: Value::Object(data) }
    }
}
