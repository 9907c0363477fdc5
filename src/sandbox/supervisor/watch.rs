//! The loop of a supervisor while its command runs.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;

use super::children::{Children, Ending};
use super::stdin::{StdinPipe, Taken};
use crate::sandbox::Exit;
use crate::sandbox::frames::{FrameDecoder, FrameKind, encode};

/// Between the request to end and the end, when the time is over.
const GRACE: Duration = Duration::from_secs(2);

pub(super) struct Watch<'a> {
    control: &'a mut UnixStream,
    children: &'a Children,
    signals: SignalFd,
    stdin: Option<StdinPipe>,
    leader: Pid,
    begun: Instant,
    /// When something is to be done about the time.
    deadline: Option<Instant>,
    decoder: FrameDecoder,
    /// What the gateway has not taken yet.
    unsent: Vec<u8>,
    timed_out: bool,
    killed: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        control: &'a mut UnixStream,
        children: &'a Children,
        signals: SignalFd,
        stdin: Option<StdinPipe>,
        leader: &Child,
        begun: Instant,
        timeout_ms: Option<u64>,
    ) -> Self {
        let leader = Pid::from_raw(i32::try_from(leader.id()).unwrap_or(i32::MAX));
        let deadline = timeout_ms.and_then(|timeout| begun.checked_add(Duration::from_millis(timeout)));
        Self {
            control,
            children,
            signals,
            stdin,
            leader,
            begun,
            deadline,
            decoder: FrameDecoder::default(),
            unsent: Vec::new(),
            timed_out: false,
            killed: false,
        }
    }

    /// Returns when the leader has ended; `None` when the gateway is gone.
    pub(super) fn until_end(&mut self) -> Option<Exit> {
        self.control.set_nonblocking(true).ok()?;
        loop {
            let mut end = None;
            Children::reap(|pid, ending| {
                if pid == self.leader {
                    end = Some(ending);
                }
            });
            if let Some(ending) = end {
                return Some(self.exit(ending));
            }
            self.wait()?;
            if self.flush().is_err() || !self.obey() {
                return None;
            }
        }
    }

    /// The descriptor that tells of ended children, and what is left to be sent.
    pub(super) fn into_parts(self) -> (SignalFd, Vec<u8>) {
        (self.signals, self.unsent)
    }

    /// Until something happens: a child ends, the gateway speaks, a pipe takes more, or the time is over.
    fn wait(&mut self) -> Option<()> {
        let heard = if self.unsent.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT };
        let stdin = self.stdin.as_ref().and_then(StdinPipe::wanted);
        let mut polled =
            vec![PollFd::new(self.control.as_fd(), heard), PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        polled.extend(stdin.map(|pipe| PollFd::new(pipe, PollFlags::POLLOUT)));
        let timeout = match self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            // Rounded up, or the last millisecond would be spent spinning.
            Some(left) => PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return None,
        }
        drop(polled);
        while let Ok(Some(_)) = self.signals.read_signal() {}
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.time_is_over();
        }
        if let Some(stdin) = &mut self.stdin {
            let taken = stdin.flush();
            self.report(&taken);
        }
        Some(())
    }

    fn time_is_over(&mut self) {
        if self.timed_out {
            self.children.signal(Signal::SIGKILL);
            // A process that is just being created can miss a signal: again, until the leader has ended.
            self.deadline = Some(Instant::now() + Duration::from_millis(50));
        } else {
            self.timed_out = true;
            self.children.signal(Signal::SIGTERM);
            self.deadline = Some(Instant::now() + GRACE);
        }
    }

    /// Reads and obeys what the gateway says. `false` when it is gone or speaks another language.
    fn obey(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.control.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    self.decoder.push(&buffer[..count]);
                    loop {
                        match self.decoder.frame() {
                            Ok(Some(frame)) if self.act(frame.kind, &frame.payload) => {}
                            Ok(None) => break,
                            Ok(Some(_)) | Err(_) => return false,
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    fn act(&mut self, kind: FrameKind, payload: &[u8]) -> bool {
        match kind {
            FrameKind::Stdin => {
                let taken = self.stdin.as_mut().map_or(Taken::Closed, |stdin| stdin.push(payload));
                self.report(&taken);
            }
            FrameKind::StdinEof => {
                if let Some(stdin) = &mut self.stdin {
                    stdin.end();
                }
            }
            FrameKind::Signal => {
                let number = payload.first().copied().map(i32::from);
                if let Some(signal) = number.and_then(|number| Signal::try_from(number).ok()) {
                    self.children.signal(signal);
                }
            }
            FrameKind::Kill => {
                self.killed = true;
                self.children.signal(Signal::SIGKILL);
            }
            _ => return false,
        }
        true
    }

    /// Tells the gateway what became of standard input.
    fn report(&mut self, taken: &Taken) {
        let frame = match taken {
            Taken::Bytes(0) => return,
            Taken::Bytes(count) => {
                encode(FrameKind::StdinTaken, &u32::try_from(*count).unwrap_or(u32::MAX).to_le_bytes())
            }
            Taken::Closed => {
                self.stdin = None;
                encode(FrameKind::StdinClosed, &[])
            }
        };
        // An encoding error is impossible for payloads of this size.
        self.unsent.extend(frame.unwrap_or_default());
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.control.write(&self.unsent) {
                Ok(count) => {
                    self.unsent.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn exit(&self, ending: Ending) -> Exit {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok();
        let cpu = usage.as_ref().map_or(0, |usage| (usage.user_time() + usage.system_time()).num_milliseconds());
        let rss = usage.as_ref().map_or(0, nix::sys::resource::Usage::max_rss);
        let signal = ending.err();
        let reason = match signal.and_then(|signal| Signal::try_from(signal).ok()) {
            Some(Signal::SIGXCPU) => Some("cpu".to_owned()),
            Some(Signal::SIGXFSZ) => Some("file_size".to_owned()),
            _ => None,
        };
        Exit {
            code: ending.ok(),
            signal,
            timed_out: self.timed_out,
            killed: self.killed,
            reason,
            duration_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            cpu_ms: u64::try_from(cpu).unwrap_or(0),
            // The kernel counts in KiB.
            max_rss_bytes: u64::try_from(rss).unwrap_or(0).saturating_mul(1024),
        }
    }
}
