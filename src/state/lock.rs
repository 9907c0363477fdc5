//! One writer per state directory: a kernel lock that ends with the process, whatever way it ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use serde::{Deserialize, Serialize};

use super::error::StateError;
use crate::core::now_ms;

/// Held for as long as the value lives.
pub(super) struct InstanceLock {
    holder: PathBuf,
    _lock: Flock<File>,
}

/// Content of `<state>/holder.json`: who has the lock. It informs error messages; the lock itself is the kernel's.
#[derive(Serialize, Deserialize)]
struct Holder {
    pid: u32,
    since: i64,
}

impl InstanceLock {
    /// Locks the directory itself, so there is no lock file that could be deleted or left behind.
    pub(super) fn acquire(directory: &Path) -> Result<Self, StateError> {
        let holder = directory.join("holder.json");
        let file =
            File::open(directory).map_err(|error| StateError::file("open the state directory", directory, &error))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_file, errno)| match errno {
            Errno::EWOULDBLOCK => StateError::InUse { directory: directory.to_owned(), pid: read_holder(&holder) },
            other => StateError::file("lock the state directory", directory, &std::io::Error::from(other)),
        })?;
        if let Err(error) = write_holder(&holder) {
            tracing::warn!(path = %holder.display(), %error, "could not record who holds the state directory");
        }
        Ok(Self { holder, _lock: lock })
    }
}

impl Drop for InstanceLock {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.holder) {
            tracing::debug!(path = %self.holder.display(), %error, "could not remove the holder's record");
        }
    }
}

fn write_holder(path: &Path) -> std::io::Result<()> {
    let text = serde_json::to_string(&Holder { pid: std::process::id(), since: now_ms() })?;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    file.write_all(text.as_bytes())
}

/// `None` if the holder left no record: the record is written just after the lock is taken.
fn read_holder(path: &Path) -> Option<u32> {
    let mut text = String::new();
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path);
    match file.and_then(|file| file.take(4096).read_to_string(&mut text)) {
        Ok(_) => serde_json::from_str::<Holder>(&text).map_or(None, |holder| Some(holder.pid)),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "the lock's holder left no record");
            None
        }
    }
}
