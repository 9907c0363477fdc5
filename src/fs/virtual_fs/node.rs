//! What is told about a file or directory, and when it was so.

use super::limits::DIRECTORY_MODE;
use crate::core::RunId;
use crate::fs::rel_path::shorten;
use crate::fs::{Entry, EntryKind, FsError, RelPath};
use crate::state::{VfsHash, VfsKind, VfsRow};

/// Longest name of a snapshot, in bytes.
const MAX_SNAPSHOT_NAME: usize = 128;

/// Which state of a tree is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Moment {
    /// As it is.
    #[default]
    Now,
    /// After that revision.
    Revision(i64),
    /// As the snapshot of that name has it.
    Snapshot(String),
}

impl Moment {
    /// `now`, a revision's number, or a snapshot's name.
    pub fn parse(text: &str) -> Result<Self, FsError> {
        if text == "now" {
            return Ok(Self::Now);
        }
        match text.parse() {
            Ok(revision) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self::Revision(revision)),
            _ => Ok(Self::Snapshot(snapshot_name(text)?.to_owned())),
        }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now => formatter.write_str("now"),
            Self::Revision(revision) => write!(formatter, "revision {revision}"),
            Self::Snapshot(name) => write!(formatter, "snapshot {name}"),
        }
    }
}

/// A name that a snapshot may have: it cannot be taken for a revision or for `now`.
pub(super) fn snapshot_name(name: &str) -> Result<&str, FsError> {
    let invalid = |why| Err(FsError::InvalidPath { path: shorten(name), why });
    if name.is_empty() || name.len() > MAX_SNAPSHOT_NAME {
        return invalid("the name of a snapshot has 1 to 128 bytes");
    }
    if name == "now" || name.bytes().all(|byte| byte.is_ascii_digit()) {
        return invalid("the name of a snapshot is not `now` and not a number");
    }
    if name.chars().any(char::is_control) {
        return invalid("the name of a snapshot has no control characters");
    }
    Ok(name)
}

/// A file or directory of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VfsNode {
    /// Where it is.
    pub path: RelPath,
    /// A file or a directory.
    pub kind: EntryKind,
    /// Bytes; 0 for a directory.
    pub size: u64,
    /// SHA-256 of a file's bytes.
    pub hash: Option<VfsHash>,
    /// Permission bits.
    pub mode: u32,
    /// The change that made this version; 0 for the root.
    pub revision: i64,
    /// When it was made, Unix milliseconds; 0 for the root.
    pub modified_ms: i64,
    /// The run that made it.
    pub run_id: Option<RunId>,
}

impl VfsNode {
    /// The root, which is always there.
    pub(super) fn root() -> Self {
        Self {
            path: RelPath::root(),
            kind: EntryKind::Directory,
            size: 0,
            hash: None,
            mode: DIRECTORY_MODE,
            revision: 0,
            modified_ms: 0,
            run_id: None,
        }
    }

    pub(super) fn of(row: VfsRow) -> Result<Self, FsError> {
        Ok(Self {
            path: RelPath::parse(&row.path)?,
            kind: kind(row.kind),
            size: row.size,
            hash: row.hash,
            mode: row.mode,
            revision: row.revision,
            modified_ms: row.updated_at,
            run_id: row.run_id,
        })
    }

    /// In the form that all file systems share.
    pub fn entry(&self) -> Entry {
        Entry {
            name: self.path.name().to_owned(),
            kind: self.kind,
            size: self.size,
            modified_ms: self.modified_ms,
            lossy_name: false,
        }
    }
}

pub(super) fn kind(kind: VfsKind) -> EntryKind {
    match kind {
        VfsKind::File => EntryKind::File,
        VfsKind::Directory => EntryKind::Directory,
    }
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChangeKind {
    /// It appeared.
    Created,
    /// Its content, mode or kind changed.
    Changed,
    /// It disappeared.
    Deleted,
}

impl ChangeKind {
    /// `created`, `changed`, `deleted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

/// A path that is not the same at two moments. At least one side is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: RelPath,
    /// At the first moment.
    pub before: Option<VfsNode>,
    /// At the second.
    pub after: Option<VfsNode>,
}

impl Difference {
    /// `None` if both sides are alike in kind, content and mode.
    pub(super) fn between(before: Option<VfsRow>, after: Option<VfsRow>) -> Result<Option<Self>, FsError> {
        if let (Some(before), Some(after)) = (&before, &after)
            && alike(before, after)
        {
            return Ok(None);
        }
        let before = before.map(VfsNode::of).transpose()?;
        let after = after.map(VfsNode::of).transpose()?;
        let Some(path) = after.as_ref().or(before.as_ref()).map(|node| node.path.clone()) else { return Ok(None) };
        Ok(Some(Self { path, before, after }))
    }

    /// What happened.
    pub fn kind(&self) -> ChangeKind {
        match (&self.before, &self.after) {
            (None, _) => ChangeKind::Created,
            (_, None) => ChangeKind::Deleted,
            _ => ChangeKind::Changed,
        }
    }
}

/// The same kind, content and mode.
pub(super) fn alike(one: &VfsRow, other: &VfsRow) -> bool {
    (one.kind, one.hash, one.mode) == (other.kind, other.hash, other.mode)
}
