//! The views an operation gets: everything it can do is a method in one of the table files.

use rusqlite::{CachedStatement, Connection};

use super::error::{Doing, StateError};

/// A read view: one consistent state of the database.
pub struct ReadTx<'c> {
    connection: &'c Connection,
}

/// A write view; derefs to [`ReadTx`] and reads its own writes.
pub struct WriteTx<'c> {
    read: ReadTx<'c>,
}

impl<'c> std::ops::Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;

    fn deref(&self) -> &ReadTx<'c> {
        &self.read
    }
}

impl<'c> ReadTx<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// A statement from the connection's cache; `action` completes "could not …".
    pub(super) fn prepare(&self, sql: &str, action: &str) -> Result<CachedStatement<'c>, StateError> {
        self.connection.prepare_cached(sql).doing(action)
    }

    /// The connection, for what the statement cache is not good at.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }
}

impl<'c> WriteTx<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { read: ReadTx::new(connection) }
    }
}

/// A count or bound as SQLite's integer.
pub(super) fn as_i64(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
