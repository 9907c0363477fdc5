//! Requests that are wrong in every way a request can be: each gets its own clear error, and the next one is served.

use std::net::Shutdown;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::http::{self, Replies, Reply};
use crate::support::raw_ws::{RawWs, TEXT, masked};
use crate::support::ws::Ws;

fn gateway() -> Gateway {
    Home::new(json!({})).start()
}

/// The same message over HTTP and over a WebSocket; both must answer alike. `None` = no answer.
fn both(gateway: &Gateway, message: &[u8]) -> Option<Value> {
    let reply = gateway.post(message);
    let over_http = match reply.status {
        204 => None,
        200 => Some(reply.json()),
        other => panic!("HTTP {other}: {}", String::from_utf8_lossy(&reply.body)),
    };
    let mut socket = RawWs::connect(gateway.port(), &gateway.token);
    socket.send(&masked(TEXT, message));
    // What must not be answered is known not to be when the answer to the next call comes first.
    socket.send(&masked(TEXT, br#"{"jsonrpc":"2.0","id":"next","method":"models.list"}"#));
    let first = socket.json();
    let over_socket = (first["id"] != "next").then_some(first);
    match (&over_http, &over_socket) {
        (None, None) => {}
        (Some(http), Some(socket)) => assert_eq!(http["error"]["code"], socket["error"]["code"], "{http} {socket}"),
        _ => panic!("{over_http:?} over HTTP, {over_socket:?} over a WebSocket"),
    }
    over_http
}

fn error(gateway: &Gateway, message: &str, code: i64) -> Value {
    let answer = both(gateway, message.as_bytes()).unwrap_or_else(|| panic!("no answer to {message:.200}"));
    assert_eq!(answer["error"]["code"], code, "{message:.200}: {answer}");
    assert_eq!(answer["jsonrpc"], "2.0");
    assert!(answer.get("result").is_none(), "{answer}");
    assert!(answer["error"]["message"].is_string() && answer["error"]["data"]["kind"].is_string(), "{answer}");
    answer
}

#[test]
fn methods_that_do_not_exist() {
    let gateway = gateway();
    for (method, meant) in [
        ("chat.sned", "chat.send"),
        ("sessions.lst", "sessions.list"),
        ("Health", "health"),
        ("agent_wait", "agent.wait"),
    ] {
        let answer = error(&gateway, &format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}"}}"#), -32601);
        assert_eq!(answer["id"], 7);
        assert_eq!(answer["error"]["data"]["kind"], "unknown_method");
        let hint = answer["error"]["data"]["hint"].as_str().expect("a hint");
        assert!(hint.contains(&format!("did you mean {meant}?")), "{method}: {hint}");
    }
    for method in ["", "no.such.thing.at.all", "rpc.", "\u{1F980}", &"x".repeat(100_000)] {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method}).to_string();
        let answer = error(&gateway, &message, -32601);
        assert!(answer.to_string().len() < 1000, "the answer does not repeat a long name");
        assert!(answer["error"]["data"]["hint"].as_str().expect("a hint").contains("rpc.discover"));
    }
    gateway.serves();
}

#[test]
fn params_that_do_not_fit() {
    let gateway = gateway();
    for (method, params, named) in [
        ("chat.send", json!({"sessionKey": "main", "message": "hi"}), "idempotencyKey"),
        ("chat.send", json!({"sessionKey": "main", "message": 5, "idempotencyKey": "k"}), "message"),
        ("chat.send", json!({"sessionKey": "", "message": "hi", "idempotencyKey": "k"}), "sessionKey"),
        ("chat.send", json!({"sessionKey": "x".repeat(513), "message": "hi", "idempotencyKey": "k"}), "sessionKey"),
        ("chat.send", json!({"sesionKey": "main", "message": "hi", "idempotencyKey": "k"}), "sesionKey"),
        (
            "chat.send",
            json!({"sessionKey": "main", "message": "hi", "idempotencyKey": "k", "timeoutMs": -1}),
            "timeoutMs",
        ),
        (
            "chat.send",
            json!({"sessionKey": "main", "message": "hi", "idempotencyKey": "k", "timeoutMs": 1.5}),
            "timeoutMs",
        ),
        ("chat.history", json!({"sessionKey": "main", "limit": 0}), "limit"),
        ("chat.history", json!({"sessionKey": "main", "limit": 1_000_000}), "limit"),
        ("chat.history", json!({"sessionKey": "main", "limit": "10"}), "limit"),
        ("agent.wait", json!({"runId": ["a"]}), "runId"),
        ("agent.wait", json!({}), "runId"),
        ("health", json!({"probe": "yes"}), "probe"),
        ("sessions.stateAt", json!({"key": "main", "seq": "last"}), "seq"),
    ] {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string();
        let answer = error(&gateway, &message, -32602);
        assert_eq!(answer["error"]["data"]["kind"], "invalid_input");
        assert_eq!(answer["error"]["data"]["details"]["param"], named, "{answer}");
        assert!(answer["error"]["message"].as_str().expect("a sentence").contains(named), "{answer}");
        assert!(answer["error"]["data"]["hint"].is_string(), "{answer}");
    }
    let near = gateway.request("chat.history", &json!({"sesionKey": "main"}));
    assert_eq!(near["error"]["data"]["hint"], "did you mean sessionKey?");
    let listed = gateway.request("chat.history", &json!(["main", 5]));
    assert_eq!(listed["error"]["code"], -32602, "{listed}");
    // Things that do not exist are another kind.
    for (method, params) in [
        ("agent.wait", json!({"runId": "no-such-run"})),
        ("sessions.describe", json!({"key": "agent:main:no-such-session"})),
        ("chat.history", json!({"sessionKey": "agent:nobody:main"})),
    ] {
        let answer = gateway.request(method, &params);
        let kind = &answer["error"]["data"]["kind"];
        assert!(kind == "not_found" || answer["result"].is_object(), "{method}: {answer}");
    }
    let empty = gateway.request("chat.send", &json!({"sessionKey": "main", "message": " \n", "idempotencyKey": "k"}));
    assert_eq!(empty["error"]["code"], -32602, "{empty}");
    gateway.serves();
}

#[test]
fn text_that_is_not_json() {
    let gateway = gateway();
    for message in [
        "",
        " ",
        "{",
        "}",
        "[",
        "nope",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health\"",
        "{'jsonrpc':'2.0'}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":01,\"method\":\"health\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health\",}",
        "[1,]",
        "// note\n{}",
        "\u{feff}{}",
        "NaN",
        "\u{0}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hea\u{1}lth\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\\x\"}",
        "{\"a\":\"\n\"}",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        let answer = error(&gateway, message, -32700);
        assert_eq!(answer["id"], Value::Null, "{message:?}");
        assert_eq!(answer["error"]["data"]["kind"], "parse_error");
        let details = &answer["error"]["data"]["details"];
        assert!(details["line"].is_number() && details["column"].is_number(), "{message:?}: {answer}");
    }
    for bytes in
        [&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf0\x9f\x98"]
    {
        let answer = gateway.post(bytes).json();
        assert_eq!(answer["error"]["code"], -32700, "{answer}");
        assert!(answer["error"]["data"]["why"].as_str().expect("a reason").starts_with("invalid UTF-8 at byte"));
        assert!(answer["error"]["data"]["details"]["offset"].is_number());
    }
    gateway.serves();
}

#[test]
fn json_that_is_no_request() {
    let gateway = gateway();
    for (message, id) in [
        ("1", json!(null)),
        ("null", json!(null)),
        ("true", json!(null)),
        ("\"health\"", json!(null)),
        ("{}", json!(null)),
        ("[]", json!(null)),
        (r#"{"id":5,"method":"health"}"#, json!(5)),
        (r#"{"jsonrpc":"1.0","id":5,"method":"health"}"#, json!(5)),
        (r#"{"jsonrpc":2.0,"id":5,"method":"health"}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":7}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":null}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"health","params":"x"}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"health","params":null}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"health","method":"status"}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":true,"method":"health"}"#, json!(null)),
        (r#"{"jsonrpc":"2.0","id":{},"method":"health"}"#, json!(null)),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"health"}"#, json!(null)),
    ] {
        let answer = error(&gateway, message, -32600);
        assert_eq!(answer["id"], id, "{message}: {answer}");
        assert_eq!(answer["error"]["data"]["kind"], "invalid_request");
        assert!(answer["error"]["data"]["why"].is_string(), "{answer}");
    }
    let doubled = r#"{"jsonrpc":"2.0","id":5,"method":"chat.history","params":{"sessionKey":"a","sessionKey":"b"}}"#;
    let answer = error(&gateway, doubled, -32602);
    assert!(answer.to_string().contains("sessionKey"), "{answer}");
    gateway.serves();
}

#[test]
fn ids_come_back_as_they_were_written() {
    let gateway = gateway();
    for id in [
        "1",
        "0",
        "-0",
        "-7",
        "1.0",
        "1.50",
        "1e3",
        "1E+3",
        "123456789012345678901234567890",
        "\"\"",
        "\"a\"",
        "\"\\u00e9\"",
        "\"\u{1F980}\"",
        "\"1\"",
        "null",
        "9007199254740993",
    ] {
        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"models.list"}}"#);
        let head = format!(r#"{{"jsonrpc":"2.0","id":{id},"result""#);
        let reply = gateway.post(message.as_bytes());
        let text = String::from_utf8_lossy(&reply.body);
        assert!(text.starts_with(&head), "{id}: {text:.100}");
        let mut socket = RawWs::connect(gateway.port(), &gateway.token);
        socket.send(&masked(TEXT, message.as_bytes()));
        let (_, frame) = socket.frame().expect("an answer");
        assert!(frame.starts_with(head.as_bytes()), "{id} over a WebSocket");
    }
    let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"models.list"}}"#, "i".repeat(5000));
    assert_eq!(error(&gateway, &long, -32600)["id"], Value::Null);
    gateway.serves();
}

#[test]
fn notifications_get_no_answer_whatever_they_ask() {
    let gateway = gateway();
    for message in [
        r#"{"jsonrpc":"2.0","method":"health"}"#,
        r#"{"jsonrpc":"2.0","method":"no.such.method"}"#,
        r#"{"jsonrpc":"2.0","method":"chat.send","params":{"wrong":1}}"#,
        r#"{"jsonrpc":"2.0","method":"chat.history","params":{"sessionKey":"a","sessionKey":"b"}}"#,
        r#"[{"jsonrpc":"2.0","method":"health"},{"jsonrpc":"2.0","method":"no.such.method"}]"#,
    ] {
        assert_eq!(both(&gateway, message.as_bytes()), None, "{message}");
    }
    // Without an answer is not without effect.
    let params = json!({"sessionKey": "agent:main:quiet", "message": "hello", "idempotencyKey": "by-notification"});
    let reply = gateway.post(json!({"jsonrpc": "2.0", "method": "chat.send", "params": params}).to_string().as_bytes());
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert_eq!(gateway.call("agent.wait", json!({"runId": "by-notification"}))["status"], "ok");
}

#[test]
fn batches_have_limits_and_every_entry_its_own_answer() {
    let gateway = gateway();
    let call = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "models.list"});
    let hundred: Vec<Value> = (0..100).map(call).collect();
    let answer = both(&gateway, json!(hundred).to_string().as_bytes()).expect("an answer");
    let ids: Vec<u64> = answer.as_array().expect("a list").iter().filter_map(|entry| entry["id"].as_u64()).collect();
    assert_eq!(ids, (0..100).collect::<Vec<u64>>());
    let more: Vec<Value> = (0..101).map(call).collect();
    let refused = error(&gateway, &json!(more).to_string(), -32600);
    assert!(refused["error"]["data"]["why"].as_str().expect("a reason").contains("at most 100"), "{refused}");
    let nothing = format!("[{}]", vec!["1"; 200_000].join(","));
    error(&gateway, &nothing, -32600);

    let mixed = r#"[1, [], {"jsonrpc":"2.0","id":"a","method":"nope"}, {"jsonrpc":"2.0","method":"health"},
        {"jsonrpc":"2.0","id":"b","method":"agent.wait","params":{}}, {"id":"c"}, {"jsonrpc":"2.0","id":"d","method":"models.list"}]"#;
    let reply = gateway.post(mixed.as_bytes()).json();
    let codes: Vec<(Value, Value)> = reply
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (entry["id"].clone(), entry["error"]["code"].clone()))
        .collect();
    let expected = json!([[null, -32600], [null, -32600], ["a", -32601], ["b", -32602], ["c", -32600], ["d", null]]);
    assert_eq!(json!(codes), expected);
    gateway.serves();
}

#[test]
fn nesting_without_end() {
    let gateway = gateway();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [65, 1000, 1_000_000] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let answer = error(&gateway, &deep, -32700);
            assert_eq!(answer["error"]["data"]["details"]["maxDepth"], 64, "{answer}");
        }
        error(&gateway, &open.repeat(1_000_000), -32700);
    }
    let inside = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"health","params":{{"probe":{}{}}}}}"#,
        "[".repeat(80),
        "]".repeat(80)
    );
    error(&gateway, &inside, -32700);
    let just = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"health","params":{{"probe":{}{}}}}}"#,
        "[".repeat(62),
        "]".repeat(62)
    );
    error(&gateway, &just, -32602);
    gateway.serves();
}

#[test]
fn nul_control_characters_and_lone_surrogates() {
    let gateway = gateway();
    let send = |key: &str, message: &str, session: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"chat.send","params":{{"sessionKey":"{session}","message":"{message}","idempotencyKey":"{key}"}}}}"#
        )
    };
    for (message, named) in [
        (send("k-1", r"a\u0000b", "main"), "message"),
        (send("k-2", "fine", r"ma\u0000in"), "sessionKey"),
        (send("k-3", "fine", r"ma\u001bin"), "sessionKey"),
        (send("k-4", "fine", r"ma\nin"), "sessionKey"),
        (send(r"k\u0007", "fine", "main"), "idempotencyKey"),
    ] {
        let answer = error(&gateway, &message, -32602);
        assert_eq!(answer["error"]["data"]["details"]["param"], named, "{answer}");
    }
    error(&gateway, &send("k-5", r"half \ud83e", "main"), -32602);
    error(&gateway, &send("k-6", "raw \u{1} control", "main"), -32700);

    // What text may hold is kept as it is.
    let text = "bell \u{7} escape \u{1b}[31m \r\n tab\t del \u{7f} c1 \u{85} sep \u{2028} bidi \u{202e} wide \u{1F980}";
    gateway.call("chat.send", json!({"sessionKey": "agent:main:odd", "message": text, "idempotencyKey": "odd"}));
    assert_eq!(gateway.call("agent.wait", json!({"runId": "odd"}))["status"], "ok");
    let history = gateway.call("chat.history", json!({"sessionKey": "agent:main:odd"}));
    assert_eq!(history["messages"][0]["content"][0]["text"], text);
    gateway.serves();
}

#[test]
fn bodies_that_are_too_large() {
    let gateway = gateway();
    let bearer = format!("Bearer {}", gateway.token);
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let large = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"chat.send","params":{{"message":"{}"}}}}"#,
        "x".repeat(30 * 1024 * 1024)
    );
    let reply = http::raw(gateway.port(), &http::request("POST", "/rpc", gateway.port(), &headers, large.as_bytes()))
        .expect("an answer, although the client wrote everything first");
    assert_eq!((reply.status, &reply.json()["error"]["data"]["kind"]), (413, &json!("too_large")));
    assert!(reply.json()["error"]["message"].as_str().expect("a sentence").contains("26214400"));

    // In pieces, without saying how much it will be.
    let mut chunked = format!(
        "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: {bearer}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        gateway.port()
    )
    .into_bytes();
    let piece = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    for _ in 0..27 {
        chunked.extend_from_slice(piece.as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(http::raw(gateway.port(), &chunked).expect("an answer").status, 413);

    // A client that asks first is told before it sends anything.
    let asks = format!(
        "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: {bearer}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        gateway.port(),
        large.len()
    );
    assert_eq!(http::raw(gateway.port(), asks.as_bytes()).expect("an answer").status, 413);

    // Too long a message in a body that is not: the parameter is named.
    let answer = gateway.request(
        "chat.send",
        &json!({"sessionKey": "main", "idempotencyKey": "long", "message": "x".repeat(4 * 1024 * 1024 + 1)}),
    );
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["data"]["details"]["param"]),
        (&json!(-32602), &json!("message"))
    );
    gateway.serves();
}

/// A request with these lines between `Host` and the body, which is written as it is.
fn framed(gateway: &Gateway, lines: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n{lines}\r\n{body}",
        gateway.port(),
        gateway.token
    )
    .into_bytes()
}

#[test]
fn lengths_that_lie() {
    let gateway = gateway();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"models.list"}"#;
    let right = framed(&gateway, &format!("Content-Length: {}\r\nConnection: close\r\n", call.len()), call);
    assert_eq!(http::raw(gateway.port(), &right).expect("an answer").status, 200, "the control");

    // More is announced than comes, and the client hangs up on its side.
    let mut stream = http::send(gateway.port(), &framed(&gateway, "Content-Length: 500\r\n", call));
    stream.shutdown(Shutdown::Write).expect("an open socket");
    let reply = http::read_reply(&mut stream).expect("an answer");
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error"]["data"]["hint"].as_str().expect("a hint").contains("Content-Length"));

    // Less is announced than comes: the rest is no request, and nothing in it is run.
    let hidden = format!("{call}{}", String::from_utf8_lossy(&right));
    let mut stream = http::send(gateway.port(), &framed(&gateway, "Content-Length: 10\r\n", &hidden));
    let replies: Vec<Reply> = Replies::new(&mut stream).collect();
    assert_eq!(replies[0].json()["error"]["code"], -32700);
    assert!(replies[1..].iter().all(|reply| reply.status == 400), "{replies:?}");

    for lines in [
        "Content-Length: 47\r\nContent-Length: 48\r\n",
        "Content-Length: 47, 48\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +47\r\n",
        "Content-Length: 0x2f\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: forty\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: xchunked\r\nContent-Length: 47\r\n",
    ] {
        let reply = http::raw(gateway.port(), &framed(&gateway, lines, call));
        assert_eq!(reply.map(|reply| reply.status), Some(400), "{lines:?}");
    }
    // Both at once is how requests are smuggled past proxies: the chunks count (RFC 9112 §6.1) and nothing after them.
    let smuggled = format!("0\r\n\r\n{}", String::from_utf8_lossy(&right));
    let lines = format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", smuggled.len());
    let mut stream = http::send(gateway.port(), &framed(&gateway, &lines, &smuggled));
    let replies: Vec<Reply> = Replies::new(&mut stream).collect();
    assert_eq!(replies.len(), 1, "{replies:?}");
    assert_eq!(replies[0].json()["error"]["code"], -32700, "{replies:?}");
    for chunks in
        ["zz\r\n{}\r\n0\r\n\r\n", "fffffffffffffffff\r\n{}\r\n", "-2\r\n{}\r\n0\r\n\r\n", "2\r\n{}extra\r\n0\r\n\r\n"]
    {
        let reply = http::raw(gateway.port(), &framed(&gateway, "Transfer-Encoding: chunked\r\n", chunks));
        assert_eq!(reply.map(|reply| reply.status), Some(400), "{chunks:?}");
    }
    gateway.serves();
}

#[test]
fn tokens_that_are_missing_wrong_or_in_the_wrong_place() {
    let gateway = gateway();
    let port = gateway.port();
    let body = br#"{"jsonrpc":"2.0","id":1,"method":"models.list"}"#;
    let with = |authorization: Option<&str>| {
        let headers: Vec<(&str, &str)> = authorization.map(|value| ("Authorization", value)).into_iter().collect();
        http::raw(port, &http::request("POST", "/rpc", port, &headers, body)).expect("an answer")
    };
    let missing = with(None);
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (401, &json!(-32001)));
    assert!(missing.header("www-authenticate").is_some());
    assert!(missing.json()["error"]["data"]["hint"].as_str().expect("a hint").contains("gateway-token"));
    let wrong = with(Some("Bearer wrong")).body;
    let (first, last) = gateway.token.split_at(1);
    for guess in [
        format!("Bearer {first}"),
        format!("Bearer {last}"),
        format!("Bearer {}x", gateway.token),
        format!("Bearer {}", gateway.token.to_lowercase()),
        format!("Bearer {}", "x".repeat(20_000)),
    ] {
        let reply = with(Some(&guess));
        assert_eq!(reply.status, 401, "{guess:.40}");
        assert_eq!(reply.body, wrong, "one message, whatever was wrong about it");
    }
    for odd in [&format!("Basic {}", gateway.token), &gateway.token, "Bearer", "Bearer ", "Bearer \u{e9}"] {
        assert_eq!(with(Some(odd)).status, 401, "{odd:.20}");
    }
    for path in [format!("/rpc?token={}", gateway.token), "/rpc?x=1&ACCESS_TOKEN=y".to_owned()] {
        let bearer = format!("Bearer {}", gateway.token);
        let request = http::request("POST", &path, port, &[("Authorization", &bearer)], body);
        let reply = http::raw(port, &request).expect("an answer");
        assert_eq!(reply.status, 400);
        assert!(!String::from_utf8_lossy(&reply.body).contains(&gateway.token));
    }
    for path in ["/ws", "/"] {
        let query = format!("{path}?token={}", gateway.token);
        let upgrade = [
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let asked = |path: &str| {
            let request = http::request("GET", path, port, &upgrade, b"");
            let request = String::from_utf8_lossy(&request).replace("Connection: close", "Connection: Upgrade");
            http::raw(port, request.as_bytes()).expect("an answer").status
        };
        assert_eq!((asked(path), asked(&query)), (401, 400), "{path}");
    }
    // Guessing on does not lock out who has the token.
    let guesses: Vec<u16> = (0..25).map(|_| with(Some("Bearer guess")).status).collect();
    assert_eq!(guesses.last(), Some(&429), "{guesses:?}");
    assert!(!gateway.log().contains(&gateway.token), "the token is not in the log");
    gateway.serves();
}

#[test]
fn hosts_and_origins_of_others() {
    let gateway = gateway();
    let port = gateway.port();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"models.list"}"#;
    let post = |host: &str, origin: &str| {
        let request = format!(
            "POST /rpc HTTP/1.1\r\nHost: {host}\r\n{origin}Authorization: Bearer {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{call}",
            gateway.token,
            call.len()
        );
        http::raw(port, request.as_bytes()).expect("an answer")
    };
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(post(&host, "").status, 200, "{host}");
    }
    for host in
        ["evil.example", "127.0.0.1", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0", "10.0.0.1", ""]
    {
        let with_port = if host.is_empty() { String::new() } else { format!("{host}:{port}") };
        for host in [host, &with_port] {
            if host == format!("127.0.0.1:{port}") {
                continue;
            }
            let reply = post(host, "");
            assert_eq!(
                (reply.status, &reply.json()["error"]["data"]["kind"]),
                (403, &json!("refused_by_policy")),
                "{host}"
            );
        }
    }
    let ours = format!("127.0.0.1:{port}");
    assert_eq!(post(&ours, &format!("Origin: http://{ours}\r\n")).status, 200);
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:3000",
        "file://",
        "",
        &format!("http://{ours}.evil.example"),
        &format!("http://{ours}@evil.example"),
    ] {
        let reply = post(&ours, &format!("Origin: {origin}\r\n"));
        assert_eq!(reply.status, 403, "{origin}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
        let bearer = format!("Bearer {}", gateway.token);
        assert!(Ws::try_connect(port, &[("Authorization", &bearer), ("Origin", origin)]).is_err(), "{origin}");
    }
    let two = format!("Origin: http://{ours}\r\nOrigin: https://evil.example\r\n");
    assert_eq!(post(&ours, &two).status, 403);
    // What a page can send without asking first is no call either.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        assert_eq!(post(&ours, &format!("Content-Type: {kind}\r\n")).status, 415, "{kind}");
    }
    gateway.serves();
}

#[test]
fn paths_methods_and_versions_that_do_not_fit() {
    let gateway = gateway();
    let port = gateway.port();
    let bearer = format!("Bearer {}", gateway.token);
    let ask = |method: &str, path: &str| {
        http::raw(port, &http::request(method, path, port, &[("Authorization", &bearer)], b"{}")).expect("an answer")
    };
    for path in [
        "/nope",
        "/rpc/",
        "/RPC",
        "//rpc",
        "/ws/x",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/health/../rpc",
        "/.env",
    ] {
        let reply = ask("GET", path);
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (404, &json!("not_found")), "{path}");
    }
    for (method, path) in
        [("GET", "/rpc"), ("PUT", "/rpc"), ("DELETE", "/rpc"), ("POST", "/health"), ("POST", "/ws"), ("BREW", "/")]
    {
        let reply = ask(method, path);
        assert_eq!(reply.status, 405, "{method} {path}");
        assert!(reply.header("allow").is_some());
    }
    assert_eq!(ask("GET", "/ws").status, 426);
    for request in [
        "GET /health HTTP/1.0\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        format!("GET  /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        format!("GET /health HTTP/9.9\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        format!("GET /health HTTP/1.1\r\nHost : 127.0.0.1:{port}\r\n\r\n"),
        format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX: a\u{0}b\r\n\r\n"),
        "\u{16}\u{3}\u{1}\u{0}\u{5}hello\r\n\r\n".to_owned(),
        "\r\n\r\n\r\n garbage\r\n\r\n".to_owned(),
    ] {
        assert_eq!(http::raw(port, request.as_bytes()).map(|reply| reply.status), Some(400), "{request:?}");
    }
    assert!(http::raw(port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").is_none(), "HTTP/2 is closed without a word");
    // HTTP/1.0 with a Host is served, and closed.
    let old = format!("GET /health HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let mut stream = http::send(port, old.as_bytes());
    let replies: Vec<Reply> = Replies::new(&mut stream).collect();
    assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<u16>>(), [200]);
    let absolute =
        format!("GET http://evil.example/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    assert_eq!(http::raw(port, absolute.as_bytes()).expect("an answer").status, 403);
    gateway.serves();
}

#[test]
fn headers_without_end() {
    let gateway = gateway();
    let port = gateway.port();
    let with = |lines: &str| {
        let request = format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{lines}\r\n");
        http::raw(port, request.as_bytes()).map(|reply| reply.status)
    };
    assert_eq!(with(&format!("X-Long: {}\r\n", "y".repeat(8_000))), Some(200), "the control");
    for lines in [format!("X-Long: {}\r\n", "y".repeat(100_000)), "X-Many: y\r\n".repeat(1000)] {
        assert_eq!(with(&lines), Some(431));
    }
    let target = format!("GET /{} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", "a".repeat(100_000));
    assert_eq!(http::raw(port, target.as_bytes()).map(|reply| reply.status), Some(431));
    gateway.serves();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let gateway = gateway();
    let post = |id: u32, method: &str, last: bool| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#);
        let close = if last { "Connection: close\r\n" } else { "" };
        framed(&gateway, &format!("{close}Content-Length: {}\r\n", body.len()), &body)
    };
    let mut bytes = Vec::new();
    for id in 0..20 {
        bytes.extend(post(id, if id % 3 == 1 { "no.such.method" } else { "models.list" }, false));
    }
    bytes.extend(post(20, "models.list", true));
    let mut stream = http::send(gateway.port(), &bytes);
    let replies: Vec<Reply> = Replies::new(&mut stream).collect();
    let ids: Vec<Value> = replies.iter().map(|reply| reply.json()["id"].clone()).collect();
    assert_eq!(json!(ids), json!((0..=20).collect::<Vec<u32>>()));

    // A broken one in the middle ends the connection; what stands before it was answered.
    let mut bytes = post(1, "models.list", false);
    bytes.extend_from_slice(b"THIS IS NOT HTTP\r\n\r\n");
    bytes.extend(post(2, "models.list", true));
    let mut stream = http::send(gateway.port(), &bytes);
    let statuses: Vec<u16> = Replies::new(&mut stream).map(|reply| reply.status).collect();
    assert_eq!(statuses, [200, 400]);
    gateway.serves();
}
