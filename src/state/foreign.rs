//! Databases that are not ours. They are recognised, named, and never written to.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::connection::APPLICATION_ID;
use super::error::{Doing, StateError};
use super::files::{self, DatabaseFile};
use crate::core::Result;

/// Tables that the TypeScript OpenClaw (2026.6 and later) keeps in its state and agent databases and we never use.
const TYPESCRIPT_TABLES: [&str; 8] = [
    "schema_meta",
    "agent_databases",
    "config_machine_state",
    "plugin_state_entries",
    "delivery_queue_entries",
    "device_identities",
    "session_nodes",
    "transcript_event_identities",
];

/// Whose database is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Nobody's: there is no file, or an empty one.
    Nobody,
    /// This program's.
    Ours,
    /// The TypeScript OpenClaw's.
    TypeScriptOpenClaw {
        /// `global` or `agent` as its `schema_meta` says.
        role: Option<String>,
        /// Its schema version.
        schema_version: Option<i64>,
        /// The program version that wrote it last.
        app_version: Option<String>,
    },
    /// Somebody else's.
    Unknown {
        /// Some of its tables, sorted.
        tables: Vec<String>,
    },
}

/// Tells whose database is at `path` without changing a byte there: no lock, no recovery, no sidecar files.
///
/// Rows that are only in a write-ahead log are not seen, which is enough to tell ours from others: our mark is in
/// the main file before the log exists. Errors: damaged, not a database, a link, unreadable.
pub fn identify(path: &Path) -> Result<Owner> {
    Ok(probe(path)?)
}

pub(super) fn probe(path: &Path) -> Result<Owner, StateError> {
    match files::inspect(path)? {
        DatabaseFile::Missing | DatabaseFile::Empty => return Ok(Owner::Nobody),
        DatabaseFile::Present => {}
    }
    let connection = open_immutable(path)?;
    let action = "read the header of the state database";
    // A process that died during a checkpoint leaves a first page that counts pages which are still in the log only.
    // With this setting SQLite takes the file's own size instead of calling it damaged. Nothing is written.
    connection.execute_batch("PRAGMA writable_schema = ON").doing(action)?;
    let application_id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).doing(action)?;
    if application_id == APPLICATION_ID {
        return Ok(Owner::Ours);
    }
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .doing(action)?;
    if tables.iter().filter(|table| TYPESCRIPT_TABLES.contains(&table.as_str())).count() < 2 {
        return Ok(Owner::Unknown { tables: tables.into_iter().take(8).collect() });
    }
    let meta = if tables.iter().any(|table| table == "schema_meta") {
        connection
            .query_row("SELECT role, schema_version, app_version FROM schema_meta LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .doing(action)?
    } else {
        None
    };
    let (role, schema_version, app_version) = meta.unwrap_or_default();
    Ok(Owner::TypeScriptOpenClaw { role, schema_version, app_version })
}

/// The error for a path that holds `owner`'s database; `None` if we may use it.
pub(super) fn refusal(path: &Path, owner: &Owner) -> Option<StateError> {
    let (text, importable) = match owner {
        Owner::Nobody | Owner::Ours => return None,
        Owner::TypeScriptOpenClaw { app_version: Some(version), .. } => {
            (format!("OpenClaw for Node.js, version {version}"), true)
        }
        Owner::TypeScriptOpenClaw { .. } => ("OpenClaw for Node.js".to_owned(), true),
        Owner::Unknown { tables } if tables.is_empty() => ("an unknown program (no tables)".to_owned(), false),
        Owner::Unknown { tables } => (format!("an unknown program ({})", tables.join(", ")), false),
    };
    Some(StateError::Foreign { path: path.to_owned(), owner: text, importable })
}

/// Opens for reading as if on read-only media. The write-ahead log is ignored; nothing is locked or created.
pub(super) fn open_immutable(path: &Path) -> Result<Connection, StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let directory = path.parent().map_or_else(|| Ok(PathBuf::from("/")), files::resolve)?;
    let real = directory.join(path.file_name().unwrap_or_default());
    Connection::open_with_flags(uri(&real), flags).doing("open the state database")
}

/// `file:` URI of a path, any byte that is not plainly safe escaped.
fn uri(path: &Path) -> String {
    let mut text = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    text.push_str("?immutable=1");
    text
}
