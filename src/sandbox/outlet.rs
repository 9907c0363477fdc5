//! Where the output of a command comes in and goes on to its reader. When the reader has no room, the pipes wait, and so does the command.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::child::ChildEvent;
use super::exit::Stream;

/// Bytes read from a pipe at a time: what a pipe holds.
const PIECE: usize = 64 * 1024;

pub(super) struct Outlet {
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    events: mpsc::Sender<ChildEvent>,
    /// Events that the reader has no room for. Pipes are read when there are none.
    waiting: VecDeque<ChildEvent>,
    buffer: Vec<u8>,
}

/// What can be done about output.
pub(super) enum Ready {
    /// The reader took something that had waited for it.
    Room,
    /// There is something in that pipe, or its end.
    Output(Stream),
}

impl Outlet {
    pub(super) fn new(stdout: Receiver, stderr: Receiver, events: mpsc::Sender<ChildEvent>) -> Self {
        Self { stdout: Some(stdout), stderr: Some(stderr), events, waiting: VecDeque::new(), buffer: vec![0; PIECE] }
    }

    /// Whether output may still come, or something waits for its reader.
    pub(super) fn is_open(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some() || self.reader_is_late()
    }

    /// Whether something waits for its reader.
    pub(super) fn reader_is_late(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits for something to do. May be given up at any time.
    pub(super) async fn ready(&mut self) -> Ready {
        if !self.waiting.is_empty() {
            match self.events.reserve().await {
                Ok(permit) => {
                    if let Some(event) = self.waiting.pop_front() {
                        permit.send(event);
                    }
                }
                // Nobody reads any more.
                Err(_) => self.waiting.clear(),
            }
            return Ready::Room;
        }
        tokio::select! {
            () = readable(self.stdout.as_ref()) => Ready::Output(Stream::Stdout),
            () = readable(self.stderr.as_ref()) => Ready::Output(Stream::Stderr),
        }
    }

    /// Moves what is in a pipe. `false` when there was nothing, or its end.
    pub(super) fn take(&mut self, stream: Stream) -> bool {
        let slot = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let Some(pipe) = slot else { return false };
        match pipe.try_read(&mut self.buffer) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => false,
            Ok(0) | Err(_) => {
                *slot = None;
                false
            }
            Ok(count) => {
                let bytes = Bytes::copy_from_slice(&self.buffer[..count]);
                self.tell(ChildEvent::Output { stream, bytes });
                true
            }
        }
    }

    /// Hands an event to the reader, or keeps it until there is room. Without a reader it is dropped.
    fn tell(&mut self, event: ChildEvent) {
        if !self.waiting.is_empty() {
            self.waiting.push_back(event);
        } else if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
            self.waiting.push_back(event);
        }
    }

    /// Lets go of the pipes, whoever still holds their other ends.
    pub(super) fn close(&mut self) {
        self.stdout = None;
        self.stderr = None;
    }

    /// Tells the last things, in order.
    pub(super) async fn finish(self, last: impl IntoIterator<Item = ChildEvent>) {
        for event in self.waiting.into_iter().chain(last) {
            if self.events.send(event).await.is_err() {
                return;
            }
        }
    }
}

async fn readable(pipe: Option<&Receiver>) {
    match pipe {
        // dropped: an error shows when the pipe is read
        Some(pipe) => drop(pipe.readable().await),
        None => std::future::pending().await,
    }
}
