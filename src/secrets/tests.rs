use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Environment, Secret, SecretInput, SecretRef, SecretResolver};
use crate::core::{ErrorKind, Result};

const HIDDEN: &str = "hunter2-hunter2";

fn env(pairs: &[(&str, &str)]) -> Environment {
    Environment { vars: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
}

fn reference(source: &str, provider: &str, id: &str) -> SecretInput {
    SecretInput::Ref(SecretRef { source: source.into(), provider: provider.into(), id: id.into() })
}

/// One test at a time writes and runs programs: a program cannot be started while a child forked for another test still
/// holds the descriptor it was written through (ETXTBSY).
static PROGRAMS: Mutex<()> = Mutex::new(());

fn programs() -> MutexGuard<'static, ()> {
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Vault(TempDir);

impl Vault {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().expect("it exists").join(name)
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
        path
    }

    fn script(&self, text: &str) -> PathBuf {
        self.file("provider.sh", &format!("#!/bin/sh\n{text}\n"), 0o700)
    }

    fn resolve(&self, provider: &Value, input: &SecretInput) -> Result<Secret> {
        let env = env(&[("HOME", "/nowhere"), ("PASSED", "p"), ("KEPT_BACK", "k")]);
        SecretResolver::new(json!({"p": provider}), env, self.path("")).resolve(input)
    }

    fn exec(&self, text: &str, options: &Value) -> Result<Secret> {
        let mut provider = json!({"source": "exec", "command": self.script(text)});
        provider.as_object_mut().expect("an object").extend(options.as_object().cloned().expect("an object"));
        self.resolve(&provider, &reference("exec", "p", "a/b"))
    }
}

/// Why it failed; the hidden text must be nowhere in the error.
fn why(result: Result<Secret>) -> String {
    let error = result.expect_err("it fails");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(!format!("{error:?} {error} {}", error.to_json()).contains(HIDDEN));
    error.reason().unwrap_or_default()
}

#[test]
fn plain_text_and_environment() {
    let providers = json!({"few": {"source": "env", "allowlist": ["B"]}, "$defaults": {"env": "few"}});
    let vars = env(&[("A", "1"), ("B", "2"), ("EMPTY", "")]);
    let plain = SecretResolver::new(Value::Null, vars.clone(), PathBuf::new());
    let text = |input: &SecretInput| plain.resolve(input).map(|secret| secret.expose().to_owned());
    assert_eq!(text(&SecretInput::Plain("text".into())).expect("plain"), "text");
    assert_eq!(text(&SecretInput::Plain("$A".into())).expect("shorthand"), "1");
    assert_eq!(text(&SecretInput::Plain("$lower".into())).expect("plain"), "$lower");
    assert_eq!(text(&reference("env", "default", "A")).expect("implicit provider"), "1");
    assert!(why(plain.resolve(&reference("env", "default", "EMPTY"))).contains("EMPTY is unset or empty"));
    assert!(why(plain.resolve(&reference("env", "default", "lower"))).contains("a variable name"));
    assert!(why(plain.resolve(&reference("env", "other", "A"))).contains("has no provider `other`"));
    assert!(why(plain.resolve(&reference("store", "default", "A"))).contains("none of env, file, exec"));

    let few = SecretResolver::new(providers, vars, PathBuf::new());
    assert_eq!(few.resolve(&reference("env", "default", "B")).expect("allowed").expose(), "2");
    assert!(why(few.resolve(&reference("env", "default", "A"))).contains("allowlist"));
    assert!(why(few.resolve(&reference("env", "fwe", "B"))).contains("did you mean `few`?"));
    assert!(why(few.resolve(&reference("file", "few", "B"))).contains("another source"));
}

#[test]
fn files_hold_one_value_or_json() {
    let vault = Vault::new();
    let single = vault.file("one", &format!("{HIDDEN}\n"), 0o600);
    let one = |id: &str| {
        vault.resolve(&json!({"source": "file", "path": single, "mode": "singleValue"}), &reference("file", "p", id))
    };
    assert_eq!(one("value").expect("read").expose(), HIDDEN);
    assert!(why(one("other")).contains("its id is `value`"));
    vault.file("all.json", &format!("{{\"a/b\": {{\"k\": \"{HIDDEN}\", \"n\": 5}}}}"), 0o600);
    let many = |id: &str| vault.resolve(&json!({"source": "file", "path": "all.json"}), &reference("file", "p", id));
    assert_eq!(many("/a~1b/k").expect("read").expose(), HIDDEN);
    assert!(why(many("/a~1b/n")).contains("no string"));
    assert!(why(many("/x")).contains("nothing at `/x`"));
    assert!(why(many("x")).contains("JSON pointers"));
    vault.file("all.json", &format!("{{\"a\": \"{HIDDEN}\" oops"), 0o600);
    assert!(why(many("/a")).contains("not valid JSON (line 1"));
}

#[test]
fn files_must_be_private_regular_and_small() {
    let vault = Vault::new();
    let open = vault.file("open", HIDDEN, 0o644);
    let read = |options: Value| {
        let mut provider = json!({"source": "file", "path": open, "mode": "singleValue"});
        provider.as_object_mut().expect("an object").extend(options.as_object().cloned().expect("an object"));
        vault.resolve(&provider, &reference("file", "p", "value"))
    };
    assert!(why(read(json!({}))).contains("mode 0644"));
    assert_eq!(read(json!({"allowInsecurePath": true})).expect("accepted").expose(), HIDDEN);
    assert!(why(read(json!({"allowInsecurePath": true, "maxBytes": 5}))).contains("larger than 5 bytes"));
    assert!(why(read(json!({"path": vault.path("none")}))).contains("No such file"));
    assert!(why(read(json!({"path": vault.path("")}))).contains("not a regular file"));
    assert!(why(read(json!({"mode": "yaml"}))).contains("wrong type"));
    nix::unistd::mkfifo(&vault.path("pipe"), nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
    assert!(why(read(json!({"path": vault.path("pipe")}))).contains("not a regular file"));
}

#[test]
fn commands_answer_the_protocol_with_a_minimal_environment() {
    let _one = programs();
    let vault = Vault::new();
    let script = format!(
        "cat > '{}'; echo \"args=$*\" >> '{0}'; /usr/bin/env >> '{0}'; echo '{{\"protocolVersion\":1,\"values\":{{\"a/b\":\"{HIDDEN}\"}}}}'",
        vault.path("seen").display()
    );
    let options = json!({"args": ["x y", "z"], "env": {"SET": "s"}, "passEnv": ["PASSED", "ABSENT"]});
    assert_eq!(vault.exec(&script, &options).expect("answered").expose(), HIDDEN);
    let seen = fs::read_to_string(vault.path("seen")).expect("written");
    assert!(seen.contains(r#"{"protocolVersion":1,"provider":"p","ids":["a/b"]}args=x y z"#), "{seen}");
    assert!(seen.contains("SET=s") && seen.contains("PASSED=p"), "{seen}");
    assert!(!seen.contains("KEPT_BACK") && !seen.contains("HOME="), "{seen}");
}

#[test]
fn answers_that_are_wrong() {
    let _one = programs();
    let vault = Vault::new();
    let plain = json!({});
    assert!(why(vault.exec(&format!("echo {HIDDEN}"), &plain)).contains("no JSON object"));
    assert_eq!(vault.exec(&format!("echo {HIDDEN}"), &json!({"jsonOnly": false})).expect("bare text").expose(), HIDDEN);
    assert!(why(vault.exec("true", &plain)).contains("answered nothing"));
    assert!(why(vault.exec(&format!("echo {HIDDEN}; exit 3"), &plain)).contains("exit code 3"));
    assert!(
        why(vault.exec(&format!("echo '{{\"values\":{{\"a/b\":\"{HIDDEN}\"}}}}'"), &plain)).contains("protocolVersion")
    );
    assert!(why(vault.exec("echo '{\"protocolVersion\":1,\"values\":{}}'", &plain)).contains("does not have this id"));
    assert!(
        why(vault.exec("echo '{\"protocolVersion\":1,\"errors\":{\"a/b\":{\"message\":\"locked\"}}}'", &plain))
            .contains("refused: locked")
    );
    assert!(why(vault.exec("echo '{\"protocolVersion\":1,\"values\":{\"a/b\":\"\"}}'", &plain)).contains("empty"));
}

#[test]
fn commands_are_bounded_in_time_and_output() {
    let _one = programs();
    let vault = Vault::new();
    let started = Instant::now();
    let pid = vault.path("pid");
    let slow = format!("echo $$ > '{}'; while :; do echo x; sleep 0.02; done", pid.display());
    assert!(why(vault.exec(&slow, &json!({"timeoutMs": 200}))).contains("longer than 200 ms"));
    assert!(
        why(vault.exec("exec sleep 30", &json!({"timeoutMs": 20000, "noOutputTimeoutMs": 100})))
            .contains("nothing for 100 ms")
    );
    assert!(why(vault.exec("exec cat /dev/zero", &json!({"maxOutputBytes": 1000}))).contains("more than 1000 bytes"));
    assert!(started.elapsed() < Duration::from_secs(10));
    let id = fs::read_to_string(pid).expect("the script wrote it");
    assert!(!Path::new("/proc").join(id.trim()).join("exe").exists(), "the command was killed");
    let helper = "echo '{\"protocolVersion\":1,\"values\":{\"a/b\":\"v\"}}'; sleep 30 & exit 0";
    assert_eq!(vault.exec(helper, &json!({"timeoutMs": 20000})).expect("a helper keeps the pipe open").expose(), "v");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn commands_must_be_trustworthy() {
    let _one = programs();
    let vault = Vault::new();
    let good = "echo '{\"protocolVersion\":1,\"values\":{\"a/b\":\"v\"}}'";
    assert!(why(vault.exec(good, &json!({"command": "sh"}))).contains("not an absolute path"));
    assert!(why(vault.exec(good, &json!({"command": vault.path("none")}))).contains("No such file"));
    assert!(why(vault.exec(good, &json!({"trustedDirs": ["/usr/bin"]}))).contains("trustedDirs"));
    vault.exec(good, &json!({"trustedDirs": [vault.path("")]})).expect("inside");
    symlink(vault.path("provider.sh"), vault.path("link.sh")).expect("a link");
    assert!(why(vault.exec(good, &json!({"command": vault.path("link.sh")}))).contains("symbolic link"));
    vault.exec(good, &json!({"command": vault.path("link.sh"), "allowSymlinkCommand": true})).expect("accepted");
    let loose = vault.file("loose.sh", &format!("#!/bin/sh\n{good}\n"), 0o722);
    assert!(why(vault.exec(good, &json!({"command": loose}))).contains("may be changed by others"));
    vault.exec(good, &json!({"command": loose, "allowInsecurePath": true})).expect("accepted");
    assert!(why(vault.exec(good, &json!({"command": vault.path("")}))).contains("not a regular file"));
    let bad_id = vault
        .resolve(&json!({"source": "exec", "command": vault.path("provider.sh")}), &reference("exec", "p", "../x;y"));
    assert!(why(bad_id).contains("the id of an exec reference"));
    let plugin = vault.resolve(&json!({"source": "exec", "pluginIntegration": {}}), &reference("exec", "p", "x"));
    assert!(why(plugin).contains("not supported"));
}

#[test]
fn answers_are_kept_in_memory_and_failures_are_not() {
    let vault = Vault::new();
    let path = vault.file("one", "first", 0o600);
    let providers = json!({"p": {"source": "file", "path": path, "mode": "singleValue"}});
    let resolver = SecretResolver::new(providers, Environment::default(), vault.path(""));
    let input = reference("file", "p", "value");
    fs::remove_file(&path).expect("removed");
    assert!(resolver.resolve(&input).is_err());
    vault.file("one", "first", 0o600);
    assert_eq!(resolver.resolve(&input).expect("read").expose(), "first");
    vault.file("one", "second", 0o600);
    assert_eq!(resolver.resolve(&input).expect("kept").expose(), "first");
}

#[test]
fn debug_output_shows_no_values() {
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        Secret::new(HIDDEN),
        SecretInput::Plain(HIDDEN.into()),
        env(&[("A", HIDDEN)]),
        SecretResolver::new(json!({"p": {"env": {"X": HIDDEN}}}), env(&[("A", HIDDEN)]), PathBuf::new()),
    );
    insta::assert_snapshot!(shown, @r#"[redacted] Plain([redacted]) {"A"} SecretResolver { .. }"#);
}

#[test]
fn inputs_have_the_form_of_the_file() {
    let parsed: BTreeMap<String, SecretInput> =
        serde_json::from_value(json!({"a": "x", "b": {"source": "env", "id": "Y"}})).expect("both forms");
    assert_eq!(parsed["a"], SecretInput::Plain("x".into()));
    assert_eq!(parsed["b"], reference("env", "default", "Y"));
}
