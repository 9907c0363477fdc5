//! The thread that starts the outer stages.
//!
//! A stage asks the kernel to be killed when its parent dies, and for the kernel the parent is the thread that started it. So one thread, which
//! lives as long as the sandbox or any of its commands, starts them all. It also reaps the stages that nobody waits for.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::outer::Outer;
use crate::sandbox::roles;

/// How often the thread looks whether a stage that nobody waits for has ended.
const REAP_EVERY: Duration = Duration::from_millis(200);

/// The descriptors of a stage.
pub(super) struct Ends {
    pub(super) control: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
}

enum Job {
    Start { ends: Ends, answer: oneshot::Sender<io::Result<Child>> },
    Reap(Child),
}

/// Starts stages. The thread begins with the first of them.
#[derive(Debug)]
pub(super) struct Spawner {
    program: PathBuf,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Spawner {
    pub(super) fn new(program: PathBuf) -> Arc<Self> {
        Arc::new(Self { program, jobs: Mutex::new(None) })
    }

    /// Starts an outer stage with those descriptors as its standard input, output and error.
    pub(super) async fn start(self: &Arc<Self>, ends: Ends) -> io::Result<Outer> {
        let (answer, started) = oneshot::channel();
        self.submit(Job::Start { ends, answer })?;
        let child = started.await.map_err(io::Error::other)??;
        Outer::new(child, Arc::clone(self))
    }

    /// Reaps a stage that nobody waits for any more.
    pub(super) fn abandon(&self, child: Child) {
        // dropped: without a thread nothing was started, so there is nothing to reap either
        drop(self.submit(Job::Reap(child)));
    }

    fn submit(&self, job: Job) -> io::Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = if let Some(sender) = &*jobs {
            sender
        } else {
            let (sender, receiver) = mpsc::channel();
            let program = self.program.clone();
            std::thread::Builder::new().name("sandbox-spawner".into()).spawn(move || work(&program, &receiver))?;
            jobs.insert(sender)
        };
        sender.send(job).map_err(io::Error::other)
    }
}

fn work(program: &Path, jobs: &mpsc::Receiver<Job>) {
    let mut abandoned: Vec<Abandoned> = Vec::new();
    let mut open = true;
    while open || !abandoned.is_empty() {
        abandoned.retain_mut(Abandoned::runs);
        if !open {
            std::thread::park_timeout(REAP_EVERY);
            continue;
        }
        let patience = if abandoned.is_empty() { Duration::MAX } else { REAP_EVERY };
        let job = jobs.recv_timeout(patience);
        match job {
            Ok(Job::Start { ends, answer }) => {
                // A start that was given up meanwhile comes back.
                if let Err(Ok(child)) = answer.send(start(program, ends)) {
                    abandoned.push(Abandoned::new(child));
                }
            }
            Ok(Job::Reap(child)) => abandoned.push(Abandoned::new(child)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => open = false,
        }
    }
}

/// A stage whose connection is closed. Its supervisor ends the command for that; killing the stage at once could keep it from doing so.
struct Abandoned {
    child: Child,
    deadline: Instant,
}

impl Abandoned {
    fn new(child: Child) -> Self {
        Self { child, deadline: Instant::now() + super::PATIENCE }
    }

    fn runs(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            super::sweep::kill_session(self.child.id());
            // dropped: the only error is that it has been reaped
            drop(self.child.kill());
        }
        matches!(self.child.try_wait(), Ok(None))
    }
}

fn start(program: &Path, ends: Ends) -> io::Result<Child> {
    Command::new(program)
        .arg0("openclaw")
        .arg(roles::OUTER)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(ends.control))
        .stdout(Stdio::from(ends.stdout))
        .stderr(Stdio::from(ends.stderr))
        .spawn()
}
