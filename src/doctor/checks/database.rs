//! The database.

use crate::core::ErrorKind;
use crate::doctor::{Facts, Finding, Severity, files};
use crate::state::{Access, OpenOptions, Store};

use super::state_dir::shown;

pub(super) const KIND: &str = "database.kind";
pub(super) const OPENS: &str = "database.opens";
pub(super) const SOUND: &str = "database.sound";
pub(super) const SPACE: &str = "database.space";

/// First bytes of a SQLite database (<https://sqlite.org/fileformat2.html>).
const MAGIC: &[u8] = b"SQLite format 3\0";
/// A write-ahead log above this was not checkpointed for long.
const LARGE_WAL: u64 = 256 * 1024 * 1024;
/// Below this a full disk is near.
const LITTLE_SPACE: u64 = 512 * 1024 * 1024;
/// Below this writes are about to fail.
const NO_SPACE: u64 = 64 * 1024 * 1024;

/// The file is a database, private and not a link.
pub(super) fn kind(facts: &Facts<'_>) -> Vec<Finding> {
    let path = facts.at.paths.database();
    let found = match files::look(&path) {
        Ok(Some(found)) => found,
        Ok(None) => return Vec::new(),
        Err(error) => {
            return vec![Finding::new(KIND, Severity::Error, shown(&path), format!("it cannot be looked at: {error}"))];
        }
    };
    let mut findings = Vec::new();
    if found.is_link {
        findings.push(
            Finding::new(KIND, Severity::Error, shown(&path), "it is a symbolic link")
                .effect("links are not followed for the database")
                .fix("put the database itself there, or set OPENCLAW_STATE_DIR", None),
        );
        return findings;
    }
    if found.mode & 0o077 != 0 {
        findings.push(
            Finding::new(KIND, Severity::Warning, shown(&path), format!("its mode is {:04o}", found.mode))
                .effect("other users of this machine may read every conversation")
                .fix("its mode becomes 0600", Some(format!("chmod 600 {}", super::state_dir::quoted(&path)))),
        );
    }
    match files::head(&path, MAGIC.len() as u64) {
        Ok(head) if head.is_empty() || head == MAGIC => {}
        Ok(_) => findings.push(
            Finding::new(KIND, Severity::Error, shown(&path), "it is not a SQLite database")
                .effect("the gateway cannot start")
                .fix("move the file away, or restore a backup", None),
        ),
        Err(error) => {
            findings.push(Finding::new(KIND, Severity::Error, shown(&path), format!("it cannot be read: {error}")));
        }
    }
    findings
}

/// It opens, with our schema of a version we know.
pub(super) fn opens(facts: &Facts<'_>) -> Vec<Finding> {
    let (error, effect) = match open(facts) {
        Ok(store) => (store.write_refusal(), "conversations can be read, but no turn can run"),
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => (Some(error), "conversations cannot be read or written"),
    };
    match error {
        None => Vec::new(),
        Some(error) => {
            let mut finding =
                Finding::new(OPENS, Severity::Error, shown(&facts.at.paths.database()), error.to_string())
                    .effect(effect);
            if let Some(hint) = error.fix() {
                finding = finding.fix(hint, None);
            }
            vec![finding]
        }
    }
}

/// No page of it is damaged.
pub(super) fn sound(facts: &Facts<'_>) -> Vec<Finding> {
    // dropped: `database.opens` reports a database that cannot be opened
    let Ok(store) = open(facts) else { return Vec::new() };
    let evidence = match store.damage() {
        Ok(faults) if faults.is_empty() => return Vec::new(),
        Ok(faults) => format!("its file is damaged: {}", faults.join("; ")),
        Err(error) => error.to_string(),
    };
    vec![
        Finding::new(SOUND, Severity::Error, shown(&facts.at.paths.database()), evidence)
            .effect("some conversations cannot be read or written")
            .fix("stop the gateway and keep a copy of the file and its -wal, then restore a backup or use sqlite3 .recover", None),
    ]
}

/// Its log is small and the disk has room.
pub(super) fn space(facts: &Facts<'_>) -> Vec<Finding> {
    // dropped: `database.opens` reports a database that cannot be opened
    let Ok(health) = open(facts).and_then(|store| store.health()) else { return Vec::new() };
    let mut findings = Vec::new();
    if health.wal_bytes > LARGE_WAL {
        findings.push(
            Finding::new(
                SPACE,
                Severity::Warning,
                shown(&health.path),
                format!("its write-ahead log has {}", megabytes(health.wal_bytes)),
            )
            .effect("reading gets slower; something keeps an old view of the database open")
            .fix("stop and start the gateway, which folds the log into the database", None),
        );
    }
    if let Some(free) = health.free_bytes.filter(|free| *free < LITTLE_SPACE) {
        let severity = if free < NO_SPACE { Severity::Error } else { Severity::Warning };
        findings.push(
            Finding::new(SPACE, severity, shown(&health.path), format!("the disk has {} left", megabytes(free)))
                .effect("when it is full, messages are refused")
                .fix("free some space", None),
        );
    }
    findings
}

fn open(facts: &Facts<'_>) -> crate::core::Result<Store> {
    Store::open(&facts.at.paths, &OpenOptions { durability_full: false, access: Access::Read })
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}
