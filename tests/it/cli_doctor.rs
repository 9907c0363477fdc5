//! `openclaw doctor`: every check has something that makes it speak.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::gateway::Home;

/// A home with a state directory in which one turn ran, and nothing wrong.
fn healthy() -> Home {
    let home = Home::new(json!({}));
    set_mode(home.root(), 0o700);
    set_mode(&home.root().join("openclaw.json"), 0o600);
    let turn = home.cli(&["agent", "-m", "hello"]);
    assert_eq!(turn.code, 0, "{turn:?}");
    home
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

fn configure(home: &Home, more: Value) {
    let mut config = json!({"gateway": {"port": home.port}, "models": {"discoverLocal": false}});
    config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    fs::write(home.root().join("openclaw.json"), config.to_string()).expect("a file");
}

/// The findings of one check, each `severity: evidence`.
fn found(home: &Home, check: &str) -> Vec<String> {
    let ran = home.cli(&["doctor", "--only", check, "--json"]);
    let report = ran.json();
    assert_eq!(report["checks"], json!([check]), "{report}");
    let findings = report["findings"].as_array().expect("findings");
    let failed = findings.iter().any(|finding| finding["severity"] == "error");
    assert_eq!((ran.code, report["ok"].as_bool()), (i32::from(failed), Some(!failed)), "{report}");
    findings
        .iter()
        .map(|finding| {
            assert_eq!(finding["id"], check);
            for part in ["target", "evidence", "effect"] {
                assert!(finding[part].is_string(), "{part}: {finding}");
            }
            format!(
                "{}: {}",
                finding["severity"].as_str().unwrap_or_default(),
                finding["evidence"].as_str().unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn a_healthy_installation_has_nothing_but_information() {
    let home = healthy();
    // What the sandbox gives depends on the machine: tests/it/cli_sandbox.rs looks at that.
    let ran = home.cli(&["doctor", "--skip", "sandbox.available", "--skip", "sandbox.backends"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    insta::assert_snapshot!(ran.text(), @"
    info  gateway.port  127.0.0.1:[PORT]
          no gateway is running
          effect: commands run turns in their own process; nothing answers apps and channels
          fix: start it
               openclaw gateway run
    info  providers.keys  offline/offline
          no provider has a key, and none is configured
          effect: the built-in offline model answers; it is not a language model
          fix: set ANTHROPIC_API_KEY or OPENAI_API_KEY, configure models.providers, or start Ollama
    ok    all 16 checks pass ([TIME])
    ");
    assert_eq!(home.cli(&["doctor", "--severity-min", "warning", "--jsonl"]).out, "");
    let gateway = home.start();
    assert_eq!(found(&gateway.home, "gateway.port"), [""; 0]);
}

#[test]
fn every_check_finds_what_it_is_for() {
    let home = healthy();
    let root = home.root();
    let state = root.join("state");
    let mut spoke = Vec::new();
    let mut expect = |home: &Home, check: &'static str, expected: &[&str]| {
        let found = found(home, check);
        assert_eq!(found.len(), expected.len(), "{check}: {found:?}");
        for (finding, begin) in found.iter().zip(expected) {
            assert!(finding.starts_with(begin), "{check}: {finding}");
        }
        spoke.push(check);
    };

    set_mode(root, 0o755);
    expect(&home, "state.directory", &["warning: its mode is 0755"]);
    set_mode(root, 0o700);

    fs::write(state.join("gateway-token"), "0123456789abcdef0123456789abcdef").expect("a token");
    set_mode(&state.join("gateway-token"), 0o644);
    expect(&home, "state.token", &["error: its mode is 0644"]);
    set_mode(&state.join("gateway-token"), 0o600);

    set_mode(&root.join("openclaw.json"), 0o644);
    expect(&home, "config.mode", &["warning: its mode is 0644"]);
    set_mode(&root.join("openclaw.json"), 0o600);

    configure(&home, json!({"gatewya": {}}));
    expect(&home, "config.warnings", &["warning: unknown key"]);
    fs::write(root.join("openclaw.json"), "{ gateway: ").expect("a file");
    expect(&home, "config.valid", &["error: "]);

    configure(
        &home,
        json!({"agents": {"list": [{"id": "main", "default": true, "model": "nobody/nothing", "workspace": root.join("file")}]}}),
    );
    expect(&home, "providers.keys", &["error: ", "info: no provider has a key"]);
    fs::write(root.join("file"), "not a directory").expect("a file");
    expect(&home, "workspace.writable", &["error: agent main: the workspace is not a directory"]);
    configure(&home, json!({"agents": {"defaults": {"sandbox": {"level": "none"}}}}));
    expect(&home, "sandbox.settings", &["warning: its sandbox level is none"]);
    configure(&home, json!({"agents": {"defaults": {"sandbox": {"backend": "seatbelt"}}}}));
    expect(&home, "sandbox.available", &["warning: the sandbox level strict is not available here"]);
    configure(&home, json!({}));

    let silent = TcpListener::bind(("127.0.0.1", home.port)).expect("the port is free");
    let stranger = std::thread::spawn(move || drop(silent.accept()));
    expect(&home, "gateway.port", &["error: another program answers there"]);
    stranger.join().expect("it ends");

    let log = root.join("logs");
    fs::create_dir_all(&log).expect("a directory");
    fs::File::create(log.join("openclaw-1.log")).and_then(|file| file.set_len(300_000_000)).expect("a sparse file");
    expect(&home, "logs.size", &["warning: the logs take 300 MB"]);

    fs::create_dir_all(root.join("agents/main/sessions")).expect("a directory");
    fs::write(root.join("agents/main/sessions/sessions.json"), "{}").expect("a file");
    expect(&home, "legacy.present", &["info: 1 session lists and 0 transcripts"]);

    let sql = |sql: &str| {
        let database = rusqlite::Connection::open(home.database()).expect("the database opens");
        database.execute_batch(sql).expect("it runs");
    };
    sql(
        "UPDATE session_entries SET updated_at = updated_at + 86400000, entry_json = json_set(entry_json, '$.updatedAt', updated_at + 86400000)",
    );
    expect(&home, "clock.sane", &["warning: the database has events from the future"]);
    sql(
        "UPDATE session_entries SET updated_at = updated_at - 86400000, entry_json = json_set(entry_json, '$.updatedAt', updated_at - 86400000)",
    );

    let wal = root.join("state/openclaw.sqlite-wal");
    fs::File::create(&wal).and_then(|file| file.set_len(300_000_000)).expect("a sparse file");
    set_mode(&wal, 0o600);
    expect(&home, "database.space", &["warning: its write-ahead log has 300 MB"]);
    fs::remove_file(&wal).expect("our own file");

    let whole = fs::read(home.database()).expect("the database");
    let mut damaged = whole.clone();
    let last = damaged.len() - 4096;
    damaged[last..].fill(0xff);
    fs::write(home.database(), damaged).expect("a damaged page");
    expect(&home, "database.sound", &["error: "]);
    fs::write(home.database(), whole).expect("the database again");

    set_mode(&home.database(), 0o644);
    expect(&home, "database.kind", &["warning: its mode is 0644"]);
    set_mode(&home.database(), 0o600);
    sql("UPDATE schema_migrations SET version = 9999 WHERE version = (SELECT max(version) FROM schema_migrations)");
    expect(&home, "database.opens", &["error: "]);

    spoke.sort_unstable();
    let all = home.cli(&["doctor", "--json"]).json();
    let mut checks: Vec<&str> = all["checks"].as_array().expect("checks").iter().filter_map(Value::as_str).collect();
    checks.sort_unstable();
    // It speaks only where an unusable bubblewrap is installed.
    checks.retain(|check| *check != "sandbox.backends");
    assert_eq!(spoke, checks, "every check was heard");
}

#[test]
fn checks_are_chosen_by_name() {
    let home = Home::new(json!({}));
    let unknown = home.cli(&["doctor", "--only", "config.vald"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    assert!(unknown.err.contains("did you mean 'config.valid'?"), "{unknown:?}");
    let some = home.cli(&["doctor", "--skip", "gateway.port", "--json"]).json();
    assert!(!some["checks"].to_string().contains("gateway.port"), "{some}");
}
