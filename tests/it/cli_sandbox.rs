//! `openclaw sandbox`, `sandbox.*` and what `status` and `doctor` say of it.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::cli::Running;
use crate::support::gateway::Home;
use crate::support::until;

fn home(sandbox: Value) -> Home {
    let home = Home::new(json!({"agents": {"defaults": {"model": "offline/offline", "sandbox": sandbox}}}));
    std::fs::create_dir_all(home.workspace()).expect("a workspace");
    home
}

fn guarantee<'a>(explained: &'a Value, name: &str) -> &'a Value {
    let all = explained["guarantees"].as_array().expect("a list");
    all.iter().find(|guarantee| guarantee["name"] == name).expect("it is listed")
}

fn names(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

#[test]
fn explain_puts_together_what_decides() {
    let home = Home::new(json!({
        "agents": {
            "defaults": {"model": "offline/offline"},
            "list": [
                {"id": "main", "default": true},
                {"id": "open", "filesystemMode": "vfs-only", "sandbox": {"level": "relaxed", "mounts": [{"path": "/usr/share", "access": "ro"}]},
                 "tools": {"deny": ["write"], "ask": ["edit"]}},
            ],
        },
    }));
    std::fs::create_dir_all(home.workspace().join(".git/hooks")).expect("a repository");
    let explained = home.cli(&["sandbox", "explain", "--json"]).json();
    assert_eq!((&explained["agentId"], &explained["level"]), (&json!("main"), &json!("strict")));
    assert_eq!((&explained["works"], &explained["network"]), (&json!(true), &json!(false)), "{explained}");
    let workspace = &explained["workspace"];
    assert_eq!((&workspace["kind"], &workspace["access"]), (&json!("host"), &json!("rw")));
    assert!(names(&explained["protected"]["existing"]).contains(&".git/hooks"), "{}", explained["protected"]);
    let denied = guarantee(&explained, "net_denied");
    assert_eq!((&denied["required"], &denied["granted"]), (&json!(true), &json!(true)));
    assert!(denied["summary"].as_str().expect("a sentence").ends_with('.'));
    assert!(names(&explained["tools"]["run"]).contains(&"exec"));
    assert!(names(&explained["environment"]).contains(&"PATH"));

    let open = home.cli(&["sandbox", "explain", "--agent", "open", "--json"]).json();
    assert_eq!((&open["level"], &open["network"]), (&json!("relaxed"), &json!(true)));
    assert_eq!((&open["filesystemMode"], &open["workspace"]["kind"]), (&json!("vfs-only"), &json!("virtual")));
    assert_eq!(open["mounts"], json!([{"path": "/usr/share", "access": "ro"}]));
    assert_eq!(names(&open["tools"]["ask"]), ["edit"]);
    let never = names(&open["tools"]["never"]);
    assert!(never.contains(&"write") && never.contains(&"process"), "{never:?}");

    let text = home.cli(&["sandbox", "explain", "--session", "agent:open:main"]);
    assert_eq!(text.code, 0, "{text:?}");
    assert!(text.out.contains("relaxed by") && text.out.contains("/usr/share (ro)"), "{}", text.out);
    let unknown = home.cli(&["sandbox", "explain", "--agent", "nobody"]);
    assert!(unknown.code != 0 && unknown.err.contains("openclaw agents list"), "{unknown:?}");
}

#[test]
fn probe_shows_what_each_means_lets_through() {
    let home = home(json!({}));
    let probed = home.cli(&["sandbox", "probe", "--json"]);
    assert_eq!(probed.code, 0, "{probed:?}");
    let probed = probed.json();
    let of = |name: &str| {
        let probes = probed["probes"].as_array().expect("a list");
        probes.iter().find(|probe| probe["backend"] == name).unwrap_or_else(|| panic!("no {name}: {probed}"))
    };
    let allowed = |probe: &Value| -> usize {
        probe["attempts"].as_array().expect("a list").iter().filter(|attempt| attempt["allowed"] == true).count()
    };
    let (own, plain) = (of("namespaces"), of("plain"));
    assert_eq!(own["missing"], json!([]), "{own}");
    assert!(own["attempts"].as_array().expect("a list").len() > 10, "{own}");
    assert!(allowed(plain) > allowed(own), "without confinement more is possible: {plain}");
    let one = home.cli(&["sandbox", "probe", "--backend", "plain"]);
    assert_eq!(one.code, 1, "it does not give strict: {one:?}");
    assert!(one.out.starts_with("plain"), "{}", one.out);
    let wrong = home.cli(&["sandbox", "probe", "--level", "tight"]);
    assert!(wrong.code != 0 && wrong.err.contains("strict"), "{wrong:?}");
}

#[test]
fn run_passes_streams_and_exit_codes_through() {
    let home = home(json!({}));
    let ran =
        home.cli_with_input(&["sandbox", "run", "--", "sh", "-c", "tr a-z A-Z; echo problem >&2; exit 7"], "hello\n");
    assert_eq!((ran.code, ran.out.as_str()), (7, "HELLO\n"), "{ran:?}");
    assert_eq!(ran.err, "problem\n");
    assert_eq!(home.cli(&["sandbox", "run", "--", "true"]).code, 0);
    assert_eq!(home.cli(&["sandbox", "run", "--", "sh", "-c", "kill -9 $$"]).code, 137);
    assert_eq!(home.cli(&["sandbox", "run", "--timeout", "1", "--", "sleep", "600"]).code, 124);
    let missing = home.cli(&["sandbox", "run", "--", "no-such-program-here"]);
    assert_eq!(missing.code, 127, "{missing:?}");
}

#[test]
fn run_confines_and_says_when_it_cannot() {
    let home = home(json!({}));
    std::fs::write(home.root().join("secret.txt"), "out of reach").expect("a file");
    std::fs::create_dir(home.root().join("work")).expect("a directory");
    let secret = home.root().join("secret.txt").display().to_string();
    let read = home.cli(&["sandbox", "run", "--workspace", "work", "--", "cat", &secret]);
    assert!(read.code != 0 && !read.out.contains("out of reach"), "{read:?}");
    let control = home.cli(&["sandbox", "run", "--level", "none", "--workspace", "work", "--", "cat", &secret]);
    assert_eq!(control.out, "out of reach", "the positive control: {control:?}");
    let wrote = home.cli(&["sandbox", "run", "--workspace", "work", "--", "sh", "-c", "echo kept > made.txt; pwd"]);
    assert_eq!(wrote.code, 0, "{wrote:?}");
    assert_eq!(std::fs::read_to_string(home.root().join("work/made.txt")).expect("made"), "kept\n");

    let impossible = home.cli(&["sandbox", "run", "--backend", "seatbelt", "--", "true"]);
    assert_eq!(impossible.code, 125, "{impossible:?}");
    assert!(impossible.err.starts_with("error:"), "{}", impossible.err);
    let network = home.cli(&["sandbox", "run", "--network", "--", "true"]);
    assert_eq!(network.code, 125, "{network:?}");
    let state = home.cli(&["sandbox", "run", "--workspace", "state", "--", "true"]);
    assert_ne!(state.code, 0, "the state directory is nobody's workspace: {state:?}");
}

#[test]
fn an_interrupted_run_ends_its_command() {
    let home = home(json!({}));
    let mut command = home.command(&[
        "sandbox",
        "run",
        "--",
        "sh",
        "-c",
        "trap 'echo told; exit 3' INT; echo ready; while :; do sleep 0.05; done",
    ]);
    let mut running = Running::start(command.stdin(Stdio::null()));
    running.wait_out("ready");
    running.signal(nix::sys::signal::Signal::SIGINT);
    let ran = running.end();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.out.contains("told"), "{ran:?}");
}

#[test]
fn clients_and_status_hear_of_it() {
    let gateway = home(json!({})).start();
    let explained = gateway.call("sandbox.explain", json!({}));
    assert_eq!((&explained["level"], &explained["works"]), (&json!("strict"), &json!(true)));
    let probed = gateway.call("sandbox.probe", json!({"level": "relaxed", "backend": "namespaces"}));
    assert_eq!(probed["probes"].as_array().map(Vec::len), Some(1), "{probed}");
    let posture = until("the gateway has tried its sandbox", || {
        let status = gateway.call("status", json!({}));
        status["sandbox"].as_array().and_then(|postures| postures.first().cloned())
    });
    assert_eq!((&posture["agentId"], &posture["works"]), (&json!("main"), &json!(true)), "{posture}");
    assert_eq!(gateway.call("health", json!({}))["sandbox"][0], posture);
    let status = gateway.home.cli(&["status", "--json"]).json();
    assert_eq!(status["sandbox"][0]["level"], "strict");
}

#[test]
fn doctor_names_what_is_open() {
    let finding = |home: &Home, id: &str| -> Vec<Value> {
        let report = home.cli(&["doctor", "--only", id, "--json"]).json();
        report["findings"].as_array().expect("a list").clone()
    };
    let strict = home(json!({}));
    assert!(finding(&strict, "sandbox.available").iter().all(|found| found["severity"] == "info"));
    assert_eq!(finding(&strict, "sandbox.settings"), [] as [Value; 0]);

    let open = home(json!({"level": "none", "allowMissing": ["net_denied"]}));
    let found = finding(&open, "sandbox.settings");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|found| found["severity"] == "warning" && found["effect"] != ""));
    assert!(found[1]["evidence"].as_str().expect("text").contains("net_denied"), "{found:?}");

    let impossible = home(json!({"backend": "seatbelt"}));
    let found = finding(&impossible, "sandbox.available");
    assert_eq!((found.len(), &found[0]["severity"]), (1, &json!("warning")), "{found:?}");
}
