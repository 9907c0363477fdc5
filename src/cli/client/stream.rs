//! A conversation over WebSocket: calls, their answers, and the events between them.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::cli::output::Output;
use crate::core::{Error, ErrorKind, Result, limits};

use super::http::{plain_reason, refused, timed_out, unreachable_gateway};
use super::notice::Notice;
use super::reply;
use super::target::Target;

/// What the gateway sent.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// The answer to the call with this id.
    Response {
        /// Id that [`Connection::send`] returned.
        id: u64,
        /// Its result.
        result: Result<Value>,
    },
    /// An event.
    Event {
        /// Name.
        name: String,
        /// Payload.
        payload: Value,
    },
}

/// An open connection.
pub(crate) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    target: Target,
    next_id: u64,
}

impl Connection {
    /// Connects; the handshake takes at most `patience`.
    pub(crate) async fn open(target: &Target, patience: Duration, out: &Output) -> Result<Self> {
        if target.is_exposed() {
            out.warn(&format!("the gateway's secret travels unencrypted to {}", target.authority()));
        }
        let mut request = target.ws_url().into_client_request().map_err(|error| failed(target, error))?;
        if let Some(secret) = &target.secret {
            let mut value = HeaderValue::try_from(format!("Bearer {}", secret.expose())).map_err(|_invalid| {
                Error::user("the gateway's token contains characters that cannot be sent")
                    .hint("tokens are printable ASCII")
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits::MAX_WS_MESSAGE))
            .max_frame_size(Some(limits::MAX_WS_MESSAGE));
        let _notice = Notice::after_a_while(out, format!("waiting for the gateway at {} …", target.url()));
        let connecting = connect_async_with_config(request, Some(config), true);
        match timeout_at(Instant::now() + patience, connecting).await {
            Ok(Ok((socket, _response))) => Ok(Self { socket, target: target.clone(), next_id: 1 }),
            Ok(Err(error)) => Err(failed(target, error)),
            Err(_elapsed) => Err(timed_out(target, patience)),
        }
    }

    /// Sends a call; its answer comes with the returned id.
    pub(crate) async fn send(&mut self, method: &str, params: &Value) -> Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        let text = reply::request(id, method, params).to_string();
        self.socket.send(Message::text(text)).await.map_err(|error| failed(&self.target, error))?;
        Ok(id)
    }

    /// The next answer or event. A closed connection is an error: whoever asks waits for something.
    pub(crate) async fn next(&mut self) -> Result<Incoming> {
        loop {
            let message = match self.socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(WsError::Io(error))) => return Err(self.closed(&plain_reason(&error))),
                None
                | Some(Err(
                    WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
                    | WsError::ConnectionClosed
                    | WsError::AlreadyClosed,
                )) => return Err(self.closed("")),
                Some(Err(error)) => return Err(failed(&self.target, error)),
            };
            match message {
                Message::Text(text) => {
                    if let Some(incoming) = parse(&text)? {
                        return Ok(incoming);
                    }
                }
                Message::Close(frame) => {
                    return Err(self.closed(frame.as_ref().map_or("", |frame| frame.reason.as_str())));
                }
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn closed(&self, reason: &str) -> Error {
        let why = if reason.is_empty() { "it stopped, or the network broke" } else { reason };
        Error::new(ErrorKind::Unreachable, format!("the gateway at {} closed the connection", self.target.url()))
            .why(why)
            .hint("openclaw gateway status; what was acknowledged is kept: openclaw sessions show")
    }
}

/// A response or event; `None` for what is neither.
fn parse(text: &str) -> Result<Option<Incoming>> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| reply::malformed(error.to_string()))?;
    if let Some(name) = value.get("method").and_then(Value::as_str).map(ToOwned::to_owned) {
        let payload = value.get_mut("params").map_or(Value::Null, Value::take);
        return Ok(Some(Incoming::Event { name, payload }));
    }
    let Some(id) = value.get("id").and_then(Value::as_u64) else {
        // An error without an id answers a request the gateway could not read: all that can be said is that.
        return if value.get("error").is_some() { Err(reply::rpc_error(&value["error"])) } else { Ok(None) };
    };
    Ok(Some(Incoming::Response { id, result: reply::outcome(value) }))
}

fn failed(target: &Target, error: WsError) -> Error {
    match error {
        WsError::Io(error) => unreachable_gateway(target, &plain_reason(&error)),
        WsError::Http(response) if matches!(response.status().as_u16(), 401 | 403) => {
            let said = response.body().as_ref().and_then(|body| serde_json::from_slice::<Value>(body).ok());
            let said = said.as_ref().and_then(|body| body.pointer("/error/message")).and_then(Value::as_str);
            refused(target, response.status().as_u16(), said)
        }
        WsError::Http(response) => {
            reply::malformed(format!("it answered with HTTP status {}", response.status().as_u16()))
        }
        WsError::Capacity(error) => {
            Error::new(ErrorKind::TooLarge, "a message of the gateway is too large").source(error)
        }
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | WsError::ConnectionClosed
        | WsError::AlreadyClosed => unreachable_gateway(target, "the connection broke"),
        WsError::Protocol(error) => reply::malformed(error.to_string()),
        other => unreachable_gateway(target, &other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Format;
    use serde_json::json;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn answers_and_events_arrive_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let target = Target::parse(&listener.local_addr().expect("bound").to_string()).expect("an address");
        let server = tokio::spawn(async move {
            let (socket, _) = listener.accept().await.expect("a client");
            let mut socket = tokio_tungstenite::accept_async(socket).await.expect("a handshake");
            let request = socket.next().await.expect("a request").expect("readable");
            for text in
                [r#"{"jsonrpc":"2.0","method":"agent","params":{"seq":1}}"#, r#"{"jsonrpc":"2.0","id":1,"result":5}"#]
            {
                socket.send(Message::text(text)).await.expect("the client listens");
            }
            socket.close(None).await.expect("closing works");
            request.to_text().expect("text").to_owned()
        });
        let mut connection =
            Connection::open(&target, Duration::from_secs(5), &Output::plain(Format::Text)).await.expect("connected");
        assert_eq!(connection.send("agent", &json!({"message": "hi"})).await.expect("sent"), 1);
        let Incoming::Event { name, payload } = connection.next().await.expect("an event") else {
            panic!("the event comes first")
        };
        assert_eq!((name.as_str(), payload), ("agent", json!({"seq": 1})));
        let Incoming::Response { id: 1, result: Ok(result) } = connection.next().await.expect("an answer") else {
            panic!("then the answer")
        };
        assert_eq!(result, json!(5));
        let end = connection.next().await.expect_err("then it closes");
        assert_eq!(end.kind(), ErrorKind::Unreachable);
        let request: Value = serde_json::from_str(&server.await.expect("the server ends")).expect("JSON");
        assert_eq!(request["method"], "agent");
    }

    #[tokio::test]
    async fn a_refused_handshake_is_an_auth_error() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let target = Target::parse(&listener.local_addr().expect("bound").to_string()).expect("an address");
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a client");
            let mut seen = [0; 2048];
            let size = socket.read(&mut seen).await.expect("a request");
            assert!(size > 0);
            socket
                .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await
                .expect("the client reads");
        });
        let error = Connection::open(&target, Duration::from_secs(5), &Output::plain(Format::Text)).await.err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Auth));
    }
}
