//! Sets of changes by a tool: one transaction, all or none.

use super::VirtualAgentFs;
use super::access::Step;
use super::tree::{Data, Tree};
use super::writing::writable;
use crate::fs::{Expected, FileChange, FsError, RelPath, WriteOptions, check_change_set};
use crate::state::{VfsKind, VfsRow};

/// A change whose content has been hashed before the writer's turn.
struct Change {
    path: RelPath,
    expected: Expected,
    /// `None` removes.
    write: Option<Write>,
}

struct Write {
    data: Data,
    mode_of: Option<RelPath>,
}

impl VirtualAgentFs {
    /// See [`crate::fs::AgentFiles::apply`].
    pub(super) fn apply_set(&self, changes: &[FileChange]) -> Result<(), FsError> {
        check_change_set(changes)?;
        let Some(first) = changes.first() else { return Ok(()) };
        let mut prepared = Vec::with_capacity(changes.len());
        for change in changes {
            let (path, expected) = (change.path().clone(), change.expected());
            self.limits.check_path(&path)?;
            let write = match change {
                FileChange::Write { data, mode_of, .. } => {
                    let data = Data::new(data.clone());
                    self.limits.check_file(&path, data.size)?;
                    Some(Write { data, mode_of: mode_of.clone() })
                }
                FileChange::Remove { .. } => None,
            };
            prepared.push(Change { path, expected, write });
        }
        self.editing(first.path(), move |tree| {
            let mut modes = Vec::with_capacity(prepared.len());
            for change in &prepared {
                modes.push(check(tree, change)?);
            }
            // What is removed first makes room for what is written below or above its path.
            for change in prepared.iter().filter(|change| change.write.is_none()) {
                if let Some(row) = tree.find(&change.path)? {
                    tree.edit.end(&row)?;
                }
            }
            let options = WriteOptions { create_parents: true, ..WriteOptions::default() };
            for (change, mode) in prepared.iter().zip(modes) {
                if let Some(write) = &change.write {
                    let replaced = writable(tree, &change.path, &options)?;
                    tree.put_file(&change.path, replaced.as_ref(), mode, &write.data)?;
                }
            }
            Ok(())
        })
    }
}

/// Refuses a change that does not fit the files as they are; the permissions that it takes over.
fn check(tree: &Tree<'_, '_>, change: &Change) -> Step<Option<u32>> {
    let path = change.path.to_string();
    let row = tree.row(&change.path)?;
    if row.as_ref().is_some_and(|row| row.kind == VfsKind::Directory) {
        return Err(FsError::NotAFile { path, what: "a directory" }.into());
    }
    if change.write.is_none() && row.is_none() {
        return Err(tree.missing(&change.path)?.into());
    }
    match (change.expected, &row) {
        (Expected::Absent, Some(_)) => return Err(FsError::Exists { path }.into()),
        (Expected::Sha256(hash), row) if row.as_ref().and_then(|row| row.hash) != Some(hash) => {
            return Err(FsError::Changed { path }.into());
        }
        _ => {}
    }
    let Some(other) = change.write.as_ref().and_then(|write| write.mode_of.as_ref()) else { return Ok(None) };
    let file = |row: VfsRow| match row.kind {
        VfsKind::File => Ok(Some(row.mode)),
        VfsKind::Directory => Err(FsError::NotAFile { path: other.to_string(), what: "a directory" }.into()),
    };
    tree.find(other)?.map_or(Ok(None), file)
}

#[cfg(test)]
mod tests {
    use super::super::tree::hash_of;
    use super::*;
    use crate::core::AgentId;
    use crate::fs::{AgentFiles as _, Namespace, VfsLimits};
    use crate::state::{OpenOptions, StatePaths, Store};

    fn files() -> (tempfile::TempDir, VirtualAgentFs) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&StatePaths::new(dir.path()), &OpenOptions::default()).expect("a store");
        (dir, VirtualAgentFs::new(store, AgentId::from("main"), Namespace::Workspace, VfsLimits::default()))
    }

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).expect("a path")
    }

    fn put(at: &str, text: &str, expected: Expected) -> FileChange {
        FileChange::Write { path: path(at), data: text.into(), mode_of: None, expected }
    }

    fn remove(at: &str) -> FileChange {
        FileChange::Remove { path: path(at), expected: Expected::Anything }
    }

    fn text(files: &VirtualAgentFs, at: &str) -> Option<String> {
        files.read(&path(at), 100).ok().map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn all_of_a_set_happens() {
        let (_dir, files) = files();
        files.write(&path("old.sh"), b"old".to_vec(), Some(0o755), &WriteOptions::default()).expect("written");
        let moved = FileChange::Write {
            path: path("deep/new.sh"),
            data: b"moved".to_vec(),
            mode_of: Some(path("old.sh")),
            expected: Expected::Absent,
        };
        files.apply_set(&[moved, remove("old.sh"), put("a/b", "two", Expected::Absent)]).expect("all of it");
        assert_eq!((text(&files, "deep/new.sh").as_deref(), text(&files, "old.sh")), (Some("moved"), None));
        assert_eq!(text(&files, "a/b").as_deref(), Some("two"));
        let node = files.node(&path("deep/new.sh"), &crate::fs::Moment::Now).expect("there");
        assert_eq!(node.mode & 0o777, 0o755);
        files.apply_set(&[put("a/b", "three", Expected::Sha256(hash_of(b"two")))]).expect("as expected");
    }

    #[test]
    fn a_refusal_leaves_everything_as_it_was() {
        let (_dir, files) = files();
        files
            .apply_set(&[put("kept", "one", Expected::Anything), put("dir/file", "x", Expected::Anything)])
            .expect("set up");
        for (bad, code) in [
            (remove("missing"), "not_found"),
            (remove("dir"), "not_a_file"),
            (put("kept/below", "x", Expected::Anything), "not_a_directory"),
            (put("dir/file", "x", Expected::Absent), "exists"),
            (put("dir/file", "x", Expected::Sha256(hash_of(b"other"))), "changed"),
            (put(".git/hooks/pre-commit", "x", Expected::Anything), "protected"),
        ] {
            let error = files.apply_set(&[put("first", "x", Expected::Anything), bad]).expect_err("refused");
            assert_eq!(error.code(), code);
            assert_eq!((text(&files, "first"), text(&files, "kept").as_deref()), (None, Some("one")), "{code}");
        }
    }
}
