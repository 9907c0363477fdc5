//! Virtual files and a command: a copy goes into the sandbox, what the command changed comes back in one transaction.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::core::RunId;
use crate::fs::{ApplyReport, Base, ChangeKind, FsError, RelPath, TreeChange, TreeSink, VfsLimits, VirtualAgentFs};
use crate::sandbox::projection::{Change, ChangeSet, Projection, ProjectionLimits, ProjectionWriter};
use crate::sandbox::{Limits, SandboxSpec};
use crate::tools::support::{Failure, blocking};

/// Names of one kind that a model is told; a longer list says how many more there are.
const TOLD: usize = 20;
/// Paths of one kind in the details.
const LISTED: usize = 200;

/// A copy that went into a sandbox.
pub(super) struct Copy {
    files: Arc<VirtualAgentFs>,
    base: Arc<Mutex<Option<Base>>>,
}

impl Copy {
    /// A projection of the whole tree, and what is needed to bring the changes back.
    pub(super) fn of(files: &Arc<VirtualAgentFs>, spec: &SandboxSpec) -> (Projection, Self) {
        let base = Arc::new(Mutex::new(None));
        let copy = Self { files: Arc::clone(files), base: Arc::clone(&base) };
        let (files, limits) = (Arc::clone(files), limits(files.limits(), &spec.limits));
        let projection = Projection::new(limits, move |writer| {
            let projected = files.project(&mut Sink(writer)).map_err(io::Error::other)?;
            *base.lock().unwrap_or_else(PoisonError::into_inner) = Some(projected);
            Ok(())
        });
        (projection, copy)
    }

    /// Stores the changes of a command that has ended.
    pub(super) async fn bring_back(self, changes: ChangeSet, run: RunId) -> Result<Stored, Failure> {
        let base = self.base.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(base) = base else {
            return Err(Failure::new("The virtual files were never copied whole; nothing of the command was stored."));
        };
        let ChangeSet { changes, rejected, rejected_total } = changes;
        let mut refused: Vec<(String, String)> =
            rejected.into_iter().map(|rejected| (rejected.path, rejected.reason.to_string())).collect();
        let unlisted = rejected_total.saturating_sub(u64::try_from(refused.len()).unwrap_or(u64::MAX));
        let mut wanted = Vec::with_capacity(changes.len());
        for change in changes {
            let path = change.path().to_owned();
            match tree_change(change) {
                Ok(change) => wanted.push(change),
                Err(error) => refused.push((path, error.to_string())),
            }
        }
        let files = self.files;
        let applied = blocking(move || {
            files.apply(&base, wanted, Some(&run)).map_err(|error| {
                Failure::new(format!(
                    "The command ended, and nothing of what it changed was stored: {error}. {}.",
                    error.hint()
                ))
            })
        });
        Ok(Stored { report: applied.await?, refused, unlisted })
    }
}

/// The tree must fit into the sandbox's memory, and a file that is stored may go in and come back.
fn limits(stored: &VfsLimits, sandbox: &Limits) -> ProjectionLimits {
    let default = ProjectionLimits::default();
    ProjectionLimits {
        bytes: default.bytes.min(sandbox.tmp_bytes),
        file_bytes: stored.max_file_bytes.min(sandbox.tmp_bytes),
        entries: stored.max_files.min(sandbox.tmp_files),
        depth: stored.max_depth,
        ..default
    }
}

struct Sink<'a, 'w>(&'a mut ProjectionWriter<'w>);

impl TreeSink for Sink<'_, '_> {
    fn directory(&mut self, path: &RelPath, mode: u32) -> io::Result<()> {
        self.0.dir(path.as_str(), mode)
    }

    fn file(&mut self, path: &RelPath, mode: u32, size: u64, content: &mut dyn Read) -> io::Result<()> {
        self.0.file(path.as_str(), mode, size, content)
    }
}

fn tree_change(change: Change) -> Result<TreeChange, FsError> {
    Ok(match change {
        Change::Delete { path } => TreeChange::Delete { path: RelPath::parse(&path)? },
        Change::Directory { path, mode } => TreeChange::Directory { path: RelPath::parse(&path)?, mode },
        Change::File { path, mode, data } => TreeChange::File { path: RelPath::parse(&path)?, mode, data },
    })
}

/// What became of a command's changes.
pub(super) struct Stored {
    report: ApplyReport,
    /// What could not be brought back: path and reason.
    refused: Vec<(String, String)>,
    /// Further refusals that are only counted.
    unlisted: u64,
}

impl Stored {
    /// For the model, one remark per kind.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for kind in [ChangeKind::Created, ChangeKind::Changed, ChangeKind::Deleted] {
            let paths = self.paths(kind);
            if !paths.is_empty() {
                notes.push(format!("{} {}", kind.as_str(), names(&paths)));
            }
        }
        for conflict in self.report.conflicts.iter().take(TOLD) {
            let kept = conflict.kept_as.as_ref().map(|path| format!("; the command's version is {path}"));
            notes.push(format!("conflict at {}: {}{}", conflict.path, conflict.reason, kept.unwrap_or_default()));
        }
        let refused = self.all_refused();
        for (path, reason) in refused.iter().take(TOLD) {
            notes.push(format!("not stored as it was: {path}: {reason}"));
        }
        let untold = self.unlisted
            + u64::try_from(self.report.conflicts.len().saturating_sub(TOLD) + refused.len().saturating_sub(TOLD))
                .unwrap_or(0);
        if untold > 0 {
            notes.push(format!("{untold} more conflicts or refusals"));
        }
        notes
    }

    /// For clients.
    pub(super) fn details(&self) -> Value {
        let paths = |kind| {
            let paths = self.paths(kind);
            json!({ "count": paths.len(), "paths": &paths[..paths.len().min(LISTED)] })
        };
        let conflicts: Vec<Value> = self
            .report
            .conflicts
            .iter()
            .take(LISTED)
            .map(|conflict| json!({ "path": conflict.path.as_str(), "reason": conflict.reason, "keptAs": conflict.kept_as.as_ref().map(RelPath::as_str) }))
            .collect();
        let refused = self.all_refused();
        json!({
            "revision": self.report.revision,
            "created": paths(ChangeKind::Created),
            "changed": paths(ChangeKind::Changed),
            "deleted": paths(ChangeKind::Deleted),
            "conflicts": conflicts,
            "rejected": refused.iter().take(LISTED).map(|(path, reason)| json!({ "path": path, "reason": reason })).collect::<Vec<_>>(),
        })
    }

    fn paths(&self, kind: ChangeKind) -> Vec<&str> {
        self.report.applied.iter().filter(|change| change.kind == kind).map(|change| change.path.as_str()).collect()
    }

    fn all_refused(&self) -> Vec<(&str, &str)> {
        let by_tree = self.report.rejected.iter().map(|rejected| (rejected.path.as_str(), rejected.reason.as_str()));
        self.refused.iter().map(|(path, reason)| (path.as_str(), reason.as_str())).chain(by_tree).collect()
    }
}

/// The first names of a list, and how many more there are.
fn names(paths: &[&str]) -> String {
    let mut text = paths.iter().take(TOLD).copied().collect::<Vec<_>>().join(", ");
    if paths.len() > TOLD {
        text.push_str(&format!(" and {} more", paths.len() - TOLD));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{AppliedChange, Conflict, EntryKind, RejectedChange};

    #[test]
    fn what_became_of_the_changes_is_told_in_few_lines() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let applied = |name: String, kind| AppliedChange { path: path(&name), kind, entry: EntryKind::File };
        let mut report = ApplyReport { revision: Some(7), ..ApplyReport::default() };
        report.applied = (0..25).map(|number| applied(format!("out/{number}"), ChangeKind::Created)).collect();
        report.applied.push(applied("main.c".into(), ChangeKind::Changed));
        report.applied.push(applied("old".into(), ChangeKind::Deleted));
        report.conflicts = vec![Conflict {
            path: path("notes"),
            reason: "changed on both sides",
            kept_as: Some(path("notes.conflict-r1")),
        }];
        report.rejected = vec![RejectedChange { path: path(".git/config"), reason: "it is protected".into() }];
        let stored =
            Stored { report, refused: vec![("link".into(), "a symbolic link is not kept".into())], unlisted: 3 };
        let notes = stored.notes().join("\n");
        insta::assert_snapshot!(notes, @r"
        created out/0, out/1, out/2, out/3, out/4, out/5, out/6, out/7, out/8, out/9, out/10, out/11, out/12, out/13, out/14, out/15, out/16, out/17, out/18, out/19 and 5 more
        changed main.c
        deleted old
        conflict at notes: changed on both sides; the command's version is notes.conflict-r1
        not stored as it was: link: a symbolic link is not kept
        not stored as it was: .git/config: it is protected
        3 more conflicts or refusals
        ");
        let details = stored.details();
        assert_eq!((&details["created"]["count"], &details["revision"]), (&json!(25), &json!(7)));
        assert_eq!(details["conflicts"][0]["keptAs"], "notes.conflict-r1");
        assert_eq!(details["rejected"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn nothing_changed_is_no_remark() {
        let stored = Stored { report: ApplyReport::default(), refused: Vec::new(), unlisted: 0 };
        assert!(stored.notes().is_empty());
    }
}
