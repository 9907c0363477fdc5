//! The process that starts a command, watches it, and ends everything that it started.
//!
//! One thread, one loop over the control connection, a signal descriptor for ended children, and the pipe of the command's standard input:
//!
//! ```text
//! SETUP ─> restrict ─> READY ─> projection ─> start ─> STARTED ─> loop ─> EXITED ─> kill and reap everybody ─> changes ─> END
//! ```
//!
//! The end of the control connection is the death of the gateway (or of its interest): everything is killed. The supervisor ignores the
//! signals that ask a process to end, so that only it decides when a sandbox is over; what it blocks is not blocked for the command.
//!
//! | file | job |
//! |---|---|
//! | `children` | the tree below: signal, reap, end |
//! | `program` | find the program, explain why it does not start |
//! | `stdin` | the buffer before the command's standard input |
//! | `watch` | the loop |

mod children;
mod program;
mod stdin;
mod watch;

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::frames::{FrameKind, read_json, write_json};
use super::linux;
use super::linux::exec_stage::{Confined, NotStarted};
use super::linux::mounts::INIT;
use super::linux::setup::{Ready, StageFailure, StartFailed, Started, SupervisorSetup};
use super::projection::{self, Baseline};
use super::{Backend, SandboxLevel, Stdin, VIRTUAL_WORKSPACE};
use children::Children;
pub(crate) use children::process_stat;

/// How long the gateway may leave a message unread before the supervisor gives up on it.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(30);

/// Lives one command long. Descriptors 1 and 2 are the command's output; nothing else is written there.
pub(super) fn run(mut control: UnixStream) -> ExitCode {
    match supervise(&mut control) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Failed(failure)) => {
            // dropped: when the gateway is not there any more nobody is to be told
            drop(write_json(&mut control, FrameKind::Failed, &failure));
            ExitCode::FAILURE
        }
        Err(Stop::NotStarted(failure)) => {
            // dropped: as above
            drop(write_json(&mut control, FrameKind::StartFailed, &failure));
            ExitCode::FAILURE
        }
    }
}

/// Why there is nothing (more) to watch.
enum Stop {
    Failed(StageFailure),
    NotStarted(StartFailed),
}

impl From<StageFailure> for Stop {
    fn from(failure: StageFailure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StartFailed> for Stop {
    fn from(failure: StartFailed) -> Self {
        Self::NotStarted(failure)
    }
}

fn at<E: std::fmt::Display>(stage: &'static str) -> impl Fn(E) -> Stop {
    move |error| Stop::Failed(StageFailure::new(stage, error))
}

fn supervise(control: &mut UnixStream) -> Result<(), Stop> {
    let setup: SupervisorSetup = read_json(control, FrameKind::Setup).map_err(at("read the set-up"))?;
    let mut children = Children::adopt().map_err(at("become the parent of orphans"))?;
    let begun = std::time::Instant::now();
    let mut confined = confined(&setup)?;
    let ready = match &confined {
        Some(confined) => confined.ready.clone(),
        None => restrict(&setup)?,
    };
    let missing = setup.required.without(ready.granted);
    if !missing.is_empty() {
        let message = format!("{missing} cannot be guaranteed");
        return Err(StageFailure { stage: "verify".into(), message, missing }.into());
    }
    write_json(control, FrameKind::Ready, &ready).map_err(at("tell the gateway"))?;
    let projected = if setup.projection { Some(Tree::receive(control)?) } else { None };
    let signals = signals().map_err(at("watch signals"))?;
    let begun = if confined.is_some() { begun } else { std::time::Instant::now() };
    let mut child = match &mut confined {
        Some(confined) => confined.take_child().ok_or_else(|| StageFailure::new("start", "there is no command"))?,
        None => start(&setup)?,
    };
    let stdin = child.stdin.take().map(stdin::StdinPipe::new).transpose().map_err(at("standard input"))?;
    // From here on the pipes end when the command's last process ends.
    silence().map_err(at("let go of the output"))?;
    write_json(control, FrameKind::Started, &Started { pid: child.id() }).map_err(at("tell the gateway"))?;
    let mut watch = watch::Watch::new(control, &children, signals, stdin, &child, begun, setup.timeout_ms);
    let exit = watch.until_end();
    let (signals, rest) = watch.into_parts();
    let told = exit.is_some_and(|exit| tell(control, &rest, &exit).is_ok());
    if !children.end(&signals) {
        return Err(StageFailure::new("end the command", "a process of the command could not be killed").into());
    }
    if !told {
        return Err(StageFailure::new("report", "the gateway is gone").into());
    }
    if let Some(tree) = projected {
        projection::scan(tree.root.as_fd(), &tree.baseline, control).map_err(at("report the changes"))?;
    }
    Ok(())
}

/// The virtual workspace as it was brought in.
struct Tree {
    root: OwnedFd,
    baseline: Baseline,
}

impl Tree {
    fn receive(control: &mut UnixStream) -> Result<Self, Stop> {
        let failed = at::<std::io::Error>("projection");
        let root = std::fs::File::open(VIRTUAL_WORKSPACE).map_err(&failed)?.into();
        let baseline = projection::receive(control, OwnedFd::as_fd(&root)).map_err(&failed)?;
        Ok(Self { root, baseline })
    }
}

fn tell(control: &mut UnixStream, rest: &[u8], exit: &super::Exit) -> std::io::Result<()> {
    control.set_nonblocking(false)?;
    control.set_write_timeout(Some(GATEWAY_PATIENCE))?;
    control.write_all(rest)?;
    write_json(control, FrameKind::Exited, exit)
}

/// What this process takes away from itself and from all that it will start.
fn restrict(setup: &SupervisorSetup) -> Result<Ready, StageFailure> {
    if setup.backend != Backend::Plain {
        return linux::restrict::supervisor(setup);
    }
    let bounds = linux::limits::inside(&setup.limits, setup.accounted, false, linux::restrict::is_kernel_root())?;
    Ok(Ready { granted: SandboxLevel::None.required().or(bounds.granted), notes: bounds.notes })
}

/// With Landlock alone the command is started by a child that restricts itself, and this process stays out of its reach.
fn confined(setup: &SupervisorSetup) -> Result<Option<Confined>, Stop> {
    if setup.backend != Backend::Landlock {
        return Ok(None);
    }
    let (path, directory) = locate(setup)?;
    linux::exec_stage::start(setup, &path, &directory).map(Some).map_err(|failure| match failure {
        NotStarted::Failed(failure) => Stop::Failed(failure),
        NotStarted::Program(failure) => Stop::NotStarted(failure),
    })
}

/// Ended children are told through a descriptor; requests to end are not heard. Both are masks; [`unmasked`] keeps them from the command.
fn signals() -> nix::Result<SignalFd> {
    let mut blocked = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        blocked.add(signal);
    }
    blocked.thread_block()?;
    let mut watched = SigSet::empty();
    watched.add(Signal::SIGCHLD);
    SignalFd::with_flags(&watched, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// The program, and the directory that it starts in.
fn locate(setup: &SupervisorSetup) -> Result<(PathBuf, PathBuf), StartFailed> {
    let Some(name) = setup.argv.first() else {
        return Err(StartFailed { message: "the command is empty".into(), not_found: true });
    };
    let directory = program::directory(setup)?;
    let path = match setup.backend {
        // Where the host's root is in sight there is no file of this name. The stage that restricts itself knows what it stands for.
        Backend::Landlock if name == INIT => INIT.into(),
        Backend::Plain if name == INIT => "/proc/self/exe".into(),
        _ => program::find(name, &setup.env, &directory)?,
    };
    Ok((path, directory))
}

fn start(setup: &SupervisorSetup) -> Result<Child, StartFailed> {
    let (path, directory) = locate(setup)?;
    let mut command = Command::new(&path);
    if let Some((name, arguments)) = setup.argv.split_first() {
        command.arg0(name).args(arguments);
    }
    // A group of its own: scripts that end with `kill 0` mean themselves.
    command.current_dir(&directory).process_group(0).env_clear();
    command.envs(setup.env.iter().map(|(name, value)| (name, value)));
    command.stdin(match setup.stdin {
        Stdin::Null => Stdio::null(),
        Stdin::Pipe => Stdio::piped(),
    });
    unmasked(|| command.spawn()).map_err(|error| program::explain(&path, &error))
}

/// Does something with no signal blocked, because a program inherits the mask of whoever starts it: a shell that cannot hear of its children
/// waits forever, and a command that cannot be interrupted does not end in time. A child that ends meanwhile is found by the first look
/// for ended ones. In this moment a signal of the command could reach the supervisor only where nothing is promised about signals: process 1
/// of a namespace gets none, and Landlock stops them.
fn unmasked<T>(work: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    let mask = SigSet::thread_get_mask()?;
    SigSet::empty().thread_set_mask()?;
    let done = work();
    mask.thread_set_mask()?;
    done
}

/// The supervisor's own standard output and error become `/dev/null`.
fn silence() -> std::io::Result<()> {
    let null = std::fs::File::options().write(true).open("/dev/null")?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}
