//! HTTP: probes, pages, checks before every route, `POST /rpc`, hostile clients.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::{TOKEN, bearer, options, read_reply, rig, rig_with};
use crate::core::ErrorKind;
use crate::gateway::options::AuthMode;
use crate::gateway::server;
use crate::gateway::tuning::Tuning;

#[tokio::test]
async fn probes_need_no_token() {
    let rig = rig().await;
    for path in ["/health", "/healthz"] {
        let reply = rig.get(path).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"ok": true, "status": "live"})));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    for path in ["/ready", "/readyz"] {
        let reply = rig.get(path).await;
        assert_eq!((reply.status, &reply.json()["ready"], &reply.json()["failing"]), (200, &json!(true), &json!([])));
    }
    for path in ["/startup", "/startupz"] {
        let reply = rig.get(path).await.json();
        assert_eq!((&reply["status"], &reply["version"]), (&json!("started"), &json!(env!("CARGO_PKG_VERSION"))));
    }
    let head = rig.request("HEAD /health", "", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn readiness_ends_with_the_shutdown() {
    let rig = rig().await;
    let mut kept = TcpStream::connect(rig.address).await.unwrap();
    kept.write_all(b"GET /ready HTTP/1.1\r\n").await.unwrap();
    // Not before the server has taken the connection out of the system's queue.
    while rig.server.shared.vitals.connections.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(rig.server.begin_shutdown("test"));
    assert!(!rig.server.begin_shutdown("again"));
    kept.write_all(format!("Host: {}\r\nConnection: close\r\n\r\n", rig.address).as_bytes()).await.unwrap();
    let reply = read_reply(&mut kept).await;
    assert_eq!((reply.status, &reply.json()["failing"]), (503, &json!(["shutting-down"])));
    rig.server.close().await;
    rig.server.wait().await;
    assert!(TcpStream::connect(rig.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn pages_are_embedded_and_locked_down() {
    let rig = rig().await;
    let page = rig.get("/").await;
    assert_eq!(page.status, 200);
    assert!(String::from_utf8_lossy(&page.body).contains("rpc.discover"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(rig.get("/style.css").await.header("content-type"), Some("text/css; charset=utf-8"));
    let again = rig.request("GET /", &format!("If-None-Match: {}\r\n", page.header("etag").unwrap()), "").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    for missing in ["/nope", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "//", "/index.html/"] {
        let reply = rig.get(missing).await;
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (404, &json!("not_found")), "{missing}");
    }
}

#[tokio::test]
async fn wrong_methods_name_the_right_ones() {
    let rig = rig().await;
    for (line, allow) in [
        ("GET /rpc", "POST, OPTIONS"),
        ("POST /health", "GET, HEAD, OPTIONS"),
        ("DELETE /", "GET, HEAD, OPTIONS"),
        ("PUT /rpc", "POST, OPTIONS"),
    ] {
        let reply = rig.request(line, &bearer(), "").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{line}");
        reply.json();
    }
}

#[tokio::test]
async fn calls_need_the_token() {
    let rig = rig().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}"#;
    let reply = rig.post(call).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"jsonrpc": "2.0", "id": 1, "result": [1]})));
    for headers in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic eDp5\r\n"] {
        let reply = rig.request("POST /rpc", headers, call).await;
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (401, &json!(-32001)), "{headers}");
        assert_eq!(reply.json()["jsonrpc"], "2.0");
        assert!(reply.header("www-authenticate").is_some());
    }
    let reply = rig.request(&format!("POST /rpc?token={TOKEN}"), &bearer(), call).await;
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains("URL"));
}

#[tokio::test]
async fn guessing_is_limited() {
    let mut password = options();
    password.auth = AuthMode::Password(crate::secrets::Secret::new("hunter2"));
    let rig = rig_with(password, Tuning::default()).await;
    for _ in 0..20 {
        assert_eq!(rig.request("POST /rpc", "Authorization: Bearer no\r\n", "{}").await.status, 401);
    }
    let reply = rig.request("POST /rpc", "Authorization: Bearer hunter2\r\n", "{}").await;
    assert_eq!(reply.status, 429);
    assert!((1..=61).contains(&reply.header("retry-after").unwrap().parse::<u64>().unwrap()));
    assert_eq!(rig.get("/health").await.status, 200);
}

#[tokio::test]
async fn other_hosts_and_origins_are_kept_out() {
    let rig = rig().await;
    let port = rig.address.port();
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), "claw.example.com".into()] {
        assert_eq!(rig.request("GET /health", &format!("Host: {host}\r\n"), "").await.status, 200, "{host}");
    }
    for host in [format!("evil.example:{port}"), "127.0.0.1".into(), "127.0.0.1:1".into(), String::new()] {
        let reply = rig.request("GET /health", &format!("Host: {host}\r\n"), "").await;
        assert_eq!(reply.status, 403, "{host}");
        reply.json();
    }
    assert_eq!(rig.raw(b"GET /health HTTP/1.0\r\n\r\n").await.status, 400);
    let two = format!("GET /health HTTP/1.1\r\nHost: {0}\r\nHost: {0}\r\nConnection: close\r\n\r\n", rig.address);
    assert_eq!(rig.raw(two.as_bytes()).await.status, 400);
    let absolute =
        format!("GET http://evil.example/health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", rig.address);
    assert_eq!(rig.raw(absolute.as_bytes()).await.status, 403);

    let own = format!("Origin: http://{}\r\n", rig.address);
    assert_eq!(rig.request("GET /", &own, "").await.status, 200);
    for origin in ["https://evil.example", "null", &format!("http://localhost:{port}")] {
        let reply = rig.request("POST /rpc", &format!("{}Origin: {origin}\r\n", bearer()), "{}").await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (403, None), "{origin}");
    }
    let allowed = rig.request("OPTIONS /rpc", "Origin: https://claw.example.com\r\n", "").await;
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://claw.example.com"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization, content-type"));
}

#[tokio::test]
async fn bodies_must_be_json_and_small() {
    let rig = rig_with(options(), Tuning { max_body: 1000, ..Tuning::default() }).await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"echo"}"#;
    let typed = |kind: &str| format!("{}Content-Type: {kind}\r\n", bearer());
    assert_eq!(rig.request("POST /rpc", &typed("application/json; charset=utf-8"), call).await.status, 200);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(rig.request("POST /rpc", &typed(kind), call).await.status, 415, "{kind}");
    }
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":["{}"]}}"#, "x".repeat(2_000_000));
    let reply = rig.post(&large).await;
    assert_eq!((reply.status, &reply.json()["error"]["data"]["kind"]), (413, &json!("too_large")));
    let chunked = format!(
        "POST /rpc HTTP/1.1\r\nHost: {}\r\n{}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n600\r\n{}\r\n0\r\n\r\n",
        rig.address,
        bearer(),
        "x".repeat(0x600)
    );
    assert_eq!(rig.raw(chunked.as_bytes()).await.status, 413);
    let expects = format!(
        "POST /rpc HTTP/1.1\r\nHost: {}\r\n{}Content-Length: 99999999\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        rig.address,
        bearer()
    );
    assert_eq!(rig.raw(expects.as_bytes()).await.status, 413, "without waiting for the body");
}

#[tokio::test]
async fn all_bodies_together_have_a_bound() {
    let rig = rig_with(options(), Tuning { max_body_memory: 128 * 1024, ..Tuning::default() }).await;
    let params = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":["{}"]}}"#, "x".repeat(300_000));
    let reply = rig.post(&params).await;
    assert_eq!((reply.status, &reply.json()["error"]["data"]["kind"]), (503, &json!("unavailable")));
    assert_eq!(rig.post(r#"{"jsonrpc":"2.0","id":1,"method":"echo"}"#).await.status, 200);
}

#[tokio::test]
async fn slow_and_lying_clients_are_dropped() {
    let quick = Duration::from_millis(100);
    let rig = rig_with(options(), Tuning { header_timeout: quick, body_idle: quick, ..Tuning::default() }).await;
    let start = Instant::now();
    let lying = format!("POST /rpc HTTP/1.1\r\nHost: {}\r\n{}Content-Length: 500\r\n\r\n{{\"js", rig.address, bearer());
    let reply = rig.raw(lying.as_bytes()).await;
    assert_eq!((reply.status, &reply.json()["error"]["data"]["kind"]), (408, &json!("timeout")));
    let mut silent = TcpStream::connect(rig.address).await.unwrap();
    silent.write_all(b"GET /health HTT").await.unwrap();
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut rest).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(rig.get("/health").await.status, 200);
}

#[tokio::test]
async fn strange_requests_do_not_hurt() {
    let rig = rig().await;
    let flood = format!("GET /health HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n", rig.address, "y".repeat(100_000));
    assert_eq!(rig.raw(flood.as_bytes()).await.status, 431);
    assert_eq!(rig.raw(b"\x16\x03\x01\x02\x00\x01\r\n\r\n").await.status, 400);
    assert_eq!(rig.post("\u{0}").await.json()["error"]["code"], -32700);
    assert_eq!(rig.post("").await.json()["error"]["code"], -32700);
    let panicked = rig.post(r#"{"jsonrpc":"2.0","id":1,"method":"panic"}"#).await;
    assert_eq!((panicked.status, &panicked.json()["error"]["code"]), (200, &json!(-32603)));
    let notification = rig.post(r#"{"jsonrpc":"2.0","method":"echo"}"#).await;
    assert_eq!((notification.status, notification.body.len()), (204, 0));
    assert_eq!(rig.get("/health").await.status, 200);
}

#[tokio::test]
async fn too_many_connections_wait_outside() {
    let rig = rig_with(options(), Tuning { max_connections: 2, ..Tuning::default() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        stream.write_all(format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", rig.address).as_bytes()).await.unwrap();
        let mut some = [0_u8; 16];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut some).await.unwrap();
        held.push(stream);
    }
    let mut third = TcpStream::connect(rig.address).await.unwrap();
    let mut nothing = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut third, &mut nothing).await;
    assert!(nothing.is_empty(), "{read:?}");
}

#[tokio::test]
async fn taken_ports_and_other_addresses_are_explained() {
    let rig = rig().await;
    let error = server::bind(rig.address.ip(), rig.address.port()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains(&rig.address.port().to_string()) && error.fix().unwrap().contains("--port"));
    let error = server::bind("0.0.0.0".parse().unwrap(), 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.fix().unwrap().contains("loopback"));
}
