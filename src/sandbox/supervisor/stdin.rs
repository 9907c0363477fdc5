//! The command's standard input: a bounded buffer before a pipe that is never waited for.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ChildStdin;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// What became of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// That many left the buffer.
    Bytes(usize),
    /// The command reads no more. What was buffered is gone.
    Closed,
}

/// The writing end of the pipe and what waits for it. The gateway never sends more than the buffer holds; see `child`.
pub(super) struct StdinPipe {
    pipe: Option<File>,
    waiting: VecDeque<u8>,
    /// The pipe is closed behind what waits.
    ended: bool,
}

impl StdinPipe {
    pub(super) fn new(stdin: ChildStdin) -> io::Result<Self> {
        let pipe = File::from(std::os::fd::OwnedFd::from(stdin));
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { pipe: Some(pipe), waiting: VecDeque::new(), ended: false })
    }

    /// The descriptor to be polled while something waits for it.
    pub(super) fn wanted(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.waiting.is_empty()).map(AsFd::as_fd)
    }

    /// Adds bytes behind the others.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Taken {
        if self.pipe.is_none() {
            return Taken::Closed;
        }
        self.waiting.extend(bytes);
        self.flush()
    }

    /// Nothing comes behind what waits.
    pub(super) fn end(&mut self) {
        self.ended = true;
        if self.waiting.is_empty() {
            self.pipe = None;
        }
    }

    /// Writes what the pipe takes.
    pub(super) fn flush(&mut self) -> Taken {
        let Some(pipe) = &mut self.pipe else { return Taken::Bytes(0) };
        let mut taken = 0;
        while !self.waiting.is_empty() {
            let (front, _) = self.waiting.as_slices();
            match pipe.write(front) {
                Ok(count) => {
                    self.waiting.drain(..count);
                    taken += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Taken::Bytes(taken),
                Err(_) => {
                    // Mostly EPIPE: nobody has the reading end.
                    self.pipe = None;
                    self.waiting.clear();
                    return Taken::Closed;
                }
            }
        }
        if self.ended {
            self.pipe = None;
        }
        Taken::Bytes(taken)
    }
}
