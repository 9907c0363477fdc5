use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::core::limits::MAX_STEPS;
use crate::secrets::{SecretInput, SecretRef};

/// A state directory with the given files.
pub(super) struct Home(TempDir);

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        let home = Self(TempDir::new().expect("a temporary directory"));
        for (name, text) in files {
            home.write(name, text);
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().expect("it exists").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside the directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    fn options(&self) -> LoadOptions {
        let process_env = BTreeMap::from([("HOME".to_owned(), "/home/alice".to_owned())]);
        LoadOptions { process_env, cwd: self.path("cwd"), state_root: self.path(""), config_path: None }
    }

    pub(super) fn load(&self) -> Result<LoadedConfig> {
        load(&self.options())
    }

    /// The error's three parts with the temporary path shortened.
    pub(super) fn error(&self) -> String {
        let error = self.load().expect_err("the configuration is broken");
        assert_eq!(error.kind(), ErrorKind::Config);
        let text =
            format!("{}\n{}\n{}", error.message(), error.reason().unwrap_or_default(), error.fix().unwrap_or_default());
        text.replace(&self.path("").display().to_string(), "~/")
    }
}

pub(super) fn config(text: &str) -> Home {
    Home::new(&[("openclaw.json", text)])
}

pub(super) fn warnings(loaded: &LoadedConfig) -> Vec<String> {
    loaded.warnings.iter().map(|warning| format!("{}: {}", warning.path, warning.message)).collect()
}

#[test]
fn a_missing_file_is_the_empty_configuration() {
    let loaded = Home::new(&[]).load().expect("loads");
    assert!(!loaded.exists);
    assert_eq!(loaded.source, json!({}));
    let view = &loaded.view;
    assert_eq!(
        (view.gateway.port, view.gateway.bind.as_str(), view.gateway.auth_mode.as_str()),
        (18789, "loopback", "token")
    );
    assert_eq!((view.main_key.as_str(), view.log_level.as_str(), view.max_concurrent), ("main", "info", 16));
    assert!(view.discover_local && !view.durability_full);
    let agent = &view.agents[0];
    assert_eq!(
        (agent.id.as_str(), agent.is_default, agent.timeout_seconds, agent.max_steps),
        ("main", true, 600, MAX_STEPS)
    );
    assert_eq!(Home::new(&[("openclaw.json", "  \n")]).load().expect("an empty file loads").source, json!({}));
}

#[test]
fn the_view_has_what_the_file_says() {
    let home = config(
        r"{
  gateway: { port: 0x4966, auth: { mode: 'password', password: { source: 'env', provider: 'default', id: 'PW' } },
             controlUi: { allowedOrigins: ['https://a.example'] }, remote: { url: 'wss://b.example', token: 't' } },
  agents: { defaults: { model: { primary: 'p/big', fallbacks: ['p/small'] }, workspace: '~/work', timeoutSeconds: 0, maxConcurrent: 2,
                        models: { 'p/big': { alias: 'b' }, 'p/small': {} } },
            list: [ { id: 'Main Agent!', model: 'p/other' },
                    { id: 'work', default: true, name: 'Work', model: { fallbacks: [] }, identity: { emoji: '🦞' }, tools: { allow: ['read'], deny: ['write'] } } ] },
  models: { discoverLocal: false, providers: { p: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: 'k', headers: { 'x-a': 'b' }, timeoutSeconds: 9,
            models: [ { id: 'big', reasoning: true, input: ['text', 'image'], cost: { input: 3, output: 15.5 }, contextWindow: 1000, compat: { x: 1 } }, { id: 'small' } ] } } },
  session: { mainKey: 'Home' }, logging: { level: 'debug', file: '~/log' }, state: { durability: 'full' }, tools: { deny: ['exec'] },
  secrets: { providers: { v: { source: 'env' } }, defaults: { env: 'v' } },
}",
    );
    let loaded = home.load().expect("loads");
    assert_eq!(warnings(&loaded), Vec::<String>::new());
    let view = &loaded.view;
    assert_eq!(view.gateway.port, 0x4966);
    let reference = SecretRef { source: "env".into(), provider: "default".into(), id: "PW".into() };
    assert_eq!(view.gateway.password, Some(SecretInput::Ref(reference)));
    assert_eq!(view.gateway.allowed_origins, ["https://a.example"]);
    let [main, work] = &view.agents[..] else { panic!("two agents") };
    assert_eq!((main.id.as_str(), main.is_default, main.model.as_deref()), ("main-agent", false, Some("p/other")));
    assert_eq!((main.fallbacks.as_slice(), main.workspace.as_deref()), (&["p/small".to_owned()][..], None));
    assert_eq!((work.is_default, work.model.as_deref(), work.fallbacks.len()), (true, Some("p/big"), 0));
    assert_eq!(work.workspace.as_deref(), Some(Path::new("/home/alice/work")));
    assert_eq!((work.identity.clone(), work.timeout_seconds), (json!({"emoji": "🦞"}), 7 * 24 * 3600));
    let provider = &view.providers["p"];
    assert_eq!((provider.timeout_seconds, provider.connect_timeout_ms, provider.max_retries), (9, 10_000, 2));
    assert_eq!(
        (provider.models[0].cost, provider.models[1].input.as_slice()),
        ([3.0, 15.5, 0.0, 0.0], &["text".to_owned()][..])
    );
    assert_eq!(view.aliases, BTreeMap::from([("b".to_owned(), "p/big".to_owned())]));
    assert_eq!(
        (view.main_key.as_str(), view.log_level.as_str(), view.log_file.as_deref()),
        ("home", "debug", Some(Path::new("/home/alice/log")))
    );
    assert!(view.durability_full && !view.discover_local);
    assert_eq!(view.secret_providers, json!({"v": {"source": "env"}, "$defaults": {"env": "v"}}));
}

#[test]
fn agents_may_be_entries() {
    let home = config("{agents: {entries: {alpha: {model: 'p/m'}, beta: {default: true}}}}");
    let view = home.load().expect("loads").view;
    let agents: Vec<_> = view.agents.iter().map(|agent| (agent.id.as_str(), agent.is_default)).collect();
    assert_eq!(agents, [("alpha", false), ("beta", true)]);
    insta::assert_snapshot!(config("{agents: {list: [{id: 'a'}, {id: 'A'}]}}").error(), @r"
    ~/openclaw.json:1:29 has a value that cannot be used (at `agents.list[1]`)
    there is another agent with the id `a`
    Correct the value, or remove the key to get the default.
    ");
    insta::assert_snapshot!(config("{agents: {list: [{name: 'x'}]}}").error(), @r"
    ~/openclaw.json:1:18 has a value that cannot be used (at `agents.list[0]`)
    an agent needs an `id` with at least one letter or digit
    Correct the value, or remove the key to get the default.
    ");
}

#[test]
fn broken_files_are_told_with_place_key_and_last_good_copy() {
    let broken = "{\n  gateway: {\n    port: 18789\n    bind: 'loopback'\n  }\n}";
    insta::assert_snapshot!(config(broken).error(), @r"
    ~/openclaw.json:4:5 is not valid JSON5 (at `gateway.port`)
    found `bind` where `,` or `}` was expected
    Correct the text at that place.
    ");
    let home = Home::new(&[("openclaw.json", broken), ("openclaw.json.bak", "{}")]);
    assert!(home.error().contains("~/openclaw.json.bak."));
    home.write("openclaw.json.last-good", "{}");
    insta::assert_snapshot!(home.error(), @r"
    ~/openclaw.json:4:5 is not valid JSON5 (at `gateway.port`)
    found `bind` where `,` or `}` was expected
    Correct the text at that place. The last good copy is ~/openclaw.json.last-good.
    ");
    let details = home.load().expect_err("broken").data().cloned().expect("details");
    assert_eq!((&details["line"], &details["column"], &details["key"]), (&json!(4), &json!(5), &json!("gateway.port")));
    insta::assert_snapshot!(config("[]").error(), @r"
    ~/openclaw.json:1:1 has a value that cannot be used
    the whole file is a list, but it must be an object
    Correct the value, or remove the key to get the default.
    ");
    fs::write(home.path("openclaw.json"), b"{a: \"\xff\"}").expect("written");
    insta::assert_snapshot!(home.error(), @r"
    ~/openclaw.json cannot be used
    it is not UTF-8 text (byte 5)
    Check that the file exists and that you may read it. The last good copy is ~/openclaw.json.last-good.
    ");
    fs::remove_file(home.path("openclaw.json")).expect("removed");
    fs::create_dir(home.path("openclaw.json")).expect("created");
    insta::assert_snapshot!(home.error(), @r"
    ~/openclaw.json cannot be used
    it is not a regular file
    Check that the file exists and that you may read it. The last good copy is ~/openclaw.json.last-good.
    ");
}

#[test]
fn values_we_use_must_fit() {
    insta::assert_snapshot!(config("{\n  gateway: { port: 'abc' }\n}").error(), @r#"
    ~/openclaw.json:2:20 has a value that cannot be used (at `gateway.port`)
    expected a whole number from 1 to 65535, found "abc"
    Correct the value, or remove the key to get the default.
    "#);
    insta::assert_snapshot!(config("{gateway: {port: 70000}}").error(), @r"
    ~/openclaw.json:1:18 has a value that cannot be used (at `gateway.port`)
    expected a whole number from 1 to 65535, found the number 70000
    Correct the value, or remove the key to get the default.
    ");
    insta::assert_snapshot!(config("{gateway: 5}").error(), @r"
    ~/openclaw.json:1:11 has a value that cannot be used (at `gateway`)
    expected an object, found the number 5
    Correct the value, or remove the key to get the default.
    ");
    insta::assert_snapshot!(config("{gateway: {bind: 'everywhere'}, logging: {level: 'loud'}}").error(), @r#"
    ~/openclaw.json:1:18 has a value that cannot be used (at `gateway.bind`)
    expected one of auto, loopback, lan, tailnet, custom, found "everywhere" (and 1 more)
    Correct the value, or remove the key to get the default.
    "#);
    insta::assert_snapshot!(config("{models: {providers: {p: {apiKey: 5}}}}").error(), @r#"
    ~/openclaw.json:1:35 has a value that cannot be used (at `models.providers.p.apiKey`)
    expected a string or a secret reference {source: "env"|"file"|"exec", provider, id}, found the number 5
    Correct the value, or remove the key to get the default.
    "#);
    insta::assert_snapshot!(config("{models: {providers: {p: {models: {}}}}}").error(), @r"
    ~/openclaw.json:1:35 has a value that cannot be used (at `models.providers.p.models`)
    expected a list, found an object
    Correct the value, or remove the key to get the default.
    ");
    insta::assert_snapshot!(config("{gateway: {auth: {token: {source: 'safe', id: 'x'}}}}").error(), @r#"
    ~/openclaw.json:1:26 has a value that cannot be used (at `gateway.auth.token`)
    expected a string or a secret reference {source: "env"|"file"|"exec", provider, id}, found an object
    Correct the value, or remove the key to get the default.
    "#);
    let details =
        config("{gateway: {bind: 'x'}, logging: {level: 'y'}}").load().expect_err("two problems").data().cloned();
    assert_eq!(details.expect("details")["issues"].as_array().map(Vec::len), Some(2));
    // Keys we do not use are none of our business.
    config("{channels: {telegram: 7}, browser: 'x', cron: []}").load().expect("loads");
    assert_eq!(config("{gateway: {port: 18790.0}}").load().expect("a whole number").view.gateway.port, 18790);
}

#[test]
fn unknown_keys_are_kept_and_told() {
    let loaded = config("{\n gatway: {}, gateway: { prot: 1, tailscale: { mode: 'off' } },\n agents: {list: [{id: 'a', modle: 'x'}]}, telegram: {} }").load().expect("loads");
    insta::assert_snapshot!(warnings(&loaded).join("\n"), @r"
    gatway: unknown key, kept but not used; did you mean `gateway`?
    gateway.prot: unknown key, kept but not used; did you mean `gateway.port`?
    agents.list[0].modle: unknown key, kept but not used; did you mean `agents.list[0].model`?
    telegram: unknown key, kept but not used
    ");
    assert_eq!(loaded.warnings[1].suggestion.as_deref(), Some("gateway.port"));
    assert_eq!((loaded.warnings[1].line, loaded.warnings[1].column), (Some(2), Some(25)));
    assert_eq!(loaded.resolved["gateway"]["prot"], json!(1));
}

#[test]
fn duplicates_and_infinity_are_warnings() {
    let loaded =
        config("{logging: {level: 'info'}, ui: {a: Infinity}, logging: {level: 'warn'}}").load().expect("loads");
    assert_eq!(loaded.view.log_level, "warn");
    let texts = warnings(&loaded).join("\n");
    assert!(texts.contains("logging: this key stands twice") && texts.contains("ui.a: JSON has no"), "{texts}");
}

#[test]
fn variables_come_from_process_then_files_then_block() {
    let home = config(
        "{env: {vars: {A: 'block', B: 'block', C: 'block', D: '${A}!'}, E: 'direct'}, ui: {a: '${A}${B}', c: '${C}', d: '${D}', e: '${E}', esc: '$${A} ${lower}'}}",
    );
    home.write("cwd/.env", "A=cwd\nB=cwd\nOPENAI_BASE_URL=http://evil\nOPENCLAW_INCLUDE_ROOTS=/");
    home.write(".env", "B=state\nC=state\nOPENAI_BASE_URL=http://fine");
    let mut options = home.options();
    options.process_env.insert("A".into(), "process".into());
    let loaded = load(&options).expect("loads");
    assert_eq!(
        loaded.resolved["ui"],
        json!({"a": "processcwd", "c": "state", "d": "process!", "e": "direct", "esc": "${A} ${lower}"})
    );
    assert_eq!(loaded.source["ui"]["c"], json!("${C}"));
    assert_eq!(loaded.env.get("OPENAI_BASE_URL"), Some("http://fine"));
    assert_eq!(loaded.env.get("OPENCLAW_INCLUDE_ROOTS"), None);
    assert!(warnings(&loaded).iter().any(|warning| warning.contains("OPENAI_BASE_URL")));
}

#[test]
fn missing_variables_name_path_and_variable() {
    insta::assert_snapshot!(config("{models: {providers: {p: {\n  apiKey: 'x${OPENAI_KEY}' }}}}").error(), @r"
    ~/openclaw.json:2:11 needs an environment variable that is not set (at `models.providers.p.apiKey`)
    the variable OPENAI_KEY is unset or empty
    Set OPENAI_KEY in the environment, in the `.env` of the state directory or under `env.vars`; write $${OPENAI_KEY} if the text itself is meant.
    ");
    let shell = config("{env: {shellEnv: {enabled: true}}}").load().expect("loads");
    assert!(warnings(&shell)[0].starts_with("env.shellEnv.enabled: importing variables"));
}

#[test]
fn includes_replace_or_merge() {
    let home = Home::new(&[
        (
            "openclaw.json",
            "{gateway: {$include: './gateway.json5'}, tools: {$include: ['a.json5', 'sub/b.json5'], allow: ['own'], profile: 'full'}}",
        ),
        ("gateway.json5", "{ port: 1234, auth: { token: '${TOKEN}' } } // comment"),
        (
            "a.json5",
            "{allow: ['a'], deny: ['a'], exec: {host: 'node', ask: 'off'}, profile: 'coding', __proto__: {x: 1}}",
        ),
        ("sub/b.json5", "{allow: ['b'], exec: {$include: 'deep/c.json5'}}"),
        ("sub/deep/c.json5", "{host: 'auto'}"),
    ]);
    let mut options = home.options();
    options.process_env.insert("TOKEN".into(), "t".into());
    let loaded = load(&options).expect("loads");
    assert_eq!(loaded.resolved["gateway"], json!({"port": 1234, "auth": {"token": "t"}}));
    assert_eq!(
        loaded.resolved["tools"],
        json!({"allow": ["a", "b", "own"], "deny": ["a"], "exec": {"host": "auto", "ask": "off"}, "profile": "full"})
    );
    assert_eq!(loaded.source["gateway"], json!({"$include": "./gateway.json5"}));
    let hash = loaded.hash;
    home.write("sub/deep/c.json5", "{host: 'sandbox'}");
    assert_ne!(load(&options).expect("loads").hash, hash, "the hash covers includes");
}

#[test]
fn includes_stay_inside_their_roots() {
    let outside = TempDir::new().expect("a directory");
    fs::write(outside.path().join("x.json"), "{port: 1}").expect("written");
    let home = config("{gateway: {$include: 'x.json'}}");
    symlink(outside.path().join("x.json"), home.path("x.json")).expect("a link");
    assert!(home.error().contains("is outside"), "a link out is refused");
    fs::remove_file(home.path("x.json")).expect("removed");
    home.write("y.json", "{port: 2}");
    symlink(home.path("y.json"), home.path("x.json")).expect("a link");
    assert_eq!(home.load().expect("a link inside is fine").view.gateway.port, 2);
    fs::remove_file(home.path("x.json")).expect("removed");
    fs::hard_link(home.path("y.json"), home.path("x.json")).expect("a hard link");
    assert!(home.error().contains("hard links"));

    let absolute = outside.path().canonicalize().expect("real").join("x.json");
    home.write("openclaw.json", &format!("{{gateway: {{$include: '{}'}}}}", absolute.display()));
    assert!(home.error().contains("is outside"));
    let mut options = home.options();
    options.process_env.insert("OPENCLAW_INCLUDE_ROOTS".into(), outside.path().display().to_string());
    assert_eq!(load(&options).expect("a named root is fine").view.gateway.port, 1);
    home.write("openclaw.json", "{gateway: {$include: '../../etc/hostname'}}");
    assert!(home.error().contains("is outside"));
}

#[test]
fn includes_that_cannot_be_followed() {
    let home = config("{a: {$include: 'a.json'}}");
    insta::assert_snapshot!(home.error(), @r"
    ~/openclaw.json:1:16 has an `$include` that cannot be followed (at `a.$include`)
    a.json: No such file or directory (os error 2)
    Correct the `$include` or remove it.
    ");
    home.write("a.json", "{b: {$include: 'a.json'}}");
    assert!(home.error().contains("a.json includes itself"));
    home.write("a.json", "{b: {$include: 'openclaw.json'}}");
    assert!(home.error().contains("openclaw.json includes itself"));
    home.write("a.json", "{\n  oops\n}");
    insta::assert_snapshot!(home.error(), @r"
    ~/a.json:3:1 is not valid JSON5 (at `oops`)
    found `}` where the `:` after the key was expected
    Correct the text at that place.
    ");
    home.write("openclaw.json", "{a: {$include: 5}}");
    assert!(home.error().contains("this is the number 5"));
    home.write("openclaw.json", "{a: {$include: 'a.json', b: 1}}");
    home.write("a.json", "[]");
    assert!(home.error().contains("only an object can be merged"));
    home.write("a.json", &format!("{{x: '{}'}}", "x".repeat(2 * 1024 * 1024)));
    assert!(home.error().contains("larger than 2097152 bytes"));
    nix::unistd::mkfifo(&home.path("f.json"), nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
    home.write("openclaw.json", "{a: {$include: 'f.json'}}");
    assert!(home.error().contains("not a regular file"));

    let chain = |length: usize| {
        let home = config("{ui: {$include: 'f1.json'}}");
        for number in 1..length {
            home.write(&format!("f{number}.json"), &format!("{{x: {{$include: 'f{}.json'}}}}", number + 1));
        }
        home.write(&format!("f{length}.json"), "{}");
        home
    };
    chain(10).load().expect("ten levels are read");
    assert!(chain(11).error().contains("more than 10 files"));
}

#[test]
fn state_root_and_config_path() {
    let env = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let home = env(&[("HOME", "/h")]);
    assert_eq!(state_root(&home, None).expect("home"), Path::new("/h/.openclaw"));
    assert_eq!(state_root(&home, Some("dev")).expect("profile"), Path::new("/h/.openclaw-dev"));
    assert!(state_root(&home, Some("../x")).is_err());
    assert_eq!(
        state_root(&env(&[("HOME", "/h"), ("OPENCLAW_STATE_DIR", "~/s")]), Some("dev")).expect("named"),
        Path::new("/h/s")
    );
    insta::assert_snapshot!(state_root(&env(&[]), None).expect_err("no home").message(), @"the state directory cannot be found");
    let mut options = LoadOptions { process_env: home, state_root: "/s".into(), ..LoadOptions::default() };
    assert_eq!(config_path(&options), Path::new("/s/openclaw.json"));
    options.process_env.insert("OPENCLAW_CONFIG_PATH".into(), "~/c.json".into());
    assert_eq!(config_path(&options), Path::new("/h/c.json"));
    options.config_path = Some("/x".into());
    assert_eq!(config_path(&options), Path::new("/x"));
}

#[test]
fn paths_are_read_and_written() {
    let value = json!({"a": {"b.c": [{"d": 1}], "e": null}, "0": "zero"});
    for (path, expected) in [
        ("a[\"b.c\"][0].d", Some(json!(1))),
        ("a['b.c'].0.d", Some(json!(1))),
        ("a.b\\.c[0]", Some(json!({"d": 1}))),
        ("0", Some(json!("zero"))),
        ("a.e", Some(json!(null))),
        ("a.x", None),
        ("a.e.f", None),
        ("", Some(value.clone())),
    ] {
        assert_eq!(get(&value, path).expect("a path"), expected.as_ref(), "{path}");
    }
    for bad in ["a..b", ".a", "a.", "a[", "a['x", "a['x'", "a[0]b"] {
        assert_eq!(get(&value, bad).expect_err(bad).kind(), ErrorKind::User);
    }
    for path in ["gateway.port", "agents.list[0].model", "models.providers[\"my.host\"].apiKey", "a[]"] {
        assert_eq!(path::render(&path::parse(path).expect("a path")), path);
    }
}

#[test]
fn secrets_are_masked_by_key_and_form() {
    let key = format!("sk-{}", "a1".repeat(12));
    let value = json!({
        "gateway": {"auth": {"token": "abc", "password": {"source": "env", "provider": "default", "id": "PW"}}, "port": 1},
        "models": {"providers": {"p": {"apiKey": "${KEY}", "headers": {"X-Team": "t", "Accept": "json"}, "models": [{"maxTokens": 5}]}}},
        "env": {"vars": {"A": "1"}, "B": "2", "shellEnv": {"enabled": true}},
        "notes": [format!("use {key}")], "pin": {"password": 1234}, "secrets": {"defaults": {"env": "v"}},
        "channels": {"telegram": {"botToken": "1:2", "accounts": {"x": {"clientSecret": ""}}}},
    });
    let hidden = redact(&value);
    insta::assert_snapshot!(hidden.to_string(), @r#"{"gateway":{"auth":{"token":"__OPENCLAW_REDACTED__","password":{"source":"env","provider":"default","id":"PW"}},"port":1},"models":{"providers":{"p":{"apiKey":"${KEY}","headers":{"X-Team":"__OPENCLAW_REDACTED__","Accept":"json"},"models":[{"maxTokens":5}]}}},"env":{"vars":{"A":"__OPENCLAW_REDACTED__"},"B":"__OPENCLAW_REDACTED__","shellEnv":{"enabled":true}},"notes":["__OPENCLAW_REDACTED__"],"pin":{"password":"__OPENCLAW_REDACTED__"},"secrets":{"defaults":{"env":"v"}},"channels":{"telegram":{"botToken":"__OPENCLAW_REDACTED__","accounts":{"x":{"clientSecret":""}}}}}"#);
    let raw = format!(
        "{{\n  // old: {key}\n  gateway: {{ auth: {{ token: 'abc' }}, port: 1 }}, // token=hunter2hunter2\n}}\n"
    );
    insta::assert_snapshot!(redact_raw(&raw), @r"
    {
      // old: [redacted]
      gateway: { auth: { token: '__OPENCLAW_REDACTED__' }, port: 1 }, // token=[redacted]
    }
    ");
    assert!(!redact_raw("{gateway: {auth: {token: \"abc\"} oops").contains("abc"));
}

#[test]
fn values_of_secret_variables_are_masked_wherever_they_stand() {
    let home = config("{ui: {a: 'x ${MY_KEY}', b: '${PLAIN}'}}");
    let mut options = home.options();
    options.process_env.extend([("MY_KEY".into(), "hunter2-hunter2".into()), ("PLAIN".into(), "open".into())]);
    let loaded = load(&options).expect("loads");
    assert_eq!(redact_resolved(&loaded)["ui"], json!({"a": SENTINEL, "b": "open"}));
}

#[test]
fn a_broken_file_can_be_inspected() {
    let home = config("{gateway: {auth: {token: 'hunter2'}, port: 'x'}}");
    let found = inspect(&home.options()).expect("readable");
    assert_eq!((found.valid, found.issues.len(), found.issues[0].path.as_str()), (false, 1, "gateway.port"));
    assert_eq!((found.issues[0].line, found.issues[0].column), (Some(1), Some(44)));
    home.write("openclaw.json", "{gateway: {auth: {token: 'hunter2'}");
    let found = inspect(&home.options()).expect("readable");
    assert_eq!((found.valid, found.source, found.raw.contains("hunter2")), (false, json!({}), false));
    home.write(
        "openclaw.json",
        "{a: {headers: {'x-team': 'hunter2', more: {deep: 'hunter2'}}, b: 'shown'}, env: {vars: {k: \"hunter2\"",
    );
    let raw = inspect(&home.options()).expect("readable").raw;
    assert_eq!((raw.contains("hunter2"), raw.contains("'shown'")), (false, true), "{raw}");
}

#[test]
fn a_file_full_of_mistakes_is_told_quickly() {
    let mut text = String::from("{ui: {");
    for number in 0..5_000 {
        text.push_str(&["k", &number.to_string(), ": '${NOPE}', "].concat());
    }
    text.push_str("}}");
    let started = std::time::Instant::now();
    let error = config(&text).load().expect_err("variables are missing");
    assert_eq!(error.data().expect("details")["issues"].as_array().map(Vec::len), Some(200));
    let keys: String = (0..5_000).map(|number| ["unknown", &number.to_string(), ": 1, "].concat()).collect();
    assert_eq!(config(&["{", &keys, "}"].concat()).load().expect("loads").warnings.len(), 200);
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn the_schema_is_built_from_the_table() {
    let schema = schema();
    assert_eq!(schema["properties"]["gateway"]["properties"]["port"]["maximum"], json!(65535));
    assert_eq!(
        schema["properties"]["agents"]["properties"]["list"]["items"]["properties"]["id"]["type"],
        json!("string")
    );
    let provider = &schema["properties"]["models"]["properties"]["providers"]["additionalProperties"];
    assert_eq!(
        provider["properties"]["models"]["items"]["properties"]["cost"]["properties"]["input"]["type"],
        json!("number")
    );
    assert_eq!(provider["properties"]["apiKey"]["x-sensitive"], json!(true));
    let hints = ui_hints();
    assert_eq!(hints["gateway.auth.token"]["sensitive"], json!(true));
    assert!(
        hints["agents.list[].id"]["help"].is_string() && hints["models.providers.*.models[].id"]["label"].is_string()
    );
    for row in table::rows() {
        assert!(row.help.ends_with('.') && !row.label.is_empty(), "{}", row.path);
    }
    no_closed_objects(&schema);
}

fn no_closed_objects(schema: &Value) {
    assert_ne!(schema.get("additionalProperties"), Some(&json!(false)));
    for child in schema.as_object().into_iter().flat_map(|object| object.values()) {
        no_closed_objects(child);
    }
}

#[test]
fn debug_output_has_no_secrets() {
    let home = config(
        "{gateway: {auth: {token: 'hunter2'}}, env: {vars: {PASSWORD: 'hunter2'}}, secrets: {providers: {p: {source: 'exec', command: '/x', env: {P: 'hunter2'}}}}}",
    );
    let loaded = home.load().expect("loads");
    assert!(!format!("{loaded:?} {:?} {:?}", loaded.view, loaded.env).contains("hunter2"));
}

/// Real files of OpenClaw 2026.1 and 2026.5: `tar xzf shared/legacy/fixtures.tar.gz -C shared/legacy-fixtures` beside the
/// repository, or any directory named in `OPENCLAW_TEST_FIXTURES`. Skipped where there is none.
#[test]
fn real_configurations_load_without_findings() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/legacy-fixtures");
    let directory = std::env::var_os("OPENCLAW_TEST_FIXTURES").map_or_else(beside, PathBuf::from);
    let mut found = Vec::new();
    for scenario in fs::read_dir(&directory).into_iter().flatten().flatten() {
        for inner in [".openclaw", ".clawdbot", "mnt/openclaw-data"] {
            found.extend(
                fs::read_dir(scenario.path().join(inner)).into_iter().flatten().flatten().map(|entry| entry.path()),
            );
        }
    }
    found.retain(|path| {
        path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.starts_with("openclaw.json") || name == "clawdbot.json"
        })
    });
    if found.is_empty() {
        use std::io::Write as _;
        writeln!(std::io::stderr(), "skipped: no fixtures in {}", directory.display()).expect("stderr takes text");
        return;
    }
    for path in found {
        let process_env =
            [("HOME", "/home/alice"), ("FAKE_LLM_KEY", "k"), ("FAKE_ANTHROPIC_KEY", "k"), ("TELEGRAM_BOT_TOKEN", "k")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options =
            LoadOptions { process_env: process_env.into(), config_path: Some(path.clone()), ..LoadOptions::default() };
        let loaded = load(&options).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Some have an agent with OpenClaw's `sandbox.mode`, which does not do here what it says there.
        let other: Vec<_> = warnings(&loaded).into_iter().filter(|line| !line.contains(".sandbox.mode: ")).collect();
        assert_eq!(other, Vec::<String>::new(), "{}", path.display());
        let has_mode = loaded.raw.contains("\"sandbox\"");
        assert_eq!(loaded.warnings.len(), usize::from(has_mode), "{}", path.display());
        assert!(!loaded.view.providers.is_empty() && loaded.view.gateway.token.is_some(), "{}", path.display());
    }
}

#[test]
fn an_unreadable_file_is_an_error_and_not_empty() {
    let home = config("{}");
    fs::set_permissions(home.path("openclaw.json"), fs::Permissions::from_mode(0o000)).expect("changed");
    if nix::unistd::geteuid().is_root() {
        // Root reads everything; the positive control is all there is to see.
        home.load().expect("loads");
    } else {
        assert!(home.error().contains("cannot be used"));
    }
}
