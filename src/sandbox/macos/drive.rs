//! The task beside a command that has no supervisor: the gateway itself keeps the time and ends the process group.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::Instant;

use super::plan::SeatbeltPlan;
use super::process::{SeatbeltChild, spawn};
use crate::sandbox::child::{Line, Request, SandboxedChild};
use crate::sandbox::outlet::{Outlet, Ready};
use crate::sandbox::{ChildEvent, Exit, SandboxError, SandboxReport, Stdin};

/// How often it is looked whether the command has ended: there is no descriptor that tells.
const LOOK: Duration = Duration::from_millis(10);
/// Between the request to end and the end, when the time is over.
const GRACE: Duration = Duration::from_secs(2);
/// How long a pipe may be silent behind the end, held open by somebody who left the group.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts a command. `scratch` lives as long as it.
pub(super) fn start<S: Send + 'static>(
    plan: &SeatbeltPlan,
    report: SandboxReport,
    stdin: Stdin,
    timeout: Option<Duration>,
    scratch: S,
) -> Result<SandboxedChild, SandboxError> {
    let failed = |error: io::Error| SandboxError::Setup { stage: "pipes".into(), message: error.to_string() };
    let (stdout, stdout_in) = io::pipe().map_err(failed)?;
    let (stderr, stderr_in) = io::pipe().map_err(failed)?;
    let (stdin_out, input) = match stdin {
        Stdin::Null => (Stdio::null(), None),
        Stdin::Pipe => {
            let (reader, writer) = io::pipe().map_err(failed)?;
            (reader.into(), Some(Sender::from_owned_fd(writer.into()).map_err(failed)?))
        }
    };
    let stdout = Receiver::from_owned_fd(stdout.into()).map_err(failed)?;
    let stderr = Receiver::from_owned_fd(stderr.into()).map_err(failed)?;
    let begun = Instant::now();
    let group = spawn(plan, stdin_out, stdout_in.into(), stderr_in.into())?;
    let (child, line) = SandboxedChild::connect(report, stdin == Stdin::Pipe);
    let outlet = Outlet::new(stdout, stderr, line.events.clone());
    let deadline = timeout.and_then(|timeout| begun.checked_add(timeout));
    let running = Running {
        group: Some(group),
        line,
        input,
        waiting: VecDeque::new(),
        input_ends: false,
        requests_open: true,
        deadline,
        begun,
        exit: Exit::default(),
    };
    tokio::spawn(async move {
        running.drive(outlet).await;
        drop(scratch);
    });
    Ok(child)
}

struct Running {
    /// Until the leader has ended.
    group: Option<SeatbeltChild>,
    line: Line,
    input: Option<Sender>,
    /// Standard input that the pipe has no room for. The window bounds it.
    waiting: VecDeque<u8>,
    input_ends: bool,
    requests_open: bool,
    /// When something is to be done about the time, of the command or of its pipes.
    deadline: Option<Instant>,
    begun: Instant,
    exit: Exit,
}

async fn writable(input: Option<&Sender>) {
    match input {
        // dropped: an error shows when the pipe is written
        Some(input) => drop(input.writable().await),
        None => std::future::pending().await,
    }
}

async fn moment(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Running {
    async fn drive(mut self, mut outlet: Outlet) {
        enum Happened {
            Output(Ready),
            Input,
            Request(Option<Request>),
            Kill,
            Time,
            Look,
        }
        while self.group.is_some() || outlet.is_open() {
            let happened = tokio::select! {
                ready = outlet.ready(), if outlet.is_open() => Happened::Output(ready),
                () = writable(self.input.as_ref()), if !self.waiting.is_empty() => Happened::Input,
                request = self.line.requests.recv(), if self.requests_open => Happened::Request(request),
                () = self.line.kill.cancelled(), if !self.exit.killed && self.group.is_some() => Happened::Kill,
                () = moment(self.deadline) => Happened::Time,
                () = tokio::time::sleep(LOOK), if self.group.is_some() => Happened::Look,
            };
            match happened {
                Happened::Output(ready) => {
                    let moved = match ready {
                        Ready::Room => true,
                        Ready::Output(stream) => outlet.take(stream),
                    };
                    if moved && self.group.is_none() {
                        self.deadline = Some(Instant::now() + PATIENCE);
                    }
                }
                Happened::Input => self.write(),
                Happened::Request(request) => self.request(request),
                Happened::Kill => {
                    self.exit.killed = true;
                    self.signal(Signal::SIGKILL);
                }
                Happened::Time if self.group.is_some() => self.time_is_over(),
                Happened::Time if outlet.reader_is_late() => self.deadline = Some(Instant::now() + PATIENCE),
                Happened::Time => {
                    self.deadline = None;
                    outlet.close();
                }
                Happened::Look => {}
            }
            self.look();
        }
        outlet.finish([ChildEvent::Exited(self.exit)]).await;
    }

    /// Whether the leader has ended; then everybody else does.
    fn look(&mut self) {
        let ended = self.group.as_mut().and_then(|group| group.child().try_wait().transpose());
        let status = match ended {
            None => return,
            Some(status) => status.unwrap_or_default(),
        };
        // Dropping it kills the group, at once: later its number could belong to somebody else.
        self.group = None;
        self.line.window.close();
        self.input = None;
        self.deadline = Some(Instant::now() + PATIENCE);
        self.tell_end(status);
    }

    fn tell_end(&mut self, status: ExitStatus) {
        use std::os::unix::process::ExitStatusExt;
        self.exit.code = status.code();
        self.exit.signal = status.signal();
        self.exit.duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.exit.reason = match status.signal().and_then(|signal| Signal::try_from(signal).ok()) {
            Some(Signal::SIGXCPU) => Some("cpu".to_owned()),
            Some(Signal::SIGXFSZ) => Some("file_size".to_owned()),
            _ => None,
        };
    }

    fn time_is_over(&mut self) {
        if self.exit.timed_out {
            self.signal(Signal::SIGKILL);
            self.deadline = Some(Instant::now() + LOOK);
        } else {
            self.exit.timed_out = true;
            self.signal(Signal::SIGTERM);
            self.deadline = Some(Instant::now() + GRACE);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = &self.group
            && let Err(error) = group.signal(signal)
        {
            tracing::warn!(%error, "a command could not be signalled");
        }
    }

    fn request(&mut self, request: Option<Request>) {
        match request {
            Some(Request::Stdin(bytes)) => {
                self.waiting.extend(bytes);
                self.write();
            }
            Some(Request::CloseStdin) => {
                self.input_ends = true;
                self.write();
            }
            Some(Request::Signal(number)) => {
                if let Ok(signal) = Signal::try_from(i32::from(number)) {
                    self.signal(signal);
                }
            }
            None => self.requests_open = false,
        }
    }

    /// Writes what the pipe takes.
    fn write(&mut self) {
        let Some(input) = &self.input else {
            self.waiting.clear();
            return;
        };
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            match input.try_write(front) {
                Ok(count) => {
                    self.waiting.drain(..count);
                    self.line.window.add_permits(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    // Nobody reads any more.
                    self.line.window.close();
                    self.input = None;
                    self.waiting.clear();
                    return;
                }
            }
        }
        if self.input_ends {
            self.input = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{Backend, Captured, Guarantees, SandboxLevel, Stream};

    fn shell(script: &str, stdin: Stdin, timeout: Option<Duration>) -> SandboxedChild {
        let plan = SeatbeltPlan {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
            directory: "/".into(),
        };
        let report = SandboxReport {
            level: SandboxLevel::None,
            backend: Backend::Seatbelt,
            granted: Guarantees::EMPTY,
            missing: Guarantees::EMPTY,
            notes: Vec::new(),
            tampered: Vec::new(),
        };
        start(&plan, report, stdin, timeout, ()).expect("it starts")
    }

    async fn collect(mut child: SandboxedChild) -> (Exit, Captured) {
        let mut output = Captured::default();
        while let Some(event) = child.event().await {
            match event {
                ChildEvent::Output { stream, bytes } => output.push(stream, &bytes),
                ChildEvent::Exited(exit) => return (exit, output),
                other => panic!("{other:?}"),
            }
        }
        panic!("no end was told")
    }

    #[tokio::test]
    async fn output_code_and_the_end_of_the_group_are_told() {
        let (exit, output) = collect(shell("sleep 1000 & echo out; echo err >&2; exit 3", Stdin::Null, None)).await;
        assert_eq!((exit.code, output.text_of(Stream::Stdout).text.as_str()), (Some(3), "out\n"));
        assert_eq!(output.text_of(Stream::Stderr).text, "err\n");
    }

    #[tokio::test]
    async fn time_kill_and_input_work_without_a_supervisor() {
        let timeout = Some(Duration::from_millis(200));
        let (exit, _) = collect(shell("exec sleep 1000", Stdin::Null, timeout)).await;
        assert!(exit.timed_out && exit.signal == Some(15), "{exit:?}");
        let child = shell("exec sleep 1000", Stdin::Pipe, None);
        child.handle().kill();
        let (exit, _) = collect(child).await;
        assert!(exit.killed && exit.signal == Some(9), "{exit:?}");
        let child = shell("wc -c", Stdin::Pipe, None);
        let handle = child.handle();
        let writing = async move {
            handle.write_stdin(vec![7; 3_000_000]).await?;
            handle.close_stdin()
        };
        let (written, (exit, output)) = tokio::join!(writing, collect(child));
        written.expect("it was taken");
        assert!(exit.success() && output.text().text.trim() == "3000000", "{exit:?}");
    }
}
