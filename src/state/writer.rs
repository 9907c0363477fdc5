//! The writer thread: the only place where the database changes.
//!
//! Writes that are queued at the same moment share one transaction (group commit), each in a savepoint of its own.
//! A caller is answered after COMMIT. Nothing waits for company: with an empty queue a write commits at once.
//! Checkpoints happen here too, after the callers have been answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::{Doing, Problem, StateError};
use super::job::Job;
use super::lock::InstanceLock;
use super::tx::WriteTx;

/// Most writes in one transaction.
const GROUP_MAX: usize = 512;
/// Longest time for which a transaction takes in further writes. Tests need groups that do not depend on how busy
/// the machine is.
const GROUP_TIME: Duration = if cfg!(test) { Duration::from_mins(1) } else { Duration::from_millis(5) };
/// Log length, in pages, at which a checkpoint is made even under load.
const CHECKPOINT_PAGES: i64 = 2000;
/// Quiet time after which the log is checkpointed.
const IDLE_CHECKPOINT: Duration = Duration::from_millis(400);
/// Longest pause between attempts while readers keep a checkpoint from completing.
const IDLE_CHECKPOINT_MAX: Duration = Duration::from_mins(1);

/// How long closing waits for readers of the log.
const CLOSE_PATIENCE: Duration = Duration::from_millis(200);

/// What the thread is told.
pub(super) enum Message {
    /// Do this.
    Run(Box<dyn Job>),
    /// Finish what is queued, close the database, release the lock, answer.
    Close(oneshot::Sender<Result<(), StateError>>),
}

/// State of the thread.
pub(super) struct Writer {
    connection: Connection,
    lock: InstanceLock,
    queue: Receiver<Message>,
    /// Pages in the log after the last commit, as SQLite reports them.
    log_pages: Arc<AtomicI64>,
    /// Pages in the log that a checkpoint has tried to move.
    attempted: i64,
    /// Time to the next idle checkpoint; `None` when there is nothing to do, so that an idle process sleeps.
    idle_after: Option<Duration>,
}

impl Writer {
    pub(super) fn new(
        mut connection: Connection,
        lock: InstanceLock,
        queue: Receiver<Message>,
    ) -> Result<Self, StateError> {
        let log_pages = Arc::new(AtomicI64::new(0));
        let pages_seen = Arc::clone(&log_pages);
        connection
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
                pages_seen.store(i64::from(pages), Ordering::Relaxed);
                Ok(())
            }))
            .doing("watch the write-ahead log")?;
        Ok(Self { connection, lock, queue, log_pages, attempted: 0, idle_after: None })
    }

    /// Works until told to close or until every handle is gone.
    pub(super) fn run(mut self) {
        let reply = loop {
            let message = match self.idle_after {
                None => self.queue.recv().map_err(RecvTimeoutError::from),
                Some(wait) => self.queue.recv_timeout(wait),
            };
            match message {
                Ok(Message::Run(job)) => {
                    if let Some(reply) = self.commit_group(job) {
                        break Some(reply);
                    }
                }
                Ok(Message::Close(reply)) => break Some(reply),
                Err(RecvTimeoutError::Timeout) => self.checkpoint_idle(),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        let outcome = self.shut_down();
        if let Err(error) = &outcome {
            tracing::warn!(%error, "the state database did not close cleanly");
        }
        if let Some(reply) = reply {
            drop(reply.send(outcome)); // dropped: a caller that went away needs no answer
        }
    }

    /// Runs `first` and what else is queued in one transaction. Gives back the request to close if one came.
    fn commit_group(&mut self, first: Box<dyn Job>) -> Option<oneshot::Sender<Result<(), StateError>>> {
        let started = Instant::now();
        let mut group = Group { connection: &self.connection, open: false };
        let mut answered = Vec::new();
        let mut close = None;
        let mut next = Some(first);
        let mut outcome = Ok(());
        while let Some(mut job) = next.take() {
            outcome = group.run(job.as_mut());
            answered.push(job);
            if outcome.is_err() || answered.len() >= GROUP_MAX || started.elapsed() >= GROUP_TIME {
                break;
            }
            match self.queue.try_recv() {
                Ok(Message::Run(job)) => next = Some(job),
                Ok(Message::Close(reply)) => close = Some(reply),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
            }
        }
        let failure = outcome.and_then(|()| group.commit()).err();
        if let Some(error) = &failure {
            tracing::error!(%error, writes = answered.len(), "writes were not stored");
        }
        for job in answered {
            job.finish(failure.as_ref());
        }
        self.after_commit();
        close
    }

    fn after_commit(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < self.attempted {
            self.attempted = 0; // SQLite started the log over
        }
        self.idle_after = (pages > 0).then_some(IDLE_CHECKPOINT);
        if pages - self.attempted >= CHECKPOINT_PAGES {
            self.checkpoint();
        }
    }

    fn checkpoint_idle(&mut self) {
        let waited = self.idle_after.unwrap_or(IDLE_CHECKPOINT);
        self.idle_after = if self.checkpoint() { None } else { Some((waited * 2).min(IDLE_CHECKPOINT_MAX)) };
    }

    /// Moves what readers allow from the log into the database; true if nothing is left to move.
    fn checkpoint(&mut self) -> bool {
        self.attempted = self.log_pages.load(Ordering::Relaxed);
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)));
        match moved {
            Ok((in_log, done)) => in_log == done,
            Err(error) => {
                tracing::warn!(%error, "checkpoint failed; it is tried again");
                false
            }
        }
    }

    fn shut_down(self) -> Result<(), StateError> {
        // Writes that lost the race with the request to close.
        while let Ok(message) = self.queue.try_recv() {
            if let Message::Run(job) = message {
                job.finish(Some(&StateError::Closed));
            }
        }
        // What stays in the log (another process reads it, the disk is full) is found there by the next opening.
        let truncated = self
            .connection
            .busy_timeout(CLOSE_PATIENCE)
            .and_then(|()| self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        if let Err(error) = truncated {
            tracing::warn!(%error, "the write-ahead log stays beside the state database");
        }
        let closed =
            self.connection.close().map_err(|(_connection, error)| StateError::sql("close the state database", &error));
        drop(self.lock);
        closed
    }
}

/// One transaction of several writes.
struct Group<'c> {
    connection: &'c Connection,
    open: bool,
}

impl Group<'_> {
    /// Runs one write. `Err`: nothing of the group will be stored.
    fn run(&mut self, job: &mut dyn Job) -> Result<(), StateError> {
        // The first write of a transaction needs no savepoint: undoing it undoes nothing else.
        let nested = self.open;
        self.execute(if nested { "SAVEPOINT op" } else { "BEGIN IMMEDIATE" }, "begin a write")?;
        self.open = true;
        let outcome = job.run(&WriteTx::new(self.connection));
        if self.connection.is_autocommit() {
            // SQLite gave up the transaction by itself, as it does on I/O errors and sometimes on a full disk.
            self.open = false;
            let detail = outcome.err().unwrap_or_default();
            return Err(StateError::RolledBack { detail });
        }
        match (outcome, nested) {
            (Ok(()), true) => self.execute("RELEASE op", "finish a write"),
            (Ok(()), false) => Ok(()),
            (Err(_), true) => {
                self.execute("ROLLBACK TO op", "undo a write")?;
                self.execute("RELEASE op", "undo a write")
            }
            (Err(_), false) => {
                self.open = false;
                self.execute("ROLLBACK", "undo a write")
            }
        }
    }

    fn commit(&mut self) -> Result<(), StateError> {
        if !self.open {
            return Ok(());
        }
        self.open = false;
        self.execute("COMMIT", "store the writes")
    }

    /// On failure the transaction is given up, so that the next group can begin.
    fn execute(&self, sql: &str, action: &str) -> Result<(), StateError> {
        let done = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        let Err(error) = done else { return Ok(()) };
        if !self.connection.is_autocommit()
            && let Err(second) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error = %second, "could not roll back");
        }
        match StateError::sql(action, &error) {
            StateError::Sql { problem: Problem::Other, detail, .. } => StateError::RolledBack { detail },
            known => known,
        }
        .into_err()
    }
}

impl StateError {
    fn into_err<T>(self) -> Result<T, Self> {
        Err(self)
    }
}
