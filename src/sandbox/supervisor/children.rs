//! Everything that a command started: found, signalled, ended, reaped.
//!
//! The supervisor is process 1 of a namespace, or a subreaper: whoever loses its parent becomes its child. So "no child is left" means that
//! nobody is left, however a process tried to get away.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

/// How long killing is repeated. A process that outlives it is stuck in the kernel, or has other rights than the supervisor.
const PATIENCE: Duration = Duration::from_secs(5);
/// Milliseconds between two rounds of killing, when nobody ends.
const ROUND: u8 = 5;

/// How a child ended: its code, or the signal.
pub(super) type Ending = Result<i32, i32>;

/// The processes below the supervisor. With this value they end.
pub(super) struct Children {
    /// Process 1 of its own namespace, where one call reaches everybody.
    init: bool,
    /// Nobody is left, or nobody who could be killed.
    ended: bool,
}

impl Children {
    /// Makes the calling process the one that inherits orphans.
    pub(super) fn adopt() -> nix::Result<Self> {
        let init = getpid() == Pid::from_raw(1);
        if !init {
            nix::sys::prctl::set_child_subreaper(true)?;
            // The kernel's signal at the death of the gateway would end this process before it could end the others. The end of the control
            // connection tells of it as well.
            nix::sys::prctl::set_pdeathsig(None)?;
        }
        Ok(Self { init, ended: false })
    }

    /// Sends a signal to all of them. Who has ended meanwhile is no error.
    pub(super) fn signal(&self, signal: Signal) {
        if self.init {
            // dropped: ESRCH, there is nobody
            kill(Pid::from_raw(-1), signal).unwrap_or(());
            return;
        }
        for pid in descendants() {
            // dropped: ESRCH, it has ended; EPERM, it has other rights, and `end` tells
            kill(Pid::from_raw(pid), signal).unwrap_or(());
        }
    }

    /// Reaps whoever has ended. Calls `told` with each; returns whether anybody is left.
    pub(super) fn reap(mut told: impl FnMut(Pid, Ending)) -> bool {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => told(pid, Ok(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => told(pid, Err(signal as i32)),
                Ok(WaitStatus::StillAlive) => return true,
                Err(Errno::ECHILD) => return false,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Kills and reaps until nobody is left. `false` when somebody could not be killed.
    pub(super) fn end(&mut self, signals: &SignalFd) -> bool {
        self.ended = true;
        let begun = Instant::now();
        loop {
            self.signal(Signal::SIGKILL);
            if !Self::reap(|_, _| {}) {
                return true;
            }
            if begun.elapsed() > PATIENCE {
                return false;
            }
            // dropped: an early return makes the next round come early
            poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], ROUND).unwrap_or(0);
            while let Ok(Some(_)) = signals.read_signal() {}
        }
    }
}

impl Drop for Children {
    /// For a supervisor that gives up between the start of a command and the report of its end.
    fn drop(&mut self) {
        let begun = Instant::now();
        while !self.ended && begun.elapsed() < PATIENCE {
            self.signal(Signal::SIGKILL);
            self.ended = !Self::reap(|_, _| {});
            if !self.ended {
                std::thread::park_timeout(Duration::from_millis(ROUND.into()));
            }
        }
    }
}

/// The process ids of all processes below this one.
fn descendants() -> BTreeSet<i32> {
    let own = getpid().as_raw();
    let mut found = BTreeSet::new();
    let mut open = vec![own];
    let mut listed = true;
    while let Some(pid) = open.pop() {
        match children_of(pid) {
            Some(children) => open.extend(children.into_iter().filter(|child| found.insert(*child))),
            // A process other than this one may have ended; when the kernel does not list this one's children, it lists nobody's.
            None => listed &= pid != own,
        }
    }
    if listed { found } else { descendants_by_parents(own) }
}

/// The children of all threads of a process.
fn children_of(pid: i32) -> Option<Vec<i32>> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let list = std::fs::read_to_string(task.ok()?.path().join("children")).ok()?;
        children.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    Some(children)
}

/// For kernels without `children` files: every process names its parent.
fn descendants_by_parents(own: i32) -> BTreeSet<i32> {
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(pid) = pid
            && let Some(status) = process_stat(pid)
        {
            pairs.push((pid, status.parent));
        }
    }
    let mut found = BTreeSet::from([own]);
    while pairs.iter().any(|(pid, parent)| found.contains(parent) && found.insert(*pid)) {}
    found.remove(&own);
    found
}

/// Some fields of `/proc/<pid>/stat`.
pub(crate) struct ProcessStat {
    /// The process that started it, or inherited it.
    pub(crate) parent: i32,
    /// The session it belongs to.
    pub(crate) session: i32,
    /// It is a zombie.
    pub(crate) ended: bool,
}

/// What the kernel says of a process. The name in it may hold anything, so fields are counted from its end.
pub(crate) fn process_stat(pid: i32) -> Option<ProcessStat> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = text.iter().rposition(|byte| *byte == b')')? + 1;
    let rest = std::str::from_utf8(&text[behind_name..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    Some(ProcessStat { parent, session, ended })
}
