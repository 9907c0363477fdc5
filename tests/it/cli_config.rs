//! `openclaw config` on a file as a person keeps it: with comments, in their order.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::json;

use crate::support::gateway::Home;

/// A home whose file has comments; the port is that of the home.
fn commented() -> Home {
    let home = Home::new(json!({}));
    let text = format!(
        "// mine\n{{\n  gateway: {{\n    port: {}, // where it listens\n  }},\n  models: {{ discoverLocal: false }}, /* none here */\n  agents: {{ list: [{{ id: \"main\", default: true }}, {{ id: \"research\" }}] }},\n}}\n",
        home.port
    );
    std::fs::write(path(&home), text).expect("a file");
    home
}

fn path(home: &Home) -> PathBuf {
    home.root().join("openclaw.json")
}

fn text(home: &Home) -> String {
    std::fs::read_to_string(path(home)).expect("a file")
}

#[test]
fn values_are_read_set_and_removed_and_comments_stay() {
    let home = commented();
    let before = text(&home);
    assert_eq!(home.cli(&["config", "get", "gateway.port"]).out, format!("{}\n", home.port));
    assert_eq!(home.cli(&["config", "get", "agents.list[1].id"]).out, "research\n");
    assert_eq!(home.cli(&["config", "file"]).out, format!("{}\n", path(&home).display()));

    let dry = home.cli(&["config", "set", "gateway.port", "19009", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(dry.out.contains("+    port: 19009, // where it listens"), "{dry:?}");
    assert!(dry.out.ends_with("(dry run)\n"), "{dry:?}");
    assert_eq!(text(&home), before);

    let set = home.cli(&["config", "set", "gateway.port", "19009"]);
    insta::assert_snapshot!(set.text(), @"changed gateway.port in [ROOT]/openclaw.json");
    assert_eq!(text(&home), before.replace(&home.port.to_string(), "19009"));
    assert_eq!(std::fs::read_to_string(home.root().join("openclaw.json.bak")).expect("a copy"), before);
    for name in ["openclaw.json", "openclaw.json.bak"] {
        let mode = std::fs::metadata(home.root().join(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }

    let again = home.cli(&["config", "set", "gateway.port", "19009", "--json"]).json();
    assert_eq!((again["ok"].as_bool(), again["changedPaths"].clone()), (Some(true), json!([])));
    assert_eq!(home.cli(&["config", "set", "agents.list[1].name", "Re search"]).code, 0);
    assert_eq!(home.cli(&["config", "get", "agents.list[1].name"]).out, "Re search\n");
    assert_eq!(home.cli(&["config", "unset", "gateway.port"]).code, 0);
    assert!(text(&home).contains("/* none here */") && text(&home).starts_with("// mine\n"), "{}", text(&home));
    let gone = home.cli(&["config", "get", "gateway.port"]);
    assert_eq!(gone.code, 3, "{gone:?}");
    insta::assert_snapshot!(home.cli(&["config", "get", "gateway.prot"]).error(), @"
    error: the configuration has no value at 'gateway.prot'
      why: it is not set, so its default applies
      fix: did you mean 'gateway.port'?
    ");
}

#[test]
fn a_change_that_cannot_be_used_or_loses_entries_is_refused() {
    let home = commented();
    let before = text(&home);
    let wrong = home.cli(&["config", "set", "gateway.port", "abc"]);
    assert_eq!(wrong.code, 8);
    insta::assert_snapshot!(wrong.error(), @r#"
    error: the change was refused because the result could not be loaded; nothing was written
      why: [ROOT]/openclaw.json:4:11 has a value that cannot be used (at `gateway.port`): expected a whole number from 1 to 65535, found "abc"
      fix: Change the value and try again.
    "#);
    let losing = home.cli(&["config", "set", "agents.list", "[]"]);
    assert_eq!(losing.code, 4);
    insta::assert_snapshot!(losing.error(), @"
    error: setting 'agents.list' would drop 2 entries
      why: the value given does not contain them
      fix: add --merge to keep them, or --replace to drop them
    ");
    let stale = home.cli(&["config", "set", "gateway.port", "5", "--expect-current-json", "6"]);
    assert_eq!((stale.code, stale.out.as_str()), (1, ""), "{stale:?}");
    let present = home.cli(&["config", "set", "gateway.port", "5", "--expect-current-absent", "--json"]);
    assert_eq!(present.json()["error"]["code"], "conflict", "{present:?}");
    let strict = home.cli(&["config", "set", "gateway.bind", "loopback", "--strict-json"]);
    assert_eq!(strict.code, 2, "{strict:?}");
    let none = home.cli(&["config", "set", "gateway.port"]);
    assert_eq!(none.code, 2, "{none:?}");
    assert_eq!(text(&home), before);

    let port = home.port.to_string();
    let expected = home.cli(&["config", "set", "gateway.port", "19010", "--expect-current-json", &port]);
    assert_eq!(expected.code, 0, "{expected:?}");
    assert_eq!(home.cli(&["config", "set", "agents.list", "[]", "--replace"]).code, 0);
}

#[test]
fn several_changes_at_once_from_text_file_and_stdin() {
    let home = commented();
    let batch = r#"[{"path": "gateway.port", "value": 19011}, {"path": "logging.level", "value": "debug"}]"#;
    std::fs::write(home.root().join("batch.json"), batch).expect("a file");
    let ran = home.cli(&["config", "set", "--batch-file", "batch.json", "--json"]);
    assert_eq!(ran.json()["changedPaths"], json!(["gateway.port", "logging.level"]), "{ran:?}");
    let ran = home.cli(&["config", "set", "--batch-json", r#"[{"path": "gateway.port", "value": 19012}]"#]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let unclear = home.cli(&["config", "set", "--batch-json", r#"[{"path": "x"}]"#]);
    assert_eq!(unclear.code, 2, "{unclear:?}");

    std::fs::write(home.root().join("patch.json5"), "{ logging: { level: 'warn' }, gateway: { port: null } } // x\n")
        .expect("a file");
    let before = text(&home);
    let dry = home.cli(&["config", "patch", "--file", "patch.json5", "--dry-run", "--json"]).json();
    assert_eq!((dry["dryRun"].as_bool(), text(&home)), (Some(true), before));
    assert!(dry["diff"].as_str().expect("a diff").contains("-    port: 19012, // where it listens"), "{dry}");
    assert_eq!(home.cli(&["config", "patch", "--file", "patch.json5"]).code, 0);
    assert_eq!(home.cli(&["config", "get", "logging.level"]).out, "warn\n");
    assert_eq!(home.cli(&["config", "get", "gateway.port"]).code, 3);

    let piped = home.cli_with_input(&["config", "patch", "--stdin"], "{ gateway: { port: 19013 } }");
    assert_eq!(piped.code, 0, "{piped:?}");
    let replaced = home.cli_with_input(
        &["config", "patch", "--stdin", "--replace-path", "agents.list"],
        "{ agents: { list: [{ id: 'main', default: true }] } }",
    );
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert_eq!(home.cli(&["agents"]).out.lines().count(), 2);
    assert!(text(&home).contains("/* none here */"));
    assert_eq!(home.cli(&["config", "patch"]).code, 2);
    let nothing = home.cli(&["config", "patch", "--file", "none.json"]);
    assert_eq!(nothing.code, 3, "{nothing:?}");
}

#[test]
fn secrets_are_built_as_references_and_never_shown() {
    let home = commented();
    let provider = r#"{baseUrl: "http://127.0.0.1:9/v1", api: "openai-completions", apiKey: "sk-very-secret-0123456789", models: [{id: "m"}]}"#;
    let set = home.cli(&["config", "set", "models.providers.x", provider]);
    assert_eq!(set.code, 0, "{set:?}");
    let shown = [
        home.cli(&["config", "get"]),
        home.cli(&["config", "get", "models.providers.x.apiKey"]),
        home.cli(&["config", "set", "models.providers.x.apiKey", "sk-another-secret-987654321", "--dry-run"]),
        home.cli(&[
            "config",
            "set",
            "models.providers.x.apiKey",
            "sk-another-secret-987654321",
            "--dry-run",
            "--strict-json",
        ]),
        home.cli(&["doctor"]),
        home.cli(&["models", "--json"]),
    ];
    for ran in shown {
        assert!(!ran.out.contains("secret-0123") && !ran.out.contains("secret-9876"), "{ran:?}");
    }
    let reference = ["config", "set", "models.providers.x.apiKey", "--ref-source", "env", "--ref-id", "MY_KEY"];
    assert_eq!(home.cli(&reference).code, 0);
    assert_eq!(
        home.cli(&["config", "get", "models.providers.x.apiKey", "--json"]).json(),
        json!({"source": "env", "provider": "default", "id": "MY_KEY"})
    );
    let built = home.cli(&[
        "config",
        "set",
        "secrets.providers.vault",
        "--provider-source",
        "exec",
        "--provider-command",
        "/usr/bin/pass",
        "--provider-arg",
        "show",
        "--provider-json-only",
    ]);
    assert_eq!(built.code, 0, "{built:?}");
    assert_eq!(
        home.cli(&["config", "get", "secrets.providers.vault", "--json"]).json(),
        json!({"source": "exec", "command": "/usr/bin/pass", "args": ["show"], "jsonOnly": true})
    );
    let half = home.cli(&["config", "set", "secrets.providers.v2", "--provider-source", "file"]);
    assert_eq!(half.code, 2, "{half:?}");
    assert!(half.err.starts_with("error: --provider-path is missing"), "{half:?}");
}

#[test]
fn unknown_keys_are_kept_and_warned_about() {
    let home = commented();
    let set = home.cli(&["config", "set", "gatewya.port", "1"]);
    assert_eq!(set.code, 0, "{set:?}");
    assert_eq!(set.err, "warning: gatewya: unknown key, kept but not used; did you mean `gateway`?\n");
    let valid = home.cli(&["config", "validate"]);
    assert_eq!(valid.code, 0, "{valid:?}");
    insta::assert_snapshot!(valid.text(), @"
    warn 8:3 gatewya: unknown key, kept but not used; did you mean `gateway`?
    ok   [ROOT]/openclaw.json: valid
    ");
    let schema = home.cli(&["config", "schema"]).json();
    assert_eq!(schema["properties"]["gateway"]["properties"]["port"]["type"], "integer", "{schema}");
}

#[test]
fn a_broken_file_is_told_with_its_place_and_the_last_good_copy() {
    let home = commented();
    // A start with the good file makes it the last good one.
    let mut gateway = home.start();
    gateway.stop();
    let home = &gateway.home;
    std::fs::write(path(home), text(home).replace("gateway: {", "gateway {")).expect("a file");
    let broken = home.cli(&["config", "validate"]);
    assert_eq!(broken.code, 8);
    insta::assert_snapshot!(broken.error(), @"
    error: [ROOT]/openclaw.json:3:11 is not valid JSON5 (at `gateway`)
      why: found `{` where the `:` after the key was expected
      fix: Correct the text at that place. The last good copy is [ROOT]/openclaw.json.last-good.
    ");
    let error = home.cli(&["config", "validate", "--json"]).json();
    let details = &error["error"]["details"];
    assert_eq!((details["line"].as_u64(), details["column"].as_u64()), (Some(3), Some(11)), "{error}");
    assert_eq!(details["key"], "gateway");
    let copy = details["lastGood"].as_str().expect("a copy");
    assert!(std::fs::read_to_string(copy).expect("it is there").contains("gateway: {"));

    for args in [
        &["gateway", "run"][..],
        &["agent", "-m", "hi"],
        &["models"],
        &["agents"],
        &["config", "get"],
        &["config", "set", "gateway.port", "5"],
        &["config", "unset", "gateway.port"],
    ] {
        let ran = home.cli(args);
        assert_eq!(ran.code, 8, "{args:?}: {ran:?}");
        assert!(ran.err.contains("openclaw.json:3:11 is not valid JSON5"), "{args:?}: {ran:?}");
    }
    // What explains the state of things still works.
    for (args, code) in [
        (&["config", "file"][..], 0),
        (&["status"], 0),
        (&["sessions"], 0),
        (&["gateway", "status"], 0),
        (&["doctor"], 1),
        (&["logs"], 0),
    ] {
        let ran = home.cli(args);
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
    }
    assert!(home.cli(&["status"]).out.starts_with("alert "), "{:?}", home.cli(&["status"]));
    std::fs::copy(copy, path(home)).expect("a copy back");
    assert_eq!(home.cli(&["config", "validate"]).code, 0);
}
