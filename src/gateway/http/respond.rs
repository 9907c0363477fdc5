//! Answers with the headers every answer has.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::core::ErrorKind;

/// An answer: the whole body is at hand.
pub(crate) type Answer = Response<Full<Bytes>>;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const NO_CONTENT_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Body and type, with the headers that keep browsers from guessing, framing, storing and leaking.
pub(super) fn answer(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.reserve(12);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, NO_CONTENT_POLICY);
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), microphone=(), geolocation=()"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

/// JSON text.
pub(super) fn json_text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, JSON, body)
}

/// A JSON value.
pub(super) fn json_value(status: StatusCode, body: &Value) -> Answer {
    json_text(status, body.to_string())
}

/// Nothing.
pub(super) fn no_content() -> Answer {
    let mut empty = answer(StatusCode::NO_CONTENT, JSON, Bytes::new());
    empty.headers_mut().remove(CONTENT_TYPE);
    empty
}

/// A request that is refused before any method runs.
#[derive(Debug)]
pub(crate) struct HttpError {
    pub(super) status: StatusCode,
    pub(super) kind: ErrorKind,
    pub(super) message: String,
    pub(super) hint: &'static str,
    pub(super) close: bool,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
}

impl HttpError {
    /// Status and kind of the error table; `hint` says what to do.
    pub(crate) fn new(status: StatusCode, kind: ErrorKind, message: impl Into<String>, hint: &'static str) -> Self {
        Self { status, kind, message: message.into(), hint, close: false, header: None }
    }

    /// The connection cannot be used any more.
    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// 401.
    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::Auth,
            message,
            "send Authorization: Bearer <token>; the token is in <state>/state/gateway-token, or what gateway.auth says",
        )
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"openclaw\""))
    }

    /// 429.
    pub(crate) fn too_many_failures(seconds: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Auth,
            "too many wrong tokens or passwords came from this address",
            "wait as long as Retry-After says, then send the right one",
        )
        .with(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// 405; `allow` lists the methods.
    pub(crate) fn wrong_method(allow: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::User,
            "this path does not take that HTTP method",
            "the Allow header has those it takes",
        )
        .with(ALLOW, HeaderValue::from_static(allow))
    }

    /// The answer. With `as_rpc` it is also a JSON-RPC response.
    pub(crate) fn into_answer(self, as_rpc: bool) -> Answer {
        let body = if as_rpc {
            json!({
                "jsonrpc": "2.0",
                "id": null,
                "error": {
                    "code": self.kind.rpc_code(), "message": self.message,
                    "data": {"kind": self.kind.as_str(), "hint": self.hint},
                },
            })
        } else {
            json!({"error": {"type": self.kind.as_str(), "message": self.message, "hint": self.hint}})
        };
        let mut answer = json_value(self.status, &body);
        if let Some((name, value)) = self.header {
            answer.headers_mut().insert(name, value);
        }
        if self.close {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}
