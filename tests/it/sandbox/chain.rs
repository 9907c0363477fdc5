//! The Linux chain: what commands see and may do, with every backend that works here. Each refusal has a control that works without the sandbox.
//!
//! The tests hold for the system's root user and for any other; the attempts themselves are in `sandbox::linux::probe`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use openclaw::sandbox::linux::probe::Inside;
use openclaw::sandbox::{
    Backend, Guarantee, Guarantees, Limits, Mount, SandboxError, SandboxLevel, SandboxReport, SandboxSpec, Workspace,
};

use super::support::{Ended, collect, command, sandbox, shell, spec};

/// What only control groups can bound for the system's root user.
fn bounds() -> Guarantees {
    Guarantees::of(&[Guarantee::PidsLimit, Guarantee::MemLimit])
}

fn strict(workspace: &Path) -> SandboxSpec {
    SandboxSpec { allow_missing: bounds(), backend: Some(Backend::Namespaces), ..spec(SandboxLevel::Strict, workspace) }
}

fn landlock(workspace: &Path) -> SandboxSpec {
    SandboxSpec { backend: Some(Backend::Landlock), ..spec(SandboxLevel::Relaxed, workspace) }
}

fn protecting(workspace: &Path, protected: &[&str]) -> SandboxSpec {
    let protected = protected.iter().map(PathBuf::from).collect();
    SandboxSpec {
        workspace: Workspace::Host { path: workspace.into(), writable: true, protected },
        ..strict(workspace)
    }
}

async fn run(policy: &SandboxSpec, script: &str) -> Ended {
    let mut child = sandbox().start(policy, shell(script), None).await.expect("it starts");
    collect(&mut child).await.expect("it ends")
}

async fn probe(policy: &SandboxSpec, program: &str) -> (SandboxReport, Inside) {
    let mut child = sandbox().start(policy, command(&[program, "__sandbox-probe"]), None).await.expect("it starts");
    let report = child.report().clone();
    let ended = collect(&mut child).await.expect("it ends");
    (report, serde_json::from_str(&ended.stdout()).expect("what it found"))
}

fn allowed(inside: &Inside) -> Vec<&str> {
    inside.attempts.iter().filter(|attempt| attempt.allowed).map(|attempt| attempt.name.as_str()).collect()
}

#[tokio::test]
async fn strict_allows_none_of_the_attempts() {
    let workspace = tempfile::tempdir().expect("a directory");
    let (report, inside) = probe(&strict(workspace.path()), "/.init").await;
    assert_eq!(allowed(&inside), Vec::<&str>::new(), "{inside:#?}");
    assert_eq!(Guarantees::ALL.without(report.granted).without(bounds()), Guarantees::EMPTY);
    let status = inside.status.expect("there is a /proc");
    assert_eq!((inside.user, status.capabilities, status.bounding), (1000, 0, 0));
    assert_eq!((status.no_new_privs, status.seccomp), (true, 2));

    let plain = spec(SandboxLevel::None, workspace.path());
    let program = super::support::program();
    let (_, outside) = probe(&plain, program.to_str().expect("a plain path")).await;
    let works = allowed(&outside);
    // The control: what any user may do without a sandbox.
    for name in
        ["list the state of services", "see a host file's attributes", "open an Internet socket", "open a Unix socket"]
    {
        assert!(works.contains(&name), "{name}: {outside:#?}");
    }
    for name in ["see other processes", "signal other processes", "mark a program set-user-ID"] {
        assert!(works.contains(&name), "{name}: {outside:#?}");
    }
}

#[tokio::test]
async fn relaxed_allows_the_network_and_nothing_else() {
    let workspace = tempfile::tempdir().expect("a directory");
    let relaxed = SandboxSpec {
        network: true,
        backend: Some(Backend::Namespaces),
        ..spec(SandboxLevel::Relaxed, workspace.path())
    };
    let (report, inside) = probe(&relaxed, "/.init").await;
    assert_eq!(allowed(&inside), ["open an Internet socket", "open an Internet port"]);
    assert!(!report.granted.contains(Guarantee::NetDenied) && report.granted.contains(Guarantee::Seccomp));
}

#[tokio::test]
async fn landlock_alone_grants_what_it_can_and_says_what_it_cannot() {
    let workspace = tempfile::tempdir().expect("a directory");
    let (report, inside) = probe(&landlock(workspace.path()), "/.init").await;
    assert_eq!(allowed(&inside), ["see a host file's attributes", "see other processes"], "{inside:#?}");
    assert!(inside.disproved().and(report.granted).is_empty(), "nothing was promised that does not hold");
    let strict = SandboxSpec { backend: Some(Backend::Landlock), ..strict(workspace.path()) };
    let canary = workspace.path().join("canary");
    match sandbox().start(&strict, shell("touch canary"), None).await {
        Err(SandboxError::Unavailable { missing, .. }) => {
            assert!(missing.contains(Guarantee::MetadataConfined), "{missing}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!canary.exists(), "the command was not started");
}

#[tokio::test]
async fn landlock_alone_runs_commands_with_input_and_a_private_place_for_files() {
    let workspace = tempfile::tempdir().expect("a directory");
    let ended =
        run(&landlock(workspace.path()), "echo x > $TMPDIR/x && cat $TMPDIR/x && echo y > file; echo $TMPDIR").await;
    let output = ended.stdout();
    let (first, private) = output.split_once('\n').expect("two lines");
    assert_eq!((first, ended.exit.code), ("x", Some(0)), "{}", ended.stderr());
    assert!(workspace.path().join("file").exists() && !Path::new(private.trim()).exists());

    let mut asked = command(&["cat"]);
    asked.stdin = openclaw::sandbox::Stdin::Pipe;
    let mut child = sandbox().start(&landlock(workspace.path()), asked, None).await.expect("it starts");
    let handle = child.handle();
    handle.write_stdin(b"through the pipe".to_vec()).await.expect("it is taken");
    handle.close_stdin().expect("it is open");
    assert_eq!(collect(&mut child).await.expect("it ends").stdout(), "through the pipe");
    let missing = sandbox().start(&landlock(workspace.path()), command(&["no-such-program"]), None).await;
    assert!(matches!(missing, Err(SandboxError::Start { not_found: true, .. })), "{missing:?}");
}

#[tokio::test]
async fn only_the_workspace_and_the_mounts_are_there() {
    let (workspace, shared, secret) =
        (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"), tempfile::tempdir().expect("three"));
    std::fs::write(secret.path().join("key"), "secret").expect("it is written");
    std::fs::write(shared.path().join("data"), "shared").expect("it is written");
    let mut policy = strict(workspace.path());
    policy.mounts = vec![Mount { path: shared.path().into(), writable: false }];
    let (shared, secret) = (shared.path().display(), secret.path().display());
    let script = format!(
        "cat {secret}/key; cat {shared}/data; echo x > {shared}/new; echo own > file; pwd; cat {shared}/../*/key"
    );
    let ended = run(&policy, &script).await;
    assert_eq!(ended.stdout(), format!("shared{}\n", workspace.path().display()), "{}", ended.stderr());
    assert_eq!(std::fs::read_to_string(workspace.path().join("file")).expect("it was written"), "own\n");
    assert_eq!(std::fs::read_to_string(format!("{secret}/key")).expect("the control"), "secret");
}

#[tokio::test]
async fn protected_paths_can_neither_be_written_nor_moved_away() {
    let workspace = tempfile::tempdir().expect("a directory");
    let git = workspace.path().join("deep/.git");
    std::fs::create_dir_all(git.join("hooks")).expect("directories");
    std::fs::write(git.join("config"), "before").expect("a file");
    let attacks = "cd deep; echo x > .git/config; echo x > .git/hooks/pre-commit; mv .git away; rm -rf .git/hooks; \
        mv .git/config .git/other; echo x > n; mv n .git/config; ln -f n .git/config; ln .git/config alias; echo x > alias; \
        cd ..; mv deep other; rmdir deep/.git/hooks; echo free > deep/.git/free; echo done";
    let policy = protecting(workspace.path(), &["deep/.git/hooks", "deep/.git/config"]);
    let ended = run(&policy, attacks).await;
    assert_eq!(ended.stdout(), "done\n");
    assert_eq!(std::fs::read_to_string(git.join("config")).expect("it is there"), "before");
    assert_eq!(std::fs::read_dir(git.join("hooks")).expect("it is there").count(), 0);
    assert!(git.join("free").exists(), "what is not protected can be written: {}", ended.stderr());

    run(&strict(workspace.path()), attacks).await;
    assert!(!git.join("config").exists() && workspace.path().join("other").exists(), "the control");
}

#[tokio::test]
async fn a_protected_path_that_became_a_link_stops_the_command() {
    let (workspace, outside) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    std::os::unix::fs::symlink(outside.path(), workspace.path().join("a")).expect("a link");
    std::fs::write(outside.path().join("b"), "x").expect("a file");
    let policy = protecting(workspace.path(), &["a/b"]);
    match sandbox().start(&policy, shell("touch canary"), None).await {
        Err(SandboxError::Setup { stage, message }) => {
            assert!(stage == "mounts" && message.contains("/a"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!workspace.path().join("canary").exists());
}

#[tokio::test]
async fn processes_and_memory_are_bounded_where_the_report_says_so() {
    let workspace = tempfile::tempdir().expect("a directory");
    let mut policy = strict(workspace.path());
    policy.limits = Limits { processes: 30, memory_bytes: 200 << 20, ..Limits::default() };
    let mut child = sandbox()
        .start(&policy, shell("i=0; while [ $i -lt 100 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null; echo all"), None)
        .await
        .expect("it starts");
    let bounded = child.report().granted.contains(Guarantee::PidsLimit);
    let ended = collect(&mut child).await.expect("it ends");
    // A shell that cannot fork any more ends with an error.
    assert_eq!(ended.stdout() != "all\n", bounded, "{ended:?}");

    let mut child = sandbox()
        .start(&policy, shell("head -c 400m /dev/zero | tail -n 1 >/dev/null && echo all"), None)
        .await
        .expect("it starts");
    let ended = collect(&mut child).await.expect("it ends");
    assert_eq!(ended.stdout(), "", "a process holds more than it may");
}

#[tokio::test]
async fn private_file_systems_and_files_have_an_end() {
    let workspace = tempfile::tempdir().expect("a directory");
    let mut policy = strict(workspace.path());
    policy.limits = Limits { tmp_bytes: 1 << 20, tmp_files: 50, file_bytes: 2 << 20, ..Limits::default() };
    let script = "head -c 3m /dev/zero > /tmp/big; stat -c %s /tmp/big; rm /tmp/big; \
        i=0; while [ $i -lt 60 ]; do true > /tmp/f$i || break; i=$((i+1)); done 2>/dev/null; [ $i -lt 60 ] && echo full; \
        trap '' XFSZ; head -c 4m /dev/zero > grown; stat -c %s grown";
    let ended = run(&policy, script).await;
    assert_eq!(ended.stdout(), format!("{}\nfull\n{}\n", 1 << 20, 2 << 20), "{}", ended.stderr());
}

#[tokio::test]
async fn a_virtual_workspace_is_private_and_empty() {
    let workspace = tempfile::tempdir().expect("a directory");
    let policy = SandboxSpec { workspace: Workspace::Virtual, ..strict(workspace.path()) };
    let ended = run(&policy, "pwd; ls -A; echo x > file && cat file; ls /tmp").await;
    assert_eq!(ended.stdout(), "/workspace\nx\nhome\n", "{}", ended.stderr());
}

#[tokio::test]
async fn files_of_the_gateway_do_not_reach_a_command() {
    let workspace = tempfile::tempdir().expect("a directory");
    let secret = tempfile::NamedTempFile::new().expect("a file");
    // Without close-on-exec, as a careless library would open it.
    let inherited = nix::unistd::dup(secret.as_file()).expect("a copy");
    let test = format!("test -e /proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&inherited));
    let control = std::process::Command::new("sh").args(["-c", &test]).status().expect("it runs");
    assert!(control.success(), "the control");
    assert_eq!(run(&strict(workspace.path()), &test).await.exit.code, Some(1));
    let (_, inside) = probe(&strict(workspace.path()), "/.init").await;
    assert!(!allowed(&inside).contains(&"use an inherited file"), "{inside:#?}");
    drop(inherited);
}

#[tokio::test]
async fn the_permissions_of_new_files_are_the_usual_ones() {
    let workspace = tempfile::tempdir().expect("a directory");
    run(&strict(workspace.path()), "touch file").await;
    let mode = std::fs::metadata(workspace.path().join("file")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

/// Skipped with a word where bubblewrap is not installed: nothing of ours depends on it.
#[tokio::test]
async fn bubblewrap_gives_the_same_view() {
    let found = match openclaw::sandbox::linux::bwrap::find() {
        Ok(found) => found,
        Err(why) => return eprintln!("not tried: {why}"),
    };
    let workspace = tempfile::tempdir().expect("a directory");
    let policy = SandboxSpec { backend: Some(Backend::Bubblewrap), ..strict(workspace.path()) };
    let (report, inside) = probe(&policy, "/.init").await;
    assert_eq!(allowed(&inside), Vec::<&str>::new(), "{inside:#?}");
    assert_eq!(Guarantees::ALL.without(report.granted).without(bounds()), Guarantees::EMPTY);
    let ended =
        run(&policy, "pwd; echo x > file; id -u; cat /proc/1/environ; ls /dev/shm; cat /etc/passwd | wc -l").await;
    assert_eq!(ended.stdout(), format!("{}\n1000\n3\n", workspace.path().display()), "{}", ended.stderr());
    assert!(workspace.path().join("file").exists());
    if found.version < (0, 12) {
        std::fs::create_dir(workspace.path().join("kept")).expect("a directory");
        let policy = SandboxSpec { backend: Some(Backend::Bubblewrap), ..protecting(workspace.path(), &["kept"]) };
        let refused = sandbox().start(&policy, shell("true"), None).await;
        assert!(refused.is_err(), "an old bubblewrap makes no mount points below what an attacker can write");
    }
}

/// System calls by number, as a program without a C library would make them. `syscall` of Perl gives -1 and sets the error.
#[cfg(target_arch = "x86_64")]
const RAW_CALLS: [(&str, &str, i32); 14] = [
    ("ptrace", "101, 0, 0, 0, 0", 1),
    ("ptrace by its x32 number", "101 | 0x40000000, 0, 0, 0, 0", 1),
    ("unshare", "272, 0", 1),
    ("setns", "308, -1, 0", 1),
    ("kcmp", "312, $$, $$, 0, 0, 0", 1),
    ("process_vm_readv", "310, $$, 0, 0, 0, 0, 0", 1),
    ("keyctl", "250, 0, -3, 0", 1),
    ("io_uring_setup", "425, 0, 0", 1),
    ("clone3", "435, 0, 0", 38),
    ("clone with a new user namespace", "56, 0x10000000, 0, 0, 0, 0", 1),
    ("terminal injection", "16, 0, 0x5412, 0", 1),
    ("terminal injection with a high bit set", "16, 0, 0x5412 | (1 << 32), 0", 1),
    ("an Internet socket pair", "53, 2, 1, 0, 0", 1),
    ("a kernel crypto socket", "41, 38, 5, 0", 1),
];

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn raw_system_calls_are_refused_by_their_numbers() {
    if !Path::new("/usr/bin/perl").exists() {
        return eprintln!("not tried: there is no perl to make the calls");
    }
    let workspace = tempfile::tempdir().expect("a directory");
    for policy in [strict(workspace.path()), landlock(workspace.path())] {
        for (name, arguments, error) in RAW_CALLS {
            let script = format!("$r = syscall({arguments}); print $r == -1 ? $!+0 : 0;");
            let mut child = sandbox().start(&policy, command(&["perl", "-e", &script]), None).await.expect("it starts");
            let inside = collect(&mut child).await.expect("it ends").stdout();
            assert_eq!(inside, error.to_string(), "{name} with {:?}", policy.backend);
            // A clone would make a second Perl, and what keys and rings allow depends on the machine.
            if ["clone with a new user namespace", "io_uring_setup", "keyctl"].contains(&name) {
                continue;
            }
            let mut outside = std::process::Command::new("perl");
            let outside = outside.args(["-e", &script]).stdin(std::process::Stdio::null()).output().expect("perl runs");
            assert_ne!(String::from_utf8_lossy(&outside.stdout), inside, "{name}: the control");
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn threads_start_although_clone3_is_hidden() {
    let workspace = tempfile::tempdir().expect("a directory");
    // xargs starts processes; sort starts threads when told to.
    let ended = run(
        &strict(workspace.path()),
        "seq 100000 | sort --parallel=2 -S 1M -n | tail -n 1; seq 3 | xargs -P 3 -n 1 true && echo fine",
    )
    .await;
    assert_eq!(ended.stdout(), "100000\nfine\n", "{}", ended.stderr());
}
