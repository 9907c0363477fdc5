//! Rooted host file access: `openat2` beneath a pinned directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

use super::protect::Protected;
use super::unix::{self, CONTENTS, DIRECTORY, Meta, TRAVERSE, fs_error};
use super::walk::{Walk, WalkOptions};
use super::{FsError, RelPath, WriteOptions};

/// Most entries of one directory that [`HostCapabilityFs::list`] returns before it refuses.
const MAX_LIST: usize = 100_000;

/// What a name in a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; it is never followed.
    Symlink,
    /// A named pipe, socket or device; it is never opened for use.
    Other,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; empty for the root itself.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes, as the file system reports them.
    pub size: u64,
    /// Last change of the content, Unix milliseconds.
    pub modified_ms: i64,
    /// The real name is not UTF-8: `name` has replacement characters in it and cannot be used to open the file.
    pub lossy_name: bool,
}

/// A directory's content, bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Sorted by name (bytes). Protected names are left out.
    pub entries: Vec<Entry>,
    /// There were more entries than asked for.
    pub truncated: bool,
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct OpenedFile {
    /// The file, at its start.
    pub file: File,
    /// Bytes at the time of opening; the file may grow.
    pub size: u64,
    /// Last change of the content, Unix milliseconds.
    pub modified_ms: i64,
}

/// How surely paths stay below the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containment {
    /// The kernel resolves each path beneath the root in one step; no race can lead out.
    Kernel,
    /// Component by component without following links; somebody who moves directories at the right moment may still lead a call elsewhere.
    BestEffort,
}

/// How a root is opened.
#[derive(Debug, Clone, Default)]
pub struct HostFsOptions {
    /// Make the root (mode 0700, with parents) when it does not exist.
    pub create: bool,
    /// Absolute paths that must not be read, listed or written even if they lie below the root: the state directory, the configuration.
    pub protected: Vec<PathBuf>,
    /// Further names (at any depth) or relative paths that are not written, with everything below; `*` stands for any text in a name.
    pub protect: Vec<String>,
    /// Refuse to read files that have several names: one of them may be outside of the root. Off by default, because package managers link
    /// files on purpose; writes never go through to the other name, and protected files are not read under other names in any case.
    pub refuse_hard_links: bool,
    /// Use the component walk even where `openat2` works: for hosts on which it is known to misbehave.
    pub component_walk: bool,
}

/// A pinned root directory. All paths are [`RelPath`]s; links are not followed, other mounts are not entered.
///
/// Reads refuse [`HostFsOptions::protected`] paths and credentials; writes also refuse what git, editors and shells would execute
/// (`.git/hooks/**`, `.bashrc` and their like at any depth; the table is in `protect/table.rs`). Every call blocks: use it from a blocking
/// thread.
#[derive(Debug)]
pub struct HostCapabilityFs {
    root: PathBuf,
    real_root: PathBuf,
    pub(super) fd: OwnedFd,
    /// Whether `openat2` has turned out not to be there.
    by_component: AtomicBool,
    pub(super) protected: Protected,
    refuse_hard_links: bool,
}

impl HostCapabilityFs {
    /// Pins an existing directory. The root itself may be reached through links: it is the caller's choice, not the model's.
    pub fn open(root: &Path) -> Result<Self, FsError> {
        Self::open_with(root, &HostFsOptions::default())
    }

    /// Pins a directory with options. [`FsError::Protected`] if the root is one of the protected paths.
    pub fn open_with(root: &Path, options: &HostFsOptions) -> Result<Self, FsError> {
        let shown = root.display().to_string();
        let failed = |error| FsError::from_io(shown.clone(), error);
        let root = std::path::absolute(root).map_err(failed)?;
        if options.create {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&root).map_err(failed)?;
        }
        let real_root = std::fs::canonicalize(&root).map_err(failed)?;
        let protected = Protected::below(&real_root, &options.protected, &options.protect)?;
        let fd = nix::fcntl::open(&real_root, TRAVERSE, Mode::empty()).map_err(|errno| failed(errno.into()))?;
        let by_component = options.component_walk || unix::probe(fd.as_fd()) == Containment::BestEffort;
        let refuse_hard_links = options.refuse_hard_links;
        let by_component = AtomicBool::new(by_component);
        let mut files = Self { root, real_root, fd, by_component, protected, refuse_hard_links };
        for directory in files.hook_directories() {
            files.protected.add_hooks(&directory);
        }
        Ok(files)
    }

    /// The root as it was given, made absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The same without symbolic links: what a sandbox is given.
    pub fn real_root(&self) -> &Path {
        &self.real_root
    }

    /// How surely paths stay below the root on this host.
    pub fn containment(&self) -> Containment {
        if self.by_component.load(Ordering::Relaxed) { Containment::BestEffort } else { Containment::Kernel }
    }

    /// Turns what a model wrote (relative, or absolute below the root; lexically, never realpath'ed) into a [`RelPath`].
    pub fn resolve(&self, text: &str) -> Result<RelPath, FsError> {
        super::resolve::resolve(text, &[&self.root, &self.real_root])
    }

    /// Opens a regular file for reading in pieces.
    pub fn open_for_read(&self, path: &RelPath) -> Result<OpenedFile, FsError> {
        self.check_read(path)?;
        let fd = self.open_fd(path, CONTENTS)?;
        let meta = unix::meta_of(&fd).map_err(|errno| fs_error(path, errno))?;
        meta.require_file(path)?;
        if meta.links && self.refuse_hard_links {
            return Err(FsError::Protected { path: path.to_string(), why: "the file has other names (hard links)" });
        }
        if meta.links && self.protected.is_alias(meta.device, meta.inode) {
            return Err(FsError::Protected { path: path.to_string(), why: "it is another name of a protected file" });
        }
        Ok(OpenedFile { file: File::from(fd), size: meta.size, modified_ms: meta.modified_ms })
    }

    /// Whole file, refusing more than `max` bytes.
    pub fn read(&self, path: &RelPath, max: u64) -> Result<Vec<u8>, FsError> {
        let opened = self.open_for_read(path)?;
        let too_large = |size| FsError::TooLarge { path: path.to_string(), size, max, unit: "bytes" };
        if opened.size > max {
            return Err(too_large(opened.size));
        }
        let mut data = Vec::with_capacity(usize::try_from(opened.size).unwrap_or(0));
        // One byte more than allowed shows that the file grew after it was opened.
        opened
            .file
            .take(max.saturating_add(1))
            .read_to_end(&mut data)
            .map_err(|error| FsError::from_io(path.to_string(), error))?;
        let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if size > max { Err(too_large(size)) } else { Ok(data) }
    }

    /// Atomic replace or create (temp sibling, fsync, rename); `create_parents` makes missing directories.
    pub fn write(&self, path: &RelPath, data: &[u8], create_parents: bool) -> Result<(), FsError> {
        self.write_with(path, data, &WriteOptions { create_parents, ..WriteOptions::default() }).map(|_| ())
    }

    /// All entries of a directory, sorted by name; [`FsError::TooLarge`] above 100,000.
    pub fn list(&self, path: &RelPath) -> Result<Vec<Entry>, FsError> {
        let listing = self.list_bounded(path, MAX_LIST)?;
        if listing.truncated {
            let max = u64::try_from(MAX_LIST).unwrap_or(u64::MAX);
            return Err(FsError::TooLarge { path: path.to_string(), size: max + 1, max, unit: "entries" });
        }
        Ok(listing.entries)
    }

    /// At most `max` entries of a directory, sorted by name. When there are more, which ones are returned is up to the file system.
    pub fn list_bounded(&self, path: &RelPath, max: usize) -> Result<Listing, FsError> {
        self.check_read(path)?;
        let failed = |errno| fs_error(path, errno);
        let mut directory = Dir::from_fd(self.open_fd(path, DIRECTORY)?).map_err(failed)?;
        let mut names = Vec::new();
        let mut truncated = false;
        for entry in directory.iter() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == max {
                truncated = true;
                break;
            }
            names.push(name.to_vec());
        }
        names.sort_unstable();
        let mut entries = Vec::with_capacity(names.len());
        for raw in names {
            let name = String::from_utf8_lossy(&raw).into_owned();
            if path.join(&name).is_ok_and(|child| self.protected.is_hidden(&child)) {
                continue;
            }
            match unix::meta_at(&directory, OsStr::from_bytes(&raw)) {
                Ok(meta) => {
                    let lossy_name = name.as_bytes() != raw;
                    entries.push(entry(name, &meta, lossy_name));
                }
                // Removed since the directory was read: it is not there any more, so it is not listed.
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(Listing { entries, truncated })
    }

    /// What is at `path`; a symbolic link at its end is described, not followed.
    pub fn stat(&self, path: &RelPath) -> Result<Entry, FsError> {
        self.check_read(path)?;
        let meta = match path.parent() {
            Some(parent) => {
                let directory = self.open_fd_for(path, &parent, TRAVERSE)?;
                unix::meta_at(&directory, OsStr::new(path.name()))
            }
            None => unix::meta_of(&self.fd),
        };
        meta.map(|meta| entry(path.name().to_owned(), &meta, false)).map_err(|errno| fs_error(path, errno))
    }

    /// Makes a directory and its missing parents (mode 0777 less the umask). An existing directory is fine.
    pub fn mkdirs(&self, path: &RelPath) -> Result<(), FsError> {
        self.check_write(path)?;
        self.make_directories(path)
    }

    /// Removes one name: a file, a link (not its target), a pipe or socket; never a directory.
    pub fn remove_file(&self, path: &RelPath) -> Result<(), FsError> {
        self.check_write(path)?;
        let Some(parent) = path.parent() else {
            return Err(FsError::NotAFile { path: path.to_string(), what: "the workspace itself" });
        };
        let failed = |errno| fs_error(path, errno);
        let directory = self.open_fd_for(path, &parent, DIRECTORY)?;
        let meta = unix::meta_at(&directory, OsStr::new(path.name())).map_err(failed)?;
        if meta.kind == EntryKind::Directory {
            return meta.require_file(path);
        }
        unlinkat(&directory, path.name(), UnlinkatFlags::NoRemoveDir).map_err(failed)?;
        fsync(&directory).map_err(failed)
    }

    /// A tree below `path` in a fixed order, within bounds; see [`Walk`].
    pub fn walk(&self, path: &RelPath, options: WalkOptions) -> Result<Walk<'_>, FsError> {
        Walk::start(self, path, options)
    }

    /// Refuses what may not even be read.
    pub(super) fn check_read(&self, path: &RelPath) -> Result<(), FsError> {
        self.protected.check_read(path)
    }

    /// Refuses what may not be created, replaced or removed.
    pub(super) fn check_write(&self, path: &RelPath) -> Result<(), FsError> {
        self.protected.check_write(path)?;
        self.check_repository(path)
    }

    pub(super) fn make_directories(&self, path: &RelPath) -> Result<(), FsError> {
        self.make_directories_into(path, &mut Vec::new())
    }

    /// Makes missing directories; those that were made are added to `report`, each after the one it lies in.
    pub(super) fn make_directories_into(&self, path: &RelPath, report: &mut Vec<RelPath>) -> Result<(), FsError> {
        let mut parent = RelPath::root();
        let mut directory = self.open_fd(&parent, TRAVERSE)?;
        for name in path.components() {
            let made = parent.join(name)?;
            let failed = |errno| fs_error(&made, errno);
            match mkdirat(&directory, name, Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO) {
                Ok(()) => {
                    report.push(made.clone());
                    fsync(self.open_fd(&parent, DIRECTORY)?).map_err(failed)?;
                }
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
            directory = self.open_fd(&made, TRAVERSE)?;
            parent = made;
        }
        Ok(())
    }

    /// Opens `path` beneath the root, without a policy check.
    pub(super) fn open_fd(&self, path: &RelPath, flags: OFlag) -> Result<OwnedFd, FsError> {
        self.open_fd_for(path, path, flags)
    }

    /// Like [`Self::open_fd`], with errors that name the path the caller asked for instead of the directory on the way to it.
    pub(super) fn open_fd_for(&self, asked: &RelPath, path: &RelPath, flags: OFlag) -> Result<OwnedFd, FsError> {
        self.open_below(self.fd.as_fd(), path.as_ref(), flags).map_err(|errno| fs_error(asked, errno))
    }

    /// Opens a path below a directory that is below the root, or the root itself.
    pub(super) fn open_below(&self, directory: BorrowedFd<'_>, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        match unix::open_beneath(directory, path, flags, self.containment()) {
            // A seccomp filter that arrived after the probe may take the call away; from here on that is said.
            Err(Errno::ENOSYS) if self.containment() == Containment::Kernel => {
                self.by_component.store(true, Ordering::Relaxed);
                unix::open_beneath(directory, path, flags, Containment::BestEffort)
            }
            result => result,
        }
    }
}

fn entry(name: String, meta: &Meta, lossy_name: bool) -> Entry {
    Entry { name, kind: meta.kind, size: meta.size, modified_ms: meta.modified_ms, lossy_name }
}

impl super::AgentFiles for HostCapabilityFs {
    fn describe(&self) -> String {
        self.root.display().to_string()
    }

    fn resolve(&self, text: &str) -> Result<RelPath, FsError> {
        HostCapabilityFs::resolve(self, text)
    }

    fn open_for_read(&self, path: &RelPath) -> Result<super::OpenedReader, FsError> {
        let OpenedFile { file, size, modified_ms } = HostCapabilityFs::open_for_read(self, path)?;
        Ok(super::OpenedReader { reader: Box::new(file), size, modified_ms })
    }

    fn read(&self, path: &RelPath, max: u64) -> Result<Vec<u8>, FsError> {
        HostCapabilityFs::read(self, path, max)
    }

    fn write_with(&self, path: &RelPath, data: &[u8], options: &WriteOptions) -> Result<super::Written, FsError> {
        HostCapabilityFs::write_with(self, path, data, options)
    }

    fn list_bounded(&self, path: &RelPath, max: usize) -> Result<Listing, FsError> {
        HostCapabilityFs::list_bounded(self, path, max)
    }

    fn stat(&self, path: &RelPath) -> Result<Entry, FsError> {
        HostCapabilityFs::stat(self, path)
    }

    fn mkdirs(&self, path: &RelPath) -> Result<(), FsError> {
        HostCapabilityFs::mkdirs(self, path)
    }

    fn remove_file(&self, path: &RelPath) -> Result<(), FsError> {
        HostCapabilityFs::remove_file(self, path)
    }

    fn apply(&self, changes: &[super::FileChange]) -> Result<(), FsError> {
        HostCapabilityFs::apply(self, changes)
    }
}
