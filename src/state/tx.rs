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
    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }
}

impl<'c> WriteTx<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { read: ReadTx::new(connection) }
    }
}

#[cfg(test)]
impl WriteTx<'_> {
    /// Makes every later change of runs, events and sessions fail, or takes that back.
    pub(crate) fn refuse_writes(&self, refuse: bool) -> crate::core::Result<()> {
        for (table, change) in [
            ("runs", "INSERT"),
            ("runs", "UPDATE"),
            ("events", "INSERT"),
            ("session_entries", "INSERT"),
            ("session_entries", "UPDATE"),
        ] {
            let name = format!("temp.refuse_{table}_{change}");
            let sql = if refuse {
                format!("CREATE TRIGGER {name} BEFORE {change} ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END")
            } else {
                format!("DROP TRIGGER {name}")
            };
            self.connection().execute_batch(&sql).doing("switch writing on or off")?;
        }
        Ok(())
    }

    /// Leaves a run's prepared form as a torn page might.
    pub(crate) fn tear_prepared(&self, run: &crate::core::RunId) -> crate::core::Result<()> {
        let sql = "UPDATE runs SET prepared_json = '{ torn' WHERE run_id = ?1";
        self.connection().execute(sql, [run.as_str()]).doing("tear a run")?;
        Ok(())
    }

    /// The same for the event at a position.
    pub(crate) fn tear_event(
        &self,
        agent: &crate::core::AgentId,
        session: &crate::core::SessionId,
        seq: i64,
    ) -> crate::core::Result<()> {
        let position = self.transcript(agent, session)?.map(|transcript| transcript.at(seq));
        let sql = "UPDATE events SET event_json = '{ torn' WHERE position = ?1";
        self.connection().execute(sql, [position]).doing("tear an event")?;
        Ok(())
    }
}

/// A count or bound as SQLite's integer.
pub(super) fn as_i64(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
