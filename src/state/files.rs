//! The state directory and the database file: created private, never through a link.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::error::StateError;

/// Bits that let other users in.
const OTHERS: u32 = 0o077;

/// Creates the directory (0700, parents too) or makes an existing one private; returns its path without links, which
/// is what SQLite needs to refuse links with `SQLITE_OPEN_NOFOLLOW`.
pub(super) fn prepare_directory(directory: &Path) -> Result<PathBuf, StateError> {
    if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(directory) {
        if fs::metadata(directory).is_ok_and(|meta| !meta.is_dir()) {
            return Err(StateError::WrongFileType { path: directory.to_owned(), found: "not a directory" });
        }
        return Err(StateError::file("create the state directory", directory, &error));
    }
    let real = resolve(directory)?;
    make_private(&real, 0o700)?;
    Ok(real)
}

/// The directory's path without links.
pub(super) fn resolve(directory: &Path) -> Result<PathBuf, StateError> {
    fs::canonicalize(directory).map_err(|error| StateError::file("open the state directory", directory, &error))
}

/// What is at the database's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DatabaseFile {
    /// Nothing.
    Missing,
    /// A file without content, and no write-ahead log with content beside it.
    Empty,
    /// A file with content.
    Present,
}

/// Looks without opening: closing a descriptor of the file would drop the POSIX locks that SQLite holds on it in this
/// process (<https://www.sqlite.org/howtocorrupt.html> §2.2).
pub(super) fn inspect(database: &Path) -> Result<DatabaseFile, StateError> {
    let meta = match fs::symlink_metadata(database) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(DatabaseFile::Missing),
        Err(error) => return Err(StateError::file("look at", database, &error)),
    };
    let found = if meta.is_symlink() {
        "a symbolic link"
    } else if meta.is_dir() {
        "a directory"
    } else if !meta.is_file() {
        "not a regular file"
    } else if meta.size() > 0 || size(&sidecar(database, "-wal")) > 0 {
        return Ok(DatabaseFile::Present);
    } else {
        return Ok(DatabaseFile::Empty);
    };
    Err(StateError::WrongFileType { path: database.to_owned(), found })
}

/// Creates the database file 0600, so that SQLite gives its sidecars the same mode.
pub(super) fn create_database(database: &Path) -> Result<(), StateError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(database)
        .map(drop)
        .map_err(|error| StateError::file("create", database, &error))
}

/// Takes away other users' access to the database and its sidecars.
pub(super) fn make_database_private(database: &Path) -> Result<(), StateError> {
    for path in [database.to_owned(), sidecar(database, "-wal"), sidecar(database, "-shm")] {
        make_private(&path, 0o600)?;
    }
    Ok(())
}

fn make_private(path: &Path, mode: u32) -> Result<(), StateError> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StateError::file("look at", path, &error)),
    };
    if meta.is_symlink() {
        return Err(StateError::WrongFileType { path: path.to_owned(), found: "a symbolic link" });
    }
    if meta.mode() & OTHERS != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|error| StateError::file("take away other users' access to", path, &error))?;
    }
    Ok(())
}

/// `<database><suffix>`.
pub(super) fn sidecar(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Size in bytes; 0 if there is no such file.
pub(super) fn size(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |meta| meta.size())
}
