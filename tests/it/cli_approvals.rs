//! `openclaw approvals`, and questions in `openclaw agent`.

use serde_json::{Value, json};

use crate::support::cli::Running;
use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};
use crate::support::until;

fn home(provider: &FakeProvider) -> Home {
    let mut config = provider.config("openai-completions");
    config["tools"] = json!({"ask": ["write"]});
    Home::new(config)
}

fn writes(provider: &FakeProvider, content: &str) {
    provider.push(completions::tools(&[("call_1", "write", json!({"path": "a.txt", "content": content}))]));
    provider.push(completions::text(&["Done."]));
}

fn begin(gateway: &Gateway, run: &str) -> Value {
    gateway.call("agent", json!({"sessionKey": "main", "message": "write it", "idempotencyKey": run}));
    until("a question waits", || {
        let listed = gateway.home.cli(&["approvals", "pending", "--json"]).json();
        listed["approvals"].as_array().expect("rows").first().cloned()
    })
}

fn end(gateway: &Gateway, run: &str) -> Value {
    gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}))
}

#[test]
fn questions_are_listed_and_decided() {
    let provider = FakeProvider::start();
    let gateway = home(&provider).start();
    let home = &gateway.home;
    assert_eq!(home.cli(&["approvals", "pending"]).out, "nothing waits for a decision\n");
    writes(&provider, "x");
    let question = begin(&gateway, "r-1");
    let id = question["id"].as_str().expect("an id");
    let shown = home.cli(&["approvals", "pending", "--agent", "main"]);
    assert!(shown.out.contains(id) && shown.out.contains("a.txt"), "{shown:?}");
    assert!(shown.err.contains("openclaw approvals resolve"), "{shown:?}");
    assert_eq!(home.cli(&["exec-approvals", "pending", "--agent", "other", "--json"]).json()["count"], 0);
    let wrong = home.cli(&["approvals", "resolve", id, "maybe"]);
    assert_eq!((wrong.code, wrong.err.contains("allow-once")), (2, true), "{wrong:?}");
    let decided = home.cli(&["approvals", "resolve", &id[..30], "allow-always", "--expires-days", "2", "--json"]);
    assert_eq!(decided.json()["decision"], "allow-always", "{decided:?}");
    assert_eq!(end(&gateway, "r-1")["status"], "ok");
    assert_eq!(home.cli(&["approvals", "resolve", id, "deny"]).code, 1, "it is decided");
    let unknown = home.cli(&["approvals", "resolve", "nothing-like-it", "deny"]);
    assert_eq!(unknown.code, 3);
    insta::assert_snapshot!(unknown.error(), @r#"
    error: there is no approval nothing-like-it
      why: nothing has that name
      fix: openclaw approvals pending lists those that wait
    "#);

    let grants = home.cli(&["approvals", "grants"]);
    assert!(grants.out.contains(id) && grants.out.contains("a.txt"), "{grants:?}");
    assert_eq!(home.cli(&["approvals", "grants", "--json"]).json()["count"], 1);
    let revoked = home.cli(&["approvals", "revoke", id]);
    assert_eq!((revoked.code, revoked.out.contains("asks again")), (0, true), "{revoked:?}");
    assert_eq!(home.cli(&["approvals", "grants"]).out, "no grant stands\n");
    assert_eq!(home.cli(&["approvals", "revoke", "nothing"]).code, 3);
}

#[test]
fn lists_and_rules_are_edited_alike_with_and_without_a_gateway() {
    let provider = FakeProvider::start();
    let mut gateway = home(&provider).start();
    let edit = |home: &Home| {
        let mut seen = Vec::new();
        let mut run = |args: &[&str]| {
            let ran = home.cli(args);
            seen.push(format!("{} {}{}", ran.code, ran.out, ran.err.lines().next().unwrap_or_default()));
        };
        run(&["approvals", "allowlist", "list"]);
        run(&["approvals", "allowlist", "add", "/usr/bin/rg"]);
        run(&["approvals", "allowlist", "add", "/usr/bin/rg"]);
        run(&["approvals", "allowlist", "add", "git", "--args", "status.*", "--agent", "main"]);
        run(&["approvals", "allowlist", "add", "relative/path"]);
        run(&["approvals", "allowlist", "list"]);
        run(&["approvals", "allowlist", "remove", "/usr/bin/rg"]);
        run(&["approvals", "allowlist", "remove", "/usr/bin/rg"]);
        let listed = home.cli(&["approvals", "allowlist", "list", "--agent", "main", "--json"]).json();
        seen.push(format!("{} {}", listed["entries"][0]["pattern"], listed["entries"][0]["argPattern"]));
        std::fs::write(home.root().join("rules.json5"), "{version: 1, defaults: {ask: 'always'}, agents: {}}")
            .expect("a file");
        let set = home.cli(&["approvals", "set", "rules.json5"]);
        seen.push(format!("{} {}", set.code, set.out));
        seen.push(home.cli(&["approvals", "get"]).out);
        let got = home.cli(&["approvals", "get", "--json"]).json();
        seen.push(got["hash"].to_string());
        let stale = home.cli(&["approvals", "set", "rules.json5", "--base-hash", "stale"]);
        seen.push(stale.code.to_string());
        std::fs::write(home.root().join("broken.json5"), "{version: 1, defaults: {ask: 'maybe'}}").expect("a file");
        seen.push(home.cli(&["approvals", "set", "broken.json5"]).code.to_string());
        seen
    };
    let with = edit(&gateway.home);
    gateway.stop();
    assert_eq!(edit(&gateway.home), with);
    insta::assert_snapshot!(with.join("\n"), @r#"
    0 the allow list is empty

    0 /usr/bin/rg needs no approval any more

    0 /usr/bin/rg is on the list already

    0 git needs no approval any more

    2 error: these are no exec approvals
    0 agent	program	arguments	last use
    *	/usr/bin/rg	-	-
    main	git	status.*	-

    0 /usr/bin/rg is off the list

    3 error: /usr/bin/rg is not on the list of agent *
    "git" "status.*"
    0 the exec approvals are replaced

    {
      "version": 1,
      "defaults": {
        "ask": "always"
      },
      "agents": {}
    }

    "18a462dfa28cb8e61eac72b20be349d8cff8a954c6386afe9e8f01a492403d7f"
    1
    2
    "#);
    let none = gateway.home.cli(&["approvals", "resolve", "x", "deny"]);
    assert_eq!(none.code, 5, "only a running gateway has questions: {none:?}");
}

#[test]
fn without_a_terminal_a_turn_says_how_it_can_be_approved() {
    let provider = FakeProvider::start();
    let gateway = home(&provider).start();
    let home = &gateway.home;
    writes(&provider, "x");
    let mut turn = Running::start(&mut home.command(&["agent", "-m", "write it"]));
    turn.wait_err("openclaw approvals resolve");
    let id =
        home.cli(&["approvals", "pending", "--json"]).json()["approvals"][0]["id"].as_str().expect("an id").to_owned();
    assert!(turn.seen_err.contains(&id), "{}", turn.seen_err);
    assert_eq!(home.cli(&["approvals", "resolve", &id, "allow-once"]).code, 0);
    let ran = turn.end();
    assert_eq!((ran.code, ran.out.as_str()), (0, "Done.\n"), "{ran:?}");
    assert!(ran.err.contains("approval allowed by openclaw approvals"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(home.workspace().join("a.txt")).expect("written"), "x");
}

/// `openclaw agent` on a terminal of its own, made by util-linux's `script`; its keyboard is a pipe of ours.
fn on_a_terminal(home: &Home, args: &str, keys: &str) -> Option<(String, bool)> {
    use std::io::Write as _;
    let binary = crate::support::gateway::BINARY;
    let mut command = home.command(&[]);
    let mut on_terminal = std::process::Command::new("script");
    on_terminal.args(["-qec", &format!("{binary} agent {args}"), "/dev/null"]).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            on_terminal.env(name, value);
        }
    }
    on_terminal
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .current_dir(home.root())
        .stdin(std::process::Stdio::piped());
    command.stdin(std::process::Stdio::null());
    let mut turn = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Running::start(&mut on_terminal))) {
        Ok(turn) => turn,
        Err(_missing) => {
            eprintln!("skipped: there is no program `script` here");
            return None;
        }
    };
    turn.wait_out("Allow it?");
    let mut keyboard = turn.child.stdin.take().expect("a pipe");
    keyboard.write_all(keys.as_bytes()).expect("it reads");
    keyboard.flush().expect("it reads");
    turn.wait_out("Done.");
    drop(keyboard);
    let ran = turn.end();
    Some((ran.out, ran.code == 0))
}

#[test]
fn on_a_terminal_a_person_is_asked() {
    let provider = FakeProvider::start();
    let mut gateway = home(&provider).start();
    writes(&provider, "by gateway");
    let Some((screen, ok)) = on_a_terminal(&gateway.home, "-m 'write it'", "what\ny\n") else { return };
    assert!(ok && screen.contains("a.txt") && screen.contains("please answer y or n"), "{screen}");
    assert_eq!(std::fs::read_to_string(gateway.home.workspace().join("a.txt")).expect("written"), "by gateway");
    // The same without a gateway, and with the other answer.
    gateway.stop();
    writes(&provider, "by hand");
    let (screen, ok) = on_a_terminal(&gateway.home, "--local -m 'write it'", "n\n").expect("as before");
    assert!(ok && screen.contains("approval denied by openclaw agent"), "{screen}");
    assert_eq!(std::fs::read_to_string(gateway.home.workspace().join("a.txt")).expect("unchanged"), "by gateway");
}
