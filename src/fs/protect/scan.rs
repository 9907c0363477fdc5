//! Which protected paths exist below a root, and which of them changed meanwhile.
//!
//! Before a command runs, [`HostCapabilityFs::protected_existing`] says what a sandbox has to make read-only. After it,
//! [`protected_changes`] of two scans says what was touched all the same: paths that did not exist before cannot be made read-only.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::dir::{Dir, Type};

use super::fold::fold;
use super::{Access, git};
use crate::fs::unix::{self, DIRECTORY, Meta};
use crate::fs::{EntryKind, FsError, HostCapabilityFs, RelPath};

/// How much of a tree is looked at, level by level: what lies near the root is found first.
#[derive(Debug, Clone, Copy)]
pub struct ScanBounds {
    /// Names looked at in all.
    pub max_entries: usize,
    /// Directory levels below the root.
    pub max_depth: usize,
}

impl Default for ScanBounds {
    fn default() -> Self {
        Self { max_entries: 200_000, max_depth: 24 }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProtectedScan {
    /// Protected files and directories, relative to the root; what lies below a directory that is protected as a whole is not repeated.
    pub existing: Vec<PathBuf>,
    /// Those of `existing` that must not be read either.
    pub secret: Vec<PathBuf>,
    /// A bound was reached: there may be more.
    pub truncated: bool,
    /// `existing`, and everything below its directories, as it was.
    pub fingerprint: BTreeMap<PathBuf, Fingerprint>,
}

/// What identifies a file's state. The time is that of the last change of any kind: programs cannot set it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    inode: u64,
    size: u64,
    changed_ns: (i64, i64),
    kind: EntryKind,
}

impl Fingerprint {
    fn of(meta: &Meta) -> Self {
        // Size and time of a directory follow from its entries, which are looked at themselves.
        let is_directory = meta.kind == EntryKind::Directory;
        Self {
            inode: meta.inode,
            size: if is_directory { 0 } else { meta.size },
            changed_ns: if is_directory { (0, 0) } else { meta.changed_ns },
            kind: meta.kind,
        }
    }
}

/// A protected path that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtectedChange {
    /// It was not there.
    Created(PathBuf),
    /// Its content, permissions or identity are different.
    Changed(PathBuf),
    /// It is not there any more.
    Removed(PathBuf),
}

impl fmt::Display for ProtectedChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, what) = match self {
            Self::Created(path) => (path, "created"),
            Self::Changed(path) => (path, "changed"),
            Self::Removed(path) => (path, "removed"),
        };
        write!(formatter, "{} was {what}", path.display())
    }
}

/// The differences, by path.
pub fn protected_changes(before: &ProtectedScan, after: &ProtectedScan) -> Vec<ProtectedChange> {
    let mut changes = Vec::new();
    for (path, fingerprint) in &after.fingerprint {
        match before.fingerprint.get(path) {
            None => changes.push(ProtectedChange::Created(path.clone())),
            Some(earlier) if earlier != fingerprint => changes.push(ProtectedChange::Changed(path.clone())),
            Some(_) => {}
        }
    }
    let gone = before.fingerprint.keys().filter(|path| !after.fingerprint.contains_key(*path));
    changes.extend(gone.cloned().map(ProtectedChange::Removed));
    changes
}

/// A directory that is still to be read.
struct Pending {
    path: PathBuf,
    names: Vec<String>,
    /// It is protected as a whole.
    inside: bool,
    depth: usize,
}

impl HostCapabilityFs {
    /// Looks for protected paths, without following links or entering other mounts. A directory that cannot be read is skipped: a
    /// command of the same user cannot change what is in it either.
    pub fn protected_existing(&self, bounds: ScanBounds) -> Result<ProtectedScan, FsError> {
        let mut scan = ProtectedScan::default();
        let root = Pending { path: PathBuf::new(), names: Vec::new(), inside: false, depth: 0 };
        let mut queue = VecDeque::from([root]);
        let mut seen = 0;
        while let Some(directory) = queue.pop_front() {
            let opened = self.open_below(self.fd.as_fd(), &directory.path, DIRECTORY);
            let listing = match opened.and_then(Dir::from_fd) {
                Ok(listing) => listing,
                Err(errno) if directory.depth == 0 => return Err(unix::fs_error(&RelPath::root(), errno)),
                Err(_) => continue,
            };
            if !self.scan_directory(&directory, listing, bounds, &mut seen, &mut scan, &mut queue) {
                scan.truncated = true;
                break;
            }
        }
        scan.existing.sort();
        scan.secret.sort();
        Ok(scan)
    }

    /// False when the number of entries is used up.
    fn scan_directory(
        &self,
        directory: &Pending,
        mut listing: Dir,
        bounds: ScanBounds,
        seen: &mut usize,
        scan: &mut ProtectedScan,
        queue: &mut VecDeque<Pending>,
    ) -> bool {
        let mut entries: Vec<(OsString, Option<Type>)> = Vec::new();
        let mut complete = true;
        for entry in listing.iter() {
            // What is left of a directory that breaks off cannot be opened by a command either.
            let Ok(entry) = entry else { break };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if *seen == bounds.max_entries {
                complete = false;
                break;
            }
            *seen += 1;
            entries.push((name.to_owned(), entry.file_type()));
        }
        let has = |wanted: &str| entries.iter().any(|(name, _)| name == wanted);
        let is_repository = has("HEAD") && (has("commondir") || (has("objects") && has("refs")));
        for (name, kind) in &entries {
            let last = fold(&name.to_string_lossy());
            let control = is_repository && git::CONTROL.contains(&last.as_str());
            let names = || directory.names.iter().cloned().chain([last.clone()]).collect::<Vec<_>>();
            let verdict = if directory.inside || !self.protected.may_name(&last) {
                None
            } else {
                self.protected.verdict(&names())
            };
            let below = verdict.is_some_and(|verdict| verdict.below) || (control && last == "hooks");
            let mut is_directory = *kind == Some(Type::Directory);
            if directory.inside || verdict.is_some() || control || kind.is_none() {
                // Gone meanwhile.
                let Ok(meta) = unix::meta_at(&listing, name) else { continue };
                is_directory = meta.kind == EntryKind::Directory;
                // A directory that is protected in parts is found by its parts.
                let counts = directory.inside || ((verdict.is_some() || control) && (below || !is_directory));
                let path = directory.path.join(name);
                if counts {
                    scan.fingerprint.insert(path.clone(), Fingerprint::of(&meta));
                }
                if counts && !directory.inside {
                    if verdict.is_some_and(|verdict| verdict.access == Access::ReadAndWrite) {
                        scan.secret.push(path.clone());
                    }
                    scan.existing.push(path);
                }
            }
            if is_directory && !(is_repository && git::DATA.contains(&last.as_str())) {
                if directory.depth + 1 >= bounds.max_depth {
                    scan.truncated = true;
                } else {
                    let (path, names, inside) = (directory.path.join(name), names(), directory.inside || below);
                    queue.push_back(Pending { path, names, inside, depth: directory.depth + 1 });
                }
            }
        }
        complete
    }
}
