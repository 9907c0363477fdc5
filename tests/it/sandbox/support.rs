//! A sandbox with the real program behind it, and what it ran.

use std::path::{Path, PathBuf};
use std::time::Duration;

use openclaw::sandbox::{
    Backend, Captured, ChildEvent, CommandSpec, Exit, Guarantee, Guarantees, Limits, Sandbox, SandboxError,
    SandboxLevel, SandboxOptions, SandboxSpec, SandboxedChild, Stdin, Stream, Workspace,
};

/// The program under test.
pub(super) fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_openclaw").into()
}

pub(super) fn sandbox() -> Sandbox {
    Sandbox::new(SandboxOptions { program: Some(program()), forbidden: Vec::new() })
}

/// A policy for a writable workspace.
pub(super) fn spec(level: SandboxLevel, workspace: &Path) -> SandboxSpec {
    SandboxSpec {
        level,
        workspace: Workspace::Host { path: workspace.to_owned(), writable: true, protected: Vec::new() },
        mounts: Vec::new(),
        network: false,
        limits: Limits::default(),
        allow_missing: Guarantees::EMPTY,
        backend: None,
    }
}

/// One policy for each way in which commands are run: without confinement, by Landlock alone, in namespaces. What only control groups can bound
/// for the system's root user may be missing.
pub(super) fn policies(workspace: &Path) -> Vec<SandboxSpec> {
    let with = |level, backend| SandboxSpec {
        allow_missing: Guarantees::of(&[Guarantee::PidsLimit, Guarantee::MemLimit]),
        backend: Some(backend),
        ..spec(level, workspace)
    };
    vec![
        with(SandboxLevel::None, Backend::Plain),
        with(SandboxLevel::Relaxed, Backend::Landlock),
        with(SandboxLevel::Strict, Backend::Namespaces),
    ]
}

/// A command that ends in time, with nothing on standard input.
pub(super) fn command(argv: &[&str]) -> CommandSpec {
    CommandSpec {
        argv: argv.iter().map(Into::into).collect(),
        cwd: PathBuf::new(),
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        stdin: Stdin::Null,
        timeout: Some(Duration::from_mins(1)),
    }
}

/// A line for the shell.
pub(super) fn shell(script: &str) -> CommandSpec {
    command(&["sh", "-c", script])
}

/// How a command ended and what it wrote.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) output: Captured,
}

impl Ended {
    pub(super) fn stdout(&self) -> String {
        self.output.text_of(Stream::Stdout).text
    }

    pub(super) fn stderr(&self) -> String {
        self.output.text_of(Stream::Stderr).text
    }
}

/// Takes every event until the end.
pub(super) async fn collect(child: &mut SandboxedChild) -> Result<Ended, SandboxError> {
    let mut output = Captured::default();
    let mut exit = None;
    while let Some(event) = child.event().await {
        assert!(exit.is_none(), "{event:?} came behind the end");
        match event {
            ChildEvent::Output { stream, bytes } => output.push(stream, &bytes),
            ChildEvent::Exited(how) => exit = Some(how),
            ChildEvent::Changes(_) => panic!("nothing was projected"),
            ChildEvent::Failed(error) => return Err(error),
        }
    }
    Ok(Ended { exit: exit.expect("an end is told"), output })
}

/// Without confinement, in a directory of its own.
pub(super) async fn run_plain(command: CommandSpec) -> Result<Ended, SandboxError> {
    let workspace = tempfile::tempdir().expect("a directory");
    let mut child = sandbox().start(&spec(SandboxLevel::None, workspace.path()), command, None).await?;
    collect(&mut child).await
}

/// Whether a process is there and has not ended.
pub(super) fn runs(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !matches!(stat.rsplit_once(") ").map(|(_, rest)| &rest[..1]), Some("Z" | "X")))
}

/// How many processes have this among their arguments.
pub(super) fn processes_naming(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let names = |path: std::path::PathBuf| {
        let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    };
    entries.filter(|entry| names(entry.path())).count()
}
