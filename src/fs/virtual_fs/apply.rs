//! A command's changes to the copy of a tree, brought back into the tree.

use super::VirtualAgentFs;
use super::merge::Merge;
use super::node::ChangeKind;
use super::project::Base;
use super::tree::Data;
use crate::core::RunId;
use crate::fs::{EntryKind, FsError, RelPath};

/// One thing a command did to its copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeChange {
    /// A directory appeared or got other permissions.
    Directory {
        /// Where.
        path: RelPath,
        /// Permission bits.
        mode: u32,
    },
    /// A file appeared, or got other content or permissions.
    File {
        /// Where.
        path: RelPath,
        /// Permission bits.
        mode: u32,
        /// All of its bytes.
        data: Vec<u8>,
    },
    /// A file disappeared, or a directory with everything below it.
    Delete {
        /// Where.
        path: RelPath,
    },
}

impl TreeChange {
    /// Where it happened.
    pub fn path(&self) -> &RelPath {
        match self {
            Self::Directory { path, .. } | Self::File { path, .. } | Self::Delete { path } => path,
        }
    }
}

/// What became of a command's changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyReport {
    /// The revision of what was changed; `None` if nothing was.
    pub revision: Option<i64>,
    /// What the tree took over, by path.
    pub applied: Vec<AppliedChange>,
    /// Changes after which the tree is as it was.
    pub unchanged: usize,
    /// Changes to something that others changed meanwhile. The tree keeps what the others made.
    pub conflicts: Vec<Conflict>,
    /// Changes that are not allowed.
    pub rejected: Vec<RejectedChange>,
}

/// A change that the tree took over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedChange {
    /// Where.
    pub path: RelPath,
    /// What.
    pub kind: ChangeKind,
    /// A file or a directory.
    pub entry: EntryKind,
}

/// A change that met another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Where.
    pub path: RelPath,
    /// What the two did.
    pub reason: &'static str,
    /// Where the command's version is; `None` if it deleted.
    pub kept_as: Option<RelPath>,
}

/// A change that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedChange {
    /// Where.
    pub path: RelPath,
    /// Why.
    pub reason: String,
}

impl VirtualAgentFs {
    /// Takes a command's changes over in one transaction. `base` is what [`VirtualAgentFs::project`] returned for the command's copy.
    ///
    /// What others changed since then stays, and the command's version is stored beside it as `name.conflict-<run>`; if both came to
    /// the same content there is no conflict. Protected paths are rejected one by one. An exceeded quota is an error: nothing is
    /// applied then.
    pub fn apply(&self, base: &Base, changes: Vec<TreeChange>, run: Option<&RunId>) -> Result<ApplyReport, FsError> {
        let mut files = self.clone();
        files.run = run.cloned().or(files.run);
        let mut work = Work::default();
        for change in changes {
            match change {
                TreeChange::Directory { path, mode } => work.directories.push((path, mode)),
                TreeChange::File { path, mode, data } => work.files.push((path, mode, Data::new(data))),
                TreeChange::Delete { path } => work.deletes.push(path),
            }
        }
        work.sort();
        let (base, run) = (base.clone(), files.run.clone());
        files.editing(&RelPath::root(), move |tree| Merge::new(tree, &base, run.as_ref()).run(&work))
    }
}

/// Changes in the order in which they are made: deletions from the leaves up, then directories and files from the root down.
#[derive(Default)]
pub(super) struct Work {
    pub(super) deletes: Vec<RelPath>,
    pub(super) directories: Vec<(RelPath, u32)>,
    pub(super) files: Vec<(RelPath, u32, Data)>,
}

impl Work {
    fn sort(&mut self) {
        self.deletes.sort_unstable_by(|one, other| other.cmp(one));
        self.directories.sort_by(|one, other| one.0.cmp(&other.0));
        self.files.sort_by(|one, other| one.0.cmp(&other.0));
    }
}
