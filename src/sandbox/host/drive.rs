//! The task beside a running command.
//!
//! It moves output from the pipes to the reader, requests to the supervisor, and waits for the supervisor's word on the end. Output waits for
//! its reader, and then the command waits; the control connection never does. When the supervisor does not do its part in time, the stage is
//! killed with everything below it.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::Instant;

use super::PATIENCE;
use super::outer::Outer;
use crate::sandbox::child::{Line, Request};
use crate::sandbox::frames::{Frame, FrameDecoder, FrameKind, encode};
use crate::sandbox::linux::cgroup::ControlGroup;
use crate::sandbox::linux::setup::StageFailure;
use crate::sandbox::outlet::{Outlet, Ready};
use crate::sandbox::projection::{ChangeDecoder, ChangeSet};
use crate::sandbox::{ChildEvent, Exit, SandboxError, Stream};

/// Bytes read from the connection at a time.
const PIECE: usize = 16 * 1024;
/// Bytes for the supervisor that may wait before requests have to.
const OUTGOING: usize = 256 * 1024;

/// How long a supervisor may look for changes without sending one.
const SCAN_TIME: Duration = Duration::from_mins(1);

/// A started command and everything that belongs to it.
pub(super) struct Drive {
    pub(super) control: Option<UnixStream>,
    pub(super) decoder: FrameDecoder,
    pub(super) outer: Outer,
    pub(super) outlet: Outlet,
    pub(super) line: Line,
    /// Takes the changes, when files were projected.
    pub(super) changes: Option<ChangeDecoder>,
    /// Bounds the command where that is possible.
    pub(super) group: Option<ControlGroup>,
    /// The time that the command has.
    pub(super) timeout: Option<Duration>,
    /// Whether killing the stage leaves nobody behind, because its namespace dies with it.
    pub(super) contained: bool,
}

/// What is known and what is still to be done.
struct Progress {
    drive: Drive,
    outgoing: VecDeque<u8>,
    exit: Option<Exit>,
    changes: Option<ChangeSet>,
    failure: Option<SandboxError>,
    /// When the supervisor's time is over.
    backstop: Option<Instant>,
    requests_open: bool,
    kill_sent: bool,
    outer_ended: bool,
    buffer: Vec<u8>,
}

/// Runs until the command and its stage are gone and everything was told.
pub(super) async fn drive(drive: Drive) {
    let backstop = drive.timeout.and_then(|timeout| Instant::now().checked_add(timeout + PATIENCE));
    let mut progress = Progress {
        drive,
        outgoing: VecDeque::new(),
        exit: None,
        changes: None,
        failure: None,
        backstop,
        requests_open: true,
        kill_sent: false,
        outer_ended: false,
        buffer: vec![0; PIECE],
    };
    // A short command has ended before its start was heard of.
    progress.understand();
    while progress.runs() {
        progress.step().await;
    }
    progress.finish().await;
}

async fn control_ready(control: Option<&UnixStream>, interest: tokio::io::Interest) {
    match control {
        // dropped: an error shows when the connection is used
        Some(control) => drop(control.ready(interest).await),
        None => std::future::pending().await,
    }
}

async fn moment(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Progress {
    /// Whether output or word from the supervisor may still come, or something waits for its reader.
    fn runs(&self) -> bool {
        self.drive.outlet.is_open() || self.drive.control.is_some() || !self.outer_ended
    }

    async fn step(&mut self) {
        enum Happened {
            Room,
            Output(Stream),
            Control,
            Request(Option<Request>),
            Kill,
            TooLate,
            OuterEnded,
        }
        let interest = if self.outgoing.is_empty() {
            tokio::io::Interest::READABLE
        } else {
            tokio::io::Interest::READABLE | tokio::io::Interest::WRITABLE
        };
        let may_ask = self.requests_open && self.drive.control.is_some() && self.outgoing.len() < OUTGOING;
        let Drive { control, outer, outlet, line, .. } = &mut self.drive;
        let happened = tokio::select! {
            ready = outlet.ready(), if outlet.is_open() => match ready {
                Ready::Room => Happened::Room,
                Ready::Output(stream) => Happened::Output(stream),
            },
            () = control_ready(control.as_ref(), interest) => Happened::Control,
            request = line.requests.recv(), if may_ask => Happened::Request(request),
            () = line.kill.cancelled(), if !self.kill_sent => Happened::Kill,
            () = moment(self.backstop) => Happened::TooLate,
            _ = outer.ended(), if !self.outer_ended => Happened::OuterEnded,
        };
        match happened {
            // What is in the pipes behind the end is wanted; only silence counts as a pipe that is held open.
            Happened::Room => self.heard(),
            Happened::Output(stream) => {
                if self.drive.outlet.take(stream) {
                    self.heard();
                }
            }
            Happened::Control => self.converse(),
            Happened::Request(request) => self.request(request),
            Happened::Kill => self.kill(),
            Happened::TooLate => self.too_late(),
            Happened::OuterEnded => self.outer_ended(),
        }
    }

    /// Output went on its way.
    fn heard(&mut self) {
        if self.outer_ended {
            self.backstop = Some(Instant::now() + PATIENCE);
        }
    }

    /// Sends what the connection takes and reads what it has.
    fn converse(&mut self) {
        self.speak();
        if self.listen().is_err() {
            self.hung_up();
        }
    }

    fn speak(&mut self) {
        let Some(control) = &self.drive.control else { return };
        while !self.outgoing.is_empty() {
            let (front, _) = self.outgoing.as_slices();
            match control.try_write(front) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The supervisor may have said something before it left; reading finds the end.
                Err(_) => self.outgoing.clear(),
            }
        }
    }

    /// An error is the end of the connection, in whatever way.
    fn listen(&mut self) -> io::Result<()> {
        loop {
            let Some(control) = &self.drive.control else { return Ok(()) };
            match control.try_read(&mut self.buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.drive.decoder.push(&self.buffer[..count]);
                    self.understand();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn understand(&mut self) {
        loop {
            match self.drive.decoder.frame() {
                Ok(Some(frame)) => self.hear(&frame),
                Ok(None) => return,
                Err(error) => return self.fail(format!("it broke the protocol: {error}")),
            }
        }
    }

    fn hear(&mut self, frame: &Frame) {
        match frame.kind {
            FrameKind::StdinTaken => {
                let taken = frame.payload.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                self.drive.line.window.add_permits(taken.min(1 << 20) as usize);
            }
            FrameKind::StdinClosed => self.drive.line.window.close(),
            FrameKind::Exited => match frame.json::<Exit>() {
                Ok(exit) => {
                    self.exit = Some(exit);
                    self.drive.line.window.close();
                    self.backstop = Some(Instant::now() + self.last_time());
                }
                Err(error) => self.fail(format!("it broke the protocol: {error}")),
            },
            FrameKind::Failed => match frame.json::<StageFailure>() {
                Ok(failure) => self.fail(failure.to_string()),
                Err(error) => self.fail(format!("it broke the protocol: {error}")),
            },
            kind if self.exit.is_some() && ChangeDecoder::takes(kind) => self.take_change(frame),
            kind => self.fail(format!("it broke the protocol: a frame {kind:?} came while the command ran")),
        }
    }

    /// How long the supervisor may be silent behind the end of the command.
    fn last_time(&self) -> Duration {
        if self.drive.changes.is_some() { SCAN_TIME } else { PATIENCE }
    }

    fn take_change(&mut self, frame: &Frame) {
        self.backstop = Some(Instant::now() + self.last_time());
        match self.drive.changes.as_mut().map(|decoder| decoder.frame(frame)) {
            Some(Ok(None)) => {}
            Some(Ok(Some(changes))) => {
                self.changes = Some(changes);
                self.drive.changes = None;
            }
            Some(Err(error)) => {
                self.drive.changes = None;
                self.failure = self.failure.take().or(Some(error.into()));
            }
            // What follows a refusal, or comes unasked.
            None if self.failure.is_some() => {}
            None => self.fail("it broke the protocol: changes came that nobody had asked for".into()),
        }
    }

    fn request(&mut self, request: Option<Request>) {
        let frame = match request {
            Some(Request::Stdin(bytes)) => encode(FrameKind::Stdin, &bytes),
            Some(Request::CloseStdin) => encode(FrameKind::StdinEof, &[]),
            Some(Request::Signal(number)) => encode(FrameKind::Signal, &[number]),
            None => {
                self.requests_open = false;
                return;
            }
        };
        // Pieces are smaller than frames may be.
        self.outgoing.extend(frame.unwrap_or_default());
        self.converse();
    }

    fn kill(&mut self) {
        self.kill_sent = true;
        if self.exit.is_none() && self.failure.is_none() {
            self.outgoing.extend(encode(FrameKind::Kill, &[]).unwrap_or_default());
            self.backstop = Some(Instant::now() + PATIENCE);
            self.converse();
        } else if self.drive.changes.is_some() {
            self.fail("it was ended while it brought the changes back".into());
        }
    }

    /// The supervisor did not do its part in time.
    fn too_late(&mut self) {
        self.backstop = None;
        if self.outer_ended && self.drive.outlet.reader_is_late() {
            // It is the reader that takes its time.
            self.backstop = Some(Instant::now() + PATIENCE);
        } else if self.outer_ended {
            // Somebody holds the pipes although everything that could be found was killed.
            self.drive.outlet.close();
            self.hung_up();
        } else {
            self.fail("it did not end the command in time and was killed".into());
        }
    }

    /// Its last words and its last output are still to be read; the connection and the pipes end behind them.
    fn outer_ended(&mut self) {
        self.outer_ended = true;
        self.backstop = Some(Instant::now() + PATIENCE);
    }

    /// Nothing more comes from the supervisor.
    fn hung_up(&mut self) {
        self.drive.control = None;
        if self.exit.is_none() {
            self.fail("it ended before the command did".into());
        } else if self.drive.changes.is_some() {
            self.fail("it ended before the changes were whole".into());
        }
    }

    /// Ends everything that can be found, for a reason.
    fn fail(&mut self, message: String) {
        if self.failure.is_none() {
            self.failure = Some(SandboxError::Supervisor { message });
        }
        self.drive.line.window.close();
        self.drive.control = None;
        self.drive.outer.kill();
        if !self.drive.contained {
            self.drive.outer.kill_session();
        }
        if let Some(group) = &self.drive.group {
            // dropped: what it could have ended, the end of the namespace or of the session ends
            drop(group.kill());
        }
        self.backstop = Some(Instant::now() + PATIENCE);
    }

    /// Everything is over: reaps the stage and tells how it ended.
    async fn finish(mut self) {
        self.drive.outer.reap();
        let Self { drive, mut exit, changes, failure, .. } = self;
        if let (Some(group), Some(exit)) = (drive.group, &mut exit)
            && !exit.success()
            && group.out_of_memory()
        {
            exit.reason = Some("memory".into());
        }
        let told = [
            exit.map(ChildEvent::Exited),
            changes.filter(|_| failure.is_none()).map(ChildEvent::Changes),
            failure.map(ChildEvent::Failed),
        ];
        drive.outlet.finish(told.into_iter().flatten()).await;
    }
}
