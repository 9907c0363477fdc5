//! Brings the schema up to date: `migrations/V<n>__<what>.sql`, forward only, never edited after landing.

use rusqlite::{Connection, OptionalExtension};

use super::error::{Doing, Problem, StateError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The schema this program reads and writes.
pub(super) const LATEST: i64 = 8;

/// Refinery's record of what was applied; the only source of the schema version.
const TABLE: &str = "schema_migrations";

/// Schema version of a database of ours; 0 if its creation was interrupted.
pub(super) fn version(connection: &Connection) -> Result<i64, StateError> {
    let action = "read the schema version";
    let exists = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", [TABLE], |_| Ok(()))
        .optional()
        .doing(action)?;
    if exists.is_none() {
        return Ok(0);
    }
    connection.query_row(&format!("SELECT coalesce(max(version), 0) FROM {TABLE}"), [], |row| row.get(0)).doing(action)
}

/// Applies what is missing, all in one transaction.
pub(super) fn run(connection: &mut Connection) -> Result<(), StateError> {
    let mut runner = embedded::migrations::runner().set_grouped(true);
    runner.set_migration_table_name(TABLE);
    match runner.run(connection) {
        Ok(report) => {
            tracing::info!(applied = report.applied_migrations().len(), "state database schema is up to date");
            // Making the schema fills the page cache with pages that nobody asks for soon.
            connection.execute_batch("PRAGMA shrink_memory").doing("upgrade the state database")
        }
        Err(error) => Err(migration_error(&error)),
    }
}

fn migration_error(error: &refinery::Error) -> StateError {
    let action = "upgrade the state database";
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(sqlite) = current.downcast_ref::<rusqlite::Error>() {
            return StateError::sql(action, sqlite);
        }
        cause = current.source();
    }
    StateError::Sql { action: action.to_owned(), problem: Problem::Other, detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_the_newest_embedded_migration() {
        let runner = embedded::migrations::runner();
        let mut versions: Vec<i64> = runner.get_migrations().iter().map(|m| i64::from(m.version())).collect();
        versions.sort_unstable();
        let expected: Vec<i64> = (1..=LATEST).collect();
        assert_eq!(versions, expected, "numbered from 1 without gaps up to LATEST");
    }
}
