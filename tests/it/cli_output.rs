//! stdout, stderr and exit codes of every command, as scripts rely on them.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::cli::Ran;
use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};

/// A gateway with two conversations.
fn busy() -> (FakeProvider, Gateway) {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["yes"]));
    let home = Home::new(provider.config("openai-completions"));
    for (path, mode) in [(home.root().to_owned(), 0o700), (home.root().join("openclaw.json"), 0o600)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our own file");
    }
    let gateway = home.start();
    gateway.turn("main", "what is new?", "output-1");
    gateway.turn("agent:main:notes", "keep this", "output-2");
    (provider, gateway)
}

/// Commands that only read, and whether they need a running gateway.
const READS: &[(&[&str], bool)] = &[
    (&["status"], false),
    (&["status", "--all"], false),
    (&["health"], true),
    (&["gateway", "status"], false),
    (&["gateway", "status", "--no-probe"], false),
    (&["gateway", "call", "health"], true),
    (&["sessions"], false),
    (&["sessions", "list", "--all-agents"], false),
    (&["sessions", "list", "--search", "nothing has this"], false),
    (&["sessions", "show", "main"], false),
    (&["sessions", "export", "main"], false),
    (&["models"], false),
    (&["models", "list", "--all"], false),
    (&["agents", "list"], false),
    (&["config", "get"], false),
    (&["config", "get", "models"], false),
    (&["config", "file"], false),
    (&["config", "schema"], false),
    (&["config", "validate"], false),
    (&["logs"], false),
    (&["doctor"], false),
];

#[test]
fn every_read_command_prints_one_object_with_json_and_one_a_line_with_jsonl() {
    let (_provider, mut gateway) = busy();
    for running in [true, false] {
        if !running {
            gateway.stop();
        }
        for (args, needs_gateway) in READS {
            let ran = |flag: &str| {
                let args: Vec<&str> = args.iter().copied().chain([flag]).collect();
                gateway.home.cli(&args)
            };
            let one = ran("--json");
            let expected = if *needs_gateway && !running { 5 } else { 0 };
            assert_eq!(one.code, expected, "{args:?}: {one:?}");
            let object = one.json();
            if expected == 5 {
                assert_eq!(
                    (object["ok"].as_bool(), object["error"]["code"].as_str()),
                    (Some(false), Some("unreachable"))
                );
            }
            let lines = ran("--jsonl");
            assert_eq!(lines.code, expected, "{args:?}: {lines:?}");
            assert!(lines.json_lines().iter().all(Value::is_object), "{args:?}: {lines:?}");
            for talk in [&one.err, &lines.err] {
                assert!(talk.is_empty() || talk.starts_with("no gateway is running: reading "), "{args:?}: {talk}");
            }
        }
    }
}

/// The exit code that each kind of end has.
#[test]
fn exit_codes_tell_ends_apart() {
    let home = Home::new(json!({}));
    std::fs::create_dir_all(home.root().join("state")).expect("a directory");
    std::fs::write(home.root().join("state/openclaw.sqlite"), "this is no database").expect("a file");
    let broken = Home::new(json!({}));
    std::fs::write(broken.root().join("openclaw.json"), "{ gateway: { port: }").expect("a file");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("ws://{}", silent.local_addr().expect("its address"));
    let fine = Home::new(json!({}));
    for (home, args, code, kind) in [
        (&fine, &["config", "validate"][..], 0, ""),
        (&home, &["sessions"], 1, "state"),
        (&fine, &["sessions", "list", "--limit", "none"], 2, "invalid_input"),
        (&fine, &["sessions", "show", "nothing"], 3, "not_found"),
        (&fine, &["gateway", "run", "--bind", "lan"], 4, "refused_by_policy"),
        (&fine, &["health"], 5, "unreachable"),
        (&fine, &["health", "--timeout", "50", "--url", &silent], 6, "timeout"),
        (&broken, &["config", "get"], 8, "config_invalid"),
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = home.cli(&args);
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
        let object = ran.json();
        if code == 0 {
            assert_eq!(object["ok"], true);
            continue;
        }
        // One form for every error, complete.
        assert_eq!(object["ok"], false, "{args:?}: {ran:?}");
        let error = &object["error"];
        assert_eq!(error["code"], kind, "{args:?}: {ran:?}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
        assert!(error["hint"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
        assert_eq!(ran.err, "", "{args:?}");
        // And the same in three lines for people.
        let ran = home.cli(&args[..args.len() - 1]);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}: {ran:?}");
        let lines: Vec<&str> = ran.err.lines().filter(|line| !line.starts_with("       ")).collect();
        assert!(lines[0].starts_with("error: "), "{ran:?}");
        assert!(lines[1].starts_with("  why: ") && lines[2].starts_with("  fix: "), "{ran:?}");
        assert_eq!(lines.len(), 3, "{ran:?}");
    }
}

#[test]
fn usage_errors_name_what_is_wrong_and_the_near_name() {
    let home = Home::new(json!({}));
    let told = |args: &[&str]| {
        let ran = home.cli(args);
        assert_eq!(ran.code, 2, "{ran:?}");
        let as_json: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let as_json = home.cli(&as_json);
        assert_eq!((as_json.code, as_json.err.as_str()), (2, ""), "{as_json:?}");
        assert_eq!(as_json.json()["error"]["code"], "invalid_input");
        ran.error()
    };
    insta::assert_snapshot!(told(&["sesions"]), @"
    error: unrecognized subcommand 'sesions'
      why: the command does not know it
      fix: did you mean 'sessions'?
    ");
    insta::assert_snapshot!(told(&["gateway", "run", "--prot", "1"]), @"
    error: unexpected argument '--prot' found
      why: the command does not know it
      fix: did you mean '--port'?
    ");
    insta::assert_snapshot!(told(&["gateway", "run", "--port", "abc"]), @"
    error: invalid value 'abc' for '--port <PORT>': invalid digit found in string
      why: the value is not of the expected form
      fix: openclaw gateway run --help
    ");
    insta::assert_snapshot!(told(&["gateway", "call"]), @"
    error: the following required arguments were not provided: <METHOD>
      why: the command needs it
      fix: openclaw gateway call <METHOD>   (see --help)
    ");
    insta::assert_snapshot!(told(&["gateway", "call", "health", "--params", "{x"]), @r#"
    error: --params is not a JSON object
      why: key must be a string at line 1 column 2
      fix: use a form like --params '{"limit": 5}'
    "#);
    insta::assert_snapshot!(told(&["status", "--url", "foo bar"]), @"
    error: 'foo bar' is not the address of a gateway
      why: invalid uri character
      fix: use a form like ws://127.0.0.1:[PORT]
    ");
    insta::assert_snapshot!(told(&["completion", "--shell", "basj"]), @"
    error: invalid value 'basj' for '--shell <SHELL>'
      why: the value is not of the expected form
      fix: did you mean 'bash'?
    ");
}

#[test]
fn without_a_command_the_help_is_shown() {
    let home = Home::new(json!({}));
    let bare = home.cli(&[]);
    assert_eq!((bare.code, bare.out.as_str()), (2, ""), "{bare:?}");
    let asked = home.cli(&["--help"]);
    assert_eq!((asked.code, asked.err.as_str()), (0, ""), "{asked:?}");
    assert_eq!(bare.err.trim_end(), asked.out.trim_end());
    assert!(asked.out.contains("Examples:\n  openclaw gateway run"), "{asked:?}");
    let below = home.cli(&["config"]);
    assert_eq!(below.code, 2, "{below:?}");
    assert!(below.err.contains("validate  Check the configuration"), "{below:?}");
    let version = home.cli(&["--version"]);
    assert_eq!(version.out, format!("openclaw {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn tables_in_a_pipe_are_tab_separated_and_whole() {
    let (_provider, gateway) = busy();
    for (args, columns) in [(&["sessions"][..], 7), (&["models"], 7), (&["agents"], 6)] {
        let ran = gateway.home.cli(args);
        assert!(ran.out.lines().count() >= 2, "{ran:?}");
        for line in ran.out.lines() {
            assert_eq!(line.split('\t').count(), columns, "{args:?}: {line}");
        }
        assert!(!ran.out.contains(['\u{1b}', '…']), "{ran:?}");
    }
    let rows = gateway.home.cli(&["sessions"]);
    let id = gateway.call("sessions.describe", json!({"key": "main"}))["session"]["sessionId"].clone();
    assert!(rows.out.contains(id.as_str().expect("an id")), "{rows:?}");
}

#[test]
fn colour_is_asked_for_by_terminals_and_refused_by_no_color() {
    let (_provider, gateway) = busy();
    let home = &gateway.home;
    let coloured = |ran: &Ran| ran.out.contains('\u{1b}') || ran.err.contains('\u{1b}');
    assert!(!coloured(&home.cli(&["status"])), "a pipe gets no colour");
    assert!(coloured(&home.cli_with_env(&["status"], "CLICOLOR_FORCE", "1")));
    assert!(coloured(&home.cli_with_env(&["sessions", "show", "none"], "CLICOLOR_FORCE", "1")), "errors too");
    for flag in ["--no-color", "--plain"] {
        assert!(!coloured(&home.cli_with_env(&["status", flag], "CLICOLOR_FORCE", "1")), "{flag}");
    }
    let mut both = home.command(&["status"]);
    both.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!coloured(&Ran::of(&mut both, home.root())));
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let (_provider, gateway) = busy();
    for args in
        [&["config", "schema"][..], &["status"], &["sessions", "export", "main"], &["agent", "-m", "hi"], &["--help"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = gateway
            .home
            .command(args)
            .stdout(Stdio::from(writer))
            .stderr(Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .expect("it ends");
        assert!(output.status.success(), "{args:?}: {:?}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn completion_scripts_load() {
    let home = Home::new(json!({}));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = home.cli(&["completion", "--shell", shell]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{shell}: {ran:?}");
        assert!(ran.out.contains("sessions"), "{shell}");
    }
    let script = home.root().join("openclaw.bash");
    std::fs::write(&script, home.cli_with_env(&["completion"], "SHELL", "/bin/bash").out).expect("a file");
    let checked = std::process::Command::new("bash").arg("-n").arg(&script).output().expect("bash starts");
    assert!(checked.status.success(), "{checked:?}");
    let tried = r#"source "$1"; COMP_WORDS=(openclaw sess); COMP_CWORD=1; _openclaw openclaw sess openclaw; echo "${COMPREPLY[@]}""#;
    let tried = std::process::Command::new("bash")
        .args(["--norc", "-c", tried, "bash"])
        .arg(&script)
        .output()
        .expect("bash starts");
    assert_eq!(String::from_utf8_lossy(&tried.stdout).trim(), "sessions", "{tried:?}");
    let unknown = home.cli_with_env(&["completion"], "SHELL", "/bin/tcsh");
    assert_eq!(unknown.code, 2);
    insta::assert_snapshot!(unknown.error(), @"
    error: cannot tell which shell this is
      why: SHELL is '/bin/tcsh'
      fix: openclaw completion --shell bash    (or zsh, fish, elvish, powershell)
    ");
}
