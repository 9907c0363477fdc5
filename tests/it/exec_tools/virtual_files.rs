//! Commands on virtual files: a copy goes in, what changed comes back, and the host is not touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Bench, until_gone, until_running};
use crate::support::until;

/// Every file and directory below `root` with its content, but for the database, logs and what the gateway prints.
fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let relative = path.strip_prefix(root).expect("below the root").to_owned();
            let is_state = ["state", "logs", "gateway.out"].iter().any(|name| relative.starts_with(name));
            if is_state {
                continue;
            }
            if path.is_dir() {
                found.insert(relative, Vec::new());
                left.push(path);
            } else {
                let data = std::fs::read(&path).expect("a file");
                found.insert(relative, data);
            }
        }
    }
    found
}

#[test]
fn a_c_program_is_written_compiled_and_run_and_the_host_is_not_touched() {
    let mut bench = Bench::on_virtual_files();
    std::fs::create_dir_all(bench.workspace()).expect("a workspace");
    std::fs::write(bench.workspace().join("host.txt"), "of the host").expect("a file");
    // What the gateway itself writes after its start is not of the turn.
    let settled = bench.gateway.home.root().join("openclaw.json.last-good");
    until("the gateway has noted its configuration", || settled.exists().then_some(()));
    let before = contents(bench.gateway.home.root());
    assert!(before.contains_key(Path::new("workspace/host.txt")));

    let source =
        "#include <stdio.h>\nint main(int argc, char **argv) { printf(\"hello from %s\\n\", argv[1]); return argc; }\n";
    bench.call("write", json!({"path": "src/hello.c", "content": source}));
    let compiled = bench.exec("ls; mkdir -p bin && gcc -O1 -Wall -o bin/hello src/hello.c && rm src/hello.c && pwd");
    assert!(!compiled.is_error, "{}", compiled.text);
    assert!(compiled.text.starts_with("src\n/workspace\n"), "the host's files are not there: {}", compiled.text);
    assert!(compiled.text.contains("[created bin, bin/hello]\n[deleted src/hello.c]"), "{}", compiled.text);
    assert_eq!(compiled.details["files"]["created"]["count"], 2);
    assert_eq!(compiled.details["level"], "strict");

    let ran = bench.exec("./bin/hello sandbox");
    assert_eq!(ran.text, "hello from sandbox\n[exit code 2]");
    let listed = bench.call("ls", json!({"path": "bin"}));
    assert!(listed.text.contains("hello"), "{}", listed.text);
    let after = contents(bench.gateway.home.root());
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(after == before, "a file of the host has another content");
}

#[test]
fn what_is_stopped_leaves_nothing_and_what_times_out_leaves_its_files() {
    let mut bench = Bench::on_virtual_files();
    let marker = bench.marker();
    let (mut ws, run) =
        bench.begin("exec", json!({"command": format!("echo x > stopped; sleep {marker}"), "timeout": 600}));
    until_running(&marker);
    ws.call("chat.abort", json!({"sessionKey": "main"}));
    bench.gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}));
    until_gone(&marker);
    // The command may be seen running before its start is told; either way nothing of it is stored.
    let told = bench.last().text;
    let early = told == "Cancelled before it was done.";
    assert!(early || told.contains("the virtual files are as they were"), "{told}");
    let late = bench.call("exec", json!({"command": format!("echo y > late; sleep {marker}"), "timeout": 1}));
    assert!(late.text.contains("[created late]") && late.text.contains("timed out after 1 s"), "{}", late.text);
    until_gone(&marker);
    assert_eq!(bench.exec("ls").text, "late\n[exit code 0]");
}

#[test]
fn what_cannot_be_stored_is_told() {
    let mut bench = Bench::on_virtual_files();
    let done = bench.exec(
        "ln -s /etc/passwd link; mkfifo pipe; mkdir -p .git/hooks; echo x > .git/hooks/pre-commit; echo fine > ok",
    );
    assert!(done.text.contains("[created") && done.text.contains("ok"), "{}", done.text);
    for what in ["link: a symbolic link is not kept", "pipe: a FIFO is not kept", ".git/hooks"] {
        assert!(done.text.contains(what), "{what} in {}", done.text);
    }
    let found = bench.exec("find . | sort");
    assert!(!found.text.contains("link") && !found.text.contains("pre-commit"), "{}", found.text);
}

#[test]
fn there_is_no_background_on_virtual_files() {
    let mut bench = Bench::on_virtual_files();
    for (tool, arguments) in
        [("exec", json!({"command": "touch ran", "background": true})), ("process", json!({"action": "list"}))]
    {
        let done = bench.call(tool, arguments);
        assert!(done.is_error && done.text.contains("vfs-only"), "{}", done.text);
    }
    // The same is possible with a workspace on the host.
    let mut other = Bench::new();
    assert!(!other.call("exec", json!({"command": "true", "background": true})).is_error);
}
