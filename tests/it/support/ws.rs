//! A JSON-RPC client over a real WebSocket.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use super::PATIENCE;

pub(crate) struct Ws {
    socket: WebSocket<TcpStream>,
    next_id: u64,
    /// Notifications that came while a response was awaited.
    pub(crate) events: VecDeque<Value>,
}

impl Ws {
    pub(crate) fn connect(port: u16, token: &str) -> Self {
        Self::try_connect(port, &[("Authorization", &format!("Bearer {token}"))]).expect("the handshake succeeds")
    }

    pub(crate) fn try_connect(port: u16, headers: &[(&str, &str)]) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut request =
            format!("ws://127.0.0.1:{port}/ws").into_client_request().map_err(|error| error.to_string())?;
        for (key, value) in headers {
            let name = tokio_tungstenite::tungstenite::http::HeaderName::from_bytes(key.as_bytes())
                .map_err(|error| error.to_string())?;
            request.headers_mut().insert(name, value.parse().expect("a header value"));
        }
        let (socket, _) = client(request, stream).map_err(|error| error.to_string())?;
        Ok(Self { socket, next_id: 0, events: VecDeque::new() })
    }

    pub(crate) fn send_raw(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("the connection takes a frame");
    }

    /// Next frame as JSON; `Err` with the close or error text.
    pub(crate) fn read(&mut self) -> Result<Value, String> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(text.as_str()).expect("frames are JSON")),
                Ok(Message::Close(frame)) => {
                    return Err(frame.map_or("closed".to_owned(), |frame| format!("{} {}", frame.code, frame.reason)));
                }
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Every notification that has come; a call marks the end of what was sent before it.
    pub(crate) fn so_far(&mut self) -> Vec<Value> {
        self.call("health", json!({}));
        self.events.drain(..).collect()
    }

    /// Notifications up to and including the one that `last` accepts.
    pub(crate) fn until(&mut self, what: &str, mut last: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let event = self.event(what, |_| true);
            let ended = last(&event);
            all.push(event);
            if ended {
                return all;
            }
        }
    }

    /// Sends a request and returns its whole response object.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        self.send_raw(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        loop {
            let frame = self.read().expect("the connection lives");
            if frame.get("id") == Some(&json!(id)) {
                return frame;
            }
            self.events.push_back(frame);
        }
    }

    /// Sends a request that must succeed.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        let response = self.request(method, params);
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].clone()
    }

    /// The next notification that `wanted` accepts.
    pub(crate) fn event(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            while let Some(event) = self.events.pop_front() {
                if wanted(&event) {
                    return event;
                }
            }
            assert!(began.elapsed() < PATIENCE, "timed out waiting for {what}");
            let frame = self.read().unwrap_or_else(|error| panic!("waiting for {what}: {error}"));
            self.events.push_back(frame);
        }
    }
}
