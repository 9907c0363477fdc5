//! What a process that uses sandboxes keeps, and what it leaves behind. Each test runs its part in a process of its own, because
//! descriptors, memory and children of this one belong to other tests as well.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use openclaw::sandbox::{ChildEvent, SandboxError, SandboxSpec};
use tokio_util::sync::CancellationToken;

use super::support::{collect, command, policies, processes_naming, sandbox, shell};
use crate::support::until;

/// Names the part that a process plays.
const PART: &str = "OPENCLAW_TEST_PART";

/// Starts this test program again, to play a part.
fn part(name: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "sandbox::process::plays_a_part", "--ignored", "--nocapture"])
        .env(PART, name)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// Waits until a part was played, and it went well.
fn goes_well(name: &str) {
    let output = part(name).wait_with_output().expect("it ends");
    let shown = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && shown.contains(&format!("played {name}")), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the other tests here, which start it in a process of its own"]
async fn plays_a_part() {
    let name = std::env::var(PART).expect("the other tests start this");
    match name.as_str() {
        "descriptors" => descriptors().await,
        "memory" => memory().await,
        "cancel" => cancel().await,
        "victim" => victim().await,
        "killed stage" => killed_stage().await,
        other => panic!("there is no part {other}"),
    }
    eprintln!("played {name}");
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("a process").count()
}

/// The children of this process, also those that have ended and were not reaped.
fn children() -> String {
    let tasks = std::fs::read_dir("/proc/self/task").expect("threads");
    tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok()).collect()
}

fn until_childless() {
    until("the children are reaped", || children().trim().is_empty().then_some(()));
}

#[test]
fn two_hundred_commands_leave_no_descriptor_and_no_child() {
    goes_well("descriptors");
}

async fn descriptors() {
    let workspace = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox();
    let mut before = 0;
    for round in 0..67 {
        for policy in policies(workspace.path()) {
            let asked = if round % 10 == 9 { command(&["no-such-program"]) } else { shell("echo out; echo err >&2") };
            match sandbox.start(&policy, asked, None).await {
                Ok(mut child) => {
                    collect(&mut child).await.expect("it ends");
                }
                Err(error) => assert!(round % 10 == 9, "{error}"),
            }
        }
        if round == 0 {
            before = open_descriptors();
        }
    }
    until_childless();
    // A task that has told everything may still be dropping what it held.
    until("the descriptors are closed", || (open_descriptors() <= before).then_some(()));
}

#[test]
fn a_gigabyte_of_output_takes_no_memory() {
    goes_well("memory");
}

async fn memory() {
    const GIGABYTE: u64 = 1 << 30;
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("a process");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it has memory").to_owned();
        line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") * 1024
    };
    let workspace = tempfile::tempdir().expect("a directory");
    let policies = policies(workspace.path());
    let sandbox = sandbox();
    let run = async |policy: &SandboxSpec, script: &str| {
        let mut seen = 0;
        let mut asked = shell(script);
        asked.timeout = Some(Duration::from_mins(5));
        let cancel = CancellationToken::new();
        let count = |_, bytes: &[u8]| seen += bytes.len() as u64;
        let finished = sandbox.run(policy, asked, None, count, &cancel).await.expect("it runs");
        assert_eq!(finished.exit.code, Some(0), "{:?}", finished.exit);
        (finished, seen)
    };
    for policy in &policies {
        run(policy, "yes | head -c 10000000").await;
    }
    let before = peak();
    for policy in [&policies[0], &policies[2]] {
        let (finished, seen) = run(policy, "yes | head -c 1073741824").await;
        assert_eq!(seen, GIGABYTE);
        assert_eq!(finished.output.omitted(), GIGABYTE - 128 * 1024);
        assert!(finished.output.text().text.starts_with("y\ny\n"));
    }
    let grown = peak().saturating_sub(before);
    assert!(grown < 8 << 20, "memory grew by {grown} bytes");
}

#[test]
fn giving_up_at_any_moment_leaves_nothing_behind() {
    goes_well("cancel");
}

async fn cancel() {
    let workspace = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox();
    // The first starts open what stays open.
    for policy in policies(workspace.path()) {
        let mut child = sandbox.start(&policy, command(&["true"]), None).await.expect("it starts");
        collect(&mut child).await.expect("it ends");
    }
    let before = open_descriptors();
    let mark = mark();
    for round in 0..40_u64 {
        for policy in policies(workspace.path()) {
            let moment = Duration::from_micros(round * 500);
            let cancel = CancellationToken::new();
            let end = cancel.clone();
            let asked = shell(&format!("setsid sleep {mark} & sleep {mark}"));
            let (result, ()) = tokio::join!(sandbox.run(&policy, asked, None, |_, _| {}, &cancel), async {
                tokio::time::sleep(moment).await;
                end.cancel();
            });
            if let Ok(finished) = result {
                assert!(finished.exit.killed, "{:?}", finished.exit);
            }
        }
    }
    until_childless();
    until("nobody is left", || (processes_naming(&mark) == 0).then_some(()));
    until("the descriptors are closed", || (open_descriptors() <= before).then_some(()));
}

/// A number of seconds that no other test sleeps for.
fn mark() -> String {
    format!("1000.{}", std::process::id())
}

#[test]
fn what_a_killed_gateway_had_started_dies() {
    use std::io::{BufRead, BufReader};
    let mut gateway = part("victim");
    let mark = format!("1000.{}", gateway.id());
    let lines = BufReader::new(gateway.stdout.take().expect("a pipe")).lines();
    let runs = lines.map_while(Result::ok).filter(|line| line.starts_with("runs")).take(3).count();
    // Of each command: the shell itself, and what it put into a session of its own.
    assert!(runs == 3 && processes_naming(&mark) >= 6, "{runs}, {}", processes_naming(&mark));
    gateway.kill().expect("it runs");
    gateway.wait().expect("it ends");
    until("the commands are dead", || (processes_naming(&mark) == 0).then_some(()));
}

/// Runs commands that outlive everything, and never looks at their ends.
async fn victim() {
    let workspace = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox();
    let mark = mark();
    let mut children = Vec::new();
    for policy in policies(workspace.path()) {
        let asked = shell(&format!("setsid sleep {mark} & echo runs; exec sleep {mark}"));
        let mut child = sandbox.start(&policy, asked, None).await.expect("it starts");
        let event = child.event().await;
        assert!(matches!(&event, Some(ChildEvent::Output { bytes, .. }) if &bytes[..] == b"runs\n"), "{event:?}");
        children.push(child);
    }
    until("they sleep", || (processes_naming(&mark) >= 6).then_some(()));
    println!("runs\nruns\nruns");
    std::future::pending::<()>().await;
}

#[test]
fn a_killed_stage_is_an_error_and_its_tree_is_dead() {
    goes_well("killed stage");
}

async fn killed_stage() {
    let workspace = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox();
    let mark = mark();
    for policy in policies(workspace.path()) {
        let asked = shell(&format!("sleep {mark} & echo runs; exec sleep {mark}"));
        let mut child = sandbox.start(&policy, asked, None).await.expect("it starts");
        until("they sleep", || (processes_naming(&mark) >= 2).then_some(()));
        let stage: i32 = children().trim().parse().expect("one child");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(stage), nix::sys::signal::Signal::SIGKILL).expect("it runs");
        let error = collect(&mut child).await.expect_err("its supervisor is dead");
        assert!(matches!(error, SandboxError::Supervisor { .. }), "{error}");
        until("nobody is left", || (processes_naming(&mark) == 0).then_some(()));
        until_childless();
    }
}
