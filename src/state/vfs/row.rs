//! What is told about a version.

use rusqlite::types::Value;
use rusqlite::{Row, ToSql};

use crate::core::{AgentId, RunId};

/// SHA-256 of a content.
pub type VfsHash = [u8; 32];

/// One tree: an agent's, in a namespace. The namespace is compared as a whole, never by its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VfsSpace {
    /// Whose files.
    pub agent_id: AgentId,
    /// `workspace`, `scratch`, `run/<id>`.
    pub namespace: String,
}

/// Which state of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VfsAt {
    /// As it is.
    Now,
    /// As it was after that revision.
    Revision(i64),
}

/// What a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VfsKind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

impl VfsKind {
    /// `file`, `directory`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
        }
    }
}

/// One version of a file or directory, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VfsRow {
    /// Names this version for ever.
    pub id: i64,
    /// Its path; never empty.
    pub path: String,
    /// What it is.
    pub kind: VfsKind,
    /// The change that made it.
    pub revision: i64,
    /// Bytes; 0 for a directory.
    pub size: u64,
    /// Hash of the bytes; `None` for a directory.
    pub hash: Option<VfsHash>,
    /// Permission bits.
    pub mode: u32,
    /// The run that made it.
    pub run_id: Option<RunId>,
    /// When it was made, Unix milliseconds.
    pub updated_at: i64,
    /// Where the bytes are, unless they are in the row itself.
    pub(crate) content: Option<i64>,
    /// It is in `vfs_history`.
    pub(crate) past: bool,
}

/// Columns of [`read`], for both tables.
pub(super) fn columns(past: bool) -> &'static str {
    if past {
        "version, path, kind, revision, size, hash, mode, run_id, updated_at, content, 1"
    } else {
        "entry, path, kind, revision, size, hash, mode, run_id, updated_at, content, 0"
    }
}

/// Number of columns that [`columns`] lists.
pub(super) const COLUMN_COUNT: usize = 11;

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<VfsRow> {
    let kind = if row.get_ref(2)?.as_str()? == "directory" { VfsKind::Directory } else { VfsKind::File };
    Ok(VfsRow {
        id: row.get(0)?,
        path: row.get(1)?,
        kind,
        revision: row.get(3)?,
        size: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
        hash: row.get(5)?,
        mode: u32::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
        run_id: row.get::<_, Option<String>>(7)?.map(RunId::from),
        updated_at: row.get(8)?,
        content: row.get(9)?,
        past: row.get(10)?,
    })
}

/// The range of paths below a directory: from the first value up to and without the second. Below the root that is everything:
/// SQLite sorts every blob after every text.
pub(super) fn below(directory: &str) -> (String, Value) {
    if directory.is_empty() {
        (String::new(), Value::Blob(Vec::new()))
    } else {
        // '0' follows '/'.
        (format!("{directory}/"), Value::Text(format!("{directory}0")))
    }
}

/// A revision as a bound: everything that is current has a smaller one.
pub(super) fn bound(at: VfsAt) -> impl ToSql {
    match at {
        VfsAt::Now => i64::MAX,
        VfsAt::Revision(revision) => revision,
    }
}
