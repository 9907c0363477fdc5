//! Moving and removing what may be a whole directory. Nothing protected moves or goes with it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::renameat;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

use super::sibling::rename_new;
use super::unix::{self, CONTENTS, DIRECTORY, fs_error};
use super::{EntryKind, FsError, HostCapabilityFs, RelPath};

/// Directory levels below the one that is moved or removed.
const MAX_DEPTH: usize = 256;
/// Names below it.
const MAX_ENTRIES: u64 = 1_000_000;

impl HostCapabilityFs {
    /// Gives a file, link or directory another name, in one step. With `replace`, a file may take the place of a file; otherwise the
    /// other name must be free. A directory with something protected in it, before or after, stays where it is.
    pub fn rename(&self, from: &RelPath, to: &RelPath, replace: bool) -> Result<(), FsError> {
        let (old_parent, new_parent) = (parent(from)?, parent(to)?);
        self.check_write(from)?;
        self.check_write(to)?;
        if to.is_within(from) {
            return Err(FsError::InvalidPath { path: to.to_string(), why: "it lies below what is being moved" });
        }
        let old = self.open_fd_for(from, &old_parent, DIRECTORY)?;
        let new = self.open_fd_for(to, &new_parent, DIRECTORY)?;
        let meta = unix::meta_at(&old, OsStr::new(from.name())).map_err(|errno| fs_error(from, errno))?;
        if meta.kind == EntryKind::Directory {
            self.visit(&old, from, &mut |below, _| {
                self.check_write(below)?;
                self.check_write(&to.join(below.as_str().get(from.as_str().len() + 1..).unwrap_or_default())?)
            })?;
        }
        let renamed = if replace {
            match unix::meta_at(&new, OsStr::new(to.name())) {
                Ok(existing) => existing.require_file(to)?,
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(fs_error(to, errno)),
            }
            renameat(&old, from.name(), &new, to.name())
        } else {
            rename_new((&old, from.name()), (&new, to.name()))
        };
        match renamed {
            Ok(()) => {}
            Err(Errno::EEXIST) => return Err(FsError::Exists { path: to.to_string() }),
            Err(errno) => return Err(fs_error(from, errno)),
        }
        fsync(&old).map_err(|errno| fs_error(from, errno))?;
        fsync(&new).map_err(|errno| fs_error(to, errno))
    }

    /// Removes a file, a link, or a directory with everything in it; links in it are removed and not followed. Refused before anything is
    /// removed when something in it is protected or another file system is mounted there.
    pub fn remove_tree(&self, path: &RelPath) -> Result<(), FsError> {
        self.check_write(path)?;
        let failed = |errno| fs_error(path, errno);
        let directory = self.open_fd_for(path, &parent(path)?, DIRECTORY)?;
        let meta = unix::meta_at(&directory, OsStr::new(path.name())).map_err(failed)?;
        if meta.kind != EntryKind::Directory {
            return self.remove_file(path);
        }
        self.visit(&directory, path, &mut |below, _| self.check_write(below))?;
        // Looked at again on the way: what appeared meanwhile is held to the same rules.
        self.visit(&directory, path, &mut |below, entry| {
            self.check_write(below)?;
            let flags = if entry.is_directory { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
            match unlinkat(entry.directory, entry.name, flags) {
                Ok(()) | Err(Errno::ENOENT) => Ok(()),
                Err(errno) => Err(fs_error(below, errno)),
            }
        })?;
        unlinkat(&directory, path.name(), UnlinkatFlags::RemoveDir).map_err(failed)?;
        fsync(&directory).map_err(failed)
    }

    /// Sets the permission bits of a file or directory (of `0o777`; nothing else).
    pub fn set_mode(&self, path: &RelPath, mode: u32) -> Result<(), FsError> {
        self.check_write(path)?;
        let failed = |errno| fs_error(path, errno);
        let fd = self.open_fd(path, CONTENTS)?;
        let meta = unix::meta_of(&fd).map_err(failed)?;
        if meta.kind != EntryKind::Directory {
            meta.require_file(path)?;
        }
        File::from(fd)
            .set_permissions(Permissions::from_mode(mode & 0o777))
            .map_err(|error| FsError::from_io(path.to_string(), error))
    }

    /// Calls `each` for everything below a directory, content before the directory that holds it.
    fn visit(&self, parent: &OwnedFd, path: &RelPath, each: &mut Visitor<'_>) -> Result<(), FsError> {
        let mut left = MAX_ENTRIES;
        self.visit_level(parent, OsStr::new(path.name()), path, 0, &mut left, each)
    }

    fn visit_level(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &RelPath,
        depth: usize,
        left: &mut u64,
        each: &mut Visitor<'_>,
    ) -> Result<(), FsError> {
        let failed = |errno| fs_error(path, errno);
        if depth == MAX_DEPTH {
            let (size, max) = (MAX_DEPTH as u64 + 1, MAX_DEPTH as u64);
            return Err(FsError::TooLarge { path: path.to_string(), size, max, unit: "levels" });
        }
        let directory = self.open_below(parent.as_fd(), name.as_ref(), DIRECTORY).map_err(failed)?;
        let mut listing =
            Dir::from_fd(directory.try_clone().map_err(|error| FsError::from_io(path.to_string(), error))?)
                .map_err(failed)?;
        let names: Vec<OsString> = listing
            .iter()
            .map(|entry| entry.map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()))
            .filter(|name| name.as_ref().is_ok_and(|name| name != "." && name != "..") || name.is_err())
            .collect::<nix::Result<_>>()
            .map_err(failed)?;
        drop(listing);
        for name in names {
            *left = left.checked_sub(1).ok_or_else(|| FsError::TooLarge {
                path: path.to_string(),
                size: MAX_ENTRIES + 1,
                max: MAX_ENTRIES,
                unit: "entries",
            })?;
            // Names that are not text are held to the rules by what people would read in them.
            let below = path.join(&name.to_string_lossy())?;
            let meta = match unix::meta_at(&directory, &name) {
                Ok(meta) => meta,
                Err(Errno::ENOENT) => continue,
                Err(errno) => return Err(fs_error(&below, errno)),
            };
            let is_directory = meta.kind == EntryKind::Directory;
            if is_directory {
                self.visit_level(&directory, &name, &below, depth + 1, left, each)?;
            }
            each(&below, &Visited { directory: &directory, name: &name, is_directory })?;
        }
        Ok(())
    }
}

type Visitor<'a> = dyn FnMut(&RelPath, &Visited<'_>) -> Result<(), FsError> + 'a;

/// One name on a visit.
struct Visited<'a> {
    directory: &'a OwnedFd,
    name: &'a OsStr,
    is_directory: bool,
}

fn parent(path: &RelPath) -> Result<RelPath, FsError> {
    path.parent().ok_or_else(|| FsError::NotAFile { path: path.to_string(), what: "the workspace itself" })
}
