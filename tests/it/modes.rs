//! Where a run's files are, by its mode: real gateway, real sandbox, scripted model.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Home};
use crate::support::provider::{FakeProvider, completions};
use crate::support::until;

const VARIABLE: &str = "OPENCLAW_AGENT_WORKER_FILESYSTEM_MODE";

fn home(provider: &FakeProvider, mode: Option<&str>) -> Home {
    let mut config = provider.config("openai-completions");
    if let Some(mode) = mode {
        config["agents"]["defaults"]["filesystemMode"] = json!(mode);
    }
    let home = Home::new(config);
    std::fs::create_dir_all(home.workspace()).expect("a workspace");
    std::fs::write(home.workspace().join("AGENTS.md"), "host instructions").expect("a file");
    std::fs::write(home.workspace().join("note.txt"), "on the host\n").expect("a file");
    home
}

/// Lets the model make these calls, one a step, and gives their results.
fn calls(gateway: &Gateway, provider: &FakeProvider, run: &str, params: Value, calls: &[(&str, Value)]) -> Vec<String> {
    let before = provider.seen().len();
    for (number, (name, arguments)) in calls.iter().enumerate() {
        provider.push(completions::tools(&[(&format!("{run}-{number}"), name, arguments.clone())]));
    }
    provider.push(completions::text(&["done"]));
    let mut request = json!({"message": "go", "idempotencyKey": run});
    request.as_object_mut().expect("an object").extend(params.as_object().expect("an object").clone());
    gateway.call("agent", request);
    let outcome = gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 60_000}));
    assert_eq!(outcome["status"], "ok", "{outcome}");
    let seen = provider.seen();
    assert_eq!(seen.len(), before + calls.len() + 1);
    let messages = seen.last().expect("a request").body["messages"].as_array().expect("messages").clone();
    let of_run =
        |message: &&Value| message["tool_call_id"].as_str().is_some_and(|id| id.starts_with(&format!("{run}-")));
    let results = messages.iter().filter(of_run);
    results
        .map(|message| message["content"].as_str().map_or_else(|| message["content"].to_string(), str::to_owned))
        .collect()
}

fn system_prompt(provider: &FakeProvider) -> String {
    provider.seen().last().expect("a request").body["messages"][0]["content"].to_string()
}

/// Every file below with its content.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("readable") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").display().to_string();
            if path.is_dir() {
                found.insert(format!("{name}/"), Vec::new());
                open.push(path);
            } else {
                found.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

fn write(path: &str, content: &str) -> (&'static str, Value) {
    ("write", json!({"path": path, "content": content}))
}

fn read(path: &str) -> (&'static str, Value) {
    ("read", json!({"path": path}))
}

fn ls(path: &str) -> (&'static str, Value) {
    ("ls", json!({"path": path}))
}

#[test]
fn virtual_files_work_and_the_host_workspace_is_untouched() {
    let provider = FakeProvider::start();
    let gateway = home(&provider, Some("vfs-only")).start();
    let before = tree(&gateway.home.workspace());
    let steps = [
        read("note.txt"),
        write("src/main.txt", "hello virtual"),
        read("src/main.txt"),
        ls("."),
        read(&gateway.home.workspace().join("note.txt").display().to_string()),
    ];
    let results = calls(&gateway, &provider, "one", json!({}), &steps);
    assert!(results[0].contains("does not exist"), "{results:?}");
    assert!(results[2].contains("hello virtual"), "{results:?}");
    assert!(results[3].contains("src/") && !results[3].contains("note.txt"), "{results:?}");
    assert!(!results[4].contains("on the host"), "{results:?}");
    assert_eq!(tree(&gateway.home.workspace()), before);
    let again = calls(&gateway, &provider, "two", json!({}), &[read("src/main.txt")]);
    assert!(again[0].contains("hello virtual"), "the virtual workspace outlives the run: {again:?}");
}

#[test]
fn on_the_host_the_same_calls_change_the_workspace() {
    // The positive control of the test above.
    let provider = FakeProvider::start();
    for mode in ["disk", "vfs-scratch"] {
        let gateway = home(&provider, Some(mode)).start();
        let results =
            calls(&gateway, &provider, mode, json!({}), &[read("note.txt"), write("src/main.txt", "hello host")]);
        assert!(results[0].contains("on the host"), "{results:?}");
        let written = std::fs::read_to_string(gateway.home.workspace().join("src/main.txt")).expect("written");
        assert_eq!(written, "hello host");
    }
}

#[test]
fn the_prompt_says_where_files_are_and_instructions_come_from_there() {
    let provider = FakeProvider::start();
    let gateway = home(&provider, Some("vfs-only")).start();
    calls(&gateway, &provider, "one", json!({}), &[write("AGENTS.md", "virtual instructions")]);
    let first = system_prompt(&provider);
    assert!(first.contains("virtual") && first.contains("/workspace"), "{first}");
    assert!(
        !first.contains("host instructions") && !first.contains(&gateway.home.workspace().display().to_string()),
        "{first}"
    );
    calls(&gateway, &provider, "two", json!({}), &[]);
    assert!(system_prompt(&provider).contains("virtual instructions"));

    let gateway = home(&provider, Some("disk")).start();
    calls(&gateway, &provider, "three", json!({}), &[]);
    let prompt = system_prompt(&provider);
    assert!(prompt.contains("host instructions") && !prompt.contains("scratch:/"), "{prompt}");
}

#[test]
fn scratch_files_outlive_the_run_and_files_of_the_run_do_not() {
    let provider = FakeProvider::start();
    let gateway = home(&provider, None).start();
    let before = tree(&gateway.home.workspace());
    let steps = [
        write("scratch:/plan.md", "the plan"),
        write("scratch:/run/draft.md", "a draft"),
        read("scratch:/run/draft.md"),
    ];
    let results = calls(&gateway, &provider, "one", json!({}), &steps);
    assert!(results[2].contains("a draft"), "{results:?}");
    let later = calls(
        &gateway,
        &provider,
        "two",
        json!({}),
        &[read("scratch:/plan.md"), read("scratch:/run/draft.md"), ls("scratch:/")],
    );
    assert!(later[0].contains("the plan"), "{later:?}");
    assert!(later[1].contains("does not exist"), "{later:?}");
    assert!(later[2].contains("plan.md"), "{later:?}");
    assert_eq!(tree(&gateway.home.workspace()), before, "nothing of it is in the workspace");
}

#[test]
fn files_of_a_run_go_with_it_also_after_a_crash() {
    let provider = FakeProvider::start();
    let mut gateway = home(&provider, None).start();
    provider.push(completions::tools(&[(
        "c",
        "write",
        json!({"path": "scratch:/run/left.txt", "content": "left behind"}),
    )]));
    provider.push(completions::gated(&["and then"], &["never"]));
    gateway.call("agent", json!({"message": "go", "idempotencyKey": "dies"}));
    provider.wait_seen(2);
    let left = |gateway: &Gateway| -> i64 {
        let (_copy, path) = gateway.home.copy_of_database();
        let database = rusqlite::Connection::open(path).expect("a database");
        let sql = "SELECT count(*) FROM vfs_entries WHERE namespace = 'run/dies'";
        database.query_row(sql, [], |row| row.get(0)).expect("a count")
    };
    gateway.kill();
    assert_eq!(left(&gateway), 1, "the crash left it behind");
    gateway.restart();
    // In the background, soon after the start; only a stopped gateway's database can be looked at.
    until("the file is gone", || {
        gateway.stop();
        let gone = left(&gateway) == 0;
        gateway.restart();
        gone.then_some(())
    });
}

#[test]
fn a_message_narrows_and_never_widens() {
    let provider = FakeProvider::start();
    let gateway = home(&provider, Some("disk")).start();
    let narrowed = calls(
        &gateway,
        &provider,
        "narrow",
        json!({"filesystemMode": "vfs-only"}),
        &[read("note.txt"), write("x", "y")],
    );
    assert!(narrowed[0].contains("does not exist"), "{narrowed:?}");
    assert!(!gateway.home.workspace().join("x").exists());
    let usual = calls(&gateway, &provider, "usual", json!({}), &[read("note.txt")]);
    assert!(usual[0].contains("on the host"), "{usual:?}");

    let gateway = home(&provider, Some("vfs-only")).start();
    for (mode, key) in [("disk", "w1"), ("vfs-scratch", "w2")] {
        let params = json!({"message": "go", "idempotencyKey": key, "filesystemMode": mode});
        let refused = gateway.request("agent", &params);
        let error = refused["error"].to_string();
        assert!(error.contains("virtual files only") && error.contains(VARIABLE), "{refused}");
    }
    let unknown = gateway.request("agent", &json!({"message": "go", "idempotencyKey": "u", "filesystemMode": "vfs"}));
    assert!(unknown["error"].to_string().contains("vfs-only"), "{unknown}");
}

#[test]
fn the_environment_comes_before_the_configuration_and_is_checked() {
    let provider = FakeProvider::start();
    let home = home(&provider, Some("disk"));
    for (name, args) in [("gateway", &["gateway", "run"][..]), ("agent", &["agent", "-m", "hi", "--local"])] {
        let ran = home.cli_with_env(args, VARIABLE, "vfs");
        assert_ne!(ran.code, 0, "{name}");
        assert!(ran.err.contains(VARIABLE) && ran.err.contains("vfs-only"), "{name}: {}", ran.err);
    }
    assert_eq!(provider.seen().len(), 0);
    provider.push(completions::tools(&[("c", "write", json!({"path": "made.txt", "content": "virtual"}))]));
    provider.push(completions::text(&["done"]));
    let ran = home.cli_with_env(&["agent", "-m", "hi", "--local"], VARIABLE, "vfs-only");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!home.workspace().join("made.txt").exists());
    // The flag narrows what the environment gives, and cannot widen it.
    let refused = home.cli_with_env(&["agent", "-m", "hi", "--local", "--fs-mode", "disk"], VARIABLE, "vfs-only");
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("virtual files only"), "{}", refused.err);
    provider.push(completions::tools(&[("d", "write", json!({"path": "made.txt", "content": "virtual"}))]));
    provider.push(completions::text(&["done"]));
    let ran = home.cli_with_env(&["agent", "-m", "hi", "--local", "--fs-mode", "vfs-only"], VARIABLE, "disk");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!home.workspace().join("made.txt").exists());
    provider.push(completions::tools(&[("e", "write", json!({"path": "made.txt", "content": "on the host"}))]));
    provider.push(completions::text(&["done"]));
    assert_eq!(home.cli(&["agent", "-m", "hi", "--local"]).code, 0);
    assert!(home.workspace().join("made.txt").exists(), "the positive control");
}

#[test]
fn a_command_sees_a_copy_of_virtual_files_and_leaves_its_changes() {
    let provider = FakeProvider::start();
    let gateway = home(&provider, Some("vfs-only")).start();
    let before = tree(&gateway.home.workspace());
    let script = "cat in.txt; mkdir -p out; tr a-z A-Z < in.txt > out/up.txt";
    let steps = [
        write("in.txt", "shout\n"),
        ("exec", json!({"command": script})),
        read("out/up.txt"),
        ("process", json!({"action": "list"})),
    ];
    let results = calls(&gateway, &provider, "one", json!({}), &steps);
    assert!(results[1].contains("shout"), "{results:?}");
    assert!(results[2].contains("SHOUT"), "{results:?}");
    assert!(results[3].contains("vfs-only") || results[3].contains("virtual"), "{results:?}");
    assert_eq!(tree(&gateway.home.workspace()), before);
}

#[test]
fn a_running_command_says_what_it_does() {
    let provider = FakeProvider::start();
    let gateway = home(&provider, Some("vfs-only")).start();
    let mut ws = gateway.ws();
    provider.push(completions::tools(&[("c", "exec", json!({"command": "echo first; echo oops >&2; echo last"}))]));
    provider.push(completions::text(&["done"]));
    ws.call("agent", json!({"message": "go", "idempotencyKey": "live"}));
    let events = ws.until("the run ends", |event| {
        event["params"]["data"]["phase"] == "end" && event["params"]["stream"] == "lifecycle"
    });
    let agent: Vec<&Value> =
        events.iter().map(|event| &event["params"]).filter(|params| params["runId"] == "live").collect();
    let place = |wanted: &dyn Fn(&Value) -> bool| agent.iter().position(|params| wanted(params)).expect("it was told");
    let begun = place(&|params| params["stream"] == "tool" && params["data"]["phase"] == "start");
    let ended = place(&|params| params["stream"] == "tool" && params["data"]["phase"] == "result");
    let mut said = BTreeMap::<String, String>::new();
    for params in &agent[begun..ended] {
        if params["stream"] == "command_output" {
            assert_eq!((&params["data"]["toolCallId"], &params["data"]["name"]), (&json!("c"), &json!("exec")));
            let source = params["data"]["source"].as_str().expect("a stream").to_owned();
            said.entry(source).or_default().push_str(params["data"]["output"].as_str().expect("text"));
        }
    }
    assert_eq!(said.get("stdout").map(String::as_str), Some("first\nlast\n"), "{agent:?}");
    assert_eq!(said.get("stderr").map(String::as_str), Some("oops\n"));
}

#[test]
fn the_terminal_shows_live_output_without_its_escape_sequences() {
    let provider = FakeProvider::start();
    let home = home(&provider, Some("vfs-only"));
    provider.push(completions::tools(&[("c", "exec", json!({"command": "printf '\\033[31mred\\033[0m\\nplain\\n'"}))]));
    provider.push(completions::text(&["the reply"]));
    let ran = home.cli(&["agent", "-m", "go", "--local"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out.trim(), "the reply");
    assert!(ran.err.contains("  red\n  plain\n") && !ran.err.contains('\u{1b}'), "{}", ran.err);
}
