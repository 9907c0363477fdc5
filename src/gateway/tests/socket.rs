//! WebSockets: handshake, fairness, limits, events, the end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::tungstenite::Message;

use super::support::{PATIENCE, TOKEN, options, rig, rig_with};
use crate::gateway::tuning::Tuning;

fn call(id: u64, method: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method})
}

#[tokio::test]
async fn handshakes() {
    let rig = rig().await;
    for path in ["/ws", "/"] {
        let mut client = rig.connect_with(rig.upgrade(path)).await.unwrap();
        client.send(&json!({"jsonrpc": "2.0", "id": "a", "method": "echo", "params": {"x": 1}})).await;
        assert_eq!(client.json().await, json!({"jsonrpc": "2.0", "id": "a", "result": {"x": 1}}));
    }
    let mut browser = rig.upgrade("/ws");
    browser.headers_mut().remove("authorization");
    browser.headers_mut().insert("origin", format!("http://{}", rig.address).parse().unwrap());
    let offer = format!("openclaw.jsonrpc, openclaw.bearer.{TOKEN}");
    browser.headers_mut().insert("sec-websocket-protocol", offer.parse().unwrap());
    let client = rig.connect_with(browser).await.unwrap();
    assert_eq!(client.protocol.as_deref(), Some("openclaw.jsonrpc"), "the token is not repeated");

    let refused = |change: fn(&mut hyper::HeaderMap)| {
        let mut request = rig.upgrade("/ws");
        change(request.headers_mut());
        rig.connect_with(request)
    };
    assert_eq!(refused(|headers| drop(headers.remove("authorization"))).await.err(), Some(401));
    assert_eq!(
        refused(|headers| drop(headers.insert("authorization", "Bearer no".parse().unwrap()))).await.err(),
        Some(401)
    );
    assert_eq!(
        refused(|headers| drop(headers.insert("origin", "https://evil.example".parse().unwrap()))).await.err(),
        Some(403)
    );
    assert_eq!(
        refused(|headers| drop(headers.insert("host", "evil.example:1".parse().unwrap()))).await.err(),
        Some(403)
    );
    assert_eq!(rig.connect_with(rig.upgrade(&format!("/ws?token={TOKEN}"))).await.err(), Some(400));
    assert_eq!(rig.connect_with(rig.upgrade("/rpc")).await.err(), Some(405));
    assert_eq!(rig.get("/ws").await.status, 426);
}

#[tokio::test]
async fn a_slow_call_holds_up_nobody() {
    let rig = rig().await;
    let mut client = rig.connect().await;
    client.send(&call(1, "slow")).await;
    client.send(&call(2, "echo")).await;
    assert_eq!(client.json().await["id"], 2);
    rig.probe.release.notify_one();
    assert_eq!(client.json().await, json!({"jsonrpc": "2.0", "id": 1, "result": "done"}));
}

#[tokio::test]
async fn calls_in_flight_are_bounded() {
    let rig = rig_with(options(), Tuning { in_flight: 4, ..Tuning::default() }).await;
    let mut client = rig.connect().await;
    for id in 0..10 {
        client.send(&call(id, "slow")).await;
    }
    let mut answered = 0;
    while answered < 10 {
        rig.probe.release.notify_one();
        client.json().await;
        answered += 1;
    }
    assert!(rig.probe.most_running.load(Ordering::SeqCst) <= 4);
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_connection_lives() {
    let rig = rig().await;
    let mut client = rig.connect().await;
    client.send(&call(1, "panic")).await;
    assert_eq!(client.json().await["error"]["code"], -32603);
    client.send(&json!([call(2, "echo"), {"jsonrpc": "2.0", "method": "echo"}, call(3, "nope")])).await;
    assert_eq!(client.json().await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn frames_that_are_not_understood_close_with_the_right_code() {
    let rig = rig_with(options(), Tuning { max_message: 1000, ..Tuning::default() }).await;
    let mut binary = rig.connect().await;
    binary.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(binary.close_code().await, 1003);
    let mut large = rig.connect().await;
    large.socket.send(Message::text("x".repeat(1001))).await.unwrap();
    assert_eq!(large.close_code().await, 1009);
    let mut broken = rig.connect().await;
    broken.send(&json!("not a request")).await;
    assert_eq!(broken.json().await["error"]["code"], -32600);
    broken.socket.send(Message::text("{")).await.unwrap();
    assert_eq!(broken.json().await["error"]["code"], -32700);
}

#[tokio::test]
async fn who_does_not_read_is_disconnected() {
    let rig = rig_with(options(), Tuning { queued_bytes: 3_000_000, in_flight: 1000, ..Tuning::default() }).await;
    let mut client = rig.connect().await;
    for id in 0..40 {
        client.send(&call(id, "big")).await;
    }
    tokio::time::timeout(PATIENCE, async {
        while rig.probe.hub.len() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the connection is cut");
    let mut other = rig.connect().await;
    other.send(&call(1, "echo")).await;
    assert_eq!(other.json().await["id"], 1);
}

#[tokio::test]
async fn half_open_connections_are_noticed() {
    let rig = rig_with(options(), Tuning { ping_interval: Duration::from_millis(50), ..Tuning::default() }).await;
    let mut alive = rig.connect().await;
    // A client that never answers pings: its WebSocket layer is not polled.
    let dead = rig.connect().await;
    let answer = tokio::spawn(async move {
        alive.send(&call(1, "slow")).await;
        alive.json().await
    });
    tokio::time::timeout(PATIENCE, async {
        while rig.probe.hub.len() > 1 || rig.probe.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the dead connection ends");
    rig.probe.release.notify_one();
    assert_eq!(answer.await.unwrap()["result"], "done", "who answers pings stays");
    drop(dead);
}

#[tokio::test]
async fn events_arrive_numbered_and_the_end_is_announced() {
    let rig = rig().await;
    let mut client = rig.connect().await;
    client.send(&call(1, "follow")).await;
    assert_eq!(client.json().await["result"], true);
    rig.probe.hub.config_changed("/config", "sha256:1");
    rig.probe.hub.resync(3);
    let changed = client.json().await;
    assert_eq!((&changed["method"], &changed["params"]["eventSeq"]), (&json!("config.changed"), &json!(1)));
    assert!(changed.get("id").is_none());
    let resync = client.json().await;
    assert_eq!(
        (&resync["method"], &resync["params"]["missed"], &resync["params"]["eventSeq"]),
        (&json!("resync"), &json!(3), &json!(2))
    );
    let ((), code) = tokio::join!(
        async {
            rig.server.begin_shutdown("test over");
            rig.server.close().await;
        },
        async {
            let shutdown = client.json().await;
            assert_eq!((&shutdown["method"], &shutdown["params"]["reason"]), (&json!("shutdown"), &json!("test over")));
            client.close_code().await
        }
    );
    assert_eq!(code, 1012);
    assert_eq!(rig.probe.hub.len(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_calls_with_it() {
    let rig = rig().await;
    let mut client = rig.connect().await;
    client.send(&call(1, "slow")).await;
    while rig.probe.running.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    client.socket.close(None).await.unwrap();
    let mut rest = Vec::new();
    while futures_util::StreamExt::next(&mut client.socket).await.is_some_and(|frame| frame.is_ok()) {}
    assert_eq!(client.socket.get_mut().read_to_end(&mut rest).await.unwrap(), 0);
    tokio::time::timeout(PATIENCE, async {
        while rig.probe.hub.len() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the connection is forgotten");
}
