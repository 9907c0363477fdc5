//! Commands that go on behind their call.

use serde_json::json;

use super::{Bench, Done, until_gone, until_running};
use crate::support::until;

fn session_of(done: &Done) -> String {
    done.details["sessionId"].as_str().unwrap_or_else(|| panic!("a session in {done:?}")).to_owned()
}

#[test]
fn a_background_command_is_polled_written_to_and_ended() {
    let mut bench = Bench::new();
    let started = bench.call(
        "exec",
        json!({"command": "echo hello; while read line; do echo \"got $line\"; done; echo over; exit 5", "background": true}),
    );
    assert!(!started.is_error && started.text.contains("running in the background as p-"), "{}", started.text);
    let id = session_of(&started);
    let listed = bench.call("process", json!({"action": "list"}));
    assert!(listed.text.starts_with(&format!("{id}  running  echo hello")), "{}", listed.text);

    let mut seen = started.text;
    bench.call("process", json!({"action": "write", "sessionId": id, "data": "one\n"}));
    let mut polls = 0;
    while !seen.contains("got one") {
        seen += &bench
            .call("process", json!({"action": "poll", "sessionId": id, "timeoutMs": 20_000, "offset": polls}))
            .text;
        polls += 1;
        assert!(polls < 20, "{seen}");
    }
    let quiet = bench.call("process", json!({"action": "poll", "sessionId": id}));
    assert_eq!(quiet.text, "[running, no new output]");

    bench.call("process", json!({"action": "close", "sessionId": id}));
    let ended = until("it ends", || {
        let done = bench.call("process", json!({"action": "poll", "sessionId": id, "timeoutMs": 20_000}));
        (done.details["status"] == "failed").then_some(done)
    });
    assert!(ended.text.contains("exit code 5"), "{}", ended.text);
    assert_eq!(ended.details["exit"]["exitCode"], 5);
    let log = bench.call("process", json!({"action": "log", "sessionId": id}));
    assert!(log.text.starts_with("hello\ngot one\nover\n[lines 1 to 3 of 3 lines]"), "{}", log.text);
    let late = bench.call("process", json!({"action": "write", "sessionId": id, "data": "x"}));
    assert!(late.is_error && late.text.contains("exit code 5"), "{}", late.text);
    bench.call("process", json!({"action": "remove", "sessionId": id}));
    assert_eq!(bench.call("process", json!({"action": "list"})).text, "No background sessions.");
}

#[test]
fn a_command_that_takes_longer_than_its_patience_goes_on() {
    let mut bench = Bench::new();
    let marker = bench.marker();
    let started = bench.call("exec", json!({"command": format!("echo early; sleep {marker}"), "yieldMs": 200}));
    let id = session_of(&started);
    assert!(started.text.contains(&format!("[running in the background as {id}")), "{}", started.text);
    until_running(&marker);
    let quick = bench.call("exec", json!({"command": "echo quick", "yieldMs": 20_000}));
    assert_eq!(quick.text, "quick\n[exit code 0]");
    let signalled = bench.call("process", json!({"action": "signal", "sessionId": id, "data": "TERM"}));
    assert!(signalled.text.contains("Sent SIGTERM"), "{}", signalled.text);
    until_gone(&marker);
}

#[test]
fn kill_ends_the_tree_and_other_conversations_see_nothing() {
    let mut bench = Bench::new();
    let marker = bench.marker();
    let command = format!("trap '' TERM; (setsid sleep {marker} &); sleep {marker}");
    let id = session_of(&bench.call("exec", json!({"command": command, "background": true})));
    until_running(&marker);

    let run = bench.script("process", json!({"action": "kill", "sessionId": id}));
    bench.gateway.turn("agent:main:other", "do it", &run);
    let history = bench.gateway.call("chat.history", json!({"sessionKey": "agent:main:other"}));
    assert!(history.to_string().contains("There is no background session"), "{history}");
    until_running(&marker);

    let killed = bench.call("process", json!({"action": "kill", "sessionId": id}));
    assert!(killed.text.contains("stopped"), "{}", killed.text);
    until_gone(&marker);
}

#[test]
fn a_stopped_gateway_takes_its_commands_along() {
    let mut bench = Bench::new();
    let marker = bench.marker();
    bench.call("exec", json!({"command": format!("sleep {marker}"), "background": true}));
    until_running(&marker);
    assert!(bench.gateway.stop().success());
    until_gone(&marker);
    bench.gateway.restart();
    // It ended in order, so there is nothing to tell.
    assert_eq!(bench.call("process", json!({"action": "list"})).text, "No background sessions.");
}

#[test]
fn a_killed_gateway_takes_its_commands_along_and_the_next_one_says_so() {
    let mut bench = Bench::new();
    let marker = bench.marker();
    let id = session_of(&bench.call("exec", json!({"command": format!("sleep {marker}"), "background": true})));
    until_running(&marker);
    bench.gateway.kill();
    until_gone(&marker);
    let rows = || {
        let (_copy, path) = bench.gateway.home.copy_of_database();
        let database = rusqlite::Connection::open(path).expect("the database");
        database
            .query_row("SELECT count(*) FROM sandbox_registry_entries WHERE registry_kind = 'process'", [], |row| {
                row.get::<_, i64>(0)
            })
            .expect("a count")
    };
    assert_eq!(rows(), 1);
    bench.gateway.restart();
    let polled = bench.call("process", json!({"action": "poll", "sessionId": id}));
    assert!(polled.text.contains("ended with the gateway"), "{}", polled.text);
    assert_eq!(polled.details["status"], "lost");
    assert!(bench.gateway.log().contains("a background command ended with the gateway that ran it"));
    bench.gateway.stop();
    let (_copy, path) = bench.gateway.home.copy_of_database();
    let database = rusqlite::Connection::open(path).expect("the database");
    let left: i64 =
        database.query_row("SELECT count(*) FROM sandbox_registry_entries", [], |row| row.get(0)).expect("a count");
    assert_eq!(left, 0);
}
