//! The one interface that tools use, whichever file system a run has.

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
}
