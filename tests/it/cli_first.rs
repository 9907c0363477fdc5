//! The first minutes with the program, on a machine that has neither state, configuration nor keys.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use crate::support::cli::{Bare, Running};
use crate::support::gateway::Home;
use crate::support::provider::{FakeProvider, Script, completions};
use crate::support::{free_port, http, until};

/// Every path below `root` with its mode.
fn modes(root: &Path) -> Vec<(PathBuf, bool, u32)> {
    let mut all = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let meta = std::fs::symlink_metadata(&path).expect("it is there");
        all.push((path.clone(), meta.is_dir(), meta.permissions().mode() & 0o777));
        if meta.is_dir() {
            left.extend(std::fs::read_dir(&path).expect("it lists").map(|entry| entry.expect("an entry").path()));
        }
    }
    all
}

fn wait_ready(port: u16) {
    until("the gateway is ready", || {
        let stream = std::net::TcpStream::connect(("127.0.0.1", port));
        stream.is_ok().then(|| http::get(port, "/ready")).filter(|reply| reply.status == 200)
    });
}

#[test]
fn the_first_start_says_what_it_is_keeps_its_files_private_and_lists_the_files() {
    let bare = Bare::new();
    let mut gateway = Running::start(&mut bare.command(&["gateway", "run"]));
    gateway.wait_err("Ctrl-C stops the gateway");
    wait_ready(bare.port);
    let banner = gateway.seen_err.replace(&bare.root().display().to_string(), "[HOME]");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        banner.replace(&bare.port.to_string(), "[PORT]").replace(version, "[VERSION]").trim_end(),
        r#"openclaw [VERSION] gateway is ready
  url        http://127.0.0.1:[PORT]
  workspace  [HOME]/.openclaw/workspace
  model      offline/offline
             offline model: not a language model; set ANTHROPIC_API_KEY or OPENAI_API_KEY, configure models.providers, or start Ollama for real answers
  token      in [HOME]/.openclaw/state/gateway-token
  log        [HOME]/.openclaw/logs/openclaw.log
  try        openclaw agent -m "list the files here"      (Ctrl-C stops the gateway)"#
    );

    let workspace = bare.state_root().join("workspace");
    for (path, is_directory, mode) in modes(&bare.state_root()) {
        if path != workspace {
            assert_eq!(mode, if is_directory { 0o700 } else { 0o600 }, "{}", path.display());
        }
    }

    std::fs::write(workspace.join("note.txt"), "hello").expect("a file");
    let listed = bare.cli(&["agent", "-m", "list the files here"]);
    assert_eq!(listed.code, 0, "{listed:?}");
    assert!(listed.out.contains("note.txt"), "{listed:?}");
    let talk: Vec<&str> = listed.err.lines().collect();
    assert_eq!(talk.len(), 2, "{listed:?}");
    assert!(talk[0].starts_with("offline model: not a language model"), "{listed:?}");
    assert!(talk[1].starts_with("✓ ls"), "{listed:?}");

    gateway.signal(Signal::SIGINT);
    let ended = gateway.end();
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    assert!(ended.err.ends_with("the gateway has stopped\n"), "{ended:?}");
    let left: Vec<PathBuf> = modes(&bare.state_root().join("state")).into_iter().map(|(path, ..)| path).collect();
    assert!(!left.iter().any(|path| path.ends_with("holder.json")), "{left:?}");
    assert!(!left.iter().any(|path| path.ends_with("openclaw.sqlite-wal")), "{left:?}");
}

#[test]
fn without_a_gateway_the_turn_runs_here_says_so_and_leaves_no_lock() {
    let bare = Bare::new();
    let first = bare.cli(&["agent", "-m", "list the files here"]);
    assert_eq!(first.code, 0, "{first:?}");
    let talk: Vec<&str> = first.err.lines().collect();
    assert_eq!(talk[0], "no gateway is running: running here");
    assert!(talk[1].starts_with("offline model: not a language model"), "{first:?}");
    assert!(talk[2].starts_with("✓ ls"), "{first:?}");
    assert_eq!(talk.len(), 3);
    assert!(first.out.contains("The directory is empty"), "{first:?}");
    assert!(!bare.state_root().join("state/holder.json").exists());
    for (path, is_directory, mode) in modes(&bare.state_root().join("state")) {
        assert_eq!(mode, if is_directory { 0o700 } else { 0o600 }, "{}", path.display());
    }

    // The lock is free again, and the conversation goes on.
    std::fs::write(bare.state_root().join("workspace/note.txt"), "hello").expect("a file");
    let second = bare.cli(&["agent", "-m", "read: note.txt", "--json"]);
    assert_eq!(second.code, 0, "{second:?}");
    let answer = second.json();
    assert_eq!((answer["ok"].as_bool(), answer["status"].as_str()), (Some(true), Some("ok")), "{answer}");
    assert!(answer["result"]["payloads"][0]["text"].as_str().expect("text").contains("hello"), "{answer}");
    assert_eq!(answer["result"]["meta"]["toolCalls"], 1);
    assert_eq!(second.err, "no gateway is running: running here\n");
    let shown = bare.cli(&["sessions", "show", "main"]);
    assert_eq!(shown.out.matches("You  ").count(), 2, "{shown:?}");
}

#[test]
fn two_turns_at_once_on_one_state_directory_conflict() {
    let provider = FakeProvider::start();
    provider.push(Script::Hang(completions::text_events(&["busy"])));
    let home = Home::new(provider.config("openai-completions"));
    let mut first = Running::start(&mut home.command(&["agent", "-m", "one"]));
    first.wait_out("busy");
    let second = home.cli(&["agent", "-m", "two"]);
    assert_eq!(second.code, 1);
    insta::assert_snapshot!(second.error(), @"
    no gateway is running: running here
    error: the turn cannot run here: another process uses the state directory
      why: process [PID] has it open for writing
      fix: if that is a gateway on another port, pass --url ws://127.0.0.1:PORT; else wait for it to end
    ");
    let again = home.cli(&["agent", "-m", "two", "--json"]);
    assert_eq!((again.code, again.json()["error"]["code"].as_str()), (1, Some("conflict")));
    first.signal(Signal::SIGINT);
    assert_eq!(first.end().code, 130);
    provider.push(completions::text(&["fine"]));
    assert_eq!(home.cli(&["agent", "-m", "three"]).out, "fine\n");
}

#[test]
fn a_second_gateway_on_the_same_state_names_the_first() {
    let gateway = Home::new(serde_json::json!({})).start();
    let other = free_port().to_string();
    let second = gateway.home.cli(&["gateway", "run", "--port", &other]);
    assert_eq!(second.code, 1);
    assert!(second.err.contains(&format!("process {} ", gateway.pid())), "{second:?}");
    insta::assert_snapshot!(second.error(), @"
    error: a gateway already uses [ROOT]
      why: process [PID] has it open for writing
      fix: openclaw gateway status; stop it with Ctrl-C there, or use another --profile
    ");
    let local = gateway.home.cli(&["agent", "--local", "-m", "hi"]);
    assert_eq!(local.code, 1, "{local:?}");

    // Another state directory, the same port.
    let elsewhere = Home::new(serde_json::json!({}));
    let port = gateway.port().to_string();
    let taken = elsewhere.cli(&["gateway", "run", "--port", &port]);
    assert_eq!(taken.code, 1);
    insta::assert_snapshot!(taken.error(), @"
    error: port [PORT] on 127.0.0.1 is in use
      why: another program, perhaps another openclaw gateway, listens there
      fix: stop it, or choose another port: gateway run --port <n>, or gateway.port in the configuration
    ");
}
