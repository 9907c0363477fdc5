//! The upgrade from HTTP.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::session;
use crate::core::ErrorKind;
use crate::gateway::auth::offered_protocols;
use crate::gateway::http::{Answer, HttpError};
use crate::gateway::shared::Shared;

/// The subprotocol this server speaks; chosen when the client offers it. A browser that sends the token as a
/// subprotocol must offer this one too, because the server never repeats the token.
pub(crate) const SUBPROTOCOL: &str = "openclaw.jsonrpc";

/// Checks the request (RFC 6455 §4.2.1) and gives the value of `Sec-WebSocket-Accept`.
pub(crate) fn check_handshake(request: &Request<Incoming>) -> Result<String, HttpError> {
    accept_key(request.method(), request.headers())
}

fn accept_key(method: &Method, headers: &HeaderMap) -> Result<String, HttpError> {
    let upgrade_required = |why: &str| {
        HttpError::new(
            StatusCode::UPGRADE_REQUIRED,
            ErrorKind::User,
            format!("this path speaks WebSocket: {why}"),
            "connect with a WebSocket client (RFC 6455, version 13), or POST the call to /rpc",
        )
    };
    if method != Method::GET
        || !has_token(headers, &UPGRADE, "websocket")
        || !has_token(headers, &CONNECTION, "upgrade")
    {
        return Err(
            upgrade_required("the request asks for no upgrade").with(UPGRADE, HeaderValue::from_static("websocket"))
        );
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version.as_bytes() != b"13") {
        return Err(upgrade_required("Sec-WebSocket-Version must be 13")
            .with(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    match data_encoding::BASE64.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(derive_accept_key(key)),
        _ => Err(HttpError::new(
            StatusCode::BAD_REQUEST,
            ErrorKind::User,
            "Sec-WebSocket-Key must be 16 bytes in base64",
            "connect with a WebSocket client (RFC 6455)",
        )),
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        std::str::from_utf8(value.as_bytes())
            .is_ok_and(|text| text.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    })
}

/// Answers 101 and starts the connection's tasks when hyper hands over the socket.
pub(crate) fn upgrade(shared: &Arc<Shared>, mut request: Request<Incoming>, accept: &str) -> Answer {
    let offers_ours = offered_protocols(request.headers()).any(|protocol| protocol == SUBPROTOCOL);
    let pending = hyper::upgrade::on(&mut request);
    let task_shared = Arc::clone(shared);
    shared.tasks.spawn(async move {
        match pending.await {
            Ok(socket) => session::run(task_shared, socket).await,
            Err(error) => tracing::debug!(%error, "a WebSocket upgrade was not completed"),
        }
    });
    let mut answer: Answer = Response::default();
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    let accept = HeaderValue::from_str(accept).expect("base64 is a header value");
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if offers_ours {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(changes: &[(&'static str, &str)]) -> Result<String, HttpError> {
        let mut headers = HeaderMap::new();
        let defaults = [
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for (name, value) in defaults.iter().chain(changes) {
            headers.insert(*name, value.parse().unwrap());
        }
        accept_key(&Method::GET, &headers)
    }

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(handshake(&[]).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_handshake() {
        for change in [
            ("upgrade", "h2c"),
            ("connection", "keep-alive"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "short"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"),
        ] {
            assert!(handshake(&[change]).is_err(), "{change:?}");
        }
    }
}
