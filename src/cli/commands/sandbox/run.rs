//! `openclaw sandbox run`: one command, its streams passed through.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use crate::cli::context::Context;
use crate::cli::error::{Outcome, Stop};
use crate::cli::signals::{Signal, Signals};
use crate::config::SandboxSettings;
use crate::core::{Error, ErrorKind, Result};
use crate::fs::{HostCapabilityFs, HostFsOptions, ProtectedScan, ScanBounds, protected_changes};
use crate::runtime::explain::sandbox;
use crate::runtime::files::private_paths;
use crate::sandbox::{
    Backend, ChildEvent, ChildHandle, CommandSpec, Exit, Sandbox, SandboxError, SandboxLevel, SandboxSpec, Stdin,
    Stream,
};
use crate::tools::exec::{ExecProfile, environment};

/// The sandbox refused; as `env`, `timeout` and `docker run` have it.
const REFUSED: u8 = 125;
/// The command was found and could not be started.
const NOT_STARTED: u8 = 126;
/// There is no such command.
const NOT_FOUND: u8 = 127;
/// Its time was over.
const TIMED_OUT: u8 = 124;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Flags of `sandbox run`.
#[derive(Debug, Args)]
#[command(
    after_help = "The exit code is the command's; 125 when the sandbox refused, 126 when the command could not be\n\
    started, 127 when there is none of that name, 124 when its time was over, 128 + N when signal N\n\
    ended it.

Examples:
  openclaw sandbox run -- ls -la /
  openclaw sandbox run --level relaxed --network --workspace . -- make test"
)]
pub(super) struct RunArgs {
    /// none, relaxed or strict [default: the default agent's].
    #[arg(long, value_name = "LEVEL", value_parser = super::parse_level)]
    level: Option<SandboxLevel>,
    /// By these means only [default: the best that work].
    #[arg(long, value_name = "NAME", value_parser = super::parse_backend)]
    backend: Option<Backend>,
    /// Directory it works in and may change [default: an empty private one].
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Let it use the network (not at level strict).
    #[arg(long)]
    network: bool,
    /// Seconds until it is ended.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// The command with its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs it.
pub(super) fn run(context: &Context, args: RunArgs) -> Outcome {
    let config = context.config()?;
    let settings = config.view.default_agent().sandbox.clone();
    let level = args.level.map(|level| level.as_str().to_owned());
    let settings = SandboxSettings {
        level: level.or(settings.level),
        backend: args.backend.map(|backend| backend.as_str().to_owned()).or(settings.backend),
        network: args.network.then_some(true).or(settings.network),
        ..settings
    };
    let profile = match ExecProfile::from_settings(&settings) {
        Ok(profile) => profile,
        Err(error) => return refused(context, error),
    };
    let private = private_paths(&context.paths, &config.path);
    let (spec, guard) = match &args.workspace {
        None => (profile.on_virtual_files(), None),
        Some(directory) => {
            let path = context.load.cwd.join(directory);
            let options =
                HostFsOptions { protected: private, protect: settings.protect.clone(), ..HostFsOptions::default() };
            let files = HostCapabilityFs::open_with(&path, &options).map_err(Error::from)?;
            let before = files.protected_existing(ScanBounds::default()).map_err(Error::from)?;
            (profile.on_host(path, before.existing.clone(), before.secret.clone()), Some((files, before)))
        }
    };
    let tools = &config.view.default_agent().tools;
    let command = CommandSpec {
        argv: args.command,
        cwd: PathBuf::new(),
        env: environment(&tools.exec, spec.level, config.env.vars.iter()),
        stdin: Stdin::Pipe,
        timeout: args.timeout.map(Duration::from_secs),
    };
    let sandbox = sandbox(&context.paths, &config);
    let ended = super::runtime()?.block_on(pass_through(&sandbox, &spec, command))?;
    if let Some((files, before)) = &guard {
        tell_tampering(files, before)?;
    }
    match ended {
        Ok(exit) => match code(&exit) {
            0 => Ok(()),
            code => Err(Stop::Code(code)),
        },
        Err(error) => refused(context, error),
    }
}

/// What does not exist cannot be made read-only: protected files that the command made are told instead.
fn tell_tampering(files: &HostCapabilityFs, before: &ProtectedScan) -> Result<(), Stop> {
    let after = files.protected_existing(ScanBounds::default()).map_err(Error::from)?;
    for change in protected_changes(before, &after) {
        write(std::io::stderr().lock(), format!("openclaw: protected: {change}\n").as_bytes())?;
    }
    if before.truncated {
        let remark = "openclaw: the workspace is too large to look for all protected files in it\n";
        write(std::io::stderr().lock(), remark.as_bytes())?;
    }
    Ok(())
}

fn refused(context: &Context, error: SandboxError) -> Outcome {
    let code = match &error {
        SandboxError::Start { not_found: true, .. } => NOT_FOUND,
        SandboxError::Start { .. } => NOT_STARTED,
        _ => REFUSED,
    };
    context.out.error(&error.into())?;
    Err(Stop::Code(code))
}

fn code(exit: &Exit) -> u8 {
    if exit.timed_out {
        return TIMED_OUT;
    }
    let number = exit.code.or(exit.signal.map(|signal| 128 + signal)).unwrap_or(i32::from(REFUSED));
    u8::try_from(number).unwrap_or(u8::MAX)
}

async fn pass_through(
    sandbox: &Sandbox,
    spec: &SandboxSpec,
    command: CommandSpec,
) -> Result<std::result::Result<Exit, SandboxError>, Stop> {
    let mut signals = Signals::listen()?;
    let mut child = match sandbox.start(spec, command, None).await {
        Ok(child) => child,
        Err(error) => return Ok(Err(error)),
    };
    let handle = child.handle();
    let input = tokio::spawn(feed(handle.clone()));
    let mut told = false;
    let mut end = None;
    loop {
        let event = tokio::select! {
            event = child.event() => event,
            signal = signals.next() => {
                // A second signal is for those who do not listen to the first.
                if std::mem::replace(&mut told, true) {
                    handle.kill();
                } else {
                    let number = match signal {
                        Signal::Interrupt => SIGINT,
                        Signal::Terminate => SIGTERM,
                    };
                    if handle.signal(number).is_err() {
                        // dropped: the command has ended, and its end comes as the next event
                    }
                }
                continue;
            }
        };
        match event {
            Some(ChildEvent::Output { stream: Stream::Stdout, bytes }) => write(std::io::stdout().lock(), &bytes)?,
            Some(ChildEvent::Output { stream: Stream::Stderr, bytes }) => write(std::io::stderr().lock(), &bytes)?,
            Some(ChildEvent::Exited(exit)) => end = Some(exit),
            Some(ChildEvent::Changes(_)) => {}
            Some(ChildEvent::Failed(error)) => {
                input.abort();
                return Ok(Err(error));
            }
            None => break,
        }
    }
    input.abort();
    let lost = || Error::new(ErrorKind::Sandbox, "the command's end was not told").hint("openclaw sandbox probe");
    Ok(Ok(end.ok_or_else(lost)?))
}

fn write(mut out: impl std::io::Write, bytes: &[u8]) -> Result<(), Stop> {
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Hands standard input on. It is read by a thread of its own, which nobody has to wait for at the end.
async fn feed(child: ChildHandle) {
    let (sender, mut pieces) = mpsc::channel::<Vec<u8>>(4);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stdin.read(&mut buffer) {
            if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    while let Some(piece) = pieces.recv().await {
        if child.write_stdin(piece).await.is_err() {
            return;
        }
    }
    if child.close_stdin().is_err() {
        // dropped: the command has ended and reads nothing more
    }
}
