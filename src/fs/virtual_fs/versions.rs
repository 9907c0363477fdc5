//! Snapshots, differences, history, restore.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::VirtualAgentFs;
use super::access::Step;
use super::node::{Difference, Moment, VfsNode, alike, kind, snapshot_name};
use crate::core::{RunId, now_ms};
use crate::fs::{FsError, RelPath};
use crate::state::{ReadTx, VfsAt, VfsRow, VfsSnapshot, VfsSpace};

/// Longest note of a snapshot, in bytes.
const MAX_NOTE: usize = 1000;

/// A version of a path, with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// What it was.
    pub node: VfsNode,
    /// The revision that ended it; `None` for the current one.
    pub ended: Option<i64>,
    /// The run that ended it.
    pub ended_run_id: Option<RunId>,
    /// When it ended, Unix milliseconds.
    pub ended_ms: Option<i64>,
    /// A snapshot keeps it.
    pub held: bool,
}

impl VirtualAgentFs {
    /// Gives the present state of the tree a name.
    pub fn snapshot(&self, name: &str, note: &str) -> Result<VfsSnapshot, FsError> {
        snapshot_name(name)?;
        let (space, run, max) = (Arc::clone(&self.space), self.run.clone(), self.limits.max_snapshots);
        let (name, note) = (name.to_owned(), note[..note.floor_char_boundary(MAX_NOTE)].to_owned());
        self.writing(&RelPath::root(), move |tx| {
            if tx.vfs_snapshot(&space, &name)?.is_some() {
                return Err(FsError::Exists { path: format!("the snapshot {name}") }.into());
            }
            let count = tx.vfs_snapshots(&space)?.len();
            if count >= max {
                let bound = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
                let (path, would_be, max) = (format!("the snapshot {name}"), bound(count + 1), bound(max));
                return Err(FsError::Quota { path, would_be, max, unit: "snapshots" }.into());
            }
            let revision = tx.vfs_totals(&space.agent_id)?.revision;
            let snapshot = VfsSnapshot { name, revision, note, run_id: run, created_at: now_ms() };
            tx.vfs_insert_snapshot(&space, &snapshot)?;
            Ok(snapshot)
        })
    }

    /// The snapshots of the tree, oldest first.
    pub fn snapshots(&self) -> Result<Vec<VfsSnapshot>, FsError> {
        self.reading(&RelPath::root(), |tx| Ok(tx.vfs_snapshots(&self.space)?))
    }

    /// Forgets a snapshot's name; what only it needed becomes history that may be pruned.
    pub fn drop_snapshot(&self, name: &str) -> Result<(), FsError> {
        let (space, limits, name) = (Arc::clone(&self.space), self.limits, name.to_owned());
        self.writing(&RelPath::root(), move |tx| {
            if !tx.vfs_delete_snapshot(&space, &name)? {
                return Err(FsError::NotFound { path: format!("the snapshot {name}") }.into());
            }
            Ok(tx.vfs_prune(&space.agent_id, limits.history_bytes)?)
        })
    }

    /// What is not the same at two moments, at and below `under`, by path.
    pub fn diff(&self, from: &Moment, to: &Moment, under: &RelPath) -> Result<Vec<Difference>, FsError> {
        self.reading(under, |tx| {
            let newest = tx.vfs_totals(&self.space.agent_id)?.revision;
            let number = |moment| {
                Ok::<_, super::access::Refusal>(match self.whole_tree_at(tx, under, moment)? {
                    VfsAt::Now => newest,
                    VfsAt::Revision(revision) => revision,
                })
            };
            let (from, to) = (number(from)?, number(to)?);
            let mut differences = Vec::new();
            for path in tx.vfs_changed_paths(&self.space, from.min(to), from.max(to))? {
                if !RelPath::parse(&path)?.is_within(under) {
                    continue;
                }
                let before = tx.vfs_entry(&self.space, &path, VfsAt::Revision(from))?;
                let after = tx.vfs_entry(&self.space, &path, VfsAt::Revision(to))?;
                differences.extend(Difference::between(before, after)?);
            }
            Ok(differences)
        })
    }

    /// At most `max` versions of a path, the newest first.
    pub fn history(&self, path: &RelPath, max: usize) -> Result<Vec<Version>, FsError> {
        self.reading(path, |tx| {
            let versions = tx.vfs_versions(&self.space, path.as_str(), max)?;
            if versions.is_empty() {
                return Err(FsError::NotFound { path: path.to_string() }.into());
            }
            versions
                .into_iter()
                .map(|version| {
                    Ok(Version {
                        node: VfsNode::of(version.row)?,
                        ended: version.ended,
                        ended_run_id: version.ended_run_id,
                        ended_ms: version.ended_at,
                        held: version.held,
                    })
                })
                .collect()
        })
    }

    /// Makes a file or tree what it was at a moment, by a new revision; for the root, everything. What it changed is the result.
    /// What was not there then is removed, except that a path that was not there itself is an error.
    pub fn restore(&self, path: &RelPath, moment: &Moment) -> Result<Vec<Difference>, FsError> {
        self.limits.check_path(path)?;
        let (path, moment, files) = (path.clone(), moment.clone(), self.clone());
        self.editing(&path.clone(), move |tree| {
            let tx = tree.edit.tx();
            let at = files.resolve_moment(tx, &path, &moment)?;
            let wanted_top = tx.vfs_entry(&files.space, path.as_str(), at)?;
            if wanted_top.as_ref().is_none_or(|row| row.kind == crate::state::VfsKind::Directory) {
                files.check_complete(tx, &path, at)?;
            }
            if wanted_top.is_none() && !path.is_root() {
                let why = "it did not exist then";
                return Err(FsError::NoVersion { path: path.to_string(), moment: moment.to_string(), why }.into());
            }
            tree.ensure_parent(&path, true)?;
            let wanted = tree_rows(tx, &files.space, wanted_top, &path, at)?;
            let current = tree_rows(tx, &files.space, tree.row(&path)?, &path, VfsAt::Now)?;
            let mut differences = Vec::new();
            for row in current.values().filter(|row| !wanted.contains_key(&row.path)) {
                tree.edit.end(row)?;
                differences.extend(Difference::between(Some(row.clone()), None)?);
            }
            for (path, like) in &wanted {
                let present = current.get(path);
                if present.is_some_and(|row| alike(row, like)) {
                    continue;
                }
                tree.limits.check_kind(&RelPath::parse(path)?, kind(like.kind))?;
                match present {
                    Some(row) => tree.replace_like(row, like)?,
                    None => tree.edit.insert_like(like, path, like.mode)?,
                }
                differences.extend(Difference::between(present.cloned(), Some(like.clone()))?);
            }
            differences.sort_by(|one, other| one.path.cmp(&other.path));
            Ok(differences)
        })
    }

    /// The revision that a moment stands for.
    pub(super) fn resolve_moment(&self, tx: &ReadTx<'_>, path: &RelPath, moment: &Moment) -> Step<VfsAt> {
        let refused = |why| FsError::NoVersion { path: path.to_string(), moment: moment.to_string(), why };
        match moment {
            Moment::Now => Ok(VfsAt::Now),
            Moment::Revision(revision) if *revision > tx.vfs_totals(&self.space.agent_id)?.revision => {
                Err(refused("there is no such revision yet").into())
            }
            Moment::Revision(revision) => Ok(VfsAt::Revision(*revision)),
            Moment::Snapshot(name) => match tx.vfs_snapshot(&self.space, name)? {
                Some(snapshot) => Ok(VfsAt::Revision(snapshot.revision)),
                None => Err(refused("there is no snapshot of that name").into()),
            },
        }
    }

    /// [`Self::resolve_moment`] for something that needs all of the tree.
    pub(super) fn whole_tree_at(&self, tx: &ReadTx<'_>, path: &RelPath, moment: &Moment) -> Step<VfsAt> {
        let at = self.resolve_moment(tx, path, moment)?;
        self.check_complete(tx, path, at)?;
        Ok(at)
    }

    /// Refuses revisions whose trees have lost versions to pruning.
    pub(super) fn check_complete(&self, tx: &ReadTx<'_>, path: &RelPath, at: VfsAt) -> Step<()> {
        let VfsAt::Revision(revision) = at else { return Ok(()) };
        if revision >= tx.vfs_totals(&self.space.agent_id)?.pruned || tx.vfs_has_snapshot_at(&self.space, revision)? {
            return Ok(());
        }
        let why = "history that old has been pruned";
        Err(FsError::NoVersion { path: path.to_string(), moment: format!("revision {revision}"), why }.into())
    }
}

/// The version at `path` and everything below it.
fn tree_rows(
    tx: &ReadTx<'_>,
    space: &VfsSpace,
    top: Option<VfsRow>,
    path: &RelPath,
    at: VfsAt,
) -> Step<BTreeMap<String, VfsRow>> {
    let below = tx.vfs_subtree(space, path.as_str(), at)?;
    Ok(top.into_iter().chain(below).map(|row| (row.path.clone(), row)).collect())
}
