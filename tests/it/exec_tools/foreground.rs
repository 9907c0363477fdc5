//! Commands that the call waits for.

use serde_json::json;

use super::{Bench, processes_with, until_gone, until_running};
use crate::support::gateway::Home;
use crate::support::until;

#[test]
fn a_command_works_in_the_workspace_and_its_end_is_told() {
    let mut bench = Bench::new();
    let done = bench.exec("echo out; echo made > file.txt; pwd; exit 3");
    assert!(done.is_error, "{done:?}");
    let workspace = bench.workspace().canonicalize().expect("a workspace");
    assert_eq!(done.text, format!("out\n{}\n[exit code 3]", workspace.display()));
    assert_eq!(done.details["exitCode"], 3);
    let both = bench.exec("echo out; echo err >&2");
    // Two pipes: which comes first is not told.
    assert!(both.text.contains("out\n") && both.text.contains("err\n"), "{both:?}");
    assert_eq!((&both.details["stdoutBytes"], &both.details["stderrBytes"]), (&json!(4), &json!(4)));
    assert_eq!(done.details["level"], "strict");
    assert_eq!(done.details["cwd"], workspace.to_string_lossy().as_ref());
    assert_eq!(done.details["truncated"], false);
    assert!(done.details["durationMs"].is_u64() && done.details["maxRssBytes"].as_u64() > Some(0), "{}", done.details);
    assert_eq!(std::fs::read_to_string(workspace.join("file.txt")).expect("the file"), "made\n");
    let good = bench.call("bash", json!({"cmd": "true", "cwd": "."}));
    assert_eq!((good.text.as_str(), good.is_error), ("[exit code 0]", false));
}

#[test]
fn arguments_directory_and_environment_are_as_asked_for() {
    let mut bench = Bench::new();
    std::fs::create_dir_all(bench.workspace().join("sub dir")).expect("a directory");
    let words = bench.call("exec", json!({"argv": ["printf", "<%s>", "a b", "$HOME"], "workdir": "sub dir"}));
    assert_eq!(words.text, "<a b><$HOME>\n[exit code 0]");
    let set =
        bench.call("exec", json!({"command": "echo $GREETING; pwd", "env": {"GREETING": "hi"}, "workdir": "sub dir"}));
    assert!(set.text.starts_with("hi\n") && set.text.contains("/sub dir\n"), "{}", set.text);
    let refused = bench.call("exec", json!({"command": "touch ran", "env": {"LD_PRELOAD": "/x.so"}}));
    assert!(refused.is_error && refused.text.contains("LD_PRELOAD may not be set"), "{}", refused.text);
    let outside = bench.call("exec", json!({"command": "touch ran", "workdir": "../.."}));
    assert!(outside.is_error && outside.text.contains("outside of the workspace"), "{}", outside.text);
    let missing = bench.call("exec", json!({"argv": ["no-such-program-here"]}));
    assert!(missing.is_error && missing.text.contains("no-such-program-here"), "{}", missing.text);
    assert!(!bench.workspace().join("ran").exists());
}

#[test]
fn a_signal_and_a_timeout_are_told() {
    let mut bench = Bench::new();
    let signal = bench.exec("kill -SEGV $$");
    assert!(signal.text.contains("[ended by signal 11 (SIGSEGV)"), "{}", signal.text);
    assert_eq!(signal.details["signal"], 11);
    let marker = bench.marker();
    let late =
        bench.call("exec", json!({"command": format!("echo begun; sleep {marker} & sleep {marker}"), "timeout": 1}));
    assert!(late.is_error && late.text.contains("begun\n[timed out after 1 s"), "{}", late.text);
    assert_eq!(late.details["timedOut"], true);
    until_gone(&marker);
}

#[test]
fn an_abort_ends_the_whole_tree() {
    let mut bench = Bench::new();
    let marker = bench.marker();
    let command = format!("(setsid sleep {marker} &) ; sleep {marker}");
    let (mut ws, run) = bench.begin("exec", json!({"command": command, "timeout": 600}));
    until("both run", || (processes_with(&marker).len() >= 2).then_some(()));
    ws.call("chat.abort", json!({"sessionKey": "main"}));
    let outcome = bench.gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}));
    assert_eq!(outcome["stopReason"], "aborted", "{outcome}");
    until_gone(&marker);
    let done = bench.last();
    assert!(done.is_error && done.text.contains("stopped; everything it had started was ended"), "{}", done.text);
}

/// ATTACKS rows 6 and 7: nothing of the gateway's environment is inside, wherever one looks.
#[test]
fn the_gateways_environment_stays_outside() {
    const CANARY: &str = "canary-4711-do-not-leak";
    let names = [
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "SSH_AUTH_SOCK",
        "DBUS_SESSION_BUS_ADDRESS",
        "BASH_ENV",
        "ENV",
        "PROMPT_COMMAND",
        "GIT_SSH_COMMAND",
        "NODE_OPTIONS",
        "PYTHONSTARTUP",
        "MY_PASSED",
    ];
    let environment: Vec<(&str, &str)> = names.iter().map(|name| (*name, CANARY)).collect();
    let settings = json!({"tools": {"exec": {"passEnv": ["MY_PASSED"]}}});
    let mut bench = Bench::with(&settings, &environment);
    // The gateway itself has them.
    let own = std::fs::read(format!("/proc/{}/environ", bench.gateway.pid())).expect("its environment");
    assert!(String::from_utf8_lossy(&own).contains(&format!("OPENAI_API_KEY={CANARY}")));
    let shown = bench.exec(
        "env; cat /proc/[0-9]*/environ /proc/self/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; true",
    );
    let leaks: Vec<&str> =
        shown.text.lines().filter(|line| line.contains(CANARY) && !line.starts_with("MY_PASSED=")).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    let passed = shown.text.lines().filter(|line| *line == format!("MY_PASSED={CANARY}")).count();
    assert!(passed >= 1, "{}", shown.text);
    for line in ["HOME=/tmp/home", "TERM=dumb", "USER=agent", "TMPDIR=/tmp"] {
        assert!(shown.text.lines().any(|found| found == line), "{line} in {}", shown.text);
    }
}

#[test]
fn a_command_starts_with_clean_signals_and_descriptors() {
    let mut bench = Bench::new();
    let done = bench
        .exec("grep -E 'SigBlk|SigIgn' /proc/self/status; ls /proc/self/fd | wc -l; kill -INT $$; echo not reached");
    assert!(done.text.contains("SigBlk:\t0000000000000000\n"), "{}", done.text);
    // 0, 1, 2 and the directory that `ls` reads.
    assert!(done.text.contains("\n4\n[ended by signal 2 (SIGINT)"), "{}", done.text);
}

#[test]
fn bytes_that_are_no_text_are_marked() {
    let mut bench = Bench::new();
    let done = bench.exec(r"printf 'a\377\000\303\244'");
    assert!(done.text.starts_with("a\u{fffd}\u{2400}\u{e4}\n[bytes that are not text"), "{}", done.text);
    assert_eq!((&done.details["lossy"], &done.details["stdoutBytes"]), (&json!(true), &json!(5)));
}

#[test]
fn output_is_told_while_the_command_runs() {
    let mut bench = Bench::new();
    std::fs::create_dir_all(bench.workspace()).expect("a workspace");
    let command = "echo first; until [ -e go ]; do sleep 0.01; done; printf '\\033[31mlast' >&2";
    let (mut ws, run) = bench.begin("exec", json!({"command": command}));
    let is_output =
        |event: &serde_json::Value| event["method"] == "agent" && event["params"]["stream"] == "command_output";
    let first = ws.event("the first line", is_output);
    assert_eq!(first["params"]["data"]["output"], "first\n", "{first}");
    assert_eq!(first["params"]["data"]["source"], "stdout");
    std::fs::write(bench.workspace().join("go"), "").expect("a file");
    let last = ws.event("the last", is_output);
    assert_eq!(
        (&last["params"]["data"]["output"], &last["params"]["data"]["source"]),
        (&json!("\u{1b}[31mlast"), &json!("stderr"))
    );
    bench.gateway.call("agent.wait", json!({"runId": run, "timeoutMs": 30_000}));
    assert_eq!(bench.last().text, "first\n\u{1b}[31mlast\n[exit code 0]");
}

/// Bytes of memory that a process has had at most.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn a_flood_costs_no_memory_and_is_kept_up_to_a_bound() {
    let mut bench = Bench::new();
    bench.exec("true");
    let before = peak(bench.gateway.pid());
    let done = bench.exec("echo start; yes 0123456789 | head -c 300000000; echo end");
    let grown = peak(bench.gateway.pid()) - before;
    assert!(grown < 64 * 1024 * 1024, "the gateway grew by {grown} bytes");
    assert_eq!(done.details["stdoutBytes"], 300_000_010);
    assert_eq!(done.details["truncated"], true);
    assert!(done.text.starts_with("start\n0123456789\n") && done.text.len() < 60_000, "{}", done.text.len());
    assert!(
        done.text.contains("end\n[the output of 286.1 MB was cut; the first 8 MB are in scratch:/exec/"),
        "{}",
        &done.text[done.text.len() - 300..]
    );
    let log = done.details["log"].as_str().expect("a log").to_owned();
    let read = bench.call("read", json!({"path": log, "limit": 2}));
    assert!(read.text.starts_with("start\n0123456789\n"), "{}", read.text);
}

#[test]
fn protected_files_of_the_workspace_stay_as_they_are() {
    let mut bench = Bench::new();
    let hooks = bench.workspace().join(".git/hooks");
    std::fs::create_dir_all(&hooks).expect("a repository");
    std::fs::write(hooks.join("pre-commit"), "#!/bin/sh\n").expect("a hook");
    let done = bench.exec(
        "echo evil >> .git/hooks/pre-commit; echo evil > .git/hooks/post-checkout; mv .git elsewhere; echo fine > ok",
    );
    assert_eq!(std::fs::read_to_string(hooks.join("pre-commit")).expect("the hook"), "#!/bin/sh\n", "{}", done.text);
    assert!(!hooks.join("post-checkout").exists(), "{}", done.text);
    assert!(bench.workspace().join("ok").exists(), "{}", done.text);
    assert!(!done.text.contains("warning: protected"), "{}", done.text);
    // What is not there cannot be made read-only; it is told.
    let created = bench.exec("mkdir -p sub/.git/hooks && echo evil > sub/.git/hooks/pre-push");
    assert!(created.text.contains("warning: protected: sub/.git/hooks"), "{}", created.text);
}

#[test]
fn a_sandbox_that_cannot_be_had_is_an_error_with_the_way_out() {
    let settings = json!({"agents": {"defaults": {"sandbox": {"backend": "seatbelt"}}}});
    let mut bench = Bench::with(&settings, &[]);
    let done = bench.exec("touch ran");
    assert!(done.is_error && done.text.starts_with("The command was not run: "), "{}", done.text);
    assert_eq!(done.details["reason"], "sandbox_unavailable", "{done:?}");
    assert!(!bench.workspace().join("ran").exists());
}

#[test]
fn the_offline_model_runs_commands() {
    let gateway = Home::new(json!({})).start();
    let outcome = gateway.turn("main", "run: echo $((6 * 7))", "offline-run");
    let text = outcome["result"]["payloads"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("42"), "{outcome}");
}

#[test]
fn what_a_command_leaves_running_is_gone_with_it() {
    let mut bench = Bench::new();
    let marker = bench.marker();
    let done = bench.exec(&format!("nohup setsid sleep {marker} >/dev/null 2>&1 & until pgrep -f {marker} >/dev/null || [ $((n++)) -gt 999 ]; do :; done; echo left"));
    assert!(done.text.starts_with("left\n"), "{}", done.text);
    until_gone(&marker);
    // The same command is seen while it runs: the search can find something.
    let (mut ws, _) = bench.begin("exec", json!({"command": format!("sleep {marker}")}));
    until_running(&marker);
    ws.call("chat.abort", json!({"sessionKey": "main"}));
    until_gone(&marker);
}
