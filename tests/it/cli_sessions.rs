//! `openclaw sessions`: conversations read and deleted with and without a gateway.

use openclaw::session::Event;
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};

/// Two conversations, one with tools.
fn conversations() -> (FakeProvider, Gateway) {
    let provider = FakeProvider::start();
    provider.push(completions::tools(&[("call_1", "ls", json!({})), ("call_2", "read", json!({"path": "none.txt"}))]));
    provider.push(completions::text(&["Nothing ", "here."]));
    provider.push(completions::text(&["Noted."]));
    let gateway = Home::new(provider.config("openai-completions")).start();
    gateway.turn("main", "list the files", "s-1");
    gateway.turn("agent:main:notes", "note this", "s-2");
    (provider, gateway)
}

fn id_of(home: &Home, key: &str) -> String {
    let listed = home.cli(&["sessions", "--json"]).json();
    let rows = listed["sessions"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["key"] == key).expect("the conversation");
    row["sessionId"].as_str().expect("an id").to_owned()
}

/// Fewest characters of an id that no other one begins with.
fn short(id: &str, other: &str) -> String {
    let common = id.chars().zip(other.chars()).take_while(|(left, right)| left == right).count();
    id[..=common].to_owned()
}

#[test]
fn conversations_are_listed_shown_and_exported_alike_with_and_without_a_gateway() {
    let (_provider, mut gateway) = conversations();
    let look = |home: &Home| {
        let (main, notes) = (id_of(home, "agent:main:main"), id_of(home, "agent:main:notes"));
        let short = short(&main, &notes);
        let mut seen = Vec::new();
        for name in ["main", "agent:main:main", main.as_str(), short.as_str()] {
            let shown = home.cli(&["sessions", "show", name]);
            assert_eq!(shown.code, 0, "{name}: {shown:?}");
            assert!(shown.out.starts_with("agent:main:main"), "{name}: {shown:?}");
            seen.push(shown.out);
        }
        seen.dedup();
        assert_eq!(seen.len(), 1);
        let both = home.cli(&["sessions", "show", &main[..8]]);
        assert_eq!(both.code, 2, "the two ids begin alike: {both:?}");
        assert!(both.err.contains("agent:main:main") && both.err.contains("agent:main:notes"), "{both:?}");
        let export = |format: &str| home.cli(&["sessions", "export", "main", "--format", format]).out;
        let list = home.cli(&["sessions", "list", "--search", "note"]).out;
        assert_eq!(list.lines().count(), 2, "{list}");
        (seen, export("jsonl"), export("markdown"))
    };
    let with = look(&gateway.home);
    gateway.stop();
    assert_eq!(look(&gateway.home), with);

    let shown = with.0[0].lines().skip(1).collect::<Vec<_>>().join("\n");
    for part in ["list the files", "✓ ls", "✗ read", "Nothing here."] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let missing = gateway.home.cli(&["sessions", "show", "mian"]);
    assert_eq!(missing.code, 3);
    insta::assert_snapshot!(missing.error(), @"
    error: no session named 'mian'
      why: no key and no session id is, or begins with, that
      fix: did you mean 'main'?
    ");
}

#[test]
fn an_export_is_whole_and_can_be_read_again() {
    let (_provider, gateway) = conversations();
    let home = &gateway.home;
    let lines = home.cli(&["sessions", "export", "main"]);
    assert_eq!((lines.code, lines.err.as_str()), (0, ""));
    let mut parent: Option<String> = None;
    let mut kinds = Vec::new();
    for line in lines.out.lines() {
        let event: Event = serde_json::from_str(line).expect("an event");
        assert_eq!(serde_json::to_string(&event).expect("JSON"), line, "nothing is lost");
        let raw: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(raw["parentId"].as_str().map(ToOwned::to_owned), parent, "each follows the one before");
        parent = raw["id"].as_str().map(ToOwned::to_owned);
        kinds.push(raw["kind"].as_str().expect("a kind").to_owned());
    }
    let timeline = gateway.call("sessions.timeline", json!({"key": "main"}));
    let told: Vec<&str> =
        timeline["events"].as_array().expect("events").iter().filter_map(|event| event["kind"].as_str()).collect();
    assert_eq!(kinds, told);
    assert!(kinds.iter().any(|kind| kind == "ToolResult"), "{kinds:?}");

    let object = home.cli(&["sessions", "export", "main", "--json"]).json();
    assert_eq!(object["session"]["key"], "agent:main:main");
    assert_eq!(object["events"].as_array().map(Vec::len), Some(kinds.len()));
    let file = home.cli(&["sessions", "export", "main", "-o", "out.jsonl", "--json"]).json();
    assert_eq!((file["ok"].as_bool(), file["events"].as_u64()), (Some(true), Some(kinds.len() as u64)), "{file}");
    assert_eq!(std::fs::read_to_string(home.root().join("out.jsonl")).expect("a file"), lines.out);
    let nowhere = home.cli(&["sessions", "export", "main", "-o", "no/such/out.jsonl"]);
    assert_eq!((nowhere.code, nowhere.out.as_str()), (3, ""), "{nowhere:?}");

    let markdown = home.cli(&["sessions", "export", "main", "--format", "markdown"]);
    insta::assert_snapshot!(markdown.text(), @"
    # list the files

    Session `agent:main:main`, id `[ID]`.

    ## You, [DATE]

    list the files

    - `ls` `{}`

    - `read` `{\"path\":\"none.txt\"}`
      - failed: none.txt does not exist. List the directory to see which names exist.

    ## Assistant, [DATE]

    Nothing here.
    ");
}

/// Rows of a table of the database.
fn rows(home: &Home, sql: &str) -> i64 {
    let database = rusqlite::Connection::open(home.database()).expect("the database opens");
    database.query_row(sql, [], |row| row.get(0)).expect("a count")
}

#[test]
fn a_conversation_is_deleted_here_when_no_gateway_runs() {
    let (_provider, mut gateway) = conversations();
    gateway.stop();
    let home = &gateway.home;
    let asked = home.cli(&["sessions", "delete", "notes"]);
    assert_eq!(asked.code, 2);
    insta::assert_snapshot!(asked.error(), @"
    error: deleting 'agent:main:notes' needs a confirmation
      why: this is not a terminal, so nobody can be asked
      fix: add --yes
    ");
    let id = id_of(home, "agent:main:notes");
    let other = id_of(home, "agent:main:main");
    let count = format!("SELECT count(*) FROM transcript_events WHERE session_id = '{id}'");
    assert!(rows(home, &count) > 0);
    let deleted = home.cli(&["sessions", "delete", &short(&id, &other), "--yes", "--json"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert_eq!(deleted.json()["sessionId"], id.as_str());
    assert_eq!(rows(home, &count), 0);
    assert_eq!(home.cli(&["sessions", "show", "notes"]).code, 3);
    assert_eq!(home.cli(&["sessions", "delete", "notes", "--yes"]).code, 3);
    assert!(!home.root().join("state/holder.json").exists(), "the lock is left");

    let count = format!("SELECT count(*) FROM transcript_events WHERE session_id = '{other}'");
    let kept = home.cli(&["sessions", "delete", "main", "--yes", "--keep-transcript"]);
    assert_eq!((kept.code, kept.out.as_str()), (0, "deleted agent:main:main\n"), "{kept:?}");
    assert!(rows(home, &count) > 0, "the events stay");
    let none = home.cli(&["sessions"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""), "{none:?}");
    assert_eq!(none.err, "no sessions yet: openclaw agent -m \"hello\" starts one\n");
}

#[test]
fn a_running_gateway_deletes_the_conversation_itself() {
    let (_provider, gateway) = conversations();
    let deleted = gateway.home.cli(&["sessions", "delete", "notes", "-y"]);
    assert_eq!((deleted.code, deleted.out.as_str()), (0, "deleted agent:main:notes\n"), "{deleted:?}");
    let left = gateway.call("sessions.list", json!({}));
    assert_eq!(left["sessions"].as_array().map(Vec::len), Some(1), "{left}");
    let refused = gateway.home.cli(&["sessions", "delete", "main", "-y", "--token", "wrong"]);
    assert_eq!(refused.code, 4, "{refused:?}");

    // A gateway named by its address has a database of its own; this one's is not asked.
    let elsewhere = Home::new(json!({}));
    let (url, token) = (format!("ws://127.0.0.1:{}", gateway.port()), gateway.token.clone());
    let named =
        |key: &str| elsewhere.cli(&["sessions", "delete", key, "-y", "--url", &url, "--token", &token, "--json"]);
    let missing = named("nothing");
    assert_eq!((missing.code, missing.json()["error"]["code"].as_str()), (3, Some("not_found")));
    let deleted = named("main");
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert_eq!(deleted.json()["key"], "agent:main:main");
    assert_eq!(gateway.call("sessions.list", json!({}))["sessions"], json!([]));
}
