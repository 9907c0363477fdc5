//! Who may call: the generated token, configured ones in every form, a password, nobody asked.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::http;
use crate::support::ws::Ws;

/// Status of a call with this header.
fn status(port: u16, authorization: Option<&str>) -> u16 {
    let headers: Vec<(&str, &str)> = authorization.map(|value| ("Authorization", value)).into_iter().collect();
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"health"}"#;
    http::raw(port, &http::request("POST", "/rpc", port, &headers, body)).expect("an answer").status
}

/// Starts with this `gateway.auth` and checks that exactly `secret` opens it.
fn opens(auth: Value, dotenv: &str, secret: &str) {
    let home = Home::new(json!({"gateway": {"auth": auth}}));
    std::fs::write(home.root().join(".env"), dotenv).expect("a .env file");
    std::fs::write(home.root().join("secret.txt"), "a-secret-from-a-file-12345\n").expect("a secret");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(home.root().join("secret.txt"), mode).expect("a mode");
    let gateway = home.start();
    let port = gateway.port();
    assert_eq!(status(port, Some(&format!("Bearer {secret}"))), 200, "{auth}");
    assert_eq!(status(port, None), 401, "{auth}");
    for wrong in
        [&format!("Bearer {secret}x"), &format!("Bearer {}", &secret[1..]), "Bearer ", &format!("Basic {secret}")]
    {
        assert_eq!(status(port, Some(wrong)), 401, "{auth} {wrong}");
    }
    assert!(Ws::try_connect(port, &[("Authorization", &format!("Bearer {secret}"))]).is_ok());
    assert!(Ws::try_connect(port, &[]).is_err());
    assert!(Ws::try_connect(port, &[("Authorization", "Bearer wrong")]).is_err());
    let protocols = format!("openclaw.jsonrpc, openclaw.bearer.{secret}");
    assert!(Ws::try_connect(port, &[("Sec-WebSocket-Protocol", &protocols)]).is_ok(), "as browsers do");
    assert!(!gateway.home.root().join("state/gateway-token").exists(), "no token is made beside a configured one");
}

#[test]
fn the_first_start_makes_a_token_that_only_its_owner_can_read() {
    let mut gateway = Home::new(json!({})).start();
    let path = gateway.home.root().join("state/gateway-token");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a directory")), 0o700);
    let token = gateway.token.clone();
    assert!(token.len() >= 43, "{} characters", token.len());
    assert_eq!(status(gateway.port(), Some(&format!("Bearer {token}"))), 200);
    assert_eq!(status(gateway.port(), None), 401);
    gateway.stop();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    gateway.restart();
    assert_eq!(gateway.token, token, "it stays");
    assert_eq!(mode(&path), 0o600, "and is closed again");
    let anonymous =
        http::raw(gateway.port(), &http::request("POST", "/rpc", gateway.port(), &[], b"{}")).expect("an answer");
    assert!(anonymous.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")), "{anonymous:?}");
    assert_eq!(anonymous.json()["error"]["data"]["kind"], "unauthorized");
    let other = Home::new(json!({})).start();
    assert_ne!(other.token, token);
    assert_eq!(status(gateway.port(), Some(&format!("Bearer {}", other.token))), 401);
}

#[test]
fn a_token_may_be_written_in_every_form() {
    opens(json!({"token": "plain-token-1234567890"}), "", "plain-token-1234567890");
    opens(
        json!({"mode": "token", "token": "${MY_TOKEN}"}),
        "MY_TOKEN=token-from-dotenv-123\n",
        "token-from-dotenv-123",
    );
    let reference = json!({"token": {"source": "env", "provider": "default", "id": "OTHER_TOKEN"}});
    opens(reference, "OTHER_TOKEN=token-by-reference-1\n", "token-by-reference-1");
    opens(json!({"mode": "password", "password": "correct horse"}), "", "correct horse");
    opens(json!({"mode": "password", "password": "${PASS}"}), "PASS=battery-staple\n", "battery-staple");
}

#[test]
fn a_token_may_come_from_a_file_or_a_program() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    std::fs::write(&file, "token-in-a-file-1234\n").expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let start = |secrets: Value, id: &str| -> Gateway {
        let provider = secrets.as_object().and_then(|map| map.keys().next()).expect("a provider").clone();
        let source = secrets[&provider]["source"].clone();
        Home::new(json!({
            "secrets": {"providers": secrets},
            "gateway": {"auth": {"token": {"source": source, "provider": provider, "id": id}}},
        }))
        .start()
    };
    let gateway = start(json!({"files": {"source": "file", "path": file, "mode": "singleValue"}}), "value");
    assert_eq!(status(gateway.port(), Some("Bearer token-in-a-file-1234")), 200);
    assert_eq!(status(gateway.port(), Some("Bearer token-in-a-file-1235")), 401);

    let program = directory.path().join("vault");
    std::fs::write(&program, "#!/bin/sh\nread request\nprintf '%s' \"$ANSWER\"\n").expect("a program");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("a mode");
    let answer = json!({"protocolVersion": 1, "values": {"gateway/token": "token-of-a-program-1"}}).to_string();
    let vault = json!({"source": "exec", "command": program, "env": {"ANSWER": answer}});
    let gateway = start(json!({"vault": vault}), "gateway/token");
    assert_eq!(status(gateway.port(), Some("Bearer token-of-a-program-1")), 200);
    assert_eq!(status(gateway.port(), Some("Bearer gateway/token")), 401);
}

#[test]
fn without_auth_the_doors_of_other_sites_stay_shut() {
    let gateway = Home::new(json!({"gateway": {"auth": {"mode": "none"}}})).start();
    let port = gateway.port();
    assert_eq!(status(port, None), 200);
    assert_eq!(gateway.call("status", json!({}))["gateway"]["auth"], "none");
    assert!(Ws::try_connect(port, &[]).is_ok());
    assert!(Ws::try_connect(port, &[("Origin", "https://evil.example")]).is_err());
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"health"}"#;
    let request = http::request("POST", "/rpc", port, &[("Origin", "https://evil.example")], body);
    assert_eq!(http::raw(port, &request).expect("an answer").status, 403);
    let rebound = String::from_utf8(http::request("POST", "/rpc", port, &[], body)).expect("text");
    let rebound = rebound.replace(&format!("Host: 127.0.0.1:{port}"), &format!("Host: evil.example:{port}"));
    assert_eq!(http::raw(port, rebound.as_bytes()).expect("an answer").status, 403);
}

#[test]
fn what_cannot_be_a_secret_stops_the_start_with_a_reason() {
    for (auth, words) in [
        (json!({"mode": "password"}), "no gateway password is set"),
        (json!({"token": "${NOT_THERE}"}), "NOT_THERE"),
        (json!({"token": {"source": "env", "provider": "default", "id": "NOT_THERE"}}), "NOT_THERE"),
        (json!({"mode": "trusted-proxy"}), "trusted-proxy"),
    ] {
        let home = Home::new(json!({"gateway": {"auth": auth}}));
        let output = home.run(&["gateway", "run"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(words), "{auth}: {text}");
    }
}
