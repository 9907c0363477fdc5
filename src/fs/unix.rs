//! The system calls below a pinned directory, and what their errors mean.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::libc::{dev_t, gid_t, ino_t, uid_t};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use super::{Containment, EntryKind, FsError, RelPath};

/// For directories that are only passed through: needs no read permission where the platform can express that.
#[cfg(target_os = "linux")]
pub(super) const TRAVERSE: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);
/// For directories that are only passed through.
#[cfg(not(target_os = "linux"))]
pub(super) const TRAVERSE: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// For directories that are listed, or synchronised after a rename.
pub(super) const DIRECTORY: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// For contents. `O_NONBLOCK` so that a named pipe without a writer does not hang; `O_NOCTTY` so that a terminal is not adopted.
pub(super) const CONTENTS: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// What `fstat` tells, as far as it is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meta {
    pub(super) kind: EntryKind,
    pub(super) size: u64,
    pub(super) modified_ms: i64,
    modified_ns: (i64, i64),
    /// Of content, permissions, owner or names.
    pub(super) changed_ns: (i64, i64),
    pub(super) device: dev_t,
    pub(super) inode: ino_t,
    pub(super) links: bool,
    pub(super) mode: Mode,
    pub(super) owner: (uid_t, gid_t),
    what: &'static str,
}

impl Meta {
    fn from_stat(stat: &FileStat) -> Self {
        let format = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        let (kind, what) = if format == SFlag::S_IFREG {
            (EntryKind::File, "a file")
        } else if format == SFlag::S_IFDIR {
            (EntryKind::Directory, "a directory")
        } else if format == SFlag::S_IFLNK {
            (EntryKind::Symlink, "a symbolic link")
        } else if format == SFlag::S_IFIFO {
            (EntryKind::Other, "a named pipe")
        } else if format == SFlag::S_IFSOCK {
            (EntryKind::Other, "a socket")
        } else {
            (EntryKind::Other, "a device")
        };
        Self {
            kind,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ms: stat.st_mtime.saturating_mul(1000).saturating_add(stat.st_mtime_nsec / 1_000_000),
            modified_ns: (stat.st_mtime, stat.st_mtime_nsec),
            changed_ns: (stat.st_ctime, stat.st_ctime_nsec),
            device: stat.st_dev,
            inode: stat.st_ino,
            links: stat.st_nlink > 1,
            mode: Mode::from_bits_truncate(stat.st_mode) & (Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO),
            owner: (stat.st_uid, stat.st_gid),
            what,
        }
    }

    /// Whether it is the same file with the same content as far as times and sizes tell. (`ctime` changes by a rename, so it cannot be asked.)
    pub(super) fn is_same_content(&self, other: &Self) -> bool {
        (self.device, self.inode, self.size, self.modified_ns)
            == (other.device, other.inode, other.size, other.modified_ns)
    }

    /// Fails unless it is a regular file.
    pub(super) fn require_file(&self, path: &RelPath) -> Result<(), FsError> {
        match self.kind {
            EntryKind::File => Ok(()),
            EntryKind::Symlink => Err(FsError::Symlink { path: path.to_string() }),
            _ => Err(FsError::NotAFile { path: path.to_string(), what: self.what }),
        }
    }
}

/// Metadata of an open file.
pub(super) fn meta_of(fd: impl AsFd) -> nix::Result<Meta> {
    Ok(Meta::from_stat(&fstat(fd)?))
}

/// Metadata of a name in an open directory; a symbolic link is not followed.
pub(super) fn meta_at(directory: impl AsFd, name: &OsStr) -> nix::Result<Meta> {
    Ok(Meta::from_stat(&fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?))
}

/// Opens `path` beneath `root` by the given method. `ENOSYS` when the kernel's is not there.
///
/// `path` has plain components only; empty = the root itself.
pub(super) fn open_beneath(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlag,
    containment: Containment,
) -> nix::Result<OwnedFd> {
    match containment {
        Containment::Kernel => openat2_beneath(root, path, flags),
        Containment::BestEffort => open_by_component(root, path, flags),
    }
}

/// Which method works here. Old container runtimes answer `EPERM` for system calls they do not know.
pub(super) fn probe(root: BorrowedFd<'_>) -> Containment {
    match openat2_beneath(root, Path::new(""), TRAVERSE) {
        Ok(_) => Containment::Kernel,
        Err(_) => Containment::BestEffort,
    }
}

#[cfg(not(target_os = "linux"))]
fn openat2_beneath(_root: BorrowedFd<'_>, _path: &Path, _flags: OFlag) -> nix::Result<OwnedFd> {
    Err(Errno::ENOSYS)
}

#[cfg(target_os = "linux")]
fn openat2_beneath(root: BorrowedFd<'_>, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    use nix::fcntl::{OpenHow, ResolveFlag, openat2};

    /// The kernel gives up with `EAGAIN` when a rename or mount anywhere races with the resolution; it succeeds on a later try.
    const TRIES: u32 = 64;
    let how = OpenHow::new().flags(flags).resolve(
        ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_MAGICLINKS
            | ResolveFlag::RESOLVE_NO_XDEV
            | ResolveFlag::RESOLVE_NO_SYMLINKS,
    );
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let mut result = Err(Errno::EAGAIN);
    for _ in 0..TRIES {
        result = openat2(root, path, how);
        if !matches!(result, Err(Errno::EAGAIN | Errno::EINTR)) {
            break;
        }
    }
    result
}

/// Opens one component after the other, never following a link. A directory that is moved out of the root between two steps is not
/// noticed, and neither is a bind mount of the same file system: hence "best effort".
fn open_by_component(root: BorrowedFd<'_>, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let device = fstat(root)?.st_dev;
    let mut names: Vec<&OsStr> = path.iter().collect();
    if names.is_empty() {
        names.push(OsStr::new("."));
    }
    let mut current: Option<OwnedFd> = None;
    for (position, name) in names.iter().enumerate() {
        let last = position + 1 == names.len();
        let directory = current.as_ref().map_or(root, AsFd::as_fd);
        let wanted = if last { flags } else { TRAVERSE } | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = openat(directory, *name, wanted, Mode::empty()).map_err(|errno| {
            // Platforms disagree about the error for a link, so look at what is there.
            match fstatat(directory, *name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) if Meta::from_stat(&stat).kind == EntryKind::Symlink => Errno::ELOOP,
                _ => errno,
            }
        })?;
        let meta = meta_of(&opened)?;
        // Only directories are compared: on an overlay file system its files may show the device of a layer.
        if meta.kind == EntryKind::Directory && meta.device != device {
            return Err(Errno::EXDEV);
        }
        current = Some(opened);
    }
    current.ok_or(Errno::ENOENT)
}

/// A system call's error about `path`.
pub(super) fn fs_error(path: &RelPath, errno: Errno) -> FsError {
    let path = path.to_string();
    match errno {
        Errno::EXDEV => FsError::OutsideRoot { path, why: "it is on another mounted file system" },
        Errno::ELOOP | Errno::EMLINK => FsError::Symlink { path },
        Errno::ENXIO | Errno::EOPNOTSUPP => FsError::NotAFile { path, what: "a socket or device" },
        Errno::ENODEV => FsError::NotAFile { path, what: "a device" },
        Errno::EPERM => FsError::Permission { path, source: io::Error::from(errno) },
        other => FsError::from_io(path, io::Error::from(other)),
    }
}
