//! How commands are started, watched and ended, without confinement.

use std::time::{Duration, Instant};

use openclaw::sandbox::{ChildEvent, SandboxError, SandboxLevel, Stdin, Stream};

use super::support::{collect, command, policies, processes_naming, run_plain, runs, sandbox, shell, spec};
use crate::support::until;

#[tokio::test]
async fn output_and_the_exit_code_come_back() {
    let ended = run_plain(shell("printf out; printf err >&2; pwd; exit 7")).await.expect("it runs");
    assert_eq!((ended.exit.code, ended.exit.signal), (Some(7), None), "{:?}", ended.exit);
    assert!(ended.stdout().starts_with("out/") && ended.stderr() == "err", "{ended:?}");
    assert!(!ended.exit.timed_out && !ended.exit.killed && !ended.exit.success());
}

#[tokio::test]
async fn only_the_given_environment_and_three_descriptors_are_inside() {
    let mut asked = command(&["env"]);
    asked.env.push(("GIVEN".into(), "yes".into()));
    let ended = run_plain(asked).await.expect("it runs");
    assert_eq!(ended.stdout(), "GIVEN=yes\nPATH=/usr/local/bin:/usr/bin:/bin\n");
    // The shell itself opens nothing; `ls` opens the directory it lists.
    let ended = run_plain(command(&["ls", "/proc/self/fd"])).await.expect("it runs");
    assert_eq!(ended.stdout(), "0\n1\n2\n3\n");
}

#[tokio::test]
async fn a_signal_is_told_from_a_code() {
    let ended = run_plain(shell("kill -USR1 $$")).await.expect("it runs");
    assert_eq!((ended.exit.code, ended.exit.signal), (None, Some(10)));
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let failure = |result| match result {
        Err(SandboxError::Start { program, message, not_found }) => (program, message, not_found),
        other => panic!("{other:?}"),
    };
    let (program, message, not_found) = failure(run_plain(command(&["no-such-program"])).await.map(drop));
    assert!(not_found && program == "no-such-program" && message.contains("PATH"), "{message}");
    let (_, message, not_found) = failure(run_plain(command(&["./missing"])).await.map(drop));
    assert!(not_found, "{message}");
    let (_, message, not_found) = failure(run_plain(command(&["/etc/passwd"])).await.map(drop));
    assert!(!not_found && message.contains("cannot be executed"), "{message}");
    let (_, message, _) = failure(run_plain(command(&["/usr"])).await.map(drop));
    assert!(message.contains("is not a file"), "{message}");

    let workspace = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = workspace.path().join(name);
        std::fs::write(&path, text).expect("a script");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    };
    write("bare", "echo hello\n");
    write("lost", "#!/no/such/interpreter\n");
    write("good", "#!/bin/sh\necho hello\n");
    let policy = spec(SandboxLevel::None, workspace.path());
    let start = async |name: &str| sandbox().start(&policy, command(&[name]), None).await.map(drop);
    assert!(failure(start("./bare").await).1.contains("`#!` line"));
    assert!(failure(start("./lost").await).1.contains("interpreter"));
    let mut asked = command(&["true"]);
    asked.cwd = "missing".into();
    assert!(failure(sandbox().start(&policy, asked, None).await.map(drop)).1.contains("working directory"));
    let mut child = sandbox().start(&policy, command(&["./good"]), None).await.expect("it runs");
    assert_eq!(collect(&mut child).await.expect("it ends").stdout(), "hello\n");
}

#[tokio::test]
async fn the_result_comes_when_the_leader_ends_and_nobody_survives_it() {
    let workspace = tempfile::tempdir().expect("a directory");
    for policy in policies(workspace.path()) {
        let begun = Instant::now();
        let script = "sleep 1000.5 & (setsid sh -c 'echo late; exec sleep 1000.5' &); sleep 0.3; echo over";
        let mut child = sandbox().start(&policy, shell(script), None).await.expect("it starts");
        let ended = collect(&mut child).await.expect("it ends");
        assert!(begun.elapsed() < Duration::from_secs(20), "it waited for a background process");
        assert_eq!((ended.stdout().as_str(), ended.exit.code), ("late\nover\n", Some(0)));
        assert_eq!(processes_naming("1000.5"), 0, "a process survived");
    }
}

#[tokio::test]
async fn time_is_bounded_politely_and_then_not() {
    let workspace = tempfile::tempdir().expect("a directory");
    for policy in policies(workspace.path()) {
        let mut polite = shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
        polite.timeout = Some(Duration::from_millis(400));
        let mut child = sandbox().start(&policy, polite, None).await.expect("it starts");
        let ended = collect(&mut child).await.expect("it ends");
        assert!(ended.exit.timed_out && ended.exit.code == Some(3), "{:?}", ended.exit);
        assert!(ended.stdout().contains("bye"));
        let mut stubborn = shell("trap '' TERM; while :; do sleep 0.05; done");
        stubborn.timeout = Some(Duration::from_millis(300));
        let mut child = sandbox().start(&policy, stubborn, None).await.expect("it starts");
        let ended = collect(&mut child).await.expect("it ends");
        assert!(ended.exit.timed_out && ended.exit.signal == Some(9), "{:?}", ended.exit);
        assert!((2000..5000).contains(&ended.exit.duration_ms), "{:?}", ended.exit);
    }
}

#[tokio::test]
async fn standard_input_flows_and_waits_for_its_reader() {
    let workspace = tempfile::tempdir().expect("a directory");
    for policy in policies(workspace.path()) {
        let mut asked = shell("read line; echo got $line; cat | wc -c");
        asked.stdin = Stdin::Pipe;
        let mut child = sandbox().start(&policy, asked, None).await.expect("it starts");
        let handle = child.handle();
        let writer = tokio::spawn(async move {
            handle.write_stdin("hello\n").await?;
            handle.write_stdin(vec![7; 5_000_000]).await?;
            handle.close_stdin()
        });
        let ended = collect(&mut child).await.expect("it ends");
        writer.await.expect("no panic").expect("everything was taken");
        assert_eq!(ended.stdout().split_whitespace().collect::<Vec<_>>(), ["got", "hello", "5000000"]);
    }
}

#[tokio::test]
async fn input_that_nobody_reads_stops_the_writer_and_not_the_rest() {
    let workspace = tempfile::tempdir().expect("a directory");
    let mut asked = shell("echo ready; exec sleep 1000");
    asked.stdin = Stdin::Pipe;
    let mut child = sandbox().start(&spec(SandboxLevel::None, workspace.path()), asked, None).await.expect("it starts");
    let handle = child.handle();
    let writing = handle.write_stdin(vec![1; 8_000_000]);
    assert!(tokio::time::timeout(Duration::from_millis(300), writing).await.is_err(), "eight megabytes went nowhere");
    handle.kill();
    let ended = collect(&mut child).await.expect("it ends");
    assert!(ended.exit.killed && ended.exit.signal == Some(9), "{:?}", ended.exit);
    assert!(handle.write_stdin("more").await.is_err());
    assert!(handle.signal(0).is_err());
}

#[tokio::test]
async fn a_reader_that_leaves_is_told_to_the_writer() {
    let workspace = tempfile::tempdir().expect("a directory");
    let mut asked = shell("exec 0<&-; echo closed; exec sleep 1000");
    asked.stdin = Stdin::Pipe;
    let mut child = sandbox().start(&spec(SandboxLevel::None, workspace.path()), asked, None).await.expect("it starts");
    let Some(ChildEvent::Output { bytes, .. }) = child.event().await else { panic!("it says that it closed") };
    assert_eq!(&bytes[..], b"closed\n");
    let handle = child.handle();
    let failed = tokio::time::timeout(Duration::from_secs(20), handle.write_stdin(vec![1; 8_000_000])).await;
    assert_eq!(failed.expect("no waiting for ever").expect_err("nobody reads").kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn signals_reach_everybody() {
    let workspace = tempfile::tempdir().expect("a directory");
    let asked = shell("trap 'echo usr1' USR1; echo ready; while :; do sleep 0.02; done");
    let mut child = sandbox().start(&spec(SandboxLevel::None, workspace.path()), asked, None).await.expect("it starts");
    let handle = child.handle();
    let mut text = String::new();
    let mut sent = 0;
    while let Some(event) = child.event().await {
        match event {
            ChildEvent::Output { stream: Stream::Stdout, bytes } => text.push_str(&String::from_utf8_lossy(&bytes)),
            ChildEvent::Exited(exit) => {
                assert_eq!(exit.signal, Some(15));
                assert!(!exit.killed && !exit.timed_out, "it was a signal like any other");
            }
            // The shell tells of the `sleep` that the signal ended.
            ChildEvent::Output { .. } => {}
            other => panic!("{other:?}"),
        }
        let wanted = [("ready\n", 10), ("ready\nusr1\n", 15)];
        if let Some((_, signal)) = wanted.get(sent).filter(|(shown, _)| text == *shown) {
            handle.signal(*signal).expect("it runs");
            sent += 1;
        }
    }
    assert!(text.contains("usr1"), "{text}");
}

#[tokio::test]
async fn bytes_come_back_as_they_were() {
    let ended = run_plain(shell(r"printf 'a\377\000b\303'")).await.expect("it runs");
    assert_eq!(ended.output.bytes(Stream::Stdout).0, b"a\xff\0b\xc3");
    assert!(ended.output.text().lossy);
}

#[tokio::test]
async fn a_dropped_child_is_dead() {
    let workspace = tempfile::tempdir().expect("a directory");
    let asked = shell("(setsid sleep 1000 & echo $!); echo $$; exec sleep 1000");
    let mut child = sandbox().start(&spec(SandboxLevel::None, workspace.path()), asked, None).await.expect("it starts");
    let mut text = String::new();
    while text.lines().count() < 2 {
        let Some(ChildEvent::Output { bytes, .. }) = child.event().await else { panic!("it runs") };
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    let pids: Vec<i32> = text.lines().map(|line| line.parse().expect("a process id")).collect();
    assert!(pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    drop(child);
    tokio::task::spawn_blocking(move || until("they are dead", || pids.iter().all(|pid| !runs(*pid)).then_some(())))
        .await
        .expect("no panic");
}

#[tokio::test]
async fn requests_to_end_do_not_reach_the_supervisor() {
    let workspace = tempfile::tempdir().expect("a directory");
    for policy in policies(workspace.path()) {
        // The line comes when the supervisor watches.
        let script = "read line; for name in TERM INT HUP QUIT; do kill -$name $PPID; done; \
                      (trap '' TERM; kill 0); read line; echo over";
        let mut asked = shell(&format!("trap '' TERM; {script}"));
        asked.stdin = Stdin::Pipe;
        let mut child = sandbox().start(&policy, asked, None).await.expect("it starts");
        child.handle().write_stdin("go\non\n").await.expect("it reads");
        let ended = collect(&mut child).await.expect("the supervisor lives");
        assert_eq!(ended.stdout(), "over\n", "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_commands_at_once_keep_their_output_apart() {
    let workspace = tempfile::tempdir().expect("a directory");
    let policy = spec(SandboxLevel::None, workspace.path());
    let sandbox = sandbox();
    let mut running = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (sandbox, policy) = (sandbox.clone(), policy.clone());
        running.spawn(async move {
            let mut child = sandbox.start(&policy, shell(&format!("echo {number}; exit {number}")), None).await?;
            collect(&mut child).await.map(|ended| (number, ended))
        });
    }
    while let Some(ended) = running.join_next().await {
        let (number, ended) = ended.expect("no panic").expect("it runs");
        assert_eq!((ended.stdout(), ended.exit.code), (format!("{number}\n"), Some(number)));
    }
}
