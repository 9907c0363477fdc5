//! The file on disk: one editor at a time, backups, atomic replacement.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::files::read_text;
use crate::core::limits::MAX_CONFIG_BYTES;
use crate::core::{Error, ErrorKind, Result};

/// How long another editor may hold the lock.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(15);

/// The advisory lock on the configuration's directory, held from reading to writing. Dropping it lets go.
pub(super) struct Lock {
    directory: Option<File>,
}

impl Lock {
    /// Waits for the lock. A dry run takes none, so it works on read-only directories.
    pub(super) fn take(path: &Path, dry_run: bool) -> Result<Self> {
        if dry_run {
            return Ok(Self { directory: None });
        }
        let parent = parent(path);
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| failed(path, error))?;
        let directory = File::open(parent).map_err(|error| failed(path, error))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(Self { directory: Some(directory) }),
                Err(fs::TryLockError::Error(error)) => return Err(failed(path, error)),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::park_timeout(PAUSE),
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        format!("{} is being edited by another program", path.display()),
                    )
                    .why(format!("its directory has been locked for {} seconds", PATIENCE.as_secs()))
                    .hint("Try again when the other program is done."));
                }
            }
        }
    }

    /// Replaces the file: backups first, then a new file moved into its place. Refuses if the text on disk is not
    /// `expected` any more (`None` = there is no file).
    pub(super) fn write(&self, path: &Path, expected: Option<&str>, text: &str) -> Result<()> {
        debug_assert!(self.directory.is_some(), "a write happens under the lock");
        let found = read_text(path, MAX_CONFIG_BYTES).map_err(|error| failed(path, error))?;
        if found.as_deref() != expected {
            return Err(changed(path));
        }
        if let Some(current) = expected {
            rotate(path, current).map_err(|error| failed(path, error))?;
        }
        let target = follow(path).map_err(|error| failed(path, error))?;
        replace_file(&target, text).map_err(|error| failed(path, error))
    }
}

/// The error for a file that is not what the caller saw.
pub(super) fn changed(path: &Path) -> Error {
    Error::new(ErrorKind::Conflict, format!("{} has changed since it was read", path.display()))
        .hint("Read it again and repeat the change.")
}

/// Writes `<path>.last-good` if it differs.
pub(super) fn write_last_good(path: &Path, text: &str) -> Result<()> {
    let copy = suffixed(path, ".last-good");
    if read_text(&copy, MAX_CONFIG_BYTES).is_ok_and(|old| old.as_deref() == Some(text)) {
        return Ok(());
    }
    replace_file(&copy, text).map_err(|error| failed(&copy, error))
}

/// `.bak.3` → `.bak.4` … `.bak` → `.bak.1`, the current text → `.bak`.
fn rotate(path: &Path, current: &str) -> io::Result<()> {
    let names = [".bak", ".bak.1", ".bak.2", ".bak.3", ".bak.4"].map(|suffix| suffixed(path, suffix));
    for pair in names.windows(2).rev() {
        match fs::rename(&pair[0], &pair[1]) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    replace_file(&names[0], current)
}

/// Where a symbolic link leads, so that the link stays a link.
fn follow(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => Ok(parent(path).join(target)),
            Err(_no_link) => Ok(path.to_owned()),
        },
        Err(error) => Err(error),
    }
}

/// Writes a new file of mode 0600 beside the target, makes it durable and moves it over the target.
fn replace_file(target: &Path, text: &str) -> io::Result<()> {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = parent(target).join(format!(".{name}.{}.tmp", uuid::Uuid::now_v7()));
    let written = write_new(&temporary, text).and_then(|()| fs::rename(&temporary, target));
    if let Err(error) = written {
        drop(fs::remove_file(&temporary)); // dropped: the write's error is the one to tell
        return Err(error);
    }
    File::open(parent(target))?.sync_all()
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn failed(path: &Path, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "Check that you own the directory and may write to it."
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "Free some space and try again.",
        _ => "The configuration is as it was before.",
    };
    Error::new(ErrorKind::Config, format!("{} could not be written", path.display())).source(error).hint(hint)
}
