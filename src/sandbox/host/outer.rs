//! The process that an outer stage is, as the gateway holds it.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::Arc;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::spawner::Spawner;
use super::sweep::kill_session;

/// A started stage. Whatever happens to this value, the process is reaped.
pub(super) struct Outer {
    child: Option<Child>,
    ended: AsyncFd<OwnedFd>,
    spawner: Arc<Spawner>,
}

impl Outer {
    pub(super) fn new(child: Child, spawner: Arc<Spawner>) -> io::Result<Self> {
        let ended = watch(&child);
        match ended {
            Ok(ended) => Ok(Self { child: Some(child), ended, spawner }),
            Err(error) => {
                spawner.abandon(child);
                Err(error)
            }
        }
    }

    /// Waits until it has ended. It is not reaped by that, so its process id stays its own.
    pub(super) async fn ended(&self) -> io::Result<()> {
        self.ended.ready(Interest::READABLE).await.map(|mut ready| ready.retain_ready())
    }

    /// Kills it, and with it the namespace it made.
    pub(super) fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            // dropped: the only error is that it has been reaped
            drop(child.kill());
        }
    }

    /// Kills what of its session is left.
    pub(super) fn kill_session(&self) {
        if let Some(child) = &self.child {
            kill_session(child.id());
        }
    }

    /// How it ended, once it has.
    pub(super) fn reap(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok().flatten()?;
        self.child = None;
        Some(status)
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            self.spawner.abandon(child);
        }
    }
}

#[expect(deprecated, reason = "unsound only for types whose descriptor can change; that of an OwnedFd cannot")]
fn watch(child: &Child) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    AsyncFd::with_interest(pidfd_open(pid, PidfdFlags::empty())?, Interest::READABLE)
}
