//! Sizes and health of the database.

use std::path::PathBuf;

use nix::sys::statvfs::statvfs;
use serde::Serialize;

use super::error::Doing;
use super::files;
use super::store::Store;
use crate::core::Result;

/// Sizes in bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreHealth {
    /// The database file.
    pub path: PathBuf,
    /// Size of the database file.
    pub database_bytes: u64,
    /// Size of the write-ahead log.
    pub wal_bytes: u64,
    /// Schema version.
    pub schema_version: i64,
    /// Version of the linked SQLite.
    pub sqlite_version: String,
    /// `wal`, as read from the database: reading it shows that the database answers.
    pub journal_mode: String,
    /// Space left for an ordinary user on the file system.
    pub free_bytes: Option<u64>,
}

/// Faults named by [`Store::damage`]; one is reason enough to restore a copy.
const MOST_FAULTS: usize = 10;

impl Store {
    /// What is wrong with the pages of the database, in SQLite's words; empty when it is sound. Reads the whole file.
    pub fn damage(&self) -> Result<Vec<String>> {
        self.read_blocking(|tx| {
            let action = "check the state database";
            let faults = tx
                .prepare(&format!("PRAGMA quick_check({MOST_FAULTS})"), action)?
                .query_map([], |row| row.get(0))
                .and_then(Iterator::collect::<Result<Vec<String>, _>>)
                .doing(action)?;
            Ok(faults.into_iter().filter(|fault| fault != "ok").collect())
        })
    }

    /// Sizes and health for `status`, `doctor`, metrics. Reads one page; cheap enough for every health request.
    pub fn health(&self) -> Result<StoreHealth> {
        let path = self.path();
        let journal_mode = self.read_blocking(|tx| {
            let action = "ask the state database for its journal mode";
            Ok(tx.prepare("PRAGMA main.journal_mode", action)?.query_row([], |row| row.get(0)).doing(action)?)
        })?;
        let free_bytes = match statvfs(path) {
            Ok(stat) => Some(stat.blocks_available().saturating_mul(stat.fragment_size())),
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "could not measure the free space");
                None
            }
        };
        Ok(StoreHealth {
            path: path.to_owned(),
            database_bytes: files::size(path),
            wal_bytes: files::size(&files::sidecar(path, "-wal")),
            schema_version: self.schema_version(),
            sqlite_version: rusqlite::version().to_owned(),
            journal_mode,
            free_bytes,
        })
    }
}
