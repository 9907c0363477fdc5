//! Short-lived read-only connections, kept for the next reader.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection;
use super::error::{Doing, StateError};
use super::tx::ReadTx;
use crate::core::Result;

/// Connections kept open between reads, and asynchronous reads at the same time.
pub(super) const POOL: usize = 4;

/// The pool.
pub(super) struct Readers {
    path: PathBuf,
    /// `None` after close.
    idle: Mutex<Option<Vec<Connection>>>,
    /// Bounds asynchronous reads, so that a burst waits in the async queue and not on blocking threads.
    pub(super) places: Semaphore,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::new(Some(Vec::new())), places: Semaphore::new(POOL) }
    }

    /// Adds an open connection.
    pub(super) fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut()
            && idle.len() < POOL
        {
            idle.push(connection);
        }
    }

    /// Runs `op` on one consistent view of the database.
    pub(super) fn run<T>(&self, op: impl FnOnce(&ReadTx<'_>) -> Result<T>) -> Result<T> {
        let connection = self.take()?;
        execute(&connection, "BEGIN")?;
        // A panic in `op` drops the connection with its open transaction.
        let outcome = op(&ReadTx::new(&connection));
        if !connection.is_autocommit() {
            execute(&connection, "ROLLBACK")?;
        }
        self.keep(connection);
        outcome
    }

    fn take(&self) -> Result<Connection, StateError> {
        let pooled = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.as_mut().ok_or(StateError::Closed)?.pop()
        };
        match pooled {
            Some(connection) => Ok(connection),
            None => connection::open_reader(&self.path),
        }
    }

    /// Closes idle connections and refuses further reads.
    pub(super) fn close(&self) {
        self.places.close();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(idle);
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StateError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .doing("read the state database")
}
