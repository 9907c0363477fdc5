//! Quotas, and rules for paths and modes. Checked in the transaction of the change.

use crate::config::VfsSettings;
use crate::fs::protect::Protected;
use crate::fs::{EntryKind, FsError, RelPath};
use crate::state::VfsTotals;

/// Permissions of a file that did not exist.
pub(super) const FILE_MODE: u32 = 0o644;
/// Permissions of a directory that did not exist.
pub(super) const DIRECTORY_MODE: u32 = 0o755;

/// What an agent may store. Bytes, files and history count over all its namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VfsLimits {
    /// Of all current files. Current files and what snapshots hold together may be twice that.
    pub max_bytes: u64,
    /// Current files and directories.
    pub max_files: u64,
    /// Of one file.
    pub max_file_bytes: u64,
    /// Of superseded versions that no snapshot holds; the oldest ones go first.
    pub history_bytes: u64,
    /// Names in a path.
    pub max_depth: usize,
    /// Bytes of a path.
    pub max_path_bytes: usize,
    /// Snapshots of one namespace.
    pub max_snapshots: usize,
}

impl Default for VfsLimits {
    fn default() -> Self {
        Self::from(&VfsSettings::default())
    }
}

impl From<&VfsSettings> for VfsLimits {
    fn from(settings: &VfsSettings) -> Self {
        Self {
            max_bytes: settings.max_bytes,
            max_files: settings.max_files,
            max_file_bytes: settings.max_file_bytes,
            history_bytes: settings.history_bytes,
            max_depth: 64,
            max_path_bytes: 1024,
            max_snapshots: 1000,
        }
    }
}

impl VfsLimits {
    /// Refuses what may not be created, replaced or removed: protected names, and paths beyond the limits.
    pub(super) fn check_path(&self, path: &RelPath) -> Result<(), FsError> {
        Protected::default().check_write(path)?;
        let refused = |why| Err(FsError::InvalidPath { path: crate::fs::rel_path::shorten(path.as_str()), why });
        if path.as_str().len() > self.max_path_bytes {
            return refused("it is longer than virtual files may be named");
        }
        if path.components().count() > self.max_depth {
            return refused("it is nested deeper than virtual files may be");
        }
        Ok(())
    }

    /// [`Self::check_path`] for something of a known kind. A directory is judged by what could be in it: `.git` may be one that holds
    /// nothing protected, but may not be a file.
    pub(super) fn check_kind(&self, path: &RelPath, kind: EntryKind) -> Result<(), FsError> {
        if kind == EntryKind::Directory { self.check_path(&path.join("_")?) } else { self.check_path(path) }
    }

    /// Refuses a file that is larger than one may be.
    pub(super) fn check_file(&self, path: &RelPath, size: u64) -> Result<(), FsError> {
        if size > self.max_file_bytes {
            return Err(FsError::TooLarge { path: path.to_string(), size, max: self.max_file_bytes, unit: "bytes" });
        }
        Ok(())
    }

    /// Refuses what grew beyond a quota. What shrinks is always allowed, also while a quota is exceeded because it was lowered.
    pub(super) fn check_growth(&self, path: &RelPath, before: &VfsTotals, after: &VfsTotals) -> Result<(), FsError> {
        let entries = |totals: &VfsTotals| totals.files + totals.directories;
        let kept = |totals: &VfsTotals| totals.bytes.saturating_add(totals.held_bytes);
        let bounds = [
            (before.bytes, after.bytes, self.max_bytes, "bytes of virtual files"),
            (entries(before), entries(after), self.max_files, "virtual files and directories"),
            (kept(before), kept(after), self.max_bytes.saturating_mul(2), "bytes of virtual files and snapshots"),
        ];
        for (was, would_be, max, unit) in bounds {
            if would_be > was && would_be > max {
                return Err(FsError::Quota { path: path.to_string(), would_be, max, unit });
            }
        }
        Ok(())
    }
}

/// Permission bits that are kept. The owner may always read and write: there is nobody else to keep out, and a command could not work
/// on its own files otherwise.
pub(super) fn file_mode(mode: u32) -> u32 {
    (mode & 0o777) | 0o600
}

/// The same for a directory.
pub(super) fn directory_mode(mode: u32) -> u32 {
    (mode & 0o777) | 0o700
}
