//! A command that runs in a sandbox, as its user sees it: events come out, input and signals go in.
//!
//! What is behind it, a supervisor on Linux or a process group elsewhere, only serves the channels of a [`Line`].

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::SandboxError;
use super::exit::{Exit, Stream};
use super::projection::ChangeSet;
use super::report::SandboxReport;

/// Bytes of standard input that may be on their way to the command.
pub(super) const STDIN_WINDOW: usize = 1 << 20;
/// Bytes of standard input in one message.
const STDIN_PIECE: usize = 64 * 1024;
/// Pieces of output (of up to 64 KiB) that wait for their reader before the command has to.
const EVENTS: usize = 16;

/// What a command did.
#[derive(Debug)]
pub enum ChildEvent {
    /// It wrote.
    Output {
        /// Where.
        stream: Stream,
        /// What. Bytes, not text.
        bytes: Bytes,
    },
    /// It has ended, and so has everything that it started. No output follows.
    Exited(Exit),
    /// What it changed in the files that were projected. Comes behind the end, once, and only when it is whole.
    Changes(ChangeSet),
    /// The sandbox failed. Before `Exited`: what the command had done is not known; everything that could be found of it was killed. Behind
    /// it: its changes are lost, or something outlived it. Nothing follows.
    Failed(SandboxError),
}

/// What the user of a command asks for.
#[derive(Debug)]
pub(super) enum Request {
    Stdin(Bytes),
    CloseStdin,
    Signal(u8),
}

/// A running command. Dropping it kills everything that the command started.
#[derive(Debug)]
pub struct SandboxedChild {
    report: SandboxReport,
    events: mpsc::Receiver<ChildEvent>,
    handle: ChildHandle,
    _kill_on_drop: DropGuard,
}

/// The other end of a [`SandboxedChild`]: what a backend serves.
pub(super) struct Line {
    pub(super) events: mpsc::Sender<ChildEvent>,
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    pub(super) kill: CancellationToken,
    /// Standard input that may still be sent. Closed = the command reads no more.
    pub(super) window: Arc<Semaphore>,
}

impl SandboxedChild {
    /// A child and the line to whatever runs it.
    pub(super) fn connect(report: SandboxReport, stdin: bool) -> (Self, Line) {
        let (events_in, events) = mpsc::channel(EVENTS);
        // Unbounded is bounded here: input by the window, signals by who sends them.
        let (requests, requests_out) = mpsc::unbounded_channel();
        let kill = CancellationToken::new();
        let window = Arc::new(Semaphore::new(STDIN_WINDOW));
        if !stdin {
            window.close();
        }
        let line = Line { events: events_in, requests: requests_out, kill: kill.clone(), window: Arc::clone(&window) };
        let handle = ChildHandle { requests, kill: kill.clone(), window, order: Arc::new(Mutex::new(())) };
        (Self { report, events, handle, _kill_on_drop: kill.drop_guard() }, line)
    }

    /// What holds for the command.
    pub fn report(&self) -> &SandboxReport {
        &self.report
    }

    /// The next thing that happened; `None` behind the last. While nobody asks, a command that writes much has to wait.
    pub async fn event(&mut self) -> Option<ChildEvent> {
        self.events.recv().await
    }

    /// A handle to speak to the command from elsewhere.
    pub fn handle(&self) -> ChildHandle {
        self.handle.clone()
    }
}

/// Speaks to a running command.
#[derive(Debug, Clone)]
pub struct ChildHandle {
    requests: mpsc::UnboundedSender<Request>,
    kill: CancellationToken,
    window: Arc<Semaphore>,
    /// Held while one call's bytes are sent, so that those of another are not put between them.
    order: Arc<Mutex<()>>,
}

impl ChildHandle {
    /// Sends bytes to standard input. Waits while a mebibyte is on its way; an error means that the command does not read (any more).
    pub async fn write_stdin(&self, bytes: impl Into<Bytes>) -> io::Result<()> {
        let mut bytes = bytes.into();
        let _turn = self.order.lock().await;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(STDIN_PIECE));
            let size = u32::try_from(piece.len()).map_err(io::Error::other)?;
            let closed = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the command does not read its standard input");
            self.window.acquire_many(size).await.map_err(closed)?.forget();
            self.request(Request::Stdin(piece))?;
        }
        Ok(())
    }

    /// Ends standard input behind what was sent.
    pub fn close_stdin(&self) -> io::Result<()> {
        self.request(Request::CloseStdin)
    }

    /// Sends a signal, by number, to every process of the command.
    pub fn signal(&self, number: i32) -> io::Result<()> {
        let number = u8::try_from(number).ok().filter(|number| (1..=64).contains(number));
        let number = number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no such signal"))?;
        self.request(Request::Signal(number))
    }

    /// Ends everything at once.
    pub fn kill(&self) {
        self.kill.cancel();
    }

    fn request(&self, request: Request) -> io::Result<()> {
        let ended = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the command has ended");
        self.requests.send(request).map_err(ended)
    }
}
