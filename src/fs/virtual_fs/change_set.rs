//! Several changes, all or none: one transaction.

use super::VirtualAgentFs;
use super::access::Step;
use super::tree::{Data, Tree, find_file};
use super::writing::writable;
use crate::fs::{Expected, FileChange, FsError, RelPath, WriteOptions, check_change_set};
use crate::state::{VfsAt, VfsRow};

/// Missing directories are made.
const OPTIONS: WriteOptions = WriteOptions { create_parents: true, must_exist: false, must_not_exist: false };

/// One change with its content, which is hashed before the writer's turn.
struct Planned {
    path: RelPath,
    expected: Expected,
    /// `None` removes.
    write: Option<(Data, Option<RelPath>)>,
}

impl VirtualAgentFs {
    /// See [`crate::fs::AgentFiles::apply`].
    pub(super) fn apply_set(&self, changes: &[FileChange]) -> Result<(), FsError> {
        check_change_set(changes)?;
        let Some(first) = changes.first().map(FileChange::path) else { return Ok(()) };
        let mut planned = Vec::with_capacity(changes.len());
        for change in changes {
            self.limits.check_path(change.path())?;
            let write = match change {
                FileChange::Write { data, mode_of, .. } => {
                    self.limits.check_file(change.path(), u64::try_from(data.len()).unwrap_or(u64::MAX))?;
                    Some((Data::new(data.clone()), mode_of.clone()))
                }
                FileChange::Remove { .. } => None,
            };
            planned.push(Planned { path: change.path().clone(), expected: change.expected(), write });
        }
        self.editing(first, move |tree| {
            // Permissions are those before the set, whatever it does to the file they are taken from.
            let modes: Vec<Option<u32>> = planned.iter().map(|change| mode(tree, change)).collect::<Step<_>>()?;
            for (change, mode) in planned.iter().zip(modes) {
                make(tree, change, mode)?;
            }
            Ok(())
        })
    }
}

fn mode(tree: &Tree<'_, '_>, change: &Planned) -> Step<Option<u32>> {
    match &change.write {
        Some((_, Some(other))) => Ok(Some(find_file(tree.edit.tx(), tree.space(), other, VfsAt::Now)?.mode)),
        _ => Ok(None),
    }
}

fn make(tree: &Tree<'_, '_>, change: &Planned, mode: Option<u32>) -> Step<()> {
    let path = &change.path;
    if let Some((data, _)) = &change.write {
        let replaced = writable(tree, path, OPTIONS)?;
        check_expected(change, replaced.as_ref())?;
        tree.put_file(path, replaced.as_ref(), mode, data)?;
        return Ok(());
    }
    let row = find_file(tree.edit.tx(), tree.space(), path, VfsAt::Now)?;
    check_expected(change, Some(&row))?;
    Ok(tree.edit.end(&row)?)
}

fn check_expected(change: &Planned, present: Option<&VfsRow>) -> Result<(), FsError> {
    let path = || change.path.to_string();
    match change.expected {
        Expected::Absent if present.is_some() => Err(FsError::Exists { path: path() }),
        Expected::Sha256(hash) if present.is_none_or(|row| row.hash != Some(hash)) => {
            Err(FsError::Changed { path: path() })
        }
        _ => Ok(()),
    }
}
