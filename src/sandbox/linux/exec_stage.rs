//! The role `__sandbox-exec`: with Landlock alone, a child of the supervisor restricts itself and becomes the command.
//!
//! The supervisor stays outside of the restriction, where the command can neither signal it nor look into it. It talks to the stage over the
//! stage's descriptor 0, which closes when the command starts; the command's own standard input is a pipe whose number is in the set-up.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{close, dup2_stdin};
use serde::{Deserialize, Serialize};

use super::mounts::INIT;
use super::private::PrivateDirectory;
use super::setup::{At, Ready, StageFailure, StartFailed, SupervisorSetup};
use super::system::SystemFacts;
use super::{hygiene, limits, restrict};
use crate::sandbox::frames::{Frame, FrameKind, read_frame, read_json, write_json};
use crate::sandbox::{Guarantee, Stdin};

/// What Landlock does not cover, and only this user may do.
const ROOT_REMARK: &str =
    "without namespaces a command of the root user can change the modes and times of all files of root";

/// What the supervisor tells the stage.
#[derive(Debug, Serialize, Deserialize)]
struct ExecSetup {
    setup: SupervisorSetup,
    program: PathBuf,
    directory: PathBuf,
    private: PathBuf,
    stdin: Option<i32>,
}

/// Why there is no command.
#[derive(Debug)]
pub enum NotStarted {
    /// The restriction failed, or does not cover what is required.
    Failed(StageFailure),
    /// The program could not be started.
    Program(StartFailed),
}

impl From<StageFailure> for NotStarted {
    fn from(failure: StageFailure) -> Self {
        Self::Failed(failure)
    }
}

/// A command that runs restricted.
#[derive(Debug)]
pub struct Confined {
    child: Option<Child>,
    /// What holds.
    pub ready: Ready,
    _private: PrivateDirectory,
}

impl Confined {
    /// The command, once. Its standard input is there when it has a pipe. Its directory for temporary files ends with this value.
    pub fn take_child(&mut self) -> Option<Child> {
        self.child.take()
    }
}

/// Starts `program`, with the arguments of `setup`, in `directory`. The command has not run before what is required holds.
pub fn start(setup: &SupervisorSetup, program: &Path, directory: &Path) -> Result<Confined, NotStarted> {
    const STAGE: &str = "start of the restricting stage";
    let private = PrivateDirectory::create().at("private directory")?;
    let (mut channel, theirs) = UnixStream::pair().at(STAGE)?;
    let (reader, writer) = match setup.stdin {
        Stdin::Null => (None, None),
        Stdin::Pipe => {
            let (reader, writer) = std::io::pipe().at(STAGE)?;
            // The stage is to have it. Nothing else is started meanwhile: this process has one thread.
            fcntl(&reader, FcntlArg::F_SETFD(FdFlag::empty())).at(STAGE)?;
            (Some(reader), Some(writer))
        }
    };
    let message = ExecSetup {
        setup: setup.clone(),
        program: program.into(),
        directory: directory.into(),
        private: private.path().into(),
        stdin: reader.as_ref().map(AsRawFd::as_raw_fd),
    };
    let mut command = Command::new("/proc/self/exe");
    command.arg("__sandbox-exec").env_clear().stdin(Stdio::from(OwnedFd::from(theirs)));
    let mut child = command.spawn().at(STAGE)?;
    // The command holds the other end of the channel, which must not look open because of a copy here.
    drop(command);
    drop(reader);
    match converse(&mut channel, &message) {
        Ok(ready) => {
            child.stdin = writer.map(|writer| ChildStdin::from(OwnedFd::from(writer)));
            Ok(Confined { child: Some(child), ready, _private: private })
        }
        Err(failure) => {
            // dropped: the stage has ended itself; what matters is its failure
            drop(child.kill());
            // dropped: as above
            drop(child.wait());
            Err(failure)
        }
    }
}

fn converse(channel: &mut UnixStream, message: &ExecSetup) -> Result<Ready, NotStarted> {
    const STAGE: &str = "talk with the restricting stage";
    write_json(channel, FrameKind::Setup, message).at(STAGE)?;
    let frame = read_frame(channel).at(STAGE)?.ok_or_else(|| StageFailure::new(STAGE, "the stage died"))?;
    let ready: Ready = expect(&frame, FrameKind::Ready)?;
    // The end of the channel is the start of the command.
    match read_frame(channel).at(STAGE)? {
        None => Ok(ready),
        Some(frame) => Err(NotStarted::Program(expect(&frame, FrameKind::StartFailed)?)),
    }
}

fn expect<T: serde::de::DeserializeOwned>(frame: &Frame, kind: FrameKind) -> Result<T, StageFailure> {
    const STAGE: &str = "talk with the restricting stage";
    if frame.kind == kind {
        return frame.json().at(STAGE);
    }
    if frame.kind == FrameKind::Failed {
        return Err(frame.json::<StageFailure>().at(STAGE)?);
    }
    Err(StageFailure::new(STAGE, format!("a frame {:?} came where {kind:?} belongs", frame.kind)))
}

/// Plays the role: `control` is descriptor 0.
pub fn run(mut control: UnixStream) -> ExitCode {
    let Err(failure) = become_command(&mut control);
    // dropped: when the supervisor is not there any more nobody is to be told
    drop(match failure {
        NotStarted::Failed(failure) => write_json(&mut control, FrameKind::Failed, &failure),
        NotStarted::Program(failure) => write_json(&mut control, FrameKind::StartFailed, &failure),
    });
    ExitCode::FAILURE
}

fn become_command(control: &mut UnixStream) -> Result<std::convert::Infallible, NotStarted> {
    prctl::set_pdeathsig(Signal::SIGKILL).at("parent death signal")?;
    let message: ExecSetup = read_json(control, FrameKind::Setup).at("read the set-up")?;
    let ExecSetup { setup, program, directory, private, stdin } = message;
    take_stdin(stdin)?;
    let own = std::env::current_exe().at("own program")?;
    let program = if program == Path::new(INIT) { own.clone() } else { program };
    let facts = SystemFacts::read();
    let rules = restrict::view(&setup).rules_on_host(&facts, &private, &own);
    let mut status = restrict::open_status()?;
    let clean = hygiene::nothing_inheritable(Path::new("/proc/self")).unwrap_or(false);
    let root = restrict::is_kernel_root();
    let mut bounds = limits::inside(&setup.limits, setup.accounted, false, root)?;
    if root {
        bounds.notes.push(ROOT_REMARK.into());
    }
    let enforced = restrict::give_up(&rules, setup.network)?;
    let mut granted = restrict::read_back(&mut status, enforced, setup.network)?.or(bounds.granted);
    drop(status);
    granted.insert(Guarantee::FsWriteConfined);
    granted.insert(Guarantee::FsReadConfined);
    // The supervisor is the parent of all orphans and ends them.
    granted.insert(Guarantee::TreeKill);
    if clean {
        granted.insert(Guarantee::EnvClean);
    }
    let missing = setup.required.without(granted);
    if !missing.is_empty() {
        let message = format!("{missing} cannot be guaranteed");
        return Err(StageFailure { stage: "verify".into(), message, missing }.into());
    }
    write_json(control, FrameKind::Ready, &Ready { granted, notes: bounds.notes }).at("tell the supervisor")?;
    let mut command = Command::new(&program);
    if let Some((name, arguments)) = setup.argv.split_first() {
        command.arg0(name).args(arguments);
    }
    command.current_dir(&directory).env_clear().envs(relocated(setup.env, &private));
    let error = command.exec();
    let not_found = error.kind() == std::io::ErrorKind::NotFound;
    Err(NotStarted::Program(StartFailed { message: format!("{}: {error}", program.display()), not_found }))
}

/// Makes the pipe with that number, or nothing, the standard input.
fn take_stdin(number: Option<i32>) -> Result<(), StageFailure> {
    const STAGE: &str = "standard input";
    let Some(number) = number else {
        return dup2_stdin(File::open("/dev/null").at(STAGE)?.as_fd()).at(STAGE);
    };
    let pipe = File::open(format!("/proc/self/fd/{number}")).at(STAGE)?;
    dup2_stdin(pipe.as_fd()).at(STAGE)?;
    close(number).at(STAGE)
}

/// The environment, with what points into the sandbox's own `/tmp` pointing into the private directory, and a place for temporary files.
fn relocated(env: Vec<(OsString, OsString)>, private: &Path) -> Vec<(OsString, OsString)> {
    const PLACES: [&str; 4] = ["HOME", "TMPDIR", "TMP", "TEMP"];
    let mut env = env;
    for (name, value) in &mut env {
        if PLACES.iter().any(|place| name == place) && Path::new(&*value).starts_with("/tmp") {
            *value = private.into();
        }
    }
    if !env.iter().any(|(name, _)| name == "TMPDIR") {
        env.push(("TMPDIR".into(), private.into()));
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_for_temporary_files_move() {
        let env = [("HOME", "/tmp/home"), ("TMP", "/tmp"), ("OTHER", "/tmp"), ("TEMP", "/srv")];
        let env = env.map(|(name, value)| (name.into(), value.into())).into();
        let moved = relocated(env, Path::new("/tmp/p"));
        let values: Vec<&str> = moved.iter().filter_map(|(_, value)| value.to_str()).collect();
        assert_eq!(values, ["/tmp/p", "/tmp/p", "/tmp", "/srv", "/tmp/p"]);
    }
}
