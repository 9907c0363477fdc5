//! Secrets from a command, for example a password manager's. The only file that starts a process for a secret.
//!
//! The command runs without a shell, in its own process group, with nothing in its environment but what the provider
//! names, and is killed with its group when it takes too long, is silent too long, or writes too much.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::provider::ExecProvider;
use super::{Environment, Secret, exec_protocol};

/// How long a command that has closed its output may take to end.
const REAP: Duration = Duration::from_secs(2);
/// How long output may arrive after the command has ended, while something keeps its pipe open.
const DRAIN: Duration = Duration::from_millis(500);
/// How long to wait for output before looking whether the command still runs.
const SLICE: Duration = Duration::from_millis(25);
/// Bytes read at a time.
const CHUNK: usize = 8192;

/// Asks the command for one secret. Errors are sentences without any of its output.
pub(super) fn ask(provider: &ExecProvider, alias: &str, id: &str, env: &Environment) -> Result<Secret, String> {
    check_id(id)?;
    let program = check_program(provider)?;
    let mut command = Command::new(&program);
    command.args(&provider.args).env_clear().current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    for name in &provider.pass_env {
        if let Some(value) = env.get(name) {
            command.env(name, value);
        }
    }
    command.envs(&provider.env);
    let child = command.spawn().map_err(|error| format!("{} could not be started: {error}", program.display()))?;
    let output = Running(child).finish(provider, exec_protocol::request(alias, id))?;
    exec_protocol::answer(&output, id, provider.json_only)
}

fn check_id(id: &str) -> Result<(), String> {
    let valid = id.len() <= 256
        && id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'/' | b'#' | b'-'))
        && !id.split('/').any(|part| matches!(part, "." | ".."));
    if valid { Ok(()) } else { Err("the id of an exec reference has letters, digits and . _ : / # - only".into()) }
}

/// The program's real path, if nobody else could have put another program there.
fn check_program(provider: &ExecProvider) -> Result<PathBuf, String> {
    let command = &provider.command;
    let shown = command.display();
    if !command.is_absolute() {
        return Err(format!("the command {shown} is not an absolute path"));
    }
    let link = command.symlink_metadata().map_err(|error| format!("{shown}: {error}"))?.is_symlink();
    if link && !provider.allow_symlink_command {
        return Err(format!("{shown} is a symbolic link (set `allowSymlinkCommand: true` to accept it)"));
    }
    let real = command.canonicalize().map_err(|error| format!("{shown}: {error}"))?;
    let trusted = |directory: &PathBuf| directory.canonicalize().is_ok_and(|directory| real.starts_with(directory));
    if !provider.trusted_dirs.is_empty() && !provider.trusted_dirs.iter().any(trusted) {
        return Err(format!("{shown} is outside the provider's `trustedDirs`"));
    }
    let metadata = real.metadata().map_err(|error| format!("{shown}: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("{shown} is not a regular file"));
    }
    if !provider.allow_insecure_path {
        for path in [real.as_path(), real.parent().unwrap_or(Path::new("/"))] {
            check_owner(path)?;
        }
    }
    Ok(real)
}

fn check_owner(path: &Path) -> Result<(), String> {
    let metadata = path.metadata().map_err(|error| format!("{}: {error}", path.display()))?;
    if metadata.uid() != nix::unistd::geteuid().as_raw() && metadata.uid() != 0 {
        return Err(format!("{} belongs to another user", path.display()));
    }
    // In a sticky directory others may add files but not replace this one.
    let sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
    if metadata.mode() & 0o022 != 0 && !sticky {
        return Err(format!("{} may be changed by others (mode {:04o})", path.display(), metadata.mode() & 0o7777));
    }
    Ok(())
}

/// A started command; dropping it kills its whole group.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.0.id()) {
            killpg(Pid::from_raw(id), Signal::SIGKILL).ok(); // dropped: the group may be gone already
        }
        drop(self.0.wait()); // dropped: the child is dead either way; this reaps it
    }
}

impl Running {
    /// Sends the request, collects the answer, waits for the end.
    fn finish(mut self, provider: &ExecProvider, request: Vec<u8>) -> Result<Vec<u8>, String> {
        let (Some(mut stdin), Some(stdout)) = (self.0.stdin.take(), self.0.stdout.take()) else {
            return Err("the command's input and output could not be connected".into());
        };
        // Threads, because a command may neither read nor write; they end when the group is killed and its pipes close.
        std::thread::spawn(move || drop(stdin.write_all(&request))); // dropped: a command may ignore its input
        let (sender, receiver) = mpsc::sync_channel(4);
        std::thread::spawn(move || pump(stdout, &sender));
        let deadline = Instant::now() + provider.timeout();
        let output = self.collect(&receiver, provider, deadline)?;
        let ended = self.wait((Instant::now() + REAP).min(deadline))?;
        if ended.success() {
            Ok(output)
        } else {
            Err(match ended.code() {
                Some(code) => format!("the command ended with exit code {code}"),
                None => "the command was ended by a signal".into(),
            })
        }
    }

    /// The output until its end, or until the command has ended and left a helper behind that keeps the pipe open.
    fn collect(
        &mut self,
        receiver: &Receiver<std::io::Result<Vec<u8>>>,
        provider: &ExecProvider,
        deadline: Instant,
    ) -> Result<Vec<u8>, String> {
        let mut output = Vec::new();
        let mut silent_since = Instant::now();
        let mut ended = None;
        loop {
            match receiver.recv_timeout(SLICE) {
                Ok(Ok(chunk)) if chunk.is_empty() => return Ok(output),
                Ok(Ok(chunk)) => output.extend(chunk),
                Ok(Err(error)) => return Err(format!("the command's output could not be read: {error}")),
                Err(RecvTimeoutError::Disconnected) => return Ok(output),
                Err(RecvTimeoutError::Timeout) => {
                    if matches!(self.0.try_wait(), Ok(Some(_))) {
                        // What it wrote last may still be on its way from the pipe.
                        if ended.get_or_insert_with(Instant::now).elapsed() >= DRAIN {
                            return Ok(output);
                        }
                        continue;
                    }
                    let limit = provider.no_output_timeout();
                    if silent_since.elapsed() >= limit && limit < provider.timeout() {
                        return Err(format!("the command wrote nothing for {} ms and was ended", limit.as_millis()));
                    }
                    Self::in_time(provider, deadline)?;
                    continue;
                }
            }
            silent_since = Instant::now();
            if output.len() > provider.max_output_bytes() {
                return Err(format!("the command wrote more than {} bytes and was ended", provider.max_output_bytes()));
            }
            Self::in_time(provider, deadline)?;
        }
    }

    fn in_time(provider: &ExecProvider, deadline: Instant) -> Result<(), String> {
        if Instant::now() < deadline {
            return Ok(());
        }
        Err(format!("the command took longer than {} ms and was ended", provider.timeout().as_millis()))
    }

    fn wait(&mut self, deadline: Instant) -> Result<std::process::ExitStatus, String> {
        let mut pause = Duration::from_millis(1);
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() < deadline => std::thread::park_timeout(pause),
                Ok(None) => return Err("the command closed its output but did not end".into()),
                Err(error) => return Err(format!("the command could not be waited for: {error}")),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// Reads until the end or until nobody listens.
fn pump(mut stdout: impl Read, sender: &SyncSender<std::io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = stdout.read(&mut chunk).map(|length| {
            chunk.truncate(length);
            chunk
        });
        let last = read.as_ref().map_or(true, Vec::is_empty);
        if sender.send(read).is_err() || last {
            return;
        }
    }
}
