//! Opening connections: flags and PRAGMAs.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::{Doing, Problem, StateError};
use super::{files, foreign};

/// Marks a database as this program's (SQLite header offset 68): "OCrs".
pub(super) const APPLICATION_ID: i32 = 0x4f43_7273;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What a grown log is cut back to, in bytes.
const JOURNAL_SIZE_LIMIT: i64 = 64 * 1024 * 1024;

/// Writes our mark into a fresh file and switches it to WAL. The mark is in the main file before a log exists, so an
/// interrupted creation is still recognised as ours.
pub(super) fn initialise(path: &Path) -> Result<(), StateError> {
    let action = "create the state database";
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).doing(action)?;
    // An in-memory rollback journal: one page of a file without content has nothing to roll back to.
    connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = NORMAL").doing(action)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).doing(action)?;
    use_wal(&connection)?;
    connection.close().map_err(|(_connection, error)| StateError::sql(action, &error))
}

/// The one connection that writes.
pub(super) fn open_writer(path: &Path, durability_full: bool) -> Result<Connection, StateError> {
    let action = "open the state database";
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE).doing(action)?;
    // SQLite falls back to reading without a word.
    if connection.is_readonly("main").doing(action)? {
        return Err(StateError::Sql {
            action: "open the state database for writing".to_owned(),
            problem: Problem::ReadOnly,
            detail: path.display().to_string(),
        });
    }
    use_wal(&connection)?;
    // Checkpoints are the writer thread's, after callers have been answered.
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = {}; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA journal_size_limit = {JOURNAL_SIZE_LIMIT}; PRAGMA wal_autocheckpoint = 0",
            if durability_full { "FULL" } else { "NORMAL" },
        ))
        .doing(action)?;
    Ok(connection)
}

/// A connection that reads. On media that cannot be written, where SQLite cannot make the shared-memory file of the
/// log, the main file is read on its own provided that there is no log to miss.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StateError> {
    let action = "open the state database";
    let connect = || -> Result<Connection, StateError> {
        let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY).doing(action)?;
        connection.query_row("PRAGMA schema_version", [], |_| Ok(())).doing(action)?;
        Ok(connection)
    };
    let connection = match connect() {
        Err(error) if error.is_unopenable() && files::size(&files::sidecar(path, "-wal")) == 0 => {
            foreign::open_immutable(path)?
        }
        other => other?,
    };
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024")
        .doing(action)?;
    Ok(connection)
}

fn open(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn use_wal(connection: &Connection) -> Result<(), StateError> {
    let action = "switch the state database to write-ahead logging";
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).doing(action)?;
    if mode == "wal" {
        return Ok(());
    }
    Err(StateError::Sql {
        action: action.to_owned(),
        problem: Problem::Io,
        detail: format!("the journal mode stays {mode}"),
    })
}
