//! A gateway without a runtime, and clients for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request as WsRequest;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use crate::config::LoadOptions;
use crate::core::{Error, ErrorKind, Result};
use crate::gateway::dispatch::{Caller, Dispatcher};
use crate::gateway::events::Hub;
use crate::gateway::options::{AuthMode, GatewayOptions};
use crate::gateway::server::{self, Server};
use crate::gateway::service;
use crate::gateway::tuning::Tuning;
use crate::gateway::vitals::Vitals;
use crate::secrets::Secret;
use crate::state::StatePaths;

pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef-test";
/// Nothing in these tests takes as long.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Methods: `echo`, `slow` (waits for `release`), `flood` (events to the caller), `big`, `panic`.
#[derive(Default)]
pub(super) struct Probe {
    pub(super) release: tokio::sync::Notify,
    pub(super) running: AtomicUsize,
    pub(super) most_running: AtomicUsize,
    pub(super) hub: Arc<Hub>,
}

impl Dispatcher for Probe {
    fn call<'a>(&'a self, method: &'a str, params: Option<Value>, caller: &'a Caller) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            match method {
                "echo" => Ok(params.unwrap_or(Value::Null)),
                "slow" => {
                    let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
                    self.most_running.fetch_max(now, Ordering::SeqCst);
                    self.release.notified().await;
                    self.running.fetch_sub(1, Ordering::SeqCst);
                    Ok(json!("done"))
                }
                "follow" => {
                    let connection = caller.connection.as_ref().ok_or_else(|| Error::user("no connection"))?;
                    Ok(json!(self.hub.follow_everything(connection, true)))
                }
                "big" => Ok(json!("x".repeat(1_000_000))),
                "panic" => panic!("on purpose"),
                _ => Err(Error::new(ErrorKind::MethodNotFound, "unknown")),
            }
        })
    }
}

pub(super) struct Rig {
    pub(super) server: Server,
    pub(super) probe: Arc<Probe>,
    pub(super) address: SocketAddr,
}

pub(super) fn options() -> GatewayOptions {
    GatewayOptions {
        port: 0,
        bind: "127.0.0.1".parse().unwrap(),
        auth: AuthMode::Token(Secret::new(TOKEN)),
        allowed_origins: vec!["https://claw.example.com".into()],
        paths: StatePaths::new("/nonexistent"),
        config: LoadOptions::default(),
        log_file: "/nonexistent/log".into(),
    }
}

pub(super) async fn rig_with(options: GatewayOptions, tuning: Tuning) -> Rig {
    let listener = server::bind(options.bind, options.port).await.unwrap();
    let address = listener.local_addr().unwrap();
    let probe = Arc::new(Probe::default());
    let vitals = Arc::new(Vitals::new(address, options.auth.as_str()));
    let dispatcher: Arc<dyn Dispatcher> = Arc::clone(&probe) as _;
    let server = service::start(listener, dispatcher, &options, vitals, Arc::clone(&probe.hub), tuning).unwrap();
    Rig { server, probe, address }
}

pub(super) async fn rig() -> Rig {
    rig_with(options(), Tuning::default()).await
}

/// A parsed HTTP answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Rig {
    /// Sends these bytes and reads until the server closes.
    pub(super) async fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        read_reply(&mut stream).await
    }

    /// One request; `headers` are lines that end with CRLF.
    pub(super) async fn request(&self, line: &str, headers: &str, body: &str) -> Reply {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let host = if headers.to_ascii_lowercase().starts_with("host:") {
            String::new()
        } else {
            format!("Host: {}\r\n", self.address)
        };
        let request = format!("{line} HTTP/1.1\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}");
        self.raw(request.as_bytes()).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.request(&format!("GET {path}"), "", "").await
    }

    pub(super) async fn post(&self, body: &str) -> Reply {
        self.request("POST /rpc", &bearer(), body).await
    }

    /// The upgrade request of a client with the right token.
    pub(super) fn upgrade(&self, path: &str) -> WsRequest {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
        request
    }

    pub(super) async fn connect_with(&self, request: WsRequest) -> std::result::Result<Client, u16> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, response)) => Ok(Client {
                socket,
                protocol: response
                    .headers()
                    .get("sec-websocket-protocol")
                    .map(|value| value.to_str().unwrap().to_owned()),
            }),
            Err(WsError::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) async fn connect(&self) -> Client {
        self.connect_with(self.upgrade("/ws")).await.unwrap()
    }
}

pub(super) fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

pub(super) async fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server closes").expect("readable");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| {
        panic!("no HTTP answer: {:?}", String::from_utf8_lossy(&bytes));
    });
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: bytes[end + 4..].to_vec() }
}

pub(super) struct Client {
    pub(super) socket: WebSocketStream<TcpStream>,
    pub(super) protocol: Option<String>,
}

impl Client {
    pub(super) async fn send(&mut self, value: &Value) {
        futures_util::SinkExt::send(&mut self.socket, Message::text(value.to_string())).await.unwrap();
    }

    /// The next frame that is not a ping or pong.
    pub(super) async fn next(&mut self) -> Message {
        loop {
            let message = timeout(PATIENCE, futures_util::StreamExt::next(&mut self.socket)).await.expect("a frame");
            match message.expect("an open stream").expect("a whole frame") {
                Message::Ping(_) | Message::Pong(_) => {}
                other => return other,
            }
        }
    }

    pub(super) async fn json(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a text frame: {other:?}"),
        }
    }

    /// The code of the close frame, after skipping what comes before it.
    pub(super) async fn close_code(&mut self) -> u16 {
        loop {
            match self.next().await {
                Message::Close(Some(frame)) => return frame.code.into(),
                Message::Close(None) => panic!("a close without a code"),
                _ => {}
            }
        }
    }
}
