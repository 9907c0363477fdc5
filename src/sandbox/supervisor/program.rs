//! Finds the program of a command inside of the sandbox, and says clearly why it cannot be started.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::sandbox::linux::setup::{StartFailed, SupervisorSetup};
use crate::sandbox::{VIRTUAL_WORKSPACE, Workspace};

/// Where programs are looked for when the environment names no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The directory that the command starts in.
pub(super) fn directory(setup: &SupervisorSetup) -> Result<PathBuf, StartFailed> {
    let workspace = match &setup.workspace {
        Workspace::Host { path, .. } => path.as_path(),
        Workspace::Virtual => Path::new(VIRTUAL_WORKSPACE),
    };
    let directory = if setup.cwd.as_os_str().is_empty() { workspace.to_owned() } else { workspace.join(&setup.cwd) };
    match std::fs::metadata(&directory) {
        Ok(metadata) if metadata.is_dir() => Ok(directory),
        Ok(_) => Err(failed(format!("the working directory {} is not a directory", directory.display()))),
        Err(error) => Err(failed(format!("the working directory {}: {error}", directory.display()))),
    }
}

/// The file to execute for `argv[0]`: itself when it names a path, else the first executable of that name in `PATH`.
pub(super) fn find(name: &OsStr, env: &[(OsString, OsString)], directory: &Path) -> Result<PathBuf, StartFailed> {
    if name.is_empty() {
        return Err(StartFailed { message: "the command has no program".into(), not_found: true });
    }
    if name.as_bytes().contains(&b'/') {
        let path = directory.join(name);
        return match executable(&path) {
            Ok(()) => Ok(path),
            Err(refused) => Err(refused.into_failure(&path)),
        };
    }
    let path = env.iter().rev().find(|(variable, _)| variable == "PATH").map(|(_, value)| value.as_os_str());
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut refused = None;
    for folder in std::env::split_paths(path) {
        // An empty entry is the working directory, as in every shell.
        let candidate = directory.join(folder).join(name);
        match executable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(Refused::Missing) => {}
            Err(other) => refused = refused.or(Some(other.into_failure(&candidate))),
        }
    }
    Err(refused.unwrap_or_else(|| StartFailed {
        message: format!("no program of this name is in the PATH {}", path.to_string_lossy()),
        not_found: true,
    }))
}

enum Refused {
    Missing,
    NotAFile,
    Denied(io::Error),
}

impl Refused {
    fn into_failure(self, path: &Path) -> StartFailed {
        let path = path.display();
        match self {
            Self::Missing => StartFailed { message: format!("there is no {path}"), not_found: true },
            Self::NotAFile => failed(format!("{path} is not a file")),
            Self::Denied(error) => failed(format!("{path} cannot be executed: {error}")),
        }
    }
}

fn executable(path: &Path) -> Result<(), Refused> {
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refused::Missing,
        _ => Refused::Denied(error),
    })?;
    if !metadata.is_file() {
        return Err(Refused::NotAFile);
    }
    access(path, AccessFlags::X_OK).map_err(|errno| Refused::Denied(errno.into()))
}

fn failed(message: String) -> StartFailed {
    StartFailed { message, not_found: false }
}

/// What the system meant when it refused to start a file that is there and may be executed.
pub(super) fn explain(program: &Path, error: &io::Error) -> StartFailed {
    use nix::errno::Errno;
    let shown = program.display();
    let why = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT) => {
            "the interpreter that it names (its `#!` line, or its dynamic loader) does not exist here"
        }
        Some(Errno::ENOEXEC) => {
            "it is neither a program for this machine nor a script with a `#!` line; run it with its interpreter, for example `sh FILE`"
        }
        Some(Errno::E2BIG) => "its arguments and environment are longer than the system allows",
        Some(Errno::EAGAIN) => "the limit of processes is reached",
        Some(Errno::ETXTBSY) => "it is open for writing",
        _ => return failed(format!("{shown}: {error}")),
    };
    failed(format!("{shown}: {why}"))
}
