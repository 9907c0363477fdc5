//! The one place of this module that looks at files. It only looks.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{AccessFlags, access};

/// What is known of a file without opening it. Links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// Permission bits.
    pub(super) mode: u32,
    /// Bytes.
    pub(super) size: u64,
    /// It is a directory.
    pub(super) is_directory: bool,
    /// It is a symbolic link.
    pub(super) is_link: bool,
    /// It belongs to the user who runs this.
    pub(super) is_ours: bool,
}

/// Facts about a path; `None` if nothing is there.
pub(super) fn look(path: &Path) -> io::Result<Option<Facts>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(Facts {
            mode: meta.mode() & 0o7777,
            size: meta.size(),
            is_directory: meta.is_dir(),
            is_link: meta.file_type().is_symlink(),
            is_ours: meta.uid() == nix::unistd::geteuid().as_raw(),
        })),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this user may create files in the directory, or write the file.
pub(super) fn is_writable(path: &Path) -> bool {
    access(path, AccessFlags::W_OK).is_ok()
}

/// The first bytes of a file.
pub(super) fn head(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    // O_NONBLOCK: opening a pipe must not wait for a writer.
    let file = fs::OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    file.take(bytes).read_to_end(&mut head)?;
    Ok(head)
}

/// Entries of a directory, at most `limit`; none if it cannot be listed.
pub(super) fn entries(directory: &Path, limit: usize) -> Vec<PathBuf> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.take(limit).filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(_unreadable) => Vec::new(), // dropped: a check of its own reports directories that cannot be read
    }
}

/// Whether a process holds the kernel lock on a directory. The question takes a shared lock for an instant, so ask it
/// only where no gateway seems to run.
pub(super) fn is_locked(directory: &Path) -> bool {
    let Ok(file) = fs::File::open(directory) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
}
