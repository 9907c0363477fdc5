//! Clients that are slow, silent, gone or not speaking the protocol: they lose their connection, nobody else does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::http;
use crate::support::provider::{FakeProvider, Script, completions};
use crate::support::raw_ws::{BINARY, CLOSE, PING, PONG, RawWs, TEXT, announcing, masked, unmasked};
use crate::support::until;

/// Time the gateway gives a request's head, and a body between two pieces.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(10);

fn gateway() -> Gateway {
    Home::new(json!({})).start()
}

/// Open WebSockets, as the gateway counts them.
fn sockets(gateway: &Gateway) -> Value {
    gateway.call("status", json!({}))["gateway"]["connections"]["webSockets"].clone()
}

/// A client that sends `start`, then `drip` every 100 ms, until the server closes: what it answered, and when it closed.
fn slow_client(port: u16, start: Vec<u8>, drip: &'static [u8]) -> JoinHandle<(String, Duration)> {
    std::thread::spawn(move || {
        let began = Instant::now();
        let mut stream = http::send(port, &start);
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let mut answer = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => answer.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                    if !drip.is_empty() && stream.write_all(drip).is_err() {
                        break;
                    }
                }
                Err(_) => break,
            }
            assert!(began.elapsed() < 3 * GATEWAY_PATIENCE, "a slow client is never closed");
        }
        (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
    })
}

#[test]
fn slow_clients_are_closed_and_others_are_served_meanwhile() {
    let gateway = gateway();
    let port = gateway.port();
    let head = format!("POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {}\r\n", gateway.token);
    let mut silent: Vec<JoinHandle<(String, Duration)>> = Vec::new();
    let mut answered = Vec::new();
    for _ in 0..10 {
        // Never a whole head: byte by byte, not at all, or stuck in the middle.
        silent.push(slow_client(port, b"GET /health HTTP/1.1\r\nX-Slow: ".to_vec(), b"x"));
        silent.push(slow_client(port, Vec::new(), b""));
        silent.push(slow_client(port, b"GET /hea".to_vec(), b""));
        // More announced than sent, and the rest never comes.
        answered.push(slow_client(port, format!("{head}Content-Length: 500\r\n\r\n{{\"jsonrpc\"").into_bytes(), b""));
    }
    let mut kept = http::send(port, format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes());
    assert_eq!(http::read_reply(&mut kept).expect("an answer").status, 200);

    let (mut calls, mut slowest) = (0, Duration::ZERO);
    while !silent.iter().chain(&answered).all(JoinHandle::is_finished) {
        let began = Instant::now();
        assert_eq!(gateway.call("health", json!({}))["ok"], true);
        slowest = slowest.max(began.elapsed());
        calls += 1;
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert!(calls > 50 && slowest < Duration::from_secs(2), "{calls} calls, the slowest took {slowest:?}");
    let in_time = |took: Duration| took >= GATEWAY_PATIENCE / 2 && took < GATEWAY_PATIENCE + Duration::from_secs(4);
    for client in silent {
        let (answer, took) = client.join().expect("the client ends");
        assert!(in_time(took), "closed after {took:?}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    for client in answered {
        let (answer, took) = client.join().expect("the client ends");
        assert!(in_time(took), "closed after {took:?}");
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("Content-Length"), "{answer}");
    }
    let mut rest = Vec::new();
    kept.read_to_end(&mut rest).expect("a kept connection ends in order");
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    gateway.serves();
}

#[test]
fn frames_that_break_the_rules_end_their_connection_with_the_right_code() {
    let gateway = gateway();
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"health"}"#;
    let mut bystander = gateway.ws();
    let long = announcing(TEXT, 30 * 1024 * 1024);
    let endless = announcing(TEXT, usize::MAX >> 1);
    for (what, bytes, code) in [
        ("a binary frame", masked(BINARY, call), 1003),
        ("invalid UTF-8", masked(TEXT, b"{\"jsonrpc\":\"\xff\xfe\"}"), 1007),
        ("half a character", masked(TEXT, b"\xf0\x9f"), 1007),
        ("an unmasked frame", unmasked(TEXT, call), 1002),
        ("a frame of 30 MB", long, 1009),
        ("a frame of 2^62 bytes", endless, 1009),
        ("a reserved opcode", masked(0x83, call), 1002),
        ("a reserved bit", masked(0xC1, call), 1002),
        ("a continuation of nothing", masked(0x80, call), 1002),
        ("a ping in pieces", masked(0x09, b"x"), 1002),
        ("a long ping", masked(PING, &[b'x'; 126]), 1002),
        ("a text inside a text", [masked(0x01, b"{"), masked(TEXT, call)].concat(), 1002),
    ] {
        let mut socket = RawWs::connect(gateway.port(), &gateway.token);
        socket.send(&bytes);
        assert_eq!(socket.close_code(), Some(code), "{what}");
    }
    // Pieces that add up to too much.
    let mut socket = RawWs::connect(gateway.port(), &gateway.token);
    let piece = vec![b'x'; 1024 * 1024];
    socket.send(&masked(0x01, &piece));
    for _ in 0..26 {
        if !socket.send(&masked(0x00, &piece)) {
            break;
        }
    }
    assert!(matches!(socket.close_code(), Some(1009) | None));

    // What the rules allow is served: pieces with a ping between them, an empty message, an early close.
    let mut socket = RawWs::connect(gateway.port(), &gateway.token);
    socket.send(&masked(0x01, &call[..10]));
    socket.send(&masked(PING, b"between"));
    socket.send(&masked(0x80, &call[10..]));
    assert_eq!(socket.frame(), Some((PONG, b"between".to_vec())));
    assert_eq!(socket.json()["result"]["ok"], true);
    socket.send(&masked(TEXT, b""));
    assert_eq!(socket.json()["error"]["code"], -32700);
    socket.send(&masked(CLOSE, &1000_u16.to_be_bytes()));
    assert_eq!(socket.close_code(), Some(1000));

    assert_eq!(bystander.call("health", json!({}))["ok"], true);
    until("only the bystander is left", || (sockets(&gateway) == 1).then_some(()));
    gateway.serves();
}

#[test]
fn a_client_that_does_not_read_is_disconnected_and_costs_nobody_anything() {
    let provider = FakeProvider::start();
    provider.push(completions::text(&["noted"]));
    provider.always(completions::text(&["still here"]));
    let gateway = Home::new(provider.config("openai-completions")).start();
    let text = "x".repeat(3 * 1024 * 1024);
    gateway.call("chat.send", json!({"sessionKey": "agent:main:large", "message": text, "idempotencyKey": "large"}));
    assert_eq!(gateway.call("agent.wait", json!({"runId": "large"}))["status"], "ok");

    let mut deaf = RawWs::connect(gateway.port(), &gateway.token);
    let ask =
        masked(TEXT, br#"{"jsonrpc":"2.0","id":1,"method":"chat.history","params":{"sessionKey":"agent:main:large"}}"#);
    // 60 answers of 3 MB are more than the socket and the queue hold.
    for _ in 0..60 {
        if !deaf.send(&ask) {
            break;
        }
    }
    until("the slow consumer is dropped", || (sockets(&gateway) == 0).then_some(()));
    let code = deaf.close_code();
    assert!(matches!(code, Some(1008) | None), "{code:?}");
    gateway.serves();
    assert_eq!(
        gateway.call("chat.history", json!({"sessionKey": "agent:main:large"}))["messages"][0]["content"][0]["text"],
        text
    );
}

#[test]
fn a_client_that_vanishes_does_not_take_its_run_along() {
    let provider = FakeProvider::start();
    provider.push(Script::Hang(completions::text_events(&["half ", "a reply"])));
    let gateway = Home::new(provider.config("openai-completions")).start();
    let mut socket = RawWs::connect(gateway.port(), &gateway.token);
    let params = json!({"sessionKey": "main", "message": "talk", "idempotencyKey": "orphan"});
    let send = json!({"jsonrpc": "2.0", "id": 1, "method": "chat.send", "params": params}).to_string();
    socket.send(&masked(TEXT, send.as_bytes()));
    assert_eq!(socket.reply()["result"]["status"], "started");
    until("text has come", || {
        let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
        (history["inFlightRun"]["text"] == "half a reply").then_some(())
    });
    // Closing with unread bytes resets the connection: no close frame, no end of the stream.
    let mut unread = [0; 1];
    assert_eq!(socket.stream.peek(&mut unread).expect("bytes are waiting"), 1);
    drop(socket);
    until("the socket is forgotten", || (sockets(&gateway) == 0).then_some(()));

    let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
    assert_eq!(history["inFlightRun"]["runId"], "orphan", "the run goes on: {history}");
    gateway.call("chat.abort", json!({"sessionKey": "main"}));
    assert_eq!(gateway.call("agent.wait", json!({"runId": "orphan"}))["status"], "aborted");
    provider.always(completions::text(&["fine"]));
    gateway.serves();
}

#[test]
fn two_hundred_idle_connections_are_no_load() {
    let gateway = gateway();
    let before = memory_kb(gateway.pid());
    let mut idle: Vec<RawWs> = (0..200).map(|_| RawWs::connect(gateway.port(), &gateway.token)).collect();
    let bare: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(("127.0.0.1", gateway.port())).expect("a connection")).collect();
    assert_eq!(sockets(&gateway), 200);
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(gateway.call("health", json!({}))["ok"], true);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "50 calls took {:?}", began.elapsed());
    gateway.serves();
    let grown = memory_kb(gateway.pid()).saturating_sub(before);
    assert!(grown < 64 * 1024, "400 connections cost {grown} kB");
    for socket in &mut idle {
        socket.send(&masked(TEXT, br#"{"jsonrpc":"2.0","id":1,"method":"models.list"}"#));
    }
    for socket in &mut idle {
        assert_eq!(socket.json()["id"], 1, "every one of them still works");
    }
    drop((idle, bare));
    until("all are forgotten", || (sockets(&gateway) == 0).then_some(()));
}

/// Resident memory of a process.
fn memory_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
