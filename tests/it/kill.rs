//! `kill -9` at random moments: every acknowledged event is there, and the next turn on that session works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home, signal};
use crate::support::http;
use crate::support::provider::{FakeProvider, completions};

/// Turns of the whole test; the issue asks for 200.
const TURNS: usize = 200;

/// A small deterministic generator (xorshift), seeded so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// A call that may be cut off by the kill; `None` then.
fn try_call(gateway: &Gateway, method: &str, params: &Value) -> Option<Value> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let bearer = format!("Bearer {}", gateway.token);
    let request = http::request("POST", "/rpc", gateway.port(), &[("Authorization", &bearer)], body.as_bytes());
    let stream = std::net::TcpStream::connect(("127.0.0.1", gateway.port())).ok()?;
    drop(stream);
    let reply = std::panic::catch_unwind(|| http::raw(gateway.port(), &request)).ok()??;
    let response: Value = serde_json::from_slice(&reply.body).ok()?;
    response.get("result").cloned()
}

#[test]
fn nothing_acknowledged_is_lost_when_the_gateway_is_killed_at_random_moments() {
    let provider = FakeProvider::start();
    let script = || completions::text(&["a ", "short ", "reply"]);
    provider.always(script());
    let mut gateway = Home::new(provider.config("openai-completions")).start();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut accepted, mut finished, mut kills) = (Vec::new(), Vec::new(), 0);
    let mut turn = 0;
    while turn < TURNS {
        // A killer waits a random time while turns are sent; whatever was acknowledged before it struck must survive.
        let delay = Duration::from_micros(random.next(40_000));
        let pid = gateway.pid();
        let struck = Arc::new(AtomicBool::new(false));
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let flag = Arc::clone(&struck);
            scope.spawn(move || {
                std::thread::park_timeout(delay);
                flag.store(true, Ordering::SeqCst);
                signal(pid, nix::sys::signal::Signal::SIGKILL);
            });
            while !struck.load(Ordering::SeqCst) && turn < TURNS {
                turn += 1;
                let (run, session) = (format!("kill-run-{turn}"), format!("agent:main:kill-{}", turn % 7));
                let params =
                    json!({"sessionKey": session, "message": format!("message {turn}"), "idempotencyKey": run});
                if try_call(&gateway, "chat.send", &params).is_none() {
                    break;
                }
                accepted.push((turn, run.clone(), session.clone()));
                let waited = try_call(&gateway, "agent.wait", &json!({"runId": run, "timeoutMs": 30_000}));
                if waited.is_some_and(|outcome| outcome["status"] == "ok") {
                    finished.push((run, session));
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        kills += 1;
        gateway.kill();
        gateway.restart();
    }
    assert!(kills >= 5, "only {kills} kills happened");

    let mut lost = Vec::new();
    for (number, run, session) in &accepted {
        let history = gateway.call("chat.history", json!({"sessionKey": session, "limit": 1000}));
        let messages = history["messages"].as_array().expect("messages");
        let copies = messages
            .iter()
            .filter(|message| message["role"] == "user" && message["content"][0]["text"] == format!("message {number}"))
            .count();
        if copies != 1 {
            lost.push(format!("message {number} is there {copies} times"));
        }
        let state = gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 1_000}));
        if state["status"] == "timeout" {
            lost.push(format!("{run} never ended"));
        }
    }
    for (run, session) in &finished {
        let history = gateway.call("chat.history", json!({"sessionKey": session, "limit": 1000}));
        let answered = history["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .any(|message| message["role"] == "assistant" && message["__openclaw"]["runId"] == **run);
        if !answered {
            lost.push(format!("the reply of {run} is gone"));
        }
    }
    eprintln!(
        "kill test: {} turns sent, {} acknowledged, {} finished, {kills} kills, {} lost or doubled",
        turn,
        accepted.len(),
        finished.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    for number in 0..7 {
        let outcome = gateway.turn(&format!("agent:main:kill-{number}"), "still there?", &format!("after-{number}"));
        assert_eq!(outcome["status"], "ok", "{outcome}");
    }
    let check = rusqlite::Connection::open(gateway.home.database()).expect("the database opens");
    let verdict: String = check.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
    assert_eq!(verdict, "ok");
}
