//! What can go wrong with the database, and how it reads for a person.

use std::path::{Path, PathBuf};

use crate::core::{Error, ErrorKind};

/// Why SQLite could not do what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No space left on the file system.
    DiskFull,
    /// The file or its directory may not be written.
    ReadOnly,
    /// Another process kept the database locked for longer than the busy time-out.
    Busy,
    /// The content of the file is damaged.
    Corrupt,
    /// The file is something else than a SQLite database.
    NotADatabase,
    /// The file could not be opened.
    CannotOpen,
    /// Reading or writing the file failed.
    Io,
    /// Anything else: a statement of ours that SQLite refuses.
    Other,
}

impl Problem {
    fn of(error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::DiskFull,
            Some(Code::ReadOnly | Code::PermissionDenied) => Self::ReadOnly,
            Some(Code::DatabaseBusy | Code::DatabaseLocked | Code::FileLockingProtocolFailed) => Self::Busy,
            Some(Code::DatabaseCorrupt) => Self::Corrupt,
            Some(Code::NotADatabase) => Self::NotADatabase,
            Some(Code::CannotOpen) => Self::CannotOpen,
            Some(Code::SystemIoFailure) => Self::Io,
            _ => Self::Other,
        }
    }

    fn why(self) -> &'static str {
        match self {
            Self::DiskFull => "the disk is full",
            Self::ReadOnly => "the state directory or the database is read-only",
            Self::Busy => "another process kept the database locked",
            Self::Corrupt => "the database file is damaged",
            Self::NotADatabase => "the file is not a SQLite database",
            Self::CannotOpen => "the database file cannot be opened",
            Self::Io => "reading or writing the database file failed",
            Self::Other => "SQLite refused the statement",
        }
    }

    fn hint(self) -> Option<&'static str> {
        match self {
            Self::DiskFull => Some("free some space on that file system; nothing stored so far is lost"),
            Self::ReadOnly => {
                Some("make the directory writable for your user, or set OPENCLAW_STATE_DIR to one that is")
            }
            Self::Busy => Some("close other programs that have the database open, then try again"),
            Self::Corrupt => Some("keep a copy of the file and its -wal, then run `openclaw doctor`"),
            Self::NotADatabase => Some("move the file away, or set OPENCLAW_STATE_DIR to another directory"),
            Self::CannotOpen => Some("check that you own the state directory and that it is on a local disk"),
            Self::Io => Some("check the disk and the system log; network file systems are not supported"),
            Self::Other => None,
        }
    }
}

/// Failures of this module. Converted into [`Error`] at its border.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Another process holds the instance lock.
    #[error("the state directory {} is in use", directory.display())]
    InUse {
        /// The locked directory.
        directory: PathBuf,
        /// Process id of the holder, if it left one.
        pid: Option<u32>,
    },
    /// There is no database to read.
    #[error("there is no state database at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Something at a path of ours is of the wrong type.
    #[error("{} cannot be used for state", path.display())]
    WrongFileType {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The database was written by a later version of this program.
    #[error("the state database {} was written by a later version of openclaw", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The latest version this program knows.
        supported: i64,
    },
    /// The database needs migrations, which a reader must not run.
    #[error("the state database {} has an older schema", path.display())]
    OlderSchema {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The version this program reads.
        supported: i64,
    },
    /// The database belongs to another program.
    #[error("the database {} belongs to another program", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
        /// Whose it is, as far as its tables tell.
        owner: String,
        /// Whether `doctor` can import it.
        importable: bool,
    },
    /// The SQLite call failed.
    #[error("could not {action}")]
    Sql {
        /// What was being done: completes "could not …".
        action: String,
        /// The class.
        problem: Problem,
        /// SQLite's text.
        detail: String,
    },
    /// A file or directory call failed.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was being done: completes "could not …" before the path.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Whether the cause is a full disk, missing permission or anything else.
        problem: Problem,
        /// The system's text.
        detail: String,
    },
    /// A stored value is not the JSON it must be, or a value cannot be written as JSON.
    #[error("could not {action}")]
    Json {
        /// What was being done: completes "could not …".
        action: String,
        /// The parser's text.
        detail: String,
    },
    /// SQLite undid the whole group because another write in it failed badly (full disk, I/O error).
    #[error("the write was not stored")]
    RolledBack {
        /// The failure of the other write.
        detail: String,
    },
    /// The event id exists with other content.
    #[error("event {event_id} exists already in session {session_id} with other content")]
    EventConflict {
        /// The session.
        session_id: String,
        /// The event.
        event_id: String,
    },
    /// A transcript has the largest number of events a position can express.
    #[error("session {session_id} cannot hold more events")]
    TranscriptFull {
        /// The session.
        session_id: String,
    },
    /// No such run.
    #[error("there is no run {run_id}")]
    NoSuchRun {
        /// The id asked for.
        run_id: String,
    },
    /// The store was opened with `Access::Read`.
    #[error("this view of the state is read-only")]
    OpenedForReading,
    /// The store has been closed.
    #[error("the state database is closed")]
    Closed,
    /// The operation panicked.
    #[error("a state operation stopped unexpectedly")]
    Panicked {
        /// The panic's text, if it had one.
        detail: String,
    },
}

impl StateError {
    /// A failed SQLite call; `action` completes "could not …".
    pub(super) fn sql(action: impl Into<String>, error: &rusqlite::Error) -> Self {
        Self::Sql { action: action.into(), problem: Problem::of(error), detail: error.to_string() }
    }

    /// A failed file call; `action` completes "could not …" before the path.
    pub(super) fn file(action: &'static str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let problem = match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => Problem::DiskFull,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Problem::ReadOnly,
            _ => Problem::Io,
        };
        Self::File { action, path: path.to_owned(), problem, detail: error.to_string() }
    }

    /// Whether trying again in another way of opening can help: the file cannot be opened for lack of write access.
    pub(super) fn is_unopenable(&self) -> bool {
        matches!(self, Self::Sql { problem: Problem::CannotOpen | Problem::ReadOnly, .. })
    }

    /// Whether the same call may succeed later without anybody repairing the database: there was no space, another process
    /// held a lock, or another write of the group failed.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::RolledBack { .. }
                | Self::Sql { problem: Problem::DiskFull | Problem::Busy, .. }
                | Self::File { problem: Problem::DiskFull, .. }
        )
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::InUse { .. } | Self::EventConflict { .. } => ErrorKind::Conflict,
            Self::Missing { .. } | Self::NoSuchRun { .. } => ErrorKind::NotFound,
            Self::TranscriptFull { .. } => ErrorKind::TooLarge,
            Self::Closed => ErrorKind::Unavailable,
            Self::OpenedForReading | Self::Panicked { .. } => ErrorKind::Internal,
            Self::WrongFileType { .. }
            | Self::NewerSchema { .. }
            | Self::OlderSchema { .. }
            | Self::Foreign { .. }
            | Self::Sql { .. }
            | Self::File { .. }
            | Self::Json { .. }
            | Self::RolledBack { .. } => ErrorKind::State,
        }
    }

    fn why(&self) -> Option<String> {
        match self {
            Self::InUse { pid: Some(pid), .. } => Some(format!("process {pid} has it open for writing")),
            Self::InUse { pid: None, .. } => Some("another process has it open for writing".to_owned()),
            Self::WrongFileType { found, .. } => Some(format!("it is {found}")),
            Self::NewerSchema { found, supported, .. } => {
                Some(format!("its schema version is {found}, this program knows versions up to {supported}"))
            }
            Self::OlderSchema { found, supported, .. } => {
                Some(format!("its schema version is {found}, this program reads version {supported}"))
            }
            Self::Foreign { owner, .. } => Some(format!("its tables are those of {owner}")),
            Self::Sql { problem, detail, .. } | Self::File { problem, detail, .. } => {
                Some(format!("{} ({detail})", problem.why()))
            }
            Self::Json { detail, .. } | Self::RolledBack { detail } => Some(detail.clone()),
            Self::Panicked { detail } if !detail.is_empty() => Some(detail.clone()),
            Self::Closed => Some("the program is shutting down".to_owned()),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { pid: Some(pid), .. } => Some(format!(
                "talk to the running gateway (`openclaw status`), stop it (`kill {pid}`), or use another state directory \
                 with `--profile NAME`"
            )),
            Self::InUse { pid: None, .. } => Some(
                "talk to the running gateway (`openclaw status`), stop it, or use another state directory with \
                 `--profile NAME`"
                    .to_owned(),
            ),
            Self::Missing { .. } => Some("start the gateway once (`openclaw gateway run`) to create it".to_owned()),
            Self::WrongFileType { .. } => {
                Some("move it away, or set OPENCLAW_STATE_DIR to another directory".to_owned())
            }
            Self::NewerSchema { .. } => Some(
                "install the later version again; reading commands such as `openclaw sessions` still work with this one"
                    .to_owned(),
            ),
            Self::OlderSchema { .. } => {
                Some("start (or restart) the gateway with this version: it upgrades the database".to_owned())
            }
            Self::Foreign { importable: true, .. } => Some(
                "nothing was changed; this version cannot import it yet: set OPENCLAW_STATE_DIR to another directory"
                    .to_owned(),
            ),
            Self::Foreign { importable: false, .. } => {
                Some("nothing was changed; set OPENCLAW_STATE_DIR to another directory".to_owned())
            }
            Self::Sql { problem, .. } | Self::File { problem, .. } => problem.hint().map(str::to_owned),
            Self::Json { .. } => Some("run `openclaw doctor`".to_owned()),
            Self::RolledBack { .. } => Some("try again when the cause is gone".to_owned()),
            Self::TranscriptFull { .. } => Some("start a new session with /new".to_owned()),
            _ => None,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            Self::InUse { directory, pid } => Some(serde_json::json!({ "directory": directory, "pid": pid })),
            Self::NewerSchema { path, found, supported } | Self::OlderSchema { path, found, supported } => {
                Some(serde_json::json!({ "path": path, "found": found, "supported": supported }))
            }
            Self::Foreign { path, owner, importable } => {
                Some(serde_json::json!({ "path": path, "owner": owner, "importable": importable }))
            }
            Self::Missing { path } | Self::WrongFileType { path, .. } | Self::File { path, .. } => {
                Some(serde_json::json!({ "path": path }))
            }
            _ => None,
        }
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        let mut converted = Error::new(error.kind(), error.to_string());
        if let Some(why) = error.why() {
            converted = converted.why(why);
        }
        if let Some(hint) = error.hint() {
            converted = converted.hint(hint);
        }
        if let Some(details) = error.details() {
            converted = converted.details(details);
        }
        converted.source(error)
    }
}

/// Says what was being done when a call failed.
pub(super) trait Doing<T> {
    /// `action` completes "could not …".
    fn doing(self, action: &str) -> Result<T, StateError>;
}

impl<T> Doing<T> for Result<T, rusqlite::Error> {
    fn doing(self, action: &str) -> Result<T, StateError> {
        self.map_err(|error| StateError::sql(action, &error))
    }
}

impl<T> Doing<T> for Result<T, serde_json::Error> {
    fn doing(self, action: &str) -> Result<T, StateError> {
        self.map_err(|error| StateError::Json { action: action.to_owned(), detail: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_directory_and_a_full_disk_are_told_apart() {
        let path = Path::new("/x/state");
        let of = |kind| Error::from(StateError::file("create", path, &std::io::Error::from(kind)));
        let read_only = of(std::io::ErrorKind::ReadOnlyFilesystem);
        assert_eq!(read_only.kind(), ErrorKind::State);
        assert!(read_only.fix().is_some_and(|hint| hint.contains("OPENCLAW_STATE_DIR")));
        assert!(read_only.reason().is_some_and(|why| why.contains("read-only")));
        let full = of(std::io::ErrorKind::StorageFull);
        assert!(full.reason().is_some_and(|why| why.contains("disk is full")));
    }

    #[test]
    fn errors_read_as_sentences() {
        let in_use = Error::from(StateError::InUse { directory: "/home/a/.openclaw/state".into(), pid: Some(41) });
        insta::assert_json_snapshot!(in_use.to_json(), @r#"
        {
          "code": "conflict",
          "message": "the state directory /home/a/.openclaw/state is in use",
          "why": "process 41 has it open for writing",
          "hint": "talk to the running gateway (`openclaw status`), stop it (`kill 41`), or use another state directory with `--profile NAME`",
          "details": {
            "directory": "/home/a/.openclaw/state",
            "pid": 41
          }
        }
        "#);
    }
}
