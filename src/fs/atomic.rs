//! Replacing or creating a file in one step: readers see the old content or the whole of the other, never a part.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::unistd::{AccessFlags, faccessat, fsync};

use super::sibling::Sibling;
use super::unix::{self, DIRECTORY, Meta, fs_error};
use super::{FsError, HostCapabilityFs, RelPath};

/// How often a write starts again when the name appears or disappears meanwhile.
const TRIES: u32 = 8;

/// How a file is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions {
    /// Make missing directories on the way.
    pub create_parents: bool,
    /// Fail with [`FsError::NotFound`] instead of creating the file.
    pub must_exist: bool,
    /// Fail with [`FsError::Exists`] instead of replacing anything.
    pub must_not_exist: bool,
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
        self.check_write(path)?;
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
            if replaced.is_some() && options.must_not_exist {
                return Err(FsError::Exists { path: path.to_string() });
            }
            let sibling = Sibling::with_content(&directory, data, replaced.as_ref())
                .map_err(|error| FsError::from_io(path.to_string(), error))?;
            let renamed = if replaced.is_some() { sibling.replace(path.name()) } else { sibling.place(path.name()) };
            match renamed {
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
pub(super) fn existing(directory: &OwnedFd, path: &RelPath) -> Result<Option<Meta>, FsError> {
    let meta = match unix::meta_at(directory, OsStr::new(path.name())) {
        Ok(meta) => meta,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(fs_error(path, errno)),
    };
    meta.require_file(path)?;
    match faccessat(directory, path.name(), AccessFlags::W_OK, AtFlags::AT_EACCESS) {
        Ok(()) => Ok(Some(meta)),
        // Gone since the line above.
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(fs_error(path, errno)),
    }
}
