//! From a plan to a running command.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;

use super::drive::{Drive, drive};
use super::means::Means;
use super::outer::Outer;
use super::plan::Plan;
use super::spawner::{Ends, Spawner};
use crate::sandbox::child::SandboxedChild;
use crate::sandbox::frames::{Frame, FrameDecoder, FrameKind, encode_json};
use crate::sandbox::linux::setup::{Ready, StageFailure, StartFailed, Started};
use crate::sandbox::outlet::Outlet;
use crate::sandbox::projection::{ChangeDecoder, Projected, Projection};
use crate::sandbox::{Backend, SandboxError, SandboxReport, Stdin};

/// How long the set-up may take, without the projection. Measured in milliseconds; this is for a machine in trouble.
const SETUP_TIME: Duration = Duration::from_secs(30);
/// How much of what a failed stage printed is quoted.
const QUOTED: usize = 2000;

/// The stage while it answers questions.
struct Launch {
    control: UnixStream,
    decoder: FrameDecoder,
    outer: Outer,
    stdout: Receiver,
    stderr: Receiver,
}

/// Starts a command. Giving up waiting for this ends whatever was started.
pub(super) async fn launch(
    means: &Means,
    mut plan: Plan,
    projection: Option<Projection>,
) -> Result<SandboxedChild, SandboxError> {
    let group = means.group(&plan.setup.limits).await;
    if let Some((group, bounded)) = &group {
        plan.account(group, *bounded);
    }
    let mut launch = begin(&means.spawner).await.map_err(|error| failure("start the stage", &error))?;
    let ready = in_time(launch.set_up(&plan)).await?;
    let changes = match projection {
        Some(projection) => {
            let limits = projection.limits().clone();
            let projected;
            (launch.control, projected) = match send(launch.control, projection).await? {
                Sent::Whole(control, projected) => (control, projected),
                Sent::Refused(control) => {
                    launch.control = control;
                    return Err(match in_time(launch.expect::<Started>(FrameKind::Started, &plan)).await {
                        Ok(_) => broken(&"it started without its files"),
                        Err(error) => error,
                    });
                }
            };
            Some(ChangeDecoder::new(limits, projected))
        }
        None => None,
    };
    let Started { .. } = in_time(launch.expect(FrameKind::Started, &plan)).await?;
    let Plan { setup, .. } = plan;
    let report = SandboxReport {
        level: setup.level,
        backend: setup.backend,
        granted: ready.granted,
        missing: setup.level.required().without(ready.granted),
        notes: ready.notes,
        tampered: Vec::new(),
    };
    let (child, line) = SandboxedChild::connect(report, setup.stdin == Stdin::Pipe);
    let Launch { control, decoder, outer, stdout, stderr } = launch;
    tokio::spawn(drive(Drive {
        control: Some(control),
        decoder,
        outer,
        outlet: Outlet::new(stdout, stderr, line.events.clone()),
        line,
        changes,
        group: group.map(|(group, _)| group),
        timeout: setup.timeout_ms.map(Duration::from_millis),
        contained: matches!(setup.backend, Backend::Namespaces | Backend::Bubblewrap),
    }));
    Ok(child)
}

async fn in_time<T>(step: impl Future<Output = Result<T, SandboxError>>) -> Result<T, SandboxError> {
    match tokio::time::timeout(SETUP_TIME, step).await {
        Ok(answer) => answer,
        Err(_) => Err(failure("set up", &format_args!("there was no answer for {} s", SETUP_TIME.as_secs()))),
    }
}

fn broken(how: &dyn std::fmt::Display) -> SandboxError {
    SandboxError::Supervisor { message: format!("it broke the protocol: {how}") }
}

/// What became of a projection.
enum Sent {
    Whole(UnixStream, Projected),
    /// The supervisor took no more. It says why.
    Refused(UnixStream),
}

/// Ends a connection, also for a thread that is blocked on it.
struct HangUp(Option<StdStream>);

impl Drop for HangUp {
    fn drop(&mut self) {
        if let Some(control) = &self.0 {
            // dropped: the peer was quicker
            drop(control.shutdown(std::net::Shutdown::Both));
        }
    }
}

/// A connection that remembers whether it was the one to fail.
struct Watched {
    control: StdStream,
    failed: bool,
}

impl io::Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.control.write(bytes);
        self.failed |= written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.control.flush()
    }
}

/// Sends the projection from a thread of its own, because its source blocks.
async fn send(control: UnixStream, projection: Projection) -> Result<Sent, SandboxError> {
    let failed = |error: io::Error| SandboxError::Projection { message: error.to_string() };
    let control = control.into_std().map_err(failed)?;
    control.set_nonblocking(false).map_err(failed)?;
    let mut hang_up = HangUp(Some(control.try_clone().map_err(failed)?));
    let sending = tokio::task::spawn_blocking(move || {
        let mut watched = Watched { control, failed: false };
        let projected = projection.send(&mut watched);
        (watched, projected)
    });
    let (watched, projected) = sending.await.map_err(|error| failed(io::Error::other(error)))?;
    let projected = match projected {
        Ok(projected) => Some(projected),
        Err(_) if watched.failed => None,
        Err(error) => return Err(failed(error)),
    };
    hang_up.0 = None;
    watched.control.set_nonblocking(true).map_err(failed)?;
    let control = UnixStream::from_std(watched.control).map_err(failed)?;
    Ok(match projected {
        Some(projected) => Sent::Whole(control, projected),
        None => Sent::Refused(control),
    })
}

fn failure(stage: &str, message: &dyn std::fmt::Display) -> SandboxError {
    SandboxError::Setup { stage: stage.to_owned(), message: message.to_string() }
}

async fn begin(spawner: &Arc<Spawner>) -> io::Result<Launch> {
    let (control, theirs) = StdStream::pair()?;
    control.set_nonblocking(true)?;
    let (stdout, stdout_in) = io::pipe()?;
    let (stderr, stderr_in) = io::pipe()?;
    let ends = Ends { control: theirs.into(), stdout: stdout_in.into(), stderr: stderr_in.into() };
    let outer = spawner.start(ends).await?;
    Ok(Launch {
        control: UnixStream::from_std(control)?,
        decoder: FrameDecoder::default(),
        outer,
        stdout: Receiver::from_owned_fd(stdout.into())?,
        stderr: Receiver::from_owned_fd(stderr.into())?,
    })
}

impl Launch {
    /// Until the supervisor has said what holds.
    async fn set_up(&mut self, plan: &Plan) -> Result<Ready, SandboxError> {
        let spec = |error: io::Error| SandboxError::Spec {
            what: format!("the command is too long to be handed over: {error}"),
            hint: "write long input to a file, or to standard input".into(),
        };
        let mut opening = encode_json(FrameKind::Stage, &plan.stage).map_err(spec)?;
        opening.extend(encode_json(FrameKind::Setup, &plan.setup).map_err(spec)?);
        // dropped: a stage that fails closes the connection, and its answer says why
        drop(self.control.write_all(&opening).await);
        let ready: Ready = self.expect(FrameKind::Ready, plan).await?;
        let missing = plan.setup.required.without(ready.granted);
        if !missing.is_empty() {
            return Err(failure("verify", &format_args!("{missing} is required and does not hold")));
        }
        Ok(ready)
    }

    /// The next answer, which is of that kind or says what failed.
    async fn expect<T: serde::de::DeserializeOwned>(
        &mut self,
        kind: FrameKind,
        plan: &Plan,
    ) -> Result<T, SandboxError> {
        let broken = |error: io::Error| broken(&error);
        let Some(frame) = self.frame().await.map_err(broken)? else { return Err(self.last_words().await) };
        match frame.kind {
            FrameKind::Failed => Err(refused(frame.json::<StageFailure>().map_err(broken)?, plan)),
            FrameKind::StartFailed => {
                let StartFailed { message, not_found } = frame.json().map_err(broken)?;
                let program = plan.setup.argv.first().map(|name| name.to_string_lossy().into_owned());
                Err(SandboxError::Start { program: program.unwrap_or_default(), message, not_found })
            }
            found if found == kind => frame.json().map_err(broken),
            found => Err(broken(io::Error::other(format!("a frame {found:?} came where {kind:?} belongs")))),
        }
    }

    async fn frame(&mut self) -> io::Result<Option<Frame>> {
        let mut buffer = vec![0; 8192];
        loop {
            if let Some(frame) = self.decoder.frame()? {
                return Ok(Some(frame));
            }
            match self.control.read(&mut buffer).await {
                // A peer that leaves with something unread resets the connection.
                Ok(0) | Err(_) => return Ok(None),
                Ok(count) => self.decoder.push(&buffer[..count]),
            }
        }
    }

    /// The stage left without an answer: how it ended and what it printed.
    async fn last_words(&mut self) -> SandboxError {
        // dropped: then there is no status to tell
        drop(tokio::time::timeout(super::PATIENCE, self.outer.ended()).await);
        let status =
            self.outer.reap().map_or_else(|| "it closed its connection".to_owned(), |status| status.to_string());
        let mut printed = vec![0; QUOTED];
        let count = self.stderr.try_read(&mut printed).unwrap_or(0);
        let printed = String::from_utf8_lossy(&printed[..count]);
        let printed = printed.trim();
        let separator = if printed.is_empty() { "" } else { ": " };
        failure("start the stage", &format_args!("it ended without an answer ({status}){separator}{printed}"))
    }
}

fn refused(answer: StageFailure, plan: &Plan) -> SandboxError {
    if answer.missing.is_empty() {
        return SandboxError::Setup { stage: answer.stage, message: answer.message };
    }
    SandboxError::Unavailable {
        level: plan.setup.level,
        missing: answer.missing,
        why: format!("{}: {}: {}", plan.setup.backend.as_str(), answer.stage, answer.message),
        remedy: "openclaw sandbox probe shows what works here and what would help".into(),
    }
}
