//! A directory for the temporary files of one command, where there is no private `/tmp`.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PLACE: &str = "/tmp";
/// Between the making of a directory and its lock there is less than this.
const SETTLING: Duration = Duration::from_mins(1);
const PREFIX: &str = "openclaw-sandbox-";

/// The directory. It is removed with this value; its lock tells others that it is in use.
#[derive(Debug)]
pub struct PrivateDirectory {
    path: PathBuf,
    _lock: File,
}

impl PrivateDirectory {
    /// Makes one that only this user may enter, and removes those of supervisors that were killed.
    pub fn create() -> io::Result<Self> {
        Self::create_in(Path::new(PLACE))
    }

    fn create_in(place: &Path) -> io::Result<Self> {
        sweep(place);
        let path = nix::unistd::mkdtemp(&place.join(format!("{PREFIX}XXXXXX")))?;
        let lock = File::open(&path)?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        // dropped: what is left is swept by the next one
        drop(std::fs::remove_dir_all(&self.path));
    }
}

/// Removes directories whose owner is this user and whose lock nobody holds.
fn sweep(place: &Path) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == nix::unistd::geteuid().as_raw());
        if !ours || !settled(&entry) {
            continue;
        }
        let Ok(directory) = File::open(entry.path()) else { continue };
        match directory.try_lock() {
            // dropped: what cannot be removed does not hinder this command
            Ok(()) => drop(std::fs::remove_dir_all(entry.path())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Whether it is old enough to have been locked by whoever made it.
fn settled(entry: &std::fs::DirEntry) -> bool {
    entry.metadata().and_then(|found| found.modified()).is_ok_and(|made| made.elapsed().is_ok_and(|age| age > SETTLING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_supervisors_left_is_swept_and_what_is_in_use_stays() {
        let place = tempfile::tempdir().unwrap();
        let used = PrivateDirectory::create_in(place.path()).unwrap();
        let stale = place.path().join(format!("{PREFIX}stale"));
        std::fs::create_dir(&stale).unwrap();
        std::fs::write(stale.join("file"), "x").unwrap();
        let an_hour_ago = std::time::SystemTime::now() - Duration::from_hours(1);
        File::open(&stale).unwrap().set_modified(an_hour_ago).unwrap();
        let other = place.path().join("other");
        std::fs::create_dir(&other).unwrap();
        let next = PrivateDirectory::create_in(place.path()).unwrap();
        assert!(used.path().exists() && other.exists() && !stale.exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
