//! Replacing or creating a file in one step: readers see the old content or the whole of the other, never a part.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{AccessFlags, Gid, Uid, UnlinkatFlags, faccessat, fchown, fsync, linkat, unlinkat};

use super::unix::{self, DIRECTORY, Meta, fs_error};
use super::{FsError, HostCapabilityFs, RelPath};

/// Mode of a file that did not exist, less the umask.
const NEW_FILE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR).union(Mode::S_IRGRP).union(Mode::S_IROTH);
/// Mode of the temporary sibling of a file whose own mode may be stricter.
const PRIVATE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
/// How often a write starts again when the name appears or disappears meanwhile.
const TRIES: u32 = 8;

/// How a file is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// Make missing directories on the way.
    pub create_parents: bool,
    /// Fail with [`FsError::NotFound`] instead of creating the file.
    pub must_exist: bool,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// There was no file of that name before.
    pub created: bool,
    /// Bytes in the file.
    pub bytes: u64,
}

impl HostCapabilityFs {
    /// Writes `data` to a temporary sibling, synchronises it, and renames it over `path`, so that a hard link elsewhere keeps its
    /// content. The permissions (and, as far as allowed, the owner) of a replaced file are kept; another file gets 0644 less the umask.
    /// A file without write permission is refused, as it would be by a plain `open`.
    pub fn write_with(&self, path: &RelPath, data: &[u8], options: &WriteOptions) -> Result<Written, FsError> {
        self.protected.check_write(path)?;
        let Some(parent) = path.parent() else {
            return Err(FsError::NotAFile { path: path.to_string(), what: "the workspace directory" });
        };
        if options.create_parents {
            self.make_directories(&parent)?;
        }
        let directory = self.open_fd_for(path, &parent, DIRECTORY)?;
        let failed = |errno| fs_error(path, errno);
        for _ in 0..TRIES {
            let replaced = existing(&directory, path)?;
            if replaced.is_none() && options.must_exist {
                return Err(FsError::NotFound { path: path.to_string() });
            }
            let temporary = Temporary::create(&directory, replaced.as_ref()).map_err(failed)?;
            temporary.fill(data).map_err(|error| FsError::from_io(path.to_string(), error))?;
            if let Some(meta) = &replaced {
                temporary.take_over(meta).map_err(failed)?;
            }
            fsync(&temporary.file).map_err(failed)?;
            match temporary.rename(path.name(), replaced.is_some()) {
                Ok(()) => {
                    fsync(&directory).map_err(failed)?;
                    let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    return Ok(Written { created: replaced.is_none(), bytes });
                }
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        Err(failed(Errno::EAGAIN))
    }
}

/// The regular, writable file that would be replaced, if there is one.
fn existing(directory: &OwnedFd, path: &RelPath) -> Result<Option<Meta>, FsError> {
    let meta = match unix::meta_at(directory, OsStr::new(path.name())) {
        Ok(meta) => meta,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(fs_error(path, errno)),
    };
    meta.require_file(path)?;
    faccessat(directory, path.name(), AccessFlags::W_OK, AtFlags::AT_EACCESS).map_err(|errno| fs_error(path, errno))?;
    Ok(Some(meta))
}

/// A sibling under a random name; removed unless it is renamed.
struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: String,
    file: File,
    renamed: std::cell::Cell<bool>,
}

impl<'a> Temporary<'a> {
    fn create(directory: &'a OwnedFd, replaced: Option<&Meta>) -> nix::Result<Self> {
        let name = format!(".openclaw-{}.tmp", uuid::Uuid::now_v7().simple());
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = if replaced.is_some() { PRIVATE } else { NEW_FILE };
        let file = File::from(openat(directory, name.as_str(), flags, mode)?);
        Ok(Self { directory, name, file, renamed: std::cell::Cell::new(false) })
    }

    fn fill(&self, data: &[u8]) -> std::io::Result<()> {
        (&self.file).write_all(data)
    }

    /// Gives the temporary file the owner and permissions of the one it replaces.
    fn take_over(&self, meta: &Meta) -> nix::Result<()> {
        let own = unix::meta_of(&self.file)?;
        if own.owner != meta.owner {
            let (user, group) = meta.owner;
            match fchown(&self.file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))) {
                // Only root may give files away; for others the file becomes theirs, as with any editor that replaces files.
                Ok(()) | Err(Errno::EPERM) => {}
                Err(errno) => return Err(errno),
            }
        }
        fchmod(&self.file, meta.mode)
    }

    fn rename(&self, target: &str, replace: bool) -> nix::Result<()> {
        if replace {
            renameat(self.directory, self.name.as_str(), self.directory, target)?;
            self.renamed.set(true);
            return Ok(());
        }
        match self.rename_new(target) {
            // File systems without an exclusive rename.
            Err(Errno::EINVAL | Errno::ENOSYS) => match self.link_new(target) {
                // And without hard links: look once more, then rename plainly.
                Err(Errno::EPERM | Errno::EOPNOTSUPP) => match unix::meta_at(self.directory, OsStr::new(target)) {
                    Err(Errno::ENOENT) => self.rename(target, true),
                    Ok(_) => Err(Errno::EEXIST),
                    Err(errno) => Err(errno),
                },
                result => result,
            },
            Ok(()) => {
                self.renamed.set(true);
                Ok(())
            }
            Err(errno) => Err(errno),
        }
    }

    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn rename_new(&self, target: &str) -> nix::Result<()> {
        use nix::fcntl::{RenameFlags, renameat2};
        renameat2(self.directory, self.name.as_str(), self.directory, target, RenameFlags::RENAME_NOREPLACE)
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    fn rename_new(&self, _target: &str) -> nix::Result<()> {
        Err(Errno::ENOSYS)
    }

    /// A second name appears in one step and never over an existing one; `Drop` removes the first.
    fn link_new(&self, target: &str) -> nix::Result<()> {
        linkat(self.directory, self.name.as_str(), self.directory, target, AtFlags::empty())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if self.renamed.get() {
            return;
        }
        if let Err(errno) = unlinkat(self.directory, self.name.as_str(), UnlinkatFlags::NoRemoveDir) {
            tracing::warn!(file = %self.name, %errno, "a temporary file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creating_by_link_never_replaces_and_leaves_one_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("old"), "old").unwrap();
        let directory = OwnedFd::from(File::open(dir.path()).unwrap());
        for (target, expected) in [("old", Err(Errno::EEXIST)), ("other", Ok(()))] {
            let temporary = Temporary::create(&directory, None).unwrap();
            temporary.fill(b"data").unwrap();
            assert_eq!(temporary.link_new(target), expected);
        }
        assert_eq!(std::fs::read(dir.path().join("old")).unwrap(), b"old");
        assert_eq!(std::fs::read(dir.path().join("other")).unwrap(), b"data");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "the temporary names are gone");
    }
}
