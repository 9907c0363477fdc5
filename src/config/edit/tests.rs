use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::{Edit, EditOutcome, LoadOptions, SENTINEL, get, load, parse_json5, redact_raw};
use super::{edit, mark_last_good, patch, replace};
use crate::core::{ErrorKind, Result};

struct Home(TempDir);

impl Home {
    fn new(text: &str) -> Self {
        let home = Self(TempDir::new().expect("a temporary directory"));
        home.write("openclaw.json", text);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("readable")
    }

    fn options(&self) -> LoadOptions {
        let process_env = BTreeMap::from([("TOKEN".to_owned(), "from-env".to_owned())]);
        LoadOptions { process_env, state_root: self.0.path().to_owned(), ..LoadOptions::default() }
    }

    fn edit(&self, edits: &[Edit]) -> Result<EditOutcome> {
        edit(&self.options(), edits, None, false)
    }

    fn patch(&self, raw: &str) -> Result<EditOutcome> {
        patch(&self.options(), raw, &[], None, false)
    }
}

fn set(path: &str, value: Value) -> Edit {
    Edit::Set { path: path.into(), value }
}

fn unset(path: &str) -> Edit {
    Edit::Unset { path: path.into() }
}

/// The text after the edits.
fn after(text: &str, edits: &[Edit]) -> String {
    let home = Home::new(text);
    home.edit(edits).unwrap_or_else(|error| panic!("{error} {:?}", error.data()));
    home.read("openclaw.json")
}

const SAMPLE: &str = r#"// My gateway
{
  gateway: {
    port: 18789, // the usual one
    auth: { mode: 'token', token: '${TOKEN}' },

    // Kept for later.
    /* tailscale: {}, */
  },
  "agents": {
    "list": [
      // the main one
      { id: "main" },
      { id: "work", model: "p/m" }
    ]
  }
}
"#;

#[test]
fn setting_values_leaves_the_rest_alone() {
    insta::assert_snapshot!(after(SAMPLE, &[set("gateway.port", json!(18790))]), @r#"
    // My gateway
    {
      gateway: {
        port: 18790, // the usual one
        auth: { mode: 'token', token: '${TOKEN}' },

        // Kept for later.
        /* tailscale: {}, */
      },
      "agents": {
        "list": [
          // the main one
          { id: "main" },
          { id: "work", model: "p/m" }
        ]
      }
    }
    "#);
    insta::assert_snapshot!(after(SAMPLE, &[set("gateway.bind", json!("loopback")), set("logging.level", json!("debug"))]), @r#"
    // My gateway
    {
      gateway: {
        port: 18789, // the usual one
        auth: { mode: 'token', token: '${TOKEN}' },
        bind: 'loopback',

        // Kept for later.
        /* tailscale: {}, */
      },
      "agents": {
        "list": [
          // the main one
          { id: "main" },
          { id: "work", model: "p/m" }
        ]
      },
      logging: {
        level: 'debug'
      }
    }
    "#);
    insta::assert_snapshot!(after(SAMPLE, &[set("agents.list[0].model", json!("p/x")), set("agents.list[]", json!({"id": "third"}))]), @r#"
    // My gateway
    {
      gateway: {
        port: 18789, // the usual one
        auth: { mode: 'token', token: '${TOKEN}' },

        // Kept for later.
        /* tailscale: {}, */
      },
      "agents": {
        "list": [
          // the main one
          { id: "main", model: 'p/x' },
          { id: "work", model: "p/m" },
          {
            id: 'third'
          }
        ]
      }
    }
    "#);
    insta::assert_snapshot!(after(SAMPLE, &[set("gateway.auth.mode", json!("password")), set("models.providers[\"my.host\"].headers", json!({"a": "b"}))]), @r#"
    // My gateway
    {
      gateway: {
        port: 18789, // the usual one
        auth: { mode: 'password', token: '${TOKEN}' },

        // Kept for later.
        /* tailscale: {}, */
      },
      "agents": {
        "list": [
          // the main one
          { id: "main" },
          { id: "work", model: "p/m" }
        ]
      },
      models: {
        providers: {
          "my.host": {
            headers: {
              a: 'b'
            }
          }
        }
      }
    }
    "#);
}

#[test]
fn unsetting_takes_comma_and_comment() {
    insta::assert_snapshot!(after(SAMPLE, &[unset("gateway.port")]), @r#"
    // My gateway
    {
      gateway: {
        auth: { mode: 'token', token: '${TOKEN}' },

        // Kept for later.
        /* tailscale: {}, */
      },
      "agents": {
        "list": [
          // the main one
          { id: "main" },
          { id: "work", model: "p/m" }
        ]
      }
    }
    "#);
    insta::assert_snapshot!(after(SAMPLE, &[unset("agents.list[1]"), unset("gateway.auth.mode")]), @r#"
    // My gateway
    {
      gateway: {
        port: 18789, // the usual one
        auth: { token: '${TOKEN}' },

        // Kept for later.
        /* tailscale: {}, */
      },
      "agents": {
        "list": [
          // the main one
          { id: "main" }
        ]
      }
    }
    "#);
    insta::assert_snapshot!(after(SAMPLE, &[unset("agents.list[0]"), unset("gateway.auth.token")]), @r#"
    // My gateway
    {
      gateway: {
        port: 18789, // the usual one
        auth: { mode: 'token' },

        // Kept for later.
        /* tailscale: {}, */
      },
      "agents": {
        "list": [
          { id: "work", model: "p/m" }
        ]
      }
    }
    "#);
    insta::assert_snapshot!(after(SAMPLE, &[unset("agents"), unset("gateway.nothing"), unset("nothing.at.all")]), @r"
    // My gateway
    {
      gateway: {
        port: 18789, // the usual one
        auth: { mode: 'token', token: '${TOKEN}' },

        // Kept for later.
        /* tailscale: {}, */
      }
    }
    ");
    for (before, path, expected) in [
        ("{a: 1}", "a", "{}"),
        ("{a: 1, b: 2}", "a", "{b: 2}"),
        ("{a: 1, b: 2}", "b", "{a: 1}"),
        ("{a: 1, b: 2,}", "b", "{a: 1, }"),
        ("{a: [1, 2, 3]}", "a[1]", "{a: [1, 3]}"),
        ("{a: [1, 2, 3]}", "a[2]", "{a: [1, 2]}"),
        ("{a: [1]}", "a[0]", "{a: []}"),
        ("{\n  \"a\": 1,\n  \"b\": 2\n}", "b", "{\n  \"a\": 1\n}"),
        ("{\n  \"a\": 1, // x\n  \"b\": 2 // y\n}", "b", "{\n  \"a\": 1 // x\n}"),
        ("{\r\n  a: 1,\r\n  b: 2,\r\n}", "a", "{\r\n  b: 2,\r\n}"),
        ("{\n  a: 1, b: 2,\n  c: 3\n}", "b", "{\n  a: 1, \n  c: 3\n}"),
        ("{ // head\n  a: 1\n}", "a", "{ // head\n}"),
        ("{\n  // about a\n  a: 1\n}", "a", "{}"),
        ("{\n  // head\n\n  // about a\n  a: 1\n}", "a", "{\n  // head\n\n}"),
    ] {
        assert_eq!(after(before, &[unset(path)]), expected, "{before}");
    }
}

#[test]
fn inserts_follow_the_style_around_them() {
    for (before, expected) in [
        ("", "{\n  \"ui\": {\n    \"x\": \"1\"\n  }\n}\n"),
        ("{}", "{\n  \"ui\": {\n    \"x\": \"1\"\n  }\n}"),
        ("{a: 1}", "{a: 1, ui: {\n  x: \"1\"\n}}"),
        ("{'a': 'b'}", "{'a': 'b', 'ui': {\n  'x': '1'\n}}"),
        ("{\n\ta: 'b',\n}", "{\n\ta: 'b',\n\tui: {\n\t\tx: '1',\n\t},\n}"),
        ("{\r\n    \"a\": 1\r\n}", "{\r\n    \"a\": 1,\r\n    \"ui\": {\r\n        \"x\": \"1\"\r\n    }\r\n}"),
        ("{\n  a: 1 // note\n  // tail\n}", "{\n  a: 1, // note\n  ui: {\n    x: \"1\"\n  }\n  // tail\n}"),
        ("{ // only a comment\n}", "{ // only a comment\n  \"ui\": {\n    \"x\": \"1\"\n  }\n}"),
        ("{\n  a: 1 }", "{\n  a: 1,\n  ui: {\n    x: \"1\"\n  } }"),
    ] {
        assert_eq!(after(before, &[set("ui.x", json!("1"))]), expected, "{before:?}");
    }
}

#[test]
fn an_unchanged_value_changes_nothing() {
    let home = Home::new(SAMPLE);
    let edits = [
        set("gateway.port", json!(18789)),
        set("gateway.auth.token", json!("from-env")),
        set("gateway.auth.token", json!("${TOKEN}")),
        set("agents.list", json!([{"id": "main"}, {"id": "work", "model": "p/m"}])),
        unset("nothing"),
        Edit::Merge { path: String::new(), value: json!({"gateway": {"auth": {"mode": "token"}}}) },
    ];
    let outcome = home.edit(&edits).expect("fine");
    assert_eq!(
        (home.read("openclaw.json").as_str(), outcome.diff.as_str(), outcome.changed_paths.len()),
        (SAMPLE, "", 0)
    );
    assert!(!home.path("openclaw.json.bak").exists());
}

#[test]
fn a_patch_merges_replaces_and_deletes() {
    let home = Home::new(SAMPLE);
    let outcome = home.patch("{gateway: {port: null, bind: 'loopback'}, agents: {list: [{id: 'only'}], defaults: {model: null, maxSteps: 5}}}").expect("fine");
    assert_eq!(outcome.changed_paths, ["gateway.bind", "gateway.port", "agents.list", "agents.defaults.maxSteps"]);
    insta::assert_snapshot!(home.read("openclaw.json"), @r#"
    // My gateway
    {
      gateway: {
        auth: { mode: 'token', token: '${TOKEN}' },
        bind: 'loopback',

        // Kept for later.
        /* tailscale: {}, */
      },
      "agents": {
        "list": [
          // the main one
          { id: "only" }
        ],
        "defaults": {
          "maxSteps": 5
        }
      }
    }
    "#);
    let replaced = patch(&home.options(), "{gateway: {auth: {mode: 'none'}}}", &["gateway.auth".into()], None, false)
        .expect("fine");
    assert_eq!(replaced.changed_paths, ["gateway.auth.mode", "gateway.auth.token"]);
    assert!(home.read("openclaw.json").contains("auth: { mode: 'none' }"));
    for bad in ["[]", "{a:"] {
        assert_eq!(home.patch(bad).expect_err(bad).kind(), ErrorKind::User);
    }
    assert!(patch(&home.options(), "{}", &["x".into()], None, false).is_err());
}

#[test]
fn a_result_that_would_not_load_is_refused() {
    let home = Home::new(SAMPLE);
    let error = home.edit(&[set("gateway.port", json!("abc"))]).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    let why = error.reason().unwrap_or_default().replace(&home.path("").display().to_string(), "~/");
    insta::assert_snapshot!(format!("{}\n{why}", error.message()), @r#"
    the change was refused because the result could not be loaded; nothing was written
    ~/openclaw.json:4:11 has a value that cannot be used (at `gateway.port`): expected a whole number from 1 to 65535, found "abc"
    "#);
    assert_eq!(error.data().expect("details")["key"], json!("gateway.port"));
    for (path, value) in
        [("gateway.port.x", json!(1)), ("agents.list[5]", json!({})), ("agents.list.x", json!(1)), ("new[3]", json!(1))]
    {
        assert_eq!(home.edit(&[set(path, value)]).expect_err(path).kind(), ErrorKind::User, "{path}");
    }
    assert_eq!(home.edit(&[set("ui.x", json!("${UNSET_ONE}"))]).expect_err("missing").kind(), ErrorKind::Config);
    assert_eq!((home.read("openclaw.json").as_str(), home.path("openclaw.json.bak").exists()), (SAMPLE, false));
    assert!(replace(&home.options(), "{gateway: {port: 0}}", None, false).is_err());
    assert!(replace(&home.options(), "{gateway", None, false).is_err());
    assert_eq!(home.read("openclaw.json"), SAMPLE);
}

#[test]
fn a_variable_that_was_missing_before_does_not_block_other_edits() {
    let text = "{gateway: {auth: {token: '${NOT_IN_THIS_SHELL}'}}}";
    assert_eq!(
        after(text, &[set("gateway.port", json!(1))]),
        "{gateway: {auth: {token: '${NOT_IN_THIS_SHELL}'}, port: 1}}"
    );
}

#[test]
fn broken_files_are_not_edited_but_can_be_replaced() {
    let home = Home::new("{gateway: {port: }}");
    assert_eq!(home.edit(&[set("gateway.port", json!(1))]).expect_err("broken").kind(), ErrorKind::Config);
    replace(&home.options(), "{gateway: {port: 1}}", None, false).expect("a whole text repairs it");
    assert_eq!(home.read("openclaw.json.bak"), "{gateway: {port: }}");
}

#[test]
fn comments_that_were_masked_for_a_client_come_back_whole() {
    let key = |letter: &str| format!("sk-{}", letter.repeat(24));
    let text = format!(
        "// first {}\n{{\n  ui: {{a: 1}}, // old: {}\n  /* token={}\n     plain words */ logging: {{level: 'info'}},\n}}\n",
        key("a"),
        key("b"),
        key("c")
    );
    let home = Home::new(&text);
    let shown = redact_raw(&text);
    assert!(!["a", "b", "c"].iter().any(|letter| shown.contains(&key(letter))), "{shown}");
    replace(&home.options(), &shown.replace("a: 1", "a: 2"), None, false).expect("fine");
    assert_eq!(home.read("openclaw.json"), text.replace("a: 1", "a: 2"));
    // A comment that the client took away or wrote itself is the client's.
    replace(&home.options(), "// mine: [redacted]\n{ui: {a: 3}}\n", None, false).expect("fine");
    assert_eq!(home.read("openclaw.json"), "// mine: [redacted]\n{ui: {a: 3}}\n");
}

#[test]
fn backups_rotate_and_modes_are_private() {
    let home = Home::new("{ui: {n: 0}}");
    fs::set_permissions(home.path("openclaw.json"), fs::Permissions::from_mode(0o644)).expect("changed");
    for number in 1..=7 {
        home.edit(&[set("ui.n", json!(number))]).expect("fine");
    }
    let texts =
        ["", ".bak", ".bak.1", ".bak.2", ".bak.3", ".bak.4"].map(|suffix| home.read(&format!("openclaw.json{suffix}")));
    assert_eq!(texts, [7, 6, 5, 4, 3, 2].map(|number| format!("{{ui: {{n: {number}}}}}")));
    for entry in fs::read_dir(home.path("")).expect("a directory") {
        let entry = entry.expect("an entry");
        assert_eq!(entry.metadata().expect("metadata").permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    assert_eq!(fs::read_dir(home.path("")).expect("a directory").count(), 6, "no temporary files are left");
    let loaded = load(&home.options()).expect("loads");
    mark_last_good(&loaded).expect("written");
    assert_eq!(home.read("openclaw.json.last-good"), home.read("openclaw.json"));
}

#[test]
fn a_symbolic_link_stays_one() {
    let home = Home::new("{}");
    fs::rename(home.path("openclaw.json"), home.path("real.json")).expect("moved");
    symlink("real.json", home.path("openclaw.json")).expect("a link");
    home.edit(&[set("ui.n", json!(1))]).expect("fine");
    assert!(home.path("openclaw.json").symlink_metadata().expect("metadata").is_symlink());
    assert!(home.read("real.json").contains("\"n\": 1"));
}

#[test]
fn a_stale_base_is_a_conflict() {
    let home = Home::new("{ui: {n: 0}}");
    let hash = load(&home.options()).expect("loads").hash;
    let outcome = edit(&home.options(), &[set("ui.n", json!(1))], Some(&hash), false).expect("the base is current");
    assert_eq!(outcome.hash, load(&home.options()).expect("loads").hash);
    let stale = edit(&home.options(), &[set("ui.n", json!(2))], Some(&hash), false).expect_err("stale");
    assert_eq!(stale.kind(), ErrorKind::Conflict);
    assert_eq!(replace(&home.options(), "{}", Some(&hash), false).expect_err("stale").kind(), ErrorKind::Conflict);
    assert_eq!(home.read("openclaw.json"), "{ui: {n: 1}}");
}

#[test]
fn a_dry_run_shows_a_diff_without_secrets_and_writes_nothing() {
    let text = "{\n  gateway: {\n    port: 1,\n    auth: {\n      token: 'old-secret-text',\n    },\n  },\n}\n";
    let home = Home::new(text);
    let edits = [
        set("gateway.port", json!(2)),
        set("gateway.auth.token", json!("new-secret-text")),
        set("gateway.remote.token", json!("x-secret-text")),
    ];
    let outcome = edit(&home.options(), &edits, None, true).expect("fine");
    assert!(outcome.dry_run && !outcome.diff.contains("secret-text"));
    insta::assert_snapshot!(outcome.diff, @r"
    --- openclaw.json
    +++ openclaw.json
    @@ -1,7 +1,10 @@
     {
       gateway: {
    -    port: 1,
    +    port: 2,
         auth: {
    +      token: '__OPENCLAW_REDACTED_CHANGED__',
    +    },
    +    remote: {
           token: '__OPENCLAW_REDACTED__',
         },
       },
    ");
    assert_eq!(
        (home.read("openclaw.json").as_str(), fs::read_dir(home.path("")).expect("a directory").count()),
        (text, 1)
    );
}

#[test]
fn sentinels_are_put_back() {
    let home = Home::new(
        "{gateway: {auth: {token: '${TOKEN}'}}, models: {providers: {p: {apiKey: \"secret-1\", models: []}}}, ui: [{id: 'a', password: 'pa'}, {id: 'b', password: 'pb'}]}",
    );
    let shown = redact_raw(&home.read("openclaw.json"));
    assert!(!shown.contains("secret-1") && shown.contains("'${TOKEN}'"));
    let sent = shown
        .replace("models: []", "models: [], api: 'x'")
        .replace("gateway", "/* hi */ gateway")
        .replace("{id: 'a', password: '__OPENCLAW_REDACTED__'}, ", "");
    replace(&home.options(), &sent, None, false).expect("fine");
    assert_eq!(
        home.read("openclaw.json"),
        "{/* hi */ gateway: {auth: {token: '${TOKEN}'}}, models: {providers: {p: {apiKey: \"secret-1\", models: [], api: 'x'}}}, ui: [{id: 'b', password: 'pb'}]}"
    );
    home.patch(&format!("{{models: {{providers: {{p: {{apiKey: '{SENTINEL}', api: 'y'}}}}}}, gateway: {{auth: {{token: '{SENTINEL}'}}}}}}")).expect("fine");
    assert!(home.read("openclaw.json").contains("apiKey: \"secret-1\", models: [], api: 'y'"));
    assert!(home.read("openclaw.json").contains("token: '${TOKEN}'"));
    for raw in [format!("{{gateway: {{auth: {{password: '{SENTINEL}'}}}}}}"), format!("{{ui: 'x{SENTINEL}'}}")] {
        assert_eq!(replace(&home.options(), &raw, None, false).expect_err("refused").kind(), ErrorKind::User);
        assert_eq!(home.patch(&raw).expect_err("refused").kind(), ErrorKind::User);
    }
}

#[test]
fn values_of_included_files_are_refused_by_name() {
    let home = Home::new(
        "{gateway: {$include: 'g.json'}, tools: {$include: 't.json', allow: ['own']}, ui: {$include: 'u.json'}}",
    );
    home.write("g.json", "{port: 1}");
    home.write("t.json", "{allow: ['theirs'], profile: 'full'}");
    home.write("u.json", "[1]");
    for edits in [
        [set("gateway.port", json!(2))],
        [unset("gateway.port")],
        [set("tools.allow", json!(["else", "more"]))],
        [unset("tools.allow")],
        [set("ui.x", json!(1))],
    ] {
        let error = home.edit(&edits).expect_err("refused");
        assert!(error.message().contains(".json, which this command does not edit"), "{error}");
    }
    home.edit(&[set("gateway.bind", json!("auto"))]).expect("a key beside the include is fine");
    let loaded = load(&home.options()).expect("loads");
    assert_eq!(loaded.resolved["gateway"], json!({"port": 1, "bind": "auto"}));
}

#[test]
fn concurrent_editors_lose_nothing() {
    let home = Home::new("{ui: {}}");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let home = &home;
            scope.spawn(move || home.edit(&[set(&format!("ui.k{number}"), json!(number))]).expect("every edit lands"));
        }
    });
    let loaded = load(&home.options()).expect("loads");
    assert_eq!(loaded.resolved["ui"].as_object().map(serde_json::Map::len), Some(8));
}

#[test]
fn a_missing_file_and_directory_are_made() {
    let home = Home::new("");
    let options = LoadOptions { state_root: home.path("a/b"), ..LoadOptions::default() };
    edit(&options, &[set("gateway.port", json!(5))], None, false).expect("fine");
    assert_eq!(load(&options).expect("loads").view.gateway.port, 5);
    assert_eq!(home.path("a/b").metadata().expect("made").permissions().mode() & 0o777, 0o700);
    assert!(!home.path("a/b/openclaw.json.bak").exists(), "nothing was there to back up");
}

fn any_document() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("'s'".to_owned()),
        Just("\"d\"".to_owned()),
        Just("[]".to_owned()),
        Just("[1, 2 /* two */, 3,]".to_owned()),
        Just("[\n    // one\n    1,\n    2\n  ]".to_owned()),
        Just("{}".to_owned()),
        Just("{ x: 1 }".to_owned()),
        Just("{\n    x: 1, // x\n    'y': 2,\n\n    // z\n    \"z\": { a: [] }\n  }".to_owned()),
    ];
    let comment = prop_oneof![Just(""), Just("\n  // note"), Just(" /* b */"), Just("\n")];
    let member = (value, comment, any::<bool>());
    (prop::collection::vec(member, 0..5), any::<bool>(), any::<bool>()).prop_map(|(members, multiline, trailing)| {
        let mut text = String::from("{");
        let count = members.len();
        for (index, (value, comment, quoted)) in members.into_iter().enumerate() {
            text.push_str(comment);
            text.push_str(if multiline || comment.contains("//") { "\n  " } else { " " });
            let key = format!("k{index}");
            let quote = if quoted { "\"" } else { "" };
            text.extend([quote, &key, quote, ": ", &value]);
            if index + 1 < count || trailing {
                text.push(',');
            }
        }
        text + if multiline { "\n}\n" } else { " }" }
    })
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof!["k[0-5]", "k[0-5]\\.[xyz]", "k[0-5]\\[0\\]", "k[0-5]\\[\\]", "k[0-5]\\.new\\.deep", "n\\[\"a\\.b\"\\]",]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_set_is_got_and_nothing_else_changes(document in any_document(), path in any_path(), value in prop_oneof![Just(json!(7)), Just(json!("t")), Just(json!({"a": [1], "b": {}})), Just(json!([1, "x"]))]) {
        let before = parse_json5(&document).expect("made to parse");
        let home = Home::new(&document);
        if home.edit(&[set(&path, value.clone())]).is_ok() {
            let text = home.read("openclaw.json");
            let after = parse_json5(&text).expect("still parses");
            let target = path.replace("[]", &format!("[{}]", length(&before, path.trim_end_matches("[]"))));
            prop_assert_eq!(get(&after, &target).expect("a path"), Some(&value), "{}", text);
            // Without the target, before and after are equal.
            if get(&before, &target).expect("a path").is_none() {
                prop_assert!(is_within(&solid(&document), &solid(&text)), "an insert takes nothing away: {}", text);
            }
            let root = path.split(['.', '[']).next().unwrap_or_default().to_owned();
            let others = |value: &Value| value.as_object().map(|object| object.iter().filter(|(key, _)| **key != root).map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
            prop_assert_eq!(others(&before), others(&after));
            // Comments survive unless a value that held one was replaced.
            if !document.contains(&format!("{root}\": {{\n")) && !document.contains(&format!("{root}: {{\n")) && !document.contains(&format!("{root}: [")) && !document.contains(&format!("{root}\": [")) {
                prop_assert_eq!(comments(&text), comments(&document), "{}", text);
            }
        } else {
            prop_assert_eq!(home.read("openclaw.json"), document);
        }
    }

    #[test]
    fn a_replaced_scalar_leaves_every_other_byte(head in "[ \\n]{0,4}(// c\\n)?", old in "'[a-z]{0,5}'|[1-9][0-9]{0,2}|true|null", tail in "( /\\* d \\*/)?[ \\n]{0,3},?", new in 1000..9999_u32) {
        let (front, back) = (format!("{{a: [ 1, ], ui: {{ // x\n k: {head}"), format!("{tail} }},\n\tz: 'z' }}\n// end"));
        let text = after(&[&front, old.as_str(), &back].concat(), &[set("ui.k", json!(new))]);
        prop_assert_eq!(text, format!("{front}{new}{back}"));
    }

    #[test]
    fn what_is_unset_is_gone_and_the_rest_stays(document in any_document(), path in prop_oneof!["k[0-5]", "k[0-5]\\.[xyz]", "k[0-5]\\[[0-2]\\]"]) {
        let mut wanted = parse_json5(&document).expect("made to parse");
        let segments = super::super::path::parse(&path).expect("a path");
        remove(&mut wanted, &segments);
        let text = after(&document, &[unset(&path)]);
        prop_assert!(is_within(&text, &document), "a removal adds nothing: {}", text);
        prop_assert_eq!(parse_json5(&text).expect("still parses"), wanted, "{}", text);
    }

    #[test]
    fn setting_back_restores_the_value(document in any_document(), key in 0..5_usize) {
        let before = parse_json5(&document).expect("made to parse");
        let path = format!("k{key}");
        if let Some(old) = before.get(&path) {
            let home = Home::new(&document);
            home.edit(&[set(&path, json!("between"))]).expect("fine");
            home.edit(&[set(&path, old.clone())]).expect("fine");
            prop_assert_eq!(parse_json5(&home.read("openclaw.json")).expect("parses"), before);
        }
    }
}

fn remove(value: &mut Value, path: &[super::super::path::Segment]) {
    match (value, path) {
        (Value::Array(elements), [last]) => {
            let length = elements.len();
            if let Some(index) = last.index(length).filter(|index| *index < length) {
                elements.remove(index);
            }
        }
        (Value::Object(members), [last]) => drop(last.key().and_then(|key| members.shift_remove(&key))),
        (Value::Object(members), [first, rest @ ..]) => {
            if let Some(child) = first.key().and_then(|key| members.get_mut(&key)) {
                remove(child, rest);
            }
        }
        _ => {}
    }
}

fn length(value: &Value, path: &str) -> usize {
    get(value, path).expect("a path").and_then(Value::as_array).map_or(0, Vec::len)
}

/// Whether every character of `part` stands in `whole` in the same order.
fn is_within(part: &str, whole: &str) -> bool {
    let mut rest = whole.chars();
    part.chars().all(|wanted| rest.any(|found| found == wanted))
}

/// The text without white space, which an insert into an empty object may lay out anew.
fn solid(text: &str) -> String {
    text.split_whitespace().collect()
}

fn comments(text: &str) -> usize {
    text.matches("//").count() + text.matches("/*").count()
}
