//! Against a WebSocket server that plays a gateway.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::cli::args::Globals;
use crate::cli::output::{Format, Output};
use crate::config::LoadOptions;
use crate::state::StatePaths;

fn context() -> Context {
    Context {
        globals: Globals::default(),
        paths: StatePaths::new("/nowhere"),
        load: LoadOptions::default(),
        out: Output::plain(Format::Json),
    }
}

fn turn() -> Turn {
    Turn {
        message: "hi".into(),
        agent: None,
        session_key: Some("main".into()),
        session_id: None,
        model: None,
        thinking: None,
        filesystem_mode: None,
        trajectory: None,
        timeout: Some(Duration::from_secs(5)),
        channel: "cli".into(),
        id: "run-1".into(),
    }
}

/// Accepts one client; answers its first request with `answer`, then sends `events`. Returns the first request.
async fn gateway(answer: Value, events: Vec<Value>) -> (Target, tokio::task::JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let target = Target::parse(&listener.local_addr().expect("bound").to_string()).expect("an address");
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a client");
        let mut socket = tokio_tungstenite::accept_async(socket).await.expect("a handshake");
        let request: Value =
            serde_json::from_str(socket.next().await.expect("a request").expect("readable").to_text().expect("text"))
                .expect("JSON");
        let mut reply = answer;
        reply["jsonrpc"] = "2.0".into();
        reply["id"] = request["id"].clone();
        socket.send(Message::text(reply.to_string())).await.expect("the client listens");
        for event in events {
            socket.send(Message::text(event.to_string())).await.expect("the client listens");
        }
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                break;
            }
        }
        request
    });
    (target, server)
}

fn event(method: &str, fields: Value) -> Value {
    let mut params = json!({ "runId": "run-1", "sessionKey": "agent:main:main" });
    if let (Value::Object(params), Value::Object(fields)) = (&mut params, fields) {
        params.extend(fields);
    }
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

#[tokio::test]
async fn a_turn_ends_with_the_final_event() {
    let events = vec![
        event("agent", json!({"stream": "assistant", "data": {"delta": "hel"}})),
        event("agent", json!({"runId": "another", "stream": "assistant", "data": {"delta": "noise"}})),
        event("agent", json!({"stream": "assistant", "data": {"delta": "lo"}})),
        event("chat", json!({"state": "final", "message": {"content": [{"type": "text", "text": "hello"}]}})),
    ];
    let accepted = json!({"result": {"runId": "run-1", "sessionKey": "agent:main:main", "status": "accepted"}});
    let (target, server) = gateway(accepted, events).await;
    let done = run(&context(), &target, Duration::from_secs(5), &turn()).await;
    assert!(done.is_ok());
    let request = server.await.expect("the server ends");
    assert_eq!(request["method"], "agent");
    assert_eq!(request["params"]["idempotencyKey"], "run-1");
    assert_eq!(request["params"]["sessionKey"], "main");
    assert_eq!(request["params"]["timeout"], 5);
}

#[tokio::test]
async fn a_refusal_is_the_commands_error() {
    let refusal = json!({"error": {"code": -32004, "message": "no agent named 'x'", "data": {"kind": "not_found", "hint": "did you mean 'main'?"}}});
    let (target, _server) = gateway(refusal, Vec::new()).await;
    let Err(Failed::Stopped(Stop::Error(error))) = run(&context(), &target, Duration::from_secs(5), &turn()).await
    else {
        panic!("it was refused")
    };
    assert_eq!((error.kind(), error.fix()), (ErrorKind::NotFound, Some("did you mean 'main'?")));
}

#[tokio::test]
async fn a_gateway_that_dies_midway_is_unreachable_not_a_silent_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let target = Target::parse(&listener.local_addr().expect("bound").to_string()).expect("an address");
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a client");
        drop(tokio_tungstenite::accept_async(socket).await.expect("a handshake"));
    });
    let Err(Failed::Stopped(Stop::Error(error))) = run(&context(), &target, Duration::from_secs(5), &turn()).await
    else {
        panic!("it died")
    };
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}

#[tokio::test]
async fn nobody_there_is_told_apart_so_that_the_turn_can_run_here() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let target = Target::parse(&listener.local_addr().expect("bound").to_string()).expect("an address");
    drop(listener);
    let Err(Failed::NotConnected(error)) = run(&context(), &target, Duration::from_secs(5), &turn()).await else {
        panic!("nobody listens")
    };
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}
