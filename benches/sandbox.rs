//! What it costs to start a command in a sandbox: `cargo bench --bench sandbox`. The variants take turns, so that what else the machine does
//! hits them all; compare the ratios of one run, not times of different runs.
//!
//! `--binary PATH` names the program whose stages are run, `--rounds N` how often.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openclaw::config::{SandboxSettings, ToolSettings};
use openclaw::core::FilesystemMode;
use openclaw::fs::{AgentFiles as _, Namespace, RelPath, VfsLimits, VirtualAgentFs, WriteOptions};
use openclaw::sandbox::{
    Backend, CommandSpec, Guarantee, Guarantees, Limits, Sandbox, SandboxError, SandboxLevel, SandboxOptions,
    SandboxSpec, Stdin, Workspace,
};
use openclaw::state::{OpenOptions, StatePaths, Store};
use openclaw::tools::{AgentFilesystem, ExecContext, ExecFiles, ProcessRegistry, ToolContext, ToolSet};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Rounds, when none are asked for.
const ROUNDS: usize = 300;
/// What is started: it does nothing, so all of the time is the start, the end, and the sandbox.
const PROGRAM: &str = "/bin/true";

/// Files of 4 KiB in a virtual workspace, for whole calls of `exec` in mode `vfs-only`.
const TREES: [usize; 3] = [0, 1_000, 10_000];
/// Files that such a command writes: no more than there are.
const CHANGED: usize = 20;

struct Variant {
    name: &'static str,
    level: SandboxLevel,
    backend: Option<Backend>,
}

const VARIANTS: [Variant; 6] = [
    Variant { name: "none", level: SandboxLevel::None, backend: None },
    Variant { name: "relaxed", level: SandboxLevel::Relaxed, backend: None },
    Variant { name: "relaxed, landlock", level: SandboxLevel::Relaxed, backend: Some(Backend::Landlock) },
    Variant { name: "strict", level: SandboxLevel::Strict, backend: None },
    Variant { name: "strict, namespaces", level: SandboxLevel::Strict, backend: Some(Backend::Namespaces) },
    Variant { name: "strict, bubblewrap", level: SandboxLevel::Strict, backend: Some(Backend::Bubblewrap) },
];

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

fn main() {
    let binary = argument("--binary").map_or_else(|| env!("CARGO_BIN_EXE_openclaw").into(), PathBuf::from);
    let rounds = argument("--rounds").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        measure(binary.clone(), rounds).await;
        for files in TREES {
            round_trip(binary.clone(), files, (rounds / 10).max(3)).await;
        }
    });
}

async fn measure(binary: PathBuf, rounds: usize) {
    let workspace = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new(SandboxOptions { program: Some(binary), forbidden: Vec::new() });
    let mut variants = Vec::new();
    for variant in &VARIANTS {
        // The first run tries the backend out.
        match run(&sandbox, variant, workspace.path()).await {
            Ok(_) => variants.push((variant, Vec::with_capacity(rounds))),
            Err(error) => println!("{:20} {error}", variant.name),
        }
    }
    let mut plain = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let begun = Instant::now();
        let mut command = Command::new(PROGRAM);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).env_clear();
        assert!(tokio::task::block_in_place(|| command.status()).unwrap().success());
        plain.push(begun.elapsed());
        for (variant, times) in &mut variants {
            times.push(run(&sandbox, variant, workspace.path()).await.unwrap());
        }
    }
    let floor = percentile(&mut plain, 50);
    println!("{rounds} rounds of {PROGRAM}, in turns; milliseconds");
    println!("{:20} {:>8} {:>8} {:>8} {:>14}", "", "min", "p50", "p90", "p50 : plain");
    line("plain spawn", &mut plain, floor);
    for (variant, mut times) in variants {
        line(variant.name, &mut times, floor);
    }
}

async fn run(sandbox: &Sandbox, variant: &Variant, workspace: &Path) -> Result<Duration, SandboxError> {
    let spec = SandboxSpec {
        level: variant.level,
        workspace: Workspace::Host {
            path: workspace.to_owned(),
            writable: true,
            protected: Vec::new(),
            hidden: Vec::new(),
        },
        mounts: Vec::new(),
        network: false,
        limits: Limits::default(),
        // For root only control groups bound these, and not every machine has them.
        allow_missing: Guarantees::of(&[Guarantee::PidsLimit, Guarantee::MemLimit]),
        backend: variant.backend,
    };
    let command = CommandSpec {
        argv: vec![PROGRAM.into()],
        cwd: PathBuf::new(),
        env: Vec::new(),
        stdin: Stdin::Null,
        timeout: Some(Duration::from_mins(1)),
    };
    let begun = Instant::now();
    let finished = sandbox.run(&spec, command, None, |_, _| {}, &CancellationToken::new()).await?;
    let took = begun.elapsed();
    assert!(finished.exit.success(), "{:?} {:?}", finished.exit, finished.output.text());
    Ok(took)
}

/// `exec` as a model calls it: out of the database, into the sandbox, a command that changes some files, and back in one transaction.
async fn round_trip(binary: PathBuf, files: usize, rounds: usize) {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&StatePaths::new(root.path()), &OpenOptions::default()).unwrap();
    let tree = VirtualAgentFs::new(store.clone(), "main".into(), Namespace::Workspace, VfsLimits::default());
    for number in 0..files {
        let path = RelPath::parse(&format!("d{}/f{number}", number % 50)).unwrap();
        let content: Vec<u8> = (0..4096).map(|byte| u8::try_from((byte * 7 + number) % 251).unwrap()).collect();
        let options = WriteOptions { create_parents: true, ..WriteOptions::default() };
        tokio::task::block_in_place(|| tree.write_with(&path, &content, &options)).unwrap();
    }
    let sandbox = Sandbox::new(SandboxOptions { program: Some(binary), forbidden: Vec::new() });
    let settings = SandboxSettings {
        allow_missing: vec!["pids_limit".to_owned(), "mem_limit".to_owned()],
        ..SandboxSettings::default()
    };
    let none: BTreeMap<String, String> = BTreeMap::new();
    let commands = ExecContext::new(
        sandbox,
        ExecFiles::Virtual(Arc::new(tree.clone())),
        &settings,
        ToolSettings::default(),
        ProcessRegistry::in_memory(),
        none.iter(),
    );
    let files_of_run =
        AgentFilesystem { mode: FilesystemMode::VfsOnly, workspace: Some(Arc::new(tree)), scratch: None };
    let context = ToolContext { exec: Some(Arc::new(commands)), ..ToolContext::for_files(files_of_run) };
    let tools = ToolSet::builtin(&[], &[]);
    let mut times = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let last = CHANGED.min(files);
        let command = format!("i=0; while [ $i -lt {last} ]; do echo {round} >d$i/f$i; i=$((i+1)); done");
        let begun = Instant::now();
        let output = tools.call(&context, "exec", json!({ "command": command })).await;
        // The first call also tries the sandbox out.
        if round > 0 {
            times.push(begun.elapsed());
        }
        assert!(!output.is_error, "{output:?}");
    }
    let [min, half, most] = [0, 50, 90].map(|part| percentile(&mut times, part).as_secs_f64() * 1000.0);
    println!(
        "vfs-only, {files:6} files {min:8.1} {half:8.1} {most:8.1}   ({} changed, {rounds} calls of exec)",
        CHANGED.min(files)
    );
    store.close().await.unwrap();
}

fn percentile(times: &mut [Duration], of_hundred: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * of_hundred / 100]
}

fn line(name: &str, times: &mut [Duration], floor: Duration) {
    let [min, half, most] = [0, 50, 90].map(|part| percentile(times, part));
    let shown = [min, half, most].map(|time| time.as_secs_f64() * 1000.0);
    let ratio = half.as_secs_f64() / floor.as_secs_f64();
    println!("{name:20} {:8.2} {:8.2} {:8.2} {ratio:13.1}×", shown[0], shown[1], shown[2]);
}
