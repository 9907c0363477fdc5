//! The one interface that tools use, whichever file system a run has.

use std::collections::BTreeSet;
use std::io::Read;

use super::{Entry, FsError, Listing, RelPath, WriteOptions, Written};

/// A regular file, open for reading from its start.
pub struct OpenedReader {
    /// Its bytes.
    pub reader: Box<dyn Read + Send>,
    /// Bytes at the time of opening.
    pub size: u64,
    /// Last change of the content, Unix milliseconds.
    pub modified_ms: i64,
}

/// Files of a run: on the host ([`super::HostCapabilityFs`]) or in the database. Every call blocks.
pub trait AgentFiles: Send + Sync {
    /// What people and models call the root: the workspace directory, or `the virtual workspace`.
    fn describe(&self) -> String;

    /// Turns what a model wrote into a path; see [`super::HostCapabilityFs::resolve`].
    fn resolve(&self, text: &str) -> Result<RelPath, FsError>;

    /// Opens a regular file.
    fn open_for_read(&self, path: &RelPath) -> Result<OpenedReader, FsError>;

    /// Whole file, refusing more than `max` bytes.
    fn read(&self, path: &RelPath, max: u64) -> Result<Vec<u8>, FsError>;

    /// Atomic replace or create.
    fn write_with(&self, path: &RelPath, data: &[u8], options: &WriteOptions) -> Result<Written, FsError>;

    /// At most `max` entries of a directory, sorted by name.
    fn list_bounded(&self, path: &RelPath, max: usize) -> Result<Listing, FsError>;

    /// What is at `path`.
    fn stat(&self, path: &RelPath) -> Result<Entry, FsError>;

    /// Makes a directory and its missing parents.
    fn mkdirs(&self, path: &RelPath) -> Result<(), FsError>;

    /// Removes a file or a link.
    fn remove_file(&self, path: &RelPath) -> Result<(), FsError>;

    /// Makes all of the changes or none.
    ///
    /// * The set is checked first, by [`check_change_set`]: no path twice, none below another, so that the order does not matter.
    /// * Then every change is checked against the files as they are. Any refusal is the result and nothing has been changed:
    ///   - [`FileChange::Write`]: the target is missing or a regular file, everything above it a directory or missing (missing
    ///     directories are made);
    ///   - [`FileChange::Remove`]: the target is there and a file or a link ([`FsError::NotFound`], [`FsError::NotAFile`] for a directory).
    ///     Directories that become empty stay;
    ///   - [`Expected`] holds, or the result is [`FsError::Exists`] or [`FsError::Changed`];
    ///   - `mode_of` names a regular file as it is before the set; it may be one that the set removes or replaces;
    ///   - protected paths, bounds of sizes and quotas apply to the outcome of the whole set.
    /// * A failure while changes are being made takes back the ones before it. In the database that is one transaction; on the host a crash
    ///   of the machine in between leaves every file whole, with either its old or its new content, but maybe not all of one kind.
    fn apply(&self, changes: &[FileChange]) -> Result<(), FsError>;
}

/// One change of a set; see [`AgentFiles::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// Creates or replaces a file.
    Write {
        /// Which.
        path: RelPath,
        /// All of its content.
        data: Vec<u8>,
        /// The file whose permissions it gets (a moved file keeps its own). `None`: those of the file that it replaces, or the usual ones.
        mode_of: Option<RelPath>,
        /// What must be there before.
        expected: Expected,
    },
    /// Removes a file or a link, never a directory.
    Remove {
        /// Which.
        path: RelPath,
        /// What must be there before; [`Expected::Absent`] never holds here.
        expected: Expected,
    },
}

impl FileChange {
    /// The path that changes.
    pub fn path(&self) -> &RelPath {
        match self {
            Self::Write { path, .. } | Self::Remove { path, .. } => path,
        }
    }

    /// What must be there before.
    pub fn expected(&self) -> Expected {
        match self {
            Self::Write { expected, .. } | Self::Remove { expected, .. } => *expected,
        }
    }
}

/// What a change relies on, so that it does not undo somebody else's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Anything,
    /// There is no such file; else [`FsError::Exists`].
    Absent,
    /// The file has this SHA-256; else, and when it is missing, [`FsError::Changed`].
    Sha256([u8; 32]),
}

/// Refuses a set whose outcome would depend on its order: a path that occurs twice, or lies below another. The root cannot change.
pub fn check_change_set(changes: &[FileChange]) -> Result<(), FsError> {
    let invalid = |path: &RelPath, why| Err(FsError::InvalidPath { path: path.to_string(), why });
    let mut paths = BTreeSet::new();
    for change in changes {
        let path = change.path();
        if path.is_root() {
            return Err(FsError::NotAFile { path: path.to_string(), what: "the workspace directory" });
        }
        if !paths.insert(path) {
            return invalid(path, "it is changed twice in one set");
        }
    }
    for path in &paths {
        let mut above = path.parent();
        while let Some(directory) = above {
            if paths.contains(&directory) {
                return invalid(path, "a file above it is changed in the same set");
            }
            above = directory.parent();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_whose_order_matters_are_refused() {
        let check = |paths: &[&str]| {
            let changes: Vec<FileChange> = paths
                .iter()
                .map(|path| FileChange::Remove { path: RelPath::parse(path).unwrap(), expected: Expected::Anything })
                .collect();
            check_change_set(&changes).map_err(|error| error.code())
        };
        assert_eq!(check(&["a", "b/c", "b/d", "ab"]), Ok(()));
        assert_eq!(check(&["a", "b", "a"]), Err("invalid_path"));
        assert_eq!(check(&["a/b/c", "a"]), Err("invalid_path"));
        assert_eq!(check(&["a", "a/b"]), Err("invalid_path"));
        assert_eq!(check(&[""]), Err("not_a_file"));
    }
}
