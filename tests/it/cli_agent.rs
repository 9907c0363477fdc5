//! `openclaw agent`: what a person sees of a turn, and how it ends when it does not end well.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::cli::Running;
use crate::support::gateway::Home;
use crate::support::provider::{FakeProvider, Script, completions};

fn half_a_sentence() -> Script {
    Script::Hang(completions::text_events(&["half a ", "sentence"]))
}

/// The last event of the conversation.
fn last_event(home: &Home, key: &str) -> Value {
    home.cli(&["sessions", "export", key]).json_lines().pop().expect("an event")
}

fn assert_kept(home: &Home, key: &str) {
    let last = last_event(home, key);
    assert_eq!((last["kind"].as_str(), last["data"]["stopReason"].as_str()), (Some("AgentResponse"), Some("aborted")));
    assert_eq!(last["data"]["content"][0]["text"], "half a sentence", "{last}");
}

#[test]
fn ctrl_c_stops_a_turn_of_this_process_and_keeps_what_it_said() {
    let provider = FakeProvider::start();
    provider.always(half_a_sentence());
    let home = Home::new(provider.config("openai-completions"));
    let mut turn = Running::start(&mut home.command(&["agent", "-m", "talk"]));
    turn.wait_out("sentence");
    turn.signal(Signal::SIGINT);
    let ended = turn.end();
    assert_eq!((ended.code, ended.out.as_str()), (130, "half a sentence\n"));
    assert_eq!(ended.err, "no gateway is running: running here\nstopped\n");
    provider.wait_gone(1);
    assert_kept(&home, "main");
    assert!(!home.root().join("state/holder.json").exists());

    let mut turn = Running::start(&mut home.command(&["agent", "-m", "talk", "--json", "--session-key", "other"]));
    provider.wait_seen(2);
    turn.wait_err("running here");
    turn.signal(Signal::SIGTERM);
    let ended = turn.end();
    assert_eq!(ended.code, 143);
    let error = ended.json();
    assert_eq!((error["ok"].as_bool(), error["error"]["code"].as_str()), (Some(false), Some("cancelled")), "{error}");
    assert!(error["error"]["why"].as_str().expect("a reason").contains("SIGTERM"), "{error}");
    assert_eq!(error["error"]["details"]["sessionKey"], "agent:main:other", "{error}");
}

#[test]
fn ctrl_c_stops_a_turn_of_the_gateway_and_keeps_what_it_said() {
    let provider = FakeProvider::start();
    provider.always(half_a_sentence());
    let gateway = Home::new(provider.config("openai-completions")).start();
    let mut turn = Running::start(&mut gateway.home.command(&["agent", "-m", "talk"]));
    turn.wait_out("sentence");
    turn.signal(Signal::SIGINT);
    let ended = turn.end();
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (130, "half a sentence\n", "stopped\n"));
    provider.wait_gone(1);
    assert_kept(&gateway.home, "main");
    assert_eq!(gateway.call("status", json!({}))["runs"]["active"], 0);

    let mut turn = Running::start(&mut gateway.home.command(&["agent", "-m", "talk", "--jsonl"]));
    turn.wait_out("sentence");
    turn.signal(Signal::SIGTERM);
    let ended = turn.end();
    assert_eq!(ended.code, 143);
    let lines = ended.json_lines();
    let (last, before) = lines.split_last().expect("lines");
    assert!(before.iter().all(|line| line["event"] == "agent"), "{before:?}");
    assert_eq!((last["ok"].as_bool(), last["error"]["code"].as_str()), (Some(false), Some("cancelled")));
    assert_eq!(last["error"]["details"]["text"], "half a sentence");
    provider.wait_gone(2);
}

#[test]
fn a_gateway_that_stops_midway_is_said_on_a_line_of_its_own() {
    let provider = FakeProvider::start();
    provider.push(half_a_sentence());
    let mut gateway = Home::new(provider.config("openai-completions")).start();
    let mut turn = Running::start(&mut gateway.home.command(&["agent", "-m", "talk"]));
    turn.wait_out("sentence");
    gateway.kill();
    let ended = turn.end();
    assert_eq!((ended.code, ended.out.as_str()), (5, "half a sentence\n"), "{ended:?}");
    assert!(ended.err.starts_with("error: the gateway at "), "{ended:?}");
    assert!(ended.err.contains("what was acknowledged is kept"), "{ended:?}");
}

/// Ids, times and numbers that differ from run to run, replaced by their type.
fn shape(value: &mut Value) {
    const VARYING: [&str; 7] = ["runId", "sessionId", "ts", "startedAt", "endedAt", "durationMs", "responseId"];
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if VARYING.contains(&name.as_str()) {
                    *field = if field.is_string() { "text".into() } else { "number".into() };
                } else {
                    shape(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shape),
        _ => {}
    }
}

#[test]
fn a_turn_here_and_one_by_the_gateway_send_the_same_events() {
    let provider = FakeProvider::start();
    let home = Home::new(provider.config("openai-completions"));
    let run = |home: &Home, key: &str| {
        provider.push(completions::tools(&[
            ("call_1", "ls", json!({"path": "."})),
            ("call_2", "read", json!({"path": "no"})),
        ]));
        provider.push(completions::text(&["All ", "listed."]));
        let ran = home.cli(&["agent", "-m", "look", "--jsonl", "--session-key", key]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let mut lines = ran.json_lines();
        lines.iter_mut().for_each(shape);
        // Two tools of one step may end in either order; deltas may come joined or apart.
        let mut text = String::new();
        lines.retain(|line| {
            let delta = line["data"]["delta"].as_str();
            text.push_str(delta.unwrap_or_default());
            delta.is_none()
        });
        let mut lines: Vec<String> = lines
            .into_iter()
            .map(|mut line| {
                line.as_object_mut().expect("an object").remove("seq");
                line["sessionKey"] = "key".into();
                line.to_string()
            })
            .collect();
        lines.sort();
        (lines, text)
    };
    let here = run(&home, "here");
    let gateway = home.start();
    let there = run(&gateway.home, "there");
    assert_eq!(here, there);
    assert!(here.1.ends_with("All listed."), "{}", here.1);
    // start, model, two tools with start and result, two usages, result; the end is the result line.
    assert!(here.0.len() >= 8, "{:#?}", here.0);
}

#[test]
fn the_message_comes_from_a_flag_a_file_or_stdin() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["yes"]));
    let gateway = Home::new(provider.config("openai-completions")).start();
    let home = &gateway.home;
    std::fs::write(home.root().join("said.txt"), "from a file").expect("a file");
    for ran in [
        home.cli(&["agent", "--message", "from a flag"]),
        home.cli(&["agent", "--message-file", "said.txt"]),
        home.cli_with_input(&["agent", "-m", "-"], "from a dash"),
        home.cli_with_input(&["agent"], "from stdin"),
    ] {
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "yes\n", ""), "{ran:?}");
    }
    let seen = provider.seen();
    let last =
        |index: usize| seen[index].body["messages"].as_array().expect("messages").last().expect("one").to_string();
    for (index, text) in ["from a flag", "from a file", "from a dash", "from stdin"].into_iter().enumerate() {
        assert!(last(index).contains(text), "{}", last(index));
    }
}

#[test]
fn a_turn_that_fails_has_the_exit_code_of_its_reason() {
    let provider = FakeProvider::start();
    let mut config = provider.config("openai-completions");
    config["models"]["providers"]["fake"]["maxRetries"] = json!(0);
    let gateway = Home::new(config).start();
    let home = &gateway.home;

    provider.push(Script::Status(401, vec![], r#"{"error":{"message":"bad key"}}"#.to_owned()));
    let refused = home.cli(&["agent", "-m", "hi", "--json"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let error = refused.json();
    assert_eq!((error["error"]["code"].as_str(), error["error"]["class"].as_str()), (Some("provider"), Some("auth")));
    assert!(!refused.out.contains("sk-test-fake-key"), "{refused:?}");

    provider.push(half_a_sentence());
    let late = home.cli(&["agent", "-m", "hi", "--timeout", "1"]);
    assert_eq!((late.code, late.out.as_str()), (6, "half a sentence\n"));
    assert!(late.err.starts_with("error: the run was stopped after its limit of 1 s"), "{late:?}");

    for (args, code, kind) in [
        (&["agent", "-m", "hi", "--agent", "nobody"][..], 3, "not_found"),
        (&["agent", "-m", "hi", "--model", "nobody/nothing"], 3, "not_found"),
        (&["agent", "-m", "hi", "--thinking", "lots"], 2, "invalid_input"),
        (&["agent", "-m", "hi", "--to", "+1"], 2, "invalid_input"),
        (&["agent", "-m", " "], 2, "invalid_input"),
        (&["agent", "--message-file", "none.txt"], 3, "not_found"),
        (&["agent", "-m", "hi", "--token", "wrong"], 4, "unauthorized"),
        (&["agent", "-m", "hi", "--url", "ws://127.0.0.1:1"], 5, "unreachable"),
    ] {
        let mut args = args.to_vec();
        args.push("--json");
        let ran = home.cli(&args);
        assert_eq!((ran.code, ran.json()["error"]["code"].as_str()), (code, Some(kind)), "{args:?}: {ran:?}");
    }
}

#[test]
fn quiet_leaves_only_the_reply() {
    let provider = FakeProvider::start();
    let home = Home::new(provider.config("openai-completions"));
    provider.push(completions::tools(&[("call_1", "ls", json!({}))]));
    provider.push(completions::text(&["done"]));
    let ran = home.cli(&["agent", "-m", "go", "--quiet"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "done\n", ""));
}
