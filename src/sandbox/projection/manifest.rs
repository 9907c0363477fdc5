//! What was projected, by path; and whether it still makes a tree with changes on top.

use std::collections::{BTreeMap, HashSet};

use super::change::Change;
use super::path::parent;
use super::wire::EntryKind;

/// The paths that were brought in: what a change can refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projected {
    kinds: BTreeMap<String, EntryKind>,
}

impl Projected {
    pub(super) fn insert(&mut self, path: String, kind: EntryKind) {
        self.kinds.insert(path, kind);
    }

    /// Whether something was there.
    pub fn contains(&self, path: &str) -> bool {
        self.kinds.contains_key(path)
    }

    /// Whether a directory was there.
    pub fn is_directory(&self, path: &str) -> bool {
        self.kinds.get(path) == Some(&EntryKind::Directory)
    }

    /// Files and directories.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether the tree was empty.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Whether every path of the tree after `changes` lies in a directory of that tree. `Err` is a path that does not, or that becomes
    /// another kind of thing without having been deleted.
    pub(super) fn check(&self, changes: &[Change]) -> Result<(), String> {
        let mut deleted: HashSet<&str> = HashSet::new();
        let mut written: BTreeMap<&str, EntryKind> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Delete { path } => drop(deleted.insert(path)),
                Change::Directory { path, .. } => drop(written.insert(path, EntryKind::Directory)),
                Change::File { path, .. } => drop(written.insert(path, EntryKind::File)),
            }
        }
        let kind = |path: &str| match written.get(path) {
            Some(kind) => Some(*kind),
            None if deleted.contains(path) => None,
            None => self.kinds.get(path).copied(),
        };
        for (path, written) in &written {
            let becomes = self.kinds.get(*path).is_some_and(|before| before != written);
            if becomes != deleted.contains(path) {
                return Err((*path).to_owned());
            }
        }
        let kept = self.kinds.keys().map(String::as_str).filter(|path| !deleted.contains(path));
        for path in kept.chain(written.keys().copied()) {
            if parent(path).is_some_and(|parent| kind(parent) != Some(EntryKind::Directory)) {
                return Err(path.to_owned());
            }
        }
        Ok(())
    }
}
