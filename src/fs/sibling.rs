//! A name beside a file: what is prepared there takes the file's place in one step, or is removed again.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, linkat, unlinkat};

use super::unix::{self, Meta};

/// Mode of a file that did not exist, less the umask.
const NEW_FILE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR).union(Mode::S_IRGRP).union(Mode::S_IROTH);
/// Mode of a sibling whose final mode may be stricter.
const PRIVATE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// A random name in a directory. Whatever is there when it is dropped is removed.
pub(super) struct Sibling<'a> {
    directory: &'a OwnedFd,
    name: String,
    present: Cell<bool>,
}

impl<'a> Sibling<'a> {
    /// A name that nobody can guess, with nothing there.
    pub(super) fn reserve(directory: &'a OwnedFd) -> Self {
        let name = format!(".openclaw-{}.tmp", uuid::Uuid::now_v7().simple());
        Self { directory, name, present: Cell::new(false) }
    }

    /// A file of that content, synchronised, with the permissions (and, as far as allowed, the owner) of `like`.
    pub(super) fn with_content(directory: &'a OwnedFd, data: &[u8], like: Option<&Meta>) -> std::io::Result<Self> {
        let sibling = Self::reserve(directory);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = if like.is_some() { PRIVATE } else { NEW_FILE };
        let mut file = File::from(openat(directory, sibling.name.as_str(), flags, mode)?);
        sibling.present.set(true);
        file.write_all(data)?;
        if let Some(like) = like {
            take_over(&file, like)?;
        }
        fsync(&file)?;
        Ok(sibling)
    }

    /// Takes the place of `target`, whatever is there.
    pub(super) fn replace(&self, target: &str) -> nix::Result<()> {
        renameat(self.directory, self.name.as_str(), self.directory, target)?;
        self.present.set(false);
        Ok(())
    }

    /// Becomes `target`; `EEXIST` if there is one.
    pub(super) fn place(&self, target: &str) -> nix::Result<()> {
        rename_new((self.directory, &self.name), (self.directory, target))?;
        self.present.set(false);
        Ok(())
    }

    /// Takes the place of `target`, which is under this name afterwards.
    pub(super) fn exchange(&self, target: &str) -> nix::Result<()> {
        exchange(self.directory, &self.name, target)
    }

    /// Moves `target` to this name.
    pub(super) fn take(&self, target: &str) -> nix::Result<()> {
        rename_new((self.directory, target), (self.directory, &self.name))?;
        self.present.set(true);
        Ok(())
    }

    /// What is under this name.
    pub(super) fn meta(&self) -> nix::Result<Meta> {
        unix::meta_at(self.directory, OsStr::new(&self.name))
    }
}

impl Drop for Sibling<'_> {
    fn drop(&mut self) {
        if !self.present.get() {
            return;
        }
        if let Err(errno) = unlinkat(self.directory, self.name.as_str(), UnlinkatFlags::NoRemoveDir) {
            tracing::warn!(file = %self.name, %errno, "a temporary file could not be removed");
        }
    }
}

/// Gives a file the owner and permissions of another.
fn take_over(file: &File, like: &Meta) -> nix::Result<()> {
    let own = unix::meta_of(file)?;
    if own.owner != like.owner {
        let (user, group) = like.owner;
        match fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))) {
            // Only root may give files away; for others the file becomes theirs, as with any editor that replaces files.
            Ok(()) | Err(Errno::EPERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    fchmod(file, like.mode)
}

/// A name in an open directory.
type Place<'a> = (&'a OwnedFd, &'a str);

/// Renames, never over an existing name.
pub(super) fn rename_new(from: Place<'_>, to: Place<'_>) -> nix::Result<()> {
    match rename_exclusive(from, to) {
        // File systems without an exclusive rename.
        Err(Errno::EINVAL | Errno::ENOSYS) => match link_new(from, to) {
            // And without hard links, or a directory: look once more, then rename plainly.
            Err(Errno::EPERM | Errno::EOPNOTSUPP) => match unix::meta_at(to.0, OsStr::new(to.1)) {
                Err(Errno::ENOENT) => renameat(from.0, from.1, to.0, to.1),
                Ok(_) => Err(Errno::EEXIST),
                Err(errno) => Err(errno),
            },
            Ok(()) => unlinkat(from.0, from.1, UnlinkatFlags::NoRemoveDir),
            result => result,
        },
        result => result,
    }
}

/// A second name appears in one step and never over an existing one.
fn link_new(from: Place<'_>, to: Place<'_>) -> nix::Result<()> {
    linkat(from.0, from.1, to.0, to.1, AtFlags::empty())
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn rename_exclusive(from: Place<'_>, to: Place<'_>) -> nix::Result<()> {
    use nix::fcntl::{RenameFlags, renameat2};
    renameat2(from.0, from.1, to.0, to.1, RenameFlags::RENAME_NOREPLACE)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn rename_exclusive(_from: Place<'_>, _to: Place<'_>) -> nix::Result<()> {
    Err(Errno::ENOSYS)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn exchange(directory: &OwnedFd, name: &str, target: &str) -> nix::Result<()> {
    use nix::fcntl::{RenameFlags, renameat2};
    match renameat2(directory, name, directory, target, RenameFlags::RENAME_EXCHANGE) {
        Err(Errno::EINVAL | Errno::ENOSYS) => exchange_by_steps(directory, name, target),
        result => result,
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn exchange(directory: &OwnedFd, name: &str, target: &str) -> nix::Result<()> {
    exchange_by_steps(directory, name, target)
}

/// Where the file system cannot exchange: the old file is kept under a third name while the other takes its place.
fn exchange_by_steps(directory: &OwnedFd, name: &str, target: &str) -> nix::Result<()> {
    let third = format!("{name}~");
    let linked = match link_new((directory, target), (directory, &third)) {
        Ok(()) => true,
        // Without hard links there is a moment in which the target is missing; its content is not lost.
        Err(Errno::EPERM | Errno::EOPNOTSUPP) => {
            renameat(directory, target, directory, third.as_str())?;
            false
        }
        Err(errno) => return Err(errno),
    };
    if let Err(errno) = renameat(directory, name, directory, target) {
        if linked {
            unlinkat(directory, third.as_str(), UnlinkatFlags::NoRemoveDir)?;
        } else {
            renameat(directory, third.as_str(), directory, target)?;
        }
        return Err(errno);
    }
    renameat(directory, third.as_str(), directory, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, OwnedFd) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("old"), "old").unwrap();
        let directory = OwnedFd::from(File::open(dir.path()).unwrap());
        (dir, directory)
    }

    #[test]
    fn creating_by_link_never_replaces_and_leaves_one_name() {
        let (dir, directory) = place();
        for (target, expected) in [("old", Err(Errno::EEXIST)), ("other", Ok(()))] {
            let sibling = Sibling::with_content(&directory, b"data", None).unwrap();
            assert_eq!(link_new((&directory, &sibling.name), (&directory, target)), expected);
        }
        assert_eq!(std::fs::read(dir.path().join("old")).unwrap(), b"old");
        assert_eq!(std::fs::read(dir.path().join("other")).unwrap(), b"data");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "the temporary names are gone");
    }

    #[test]
    fn exchanging_in_one_step_and_in_several_ends_alike() {
        for step in [exchange, exchange_by_steps] {
            let (dir, directory) = place();
            let sibling = Sibling::with_content(&directory, b"new", None).unwrap();
            step(&directory, &sibling.name, "old").unwrap();
            assert_eq!(std::fs::read(dir.path().join("old")).unwrap(), b"new");
            assert_eq!(std::fs::read(dir.path().join(&sibling.name)).unwrap(), b"old");
            drop(sibling);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
            let sibling = Sibling::with_content(&directory, b"new", None).unwrap();
            assert_eq!(step(&directory, &sibling.name, "missing"), Err(Errno::ENOENT));
        }
    }
}
