//! State directories that cannot be used: the error says what is wrong, the files stay as they were, and nothing that was
//! acknowledged is lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home, Refusal, signal};
use crate::support::provider::{FakeProvider, Script, completions};
use crate::support::until;

fn home() -> Home {
    Home::new(json!({}))
}

/// A gateway that has run some turns and was stopped in order.
fn used() -> Gateway {
    let mut gateway = home().start();
    for number in 0..3 {
        assert_eq!(gateway.turn("main", &format!("message {number}"), &format!("used-{number}"))["status"], "ok");
    }
    assert!(gateway.stop().success());
    gateway
}

/// What a person reads: `error:`, `why:` and `fix:`, and nothing of a panic.
fn three_parts(refusal: &Refusal) -> [&str; 3] {
    assert!(!refusal.text.contains("panicked"), "{}", refusal.text);
    ["error: ", "  why: ", "  fix: "].map(|label| {
        let line = refusal.text.lines().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("no {label:?} in {}", refusal.text))
    })
}

/// Starting must fail with this code, and these words in error and reason.
fn refuses(home: &Home, code: i32, error: &str, why: &str) {
    let refusal = home.refused(&[]);
    let [said, because, fix] = three_parts(&refusal);
    assert_eq!(refusal.code, Some(code), "{}", refusal.text);
    assert!(said.contains(error) && because.contains(why) && !fix.is_empty(), "{}", refusal.text);
    let object: Value = {
        let refusal = home.refused(&["--json"]);
        assert_eq!(refusal.code, Some(code));
        serde_json::from_str(&refusal.text).unwrap_or_else(|error| panic!("{error}: {}", refusal.text))
    };
    assert_eq!(object["ok"], false);
    assert!(object["error"]["message"].as_str().expect("a message").contains(error), "{object}");
    assert!(object["error"]["code"].is_string() && object["error"]["hint"].is_string(), "{object}");
}

/// Names and contents of the files in a directory.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).expect("a file")))
        .collect()
}

fn texts(gateway: &Gateway, session: &str) -> Vec<String> {
    let history = gateway.call("chat.history", json!({"sessionKey": session, "limit": 1000}));
    history["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| message["content"][0]["text"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_second_gateway_on_the_same_state_is_refused_and_harms_nobody() {
    let mut first = home().start();
    assert_eq!(first.turn("main", "before", "second-1")["status"], "ok");
    // Also on another port: it is the state that can have only one writer.
    for more in [&[][..], &["--port", "0"][..]] {
        let refusal = first.home.refused(more);
        let [said, because, fix] = three_parts(&refusal);
        assert_eq!(refusal.code, Some(1), "{}", refusal.text);
        assert!(said.contains("already uses") && said.contains(&first.home.root().display().to_string()), "{said}");
        assert!(because.contains(&format!("process {}", first.pid())), "{because}");
        assert!(fix.contains("openclaw gateway status"), "{fix}");
    }
    assert_eq!(first.turn("main", "after", "second-2")["status"], "ok");
    assert_eq!(texts(&first, "main"), ["before", "after"]);
    // The lock ends with its holder, also when that had no time to say so.
    first.kill();
    first.restart();
    assert_eq!(texts(&first, "main"), ["before", "after"]);
    first.serves();
}

#[test]
fn a_port_in_use_is_named_and_the_state_is_free_again() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let home = home();
    let refusal = home.refused(&["--port", &port]);
    let [said, _, fix] = three_parts(&refusal);
    assert_eq!(refusal.code, Some(1), "{}", refusal.text);
    assert!(said.contains(&port) && fix.contains("--port"), "{}", refusal.text);
    home.start().serves();
}

#[test]
fn a_full_disk_is_reported_survived_and_loses_nothing() {
    let provider = FakeProvider::start();
    provider.always(completions::text(&["a reply"]));
    let Some(home) = Home::on_disk("6m", provider.config("openai-completions")) else { return };
    let mut gateway = home.start();
    let mut acknowledged = Vec::new();
    let mut send = |gateway: &Gateway, size: usize| {
        let number = acknowledged.len();
        let text = format!("message {number} {}", "x".repeat(size));
        let key = format!("full-{number}-{size}-{}", uuid::Uuid::now_v7());
        let answer =
            gateway.request("chat.send", &json!({"sessionKey": "main", "message": text, "idempotencyKey": key}));
        if answer["result"]["status"] == "started" {
            acknowledged.push(text);
            let outcome = gateway.call("agent.wait", json!({"runId": key, "timeoutMs": 20_000}));
            return Ok(outcome);
        }
        Err(answer["error"].clone())
    };
    assert_eq!(send(&gateway, 10).expect("it is taken")["status"], "ok");

    let disk = gateway.home.disk.as_ref().expect("a disk");
    disk.fill();
    provider.push(completions::text(&["r".repeat(900_000).as_str()]));
    // Just enough room for a short message: its long reply does not fit, nor perhaps the record of that.
    let outcome = loop {
        match send(&gateway, 10) {
            Ok(outcome) => break outcome,
            Err(error) => assert!(error["data"]["kind"] == "state" && disk.free_a_page(), "{error}"),
        }
    };
    assert_eq!((&outcome["status"], &outcome["error"]["code"]), (&json!("error"), &json!("state")), "{outcome:.2000}");
    let mut refused = None;
    for _ in 0..200 {
        match send(&gateway, 60_000) {
            // The reply had no room any more: the run says so.
            Ok(outcome) if outcome["status"] == "error" => {
                assert_eq!(outcome["error"]["code"], "state", "{outcome}");
                assert!(outcome["error"]["why"].as_str().expect("a reason").contains("disk is full"), "{outcome}");
            }
            Ok(outcome) => assert_eq!(outcome["status"], "ok", "{outcome}"),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let error = refused.expect("the disk is full");
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32012), &json!("state")), "{error}");
    assert!(error["data"]["why"].as_str().expect("a reason").contains("disk is full"), "{error}");
    assert!(error["data"]["hint"].as_str().expect("a hint").contains("free some space"), "{error}");
    // What needs no room goes on.
    assert_eq!(gateway.call("health", json!({"probe": true}))["ok"], true);
    assert_eq!(gateway.call("status", json!({}))["runs"]["active"], 0);
    let stored = texts(&gateway, "main");

    disk.free();
    until("the end of every run is recorded, although there was no room for it", || {
        let rows = gateway.call("sessions.list", json!({}));
        (rows["sessions"][0]["status"] != "running").then_some(())
    });
    assert_eq!(send(&gateway, 10).expect("there is room again")["status"], "ok");
    gateway.serves();
    assert_eq!(texts(&gateway, "main"), acknowledged);
    assert!(acknowledged.starts_with(&stored));
    let rows = gateway.call("sessions.list", json!({}));
    assert!(!rows.to_string().contains("\"running\""), "no session looks busy: {rows}");

    gateway.kill();
    gateway.restart();
    assert_eq!(texts(&gateway, "main"), acknowledged, "after kill -9");
    gateway.kill();
    let (_directory, path) = gateway.home.copy_of_database();
    let database = Connection::open(path).expect("the database");
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
    assert_eq!(verdict, "ok");
    let unfinished: i64 = database
        .query_row("SELECT count(*) FROM runs WHERE state IN ('queued', 'running')", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(unfinished, 0);
}

/// A run that goes on and a message that waits for its end, on a disk that fills up meanwhile.
fn busy_on_a_full_disk(provider: &FakeProvider) -> Option<Gateway> {
    provider.push(Script::Hang(completions::text_events(&["half a reply"])));
    provider.always(completions::text(&["a reply"]));
    let gateway = Home::on_disk("6m", provider.config("openai-completions"))?.start();
    for (key, message) in [("first", "the first"), ("second", "the second")] {
        let params = json!({"sessionKey": "main", "message": message, "idempotencyKey": key});
        assert_eq!(gateway.call("chat.send", params)["status"], "started");
    }
    until("the reply has begun", || {
        let history = gateway.call("chat.history", json!({"sessionKey": "main"}));
        (history["inFlightRun"]["text"] == "half a reply").then_some(())
    });
    gateway.home.disk.as_ref().expect("a disk").fill();
    // The write-ahead log has some room inside; smaller and smaller messages use it up.
    for size in [60_000, 4_000, 1, 1, 1] {
        loop {
            let key = uuid::Uuid::now_v7().to_string();
            let filler =
                json!({"sessionKey": "agent:main:filler", "message": "x".repeat(size), "idempotencyKey": key.clone()});
            if let Some(error) = gateway.request("chat.send", &filler).get("error") {
                assert_eq!(error["data"]["kind"], "state", "{error}");
                break;
            }
            gateway.call("agent.wait", json!({"runId": key, "timeoutMs": 20_000}));
        }
    }
    Some(gateway)
}

#[test]
fn a_message_that_waits_while_the_disk_is_full_runs_when_there_is_room() {
    let provider = FakeProvider::start();
    let Some(gateway) = busy_on_a_full_disk(&provider) else { return };
    gateway.call("chat.abort", json!({"sessionKey": "main", "runId": "first"}));
    // Its end could not be stored, and whoever waits for it is told so at once.
    let outcome = gateway.call("agent.wait", json!({"runId": "first", "timeoutMs": 20_000}));
    assert_eq!((&outcome["status"], &outcome["error"]["code"]), (&json!("error"), &json!("state")), "{outcome}");
    let asked = provider.seen().len();
    assert_eq!(gateway.call("status", json!({}))["runs"]["active"], 1, "the next one waits");
    gateway.home.disk.as_ref().expect("a disk").free();
    let second = gateway.call("agent.wait", json!({"runId": "second", "timeoutMs": 20_000}));
    assert_eq!(second["status"], "ok", "{second}");
    assert_eq!(provider.seen().len(), asked + 1);
    assert_eq!(texts(&gateway, "main"), ["the first", "the second"]);
    gateway.serves();
}

#[test]
fn a_gateway_on_a_full_disk_can_be_stopped_and_forgets_nothing() {
    let provider = FakeProvider::start();
    let Some(mut gateway) = busy_on_a_full_disk(&provider) else { return };
    gateway.call("chat.abort", json!({"sessionKey": "main", "runId": "first"}));
    gateway.call("agent.wait", json!({"runId": "first", "timeoutMs": 20_000}));
    // Twice: the first one lets what waits finish, which it cannot.
    signal(gateway.pid(), nix::sys::signal::Signal::SIGTERM);
    until("it is on its way out", || gateway.output().contains("letting").then_some(()));
    gateway.stop();
    gateway.home.disk.as_ref().expect("a disk").free();
    gateway.restart();
    assert_eq!(texts(&gateway, "main"), ["the first", "the second"]);
    let second = gateway.call("agent.wait", json!({"runId": "second"}));
    assert_eq!(second["status"], "interrupted", "{second}");
    gateway.serves();
}

#[test]
fn a_first_start_on_a_full_disk_says_so_and_works_when_there_is_room() {
    let Some(home) = Home::on_disk("1m", json!({})) else { return };
    let disk = home.disk.as_ref().expect("a disk");
    disk.fill();
    let refusal = home.refused(&[]);
    let [_, because, _] = three_parts(&refusal);
    assert_eq!(refusal.code, Some(1), "{}", refusal.text);
    assert!(because.contains("full") || because.contains("No space left"), "{}", refusal.text);
    disk.free();
    home.start().serves();
}

#[test]
fn a_read_only_state_directory_is_named_and_can_still_be_read() {
    let Some(home) = Home::on_disk("8m", json!({})) else { return };
    let disk = home.disk.as_ref().expect("a disk");
    disk.set_read_only(true);
    refuses(&home, 1, "could not create the state directory", "read-only");
    disk.set_read_only(false);
    let mut gateway = home.start();
    assert_eq!(gateway.turn("main", "kept", "ro-1")["status"], "ok");
    assert!(gateway.stop().success());

    let disk = gateway.home.disk.as_ref().expect("a disk");
    disk.set_read_only(true);
    refuses(&gateway.home, 1, "could not", "read-only");
    let listed = gateway.home.run(&["sessions", "list", "--json"]);
    let text = String::from_utf8_lossy(&listed.stdout);
    assert!(
        listed.status.success() && text.contains("agent:main:main"),
        "{text}{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    disk.set_read_only(false);
    gateway.restart();
    assert_eq!(texts(&gateway, "main"), ["kept"]);
    gateway.serves();
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let mut gateway = used();
    let home = &gateway.home;
    let database = Connection::open(home.database()).expect("the database");
    database
        .execute(
            "INSERT INTO schema_migrations SELECT 99, 'from_the_future', applied_on, checksum FROM schema_migrations LIMIT 1",
            [],
        )
        .expect("a row");
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    drop(database);
    let before = contents(&home.root().join("state"));
    refuses(home, 1, "later version of openclaw", "schema version is 99");
    let after = contents(&home.root().join("state"));
    assert_eq!(before, after, "not a byte was changed");
    // Back at a version it knows, everything is there.
    let database = Connection::open(home.database()).expect("the database");
    database.execute("DELETE FROM schema_migrations WHERE version = 99", []).expect("a row");
    drop(database);
    gateway.restart();
    assert_eq!(texts(&gateway, "main"), ["message 0", "message 1", "message 2"]);
    gateway.serves();
}

/// The schema dumps of the TypeScript program, where this checkout has them beside it.
fn dumps() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = own.ancestors().map(|folder| folder.join("shared/legacy"));
    let Some(folder) = folders.filter(|folder| folder.is_dir()).last() else { return Vec::new() };
    let entries = std::fs::read_dir(folder).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "sql")).collect()
}

#[test]
fn databases_of_the_typescript_program_and_of_others_are_left_alone() {
    let small = "CREATE TABLE schema_meta (meta_key TEXT PRIMARY KEY, role TEXT, schema_version INTEGER, agent_id TEXT, app_version TEXT);
        CREATE TABLE agent_databases (agent_id TEXT PRIMARY KEY, path TEXT);
        CREATE TABLE session_nodes (x);
        INSERT INTO schema_meta VALUES ('state', 'global', 9, NULL, '2026.9.6');"
        .to_owned();
    let mut cases = vec![("OpenClaw for Node.js", small), ("unknown program", "CREATE TABLE notes (x);".to_owned())];
    for dump in dumps() {
        let text = std::fs::read_to_string(dump).expect("a dump");
        // SQLite makes this table itself and refuses to be told.
        let statements = text.split_inclusive(";\n").filter(|sql| !sql.contains("CREATE TABLE sqlite_sequence"));
        cases.push(("OpenClaw for Node.js", statements.collect()));
    }
    for (owner, sql) in cases {
        let home = home();
        std::fs::create_dir(home.root().join("state")).expect("a directory");
        let database = Connection::open(home.database()).expect("a database");
        database.execute_batch(&sql).expect("the dump can be read");
        drop(database);
        let before = contents(&home.root().join("state"));
        refuses(&home, 1, "belongs to another program", owner);
        assert_eq!(contents(&home.root().join("state")), before);
        std::fs::rename(home.database(), home.root().join("theirs.sqlite")).expect("it can be moved away");
        home.start().serves();
    }
}

#[test]
fn files_that_are_no_database_are_told_and_left_alone() {
    let garbage: Vec<u8> =
        (0..100_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let letter = "this is a letter, not a database\n".repeat(500).into_bytes();
    for content in [garbage, letter, b"SQLite format 3\0".to_vec(), b"x".to_vec()] {
        let home = home();
        std::fs::create_dir(home.root().join("state")).expect("a directory");
        std::fs::write(home.database(), &content).expect("a file");
        refuses(&home, 1, "", "");
        assert_eq!(std::fs::read(home.database()).expect("a file"), content);
        std::fs::remove_file(home.database()).expect("it can be removed");
        home.start().serves();
    }
    let home = home();
    std::fs::create_dir_all(home.database()).expect("a directory");
    refuses(&home, 1, "cannot be used", "directory");
}

#[test]
fn a_damaged_page_is_an_error_of_what_it_holds_and_of_nothing_else() {
    let mut gateway = home().start();
    let text = "y".repeat(3000);
    for number in 0..20 {
        let outcome = gateway.turn("agent:main:hurt", &text, &format!("hurt-{number}"));
        assert_eq!(outcome["status"], "ok");
    }
    assert!(gateway.stop().success());
    let path = gateway.home.database();
    let database = Connection::open(&path).expect("the database");
    let (root, size): (u32, u32) = database
        .query_row(
            "SELECT (SELECT rootpage FROM sqlite_schema WHERE name = 'events'), page_size FROM pragma_page_size",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("the table's first page");
    drop(database);
    let mut bytes = std::fs::read(&path).expect("the database");
    let start = usize::try_from((root - 1) * size).expect("an offset");
    bytes[start..start + usize::try_from(size).expect("a size")].fill(0xEE);
    std::fs::write(&path, bytes).expect("the database");

    gateway.restart();
    let history = gateway.request("chat.history", &json!({"sessionKey": "agent:main:hurt"}));
    let error = &history["error"];
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32012), &json!("state")), "{history}");
    assert!(error["data"]["why"].as_str().expect("a reason").contains("damaged"), "{history}");
    assert!(error["data"]["hint"].as_str().expect("a hint").contains("doctor"), "{history}");
    let refused = gateway.request(
        "chat.send",
        &json!({"sessionKey": "agent:main:hurt", "message": "hi", "idempotencyKey": "into-the-damage"}),
    );
    assert_eq!(refused["error"]["data"]["kind"], "state", "{refused}");
    assert_eq!(gateway.call("health", json!({}))["ok"], true);
    assert_eq!(gateway.call("sessions.list", json!({}))["sessions"].as_array().expect("rows").len(), 1);
    let doctor = gateway.home.run(&["doctor", "--json"]);
    let said: Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
    assert!(!doctor.status.success() && said["findings"].to_string().contains("database.sound"), "{said}");
}

#[test]
fn a_configuration_that_is_broken_is_named_to_the_column() {
    for (text, place, key, why) in [
        ("{ gateway: { port: 1 },\n  models: { discoverLocal: flase } }", ":2:28", "models.discoverLocal", "flase"),
        ("{\n\n  gateway: { port: \"many\" } }", ":3:20", "gateway.port", "many"),
        ("{ gateway: { port: 70000 } }", ":1:20", "gateway.port", "65535"),
        ("{ agents: { defaults: { model: 5 } } }", ":1:32", "agents.defaults.model", "5"),
        (
            "{ gateway: { auth: { token: \"${NO_SUCH_VARIABLE}\" } } }",
            ":1:29",
            "gateway.auth.token",
            "NO_SUCH_VARIABLE",
        ),
        ("{ \"$include\": \"missing.json5\" }", ":1:15", "$include", "missing.json5"),
        ("{ gateway: { port: 1 ", ":1:", "gateway", ""),
        ("[]", "", "", ""),
    ] {
        let home = home();
        std::fs::write(home.root().join("openclaw.json"), text).expect("a configuration");
        let refusal = home.refused(&[]);
        assert_eq!(refusal.code, Some(8), "{text}: {}", refusal.text);
        let [said, because, _] = three_parts(&refusal);
        assert!(said.contains(&format!("openclaw.json{place}")) && said.contains(key), "{text}: {said}");
        assert!(because.contains(why), "{text}: {because}");
        let refusal = home.refused(&["--json"]);
        let object: Value = serde_json::from_str(&refusal.text).expect("one object");
        assert_eq!(object["error"]["code"], "config_invalid", "{object}");
        if !place.is_empty() && place.len() > 3 {
            assert!(object["error"]["details"]["line"].is_number() && object["error"]["details"]["column"].is_number());
        }
        assert_eq!(std::fs::read_to_string(home.root().join("openclaw.json")).expect("the file"), text);
    }
}

#[test]
fn a_configuration_that_breaks_while_the_gateway_runs_stops_nobody() {
    let mut gateway = home().start();
    let file = gateway.home.root().join("openclaw.json");
    let good = std::fs::read_to_string(&file).expect("the configuration");
    // The banner comes when the copy has been made.
    until("the gateway has started", || gateway.output().contains("is ready").then_some(()));
    std::fs::write(&file, "{ gateway: {\n  port: oops } }").expect("a configuration");
    let answer = gateway.request("config.get", &json!({}));
    if let Some(error) = answer.get("error") {
        assert_eq!(error["data"]["kind"], "config_invalid", "{answer}");
    } else {
        assert!(answer["result"]["valid"] == false || answer["result"].to_string().contains(":2:"), "{answer}");
    }
    gateway.serves();
    gateway.kill();
    let refusal = gateway.home.refused(&[]);
    let [said, _, fix] = three_parts(&refusal);
    assert!(said.contains("openclaw.json:2:9"), "{said}");
    assert!(fix.contains("last good copy is"), "{fix}");
    std::fs::write(&file, good).expect("a configuration");
    gateway.restart();
    gateway.serves();
    until("the log is written", || gateway.log().contains("gateway ready").then_some(()));
}
