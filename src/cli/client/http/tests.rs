//! Against real sockets on loopback.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use serde_json::json;

use super::*;
use crate::cli::output::Format;
use crate::secrets::Secret;

/// Answers one connection with `response` and returns what it was sent.
fn server(response: &'static str) -> (Target, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = listener.local_addr().expect("it is bound");
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client comes");
        let mut seen = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let size = socket.read(&mut chunk).expect("the client sends");
            seen.extend_from_slice(&chunk[..size]);
            let text = String::from_utf8_lossy(&seen);
            if size == 0 || text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.ends_with(['}', ']'])) {
                break;
            }
        }
        socket.write_all(response.as_bytes()).expect("the client reads");
        String::from_utf8(seen).expect("requests are text")
    });
    (Target::parse(&address.to_string()).expect("an address"), thread)
}

fn client(mut target: Target, secret: Option<&str>) -> RpcClient {
    target.secret = secret.map(Secret::new);
    RpcClient::new(target, Duration::from_secs(5), &Output::plain(Format::Text))
}

fn http(status: &str, body: &str) -> &'static str {
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    Box::leak(text.into_boxed_str())
}

#[test]
fn a_call_sends_the_secret_and_returns_the_result() {
    let (target, seen) = server(http("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":{"ok":true}}"#));
    let result = client(target, Some("s3cret")).call("health", &json!({"probe": true})).expect("a result");
    assert_eq!(result, json!({"ok": true}));
    let request = seen.join().expect("the server ends");
    assert!(request.starts_with("POST /rpc HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer s3cret\r\n"), "{request}");
    let body = request.split_once("\r\n\r\n").expect("a body").1;
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body, json!({"jsonrpc": "2.0", "id": 1, "method": "health", "params": {"probe": true}}));
}

#[test]
fn nobody_there_is_unreachable_with_three_parts() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let mut target = Target::parse(&address.to_string()).expect("an address");
    target.explicit = false;
    let error = client(target, None).call("health", &Value::Null).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let text = crate::cli::error::three_parts(&error).replace(&address.port().to_string(), "PORT");
    insta::assert_snapshot!(text, @"
    error: cannot reach the gateway at ws://127.0.0.1:PORT (connection refused)
      why: nothing listens on that port
      fix: openclaw gateway run        (is one running already? openclaw doctor)
    ");
}

#[test]
fn a_wrong_token_is_not_mistaken_for_a_dead_gateway() {
    for secret in [None, Some("wrong")] {
        let (target, _seen) = server(http("401 Unauthorized", r#"{"error":{"message":"Unauthorized"}}"#));
        let error = client(target, secret).call("health", &Value::Null).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(!crate::cli::error::three_parts(&error).contains("wrong\""), "the secret is not shown");
    }
}

#[test]
fn other_servers_are_recognised() {
    for response in [
        http("200 OK", "<html>"),
        http("404 Not Found", "nothing"),
        http("302 Found\r\nlocation: http://127.0.0.1:9/", ""),
        "SSH-2.0-OpenSSH_9\r\n",
    ] {
        let (target, _seen) = server(response);
        let error = client(target, Some("t")).call("health", &Value::Null).expect_err("not a gateway");
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Unreachable), "{response}: {error:?}");
    }
}

#[test]
fn a_silent_server_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let target = Target::parse(&listener.local_addr().expect("bound").to_string()).expect("an address");
    let client = RpcClient::new(target, Duration::from_millis(50), &Output::plain(Format::Text));
    let error = client.call("health", &Value::Null).expect_err("it never answers");
    assert_eq!(error.kind(), ErrorKind::Timeout);
}
