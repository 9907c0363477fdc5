//! One command's changes against the tree as it is by now.

use std::collections::{HashMap, HashSet};

use super::access::{Refusal, Step};
use super::apply::{AppliedChange, ApplyReport, Conflict, RejectedChange, Work};
use super::limits::{directory_mode, file_mode};
use super::node::{ChangeKind, kind};
use super::project::Base;
use super::tree::{Data, Tree};
use crate::core::RunId;
use crate::fs::{EntryKind, FsError, RelPath};
use crate::state::{VfsKind, VfsRow};

/// Longest name of a file, in bytes.
const MAX_NAME: usize = 255;
/// Longest part of a name that says which run it came from.
const MAX_SUFFIX: usize = 64;

const BOTH_CHANGED: &str = "it was changed while the command, which changed it too, was running";
const CHANGED_AND_DELETED: &str = "it was changed while the command, which deleted it, was running";
const DELETED_AND_CHANGED: &str = "it was deleted while the command, which changed it, was running";
const OTHER_KIND: &str = "it became a directory on one side and a file on the other while the command was running";

pub(super) struct Merge<'m, 't, 'c> {
    tree: &'m Tree<'t, 'c>,
    base: &'m Base,
    suffix: String,
    /// Directories of the command that the tree has under another name.
    moved: HashMap<String, RelPath>,
    /// Paths that are directories by now.
    directories: HashSet<String>,
    /// What deletions left in place and reported.
    kept: HashSet<String>,
    /// What this merge deleted.
    deleted: HashSet<String>,
    report: ApplyReport,
}

impl<'m, 't, 'c> Merge<'m, 't, 'c> {
    pub(super) fn new(tree: &'m Tree<'t, 'c>, base: &'m Base, run: Option<&RunId>) -> Self {
        Self {
            tree,
            base,
            suffix: suffix(run),
            moved: HashMap::new(),
            directories: HashSet::new(),
            kept: HashSet::new(),
            deleted: HashSet::new(),
            report: ApplyReport::default(),
        }
    }

    pub(super) fn run(mut self, work: &Work) -> Step<ApplyReport> {
        for path in &work.deletes {
            let outcome = self.delete(path);
            self.settle(path, outcome)?;
        }
        for (path, mode) in &work.directories {
            let outcome = self.directory(path, directory_mode(*mode));
            self.settle(path, outcome)?;
        }
        let mut before: Option<&RelPath> = None;
        for (path, mode, data) in &work.files {
            let outcome = if before == Some(path) {
                Err(FsError::Exists { path: path.to_string() }.into())
            } else {
                self.file(path, file_mode(*mode), data)
            };
            before = Some(path);
            self.settle(path, outcome)?;
        }
        self.report.applied.sort_by(|one, other| one.path.cmp(&other.path));
        self.report.revision = self.tree.edit.changed();
        Ok(self.report)
    }

    /// A change that is not allowed is reported; a failure of the database ends the merge.
    fn settle(&mut self, path: &RelPath, outcome: Step<()>) -> Step<()> {
        match outcome {
            Err(Refusal::Files(error)) => {
                self.report.rejected.push(RejectedChange { path: path.clone(), reason: error.to_string() });
                Ok(())
            }
            other => other,
        }
    }

    fn applied(&mut self, path: &RelPath, kind: ChangeKind, entry: EntryKind) {
        self.report.applied.push(AppliedChange { path: path.clone(), kind, entry });
    }

    /// Nobody changed it since the projection; or this merge made it.
    fn untouched(&self, row: &VfsRow) -> bool {
        self.base.get(&row.path) == Some((row.revision, kind(row.kind))) || self.is_ours(row)
    }

    fn is_ours(&self, row: &VfsRow) -> bool {
        self.tree.edit.changed() == Some(row.revision)
    }

    fn delete(&mut self, path: &RelPath) -> Step<()> {
        let Some(top) = self.tree.row(path)? else {
            self.report.unchanged += usize::from(!path.is_root());
            return Ok(());
        };
        self.tree.limits.check_kind(path, kind(top.kind))?;
        let mut rows = vec![top];
        if rows.iter().any(|row| row.kind == VfsKind::Directory) {
            rows.extend(self.tree.subtree(path)?);
        }
        // Children before their directory: one that stays keeps its directories.
        for row in rows.iter().rev() {
            let path = RelPath::parse(&row.path)?;
            if self.kept.contains(&row.path) {
                continue;
            }
            if !self.untouched(row) {
                self.keep(&path);
                let conflict = Conflict { path, reason: CHANGED_AND_DELETED, kept_as: None };
                self.report.conflicts.push(conflict);
            } else if let Err(error) = self.tree.limits.check_kind(&path, kind(row.kind)) {
                self.keep(&path);
                self.report.rejected.push(RejectedChange { path, reason: error.to_string() });
            } else {
                self.tree.edit.end(row)?;
                self.deleted.insert(row.path.clone());
                self.applied(&path, ChangeKind::Deleted, kind(row.kind));
            }
        }
        Ok(())
    }

    /// It stays, and the directories that hold it.
    fn keep(&mut self, path: &RelPath) {
        let mut kept = Some(path.clone());
        while let Some(path) = kept.filter(|path| !path.is_root()) {
            self.kept.insert(path.as_str().to_owned());
            kept = path.parent();
        }
    }

    fn directory(&mut self, path: &RelPath, mode: u32) -> Step<()> {
        self.tree.limits.check_kind(path, EntryKind::Directory)?;
        let target = self.settled_parent(path)?;
        let Some(row) = self.tree.row(&target)? else {
            self.tree.edit.insert_directory(target.as_str(), mode)?;
            self.directories.insert(target.as_str().to_owned());
            self.applied(&target, ChangeKind::Created, EntryKind::Directory);
            return Ok(());
        };
        if row.kind == VfsKind::File {
            let made = self.make_way(path, &target, &row)?;
            let row = self.tree.row(&made)?;
            if let Some(row) = row {
                self.tree.set_mode(&row, mode)?;
            }
            return Ok(());
        }
        self.directories.insert(target.as_str().to_owned());
        if self.untouched(&row) && self.tree.set_mode(&row, mode)? {
            self.applied(&target, ChangeKind::Changed, EntryKind::Directory);
        } else {
            self.report.unchanged += 1;
        }
        Ok(())
    }

    fn file(&mut self, path: &RelPath, mode: u32, data: &Data) -> Step<()> {
        self.tree.limits.check_path(path)?;
        self.tree.limits.check_file(path, data.size)?;
        let target = self.settled_parent(path)?;
        let Some(row) = self.tree.row(&target)? else {
            let was_file = self.base.get(target.as_str()).is_some_and(|(_, kind)| kind == EntryKind::File);
            if was_file && !self.deleted.contains(target.as_str()) {
                return self.store_beside(&target, mode, data, DELETED_AND_CHANGED);
            }
            self.tree.put_file(&target, None, Some(mode), data)?;
            let kind = if was_file { ChangeKind::Changed } else { ChangeKind::Created };
            self.applied(&target, kind, EntryKind::File);
            return Ok(());
        };
        let untouched = self.untouched(&row);
        match row.kind {
            VfsKind::File if row.hash == Some(data.hash) => {
                if untouched && self.tree.set_mode(&row, mode)? {
                    self.applied(&target, ChangeKind::Changed, EntryKind::File);
                } else {
                    self.report.unchanged += 1;
                }
                Ok(())
            }
            VfsKind::File if !untouched => self.store_beside(&target, mode, data, BOTH_CHANGED),
            VfsKind::Directory if !untouched || self.tree.has_children(&target)? => {
                self.store_beside(&target, mode, data, OTHER_KIND)
            }
            VfsKind::File | VfsKind::Directory => {
                self.tree.put_file(&target, Some(&row), Some(mode), data)?;
                self.applied(&target, ChangeKind::Changed, EntryKind::File);
                Ok(())
            }
        }
    }

    /// Where something at the command's `path` belongs in the tree, with its directories made: below directories that are in the tree
    /// under another name, it follows them.
    fn settled_parent(&mut self, path: &RelPath) -> Step<RelPath> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_root()) else { return Ok(path.clone()) };
        let mut here = RelPath::root();
        let mut in_command = RelPath::root();
        for name in parent.components() {
            in_command = in_command.join(name)?;
            here = match self.moved.get(in_command.as_str()) {
                Some(moved) => moved.clone(),
                None => here.join(name)?,
            };
            if self.directories.contains(here.as_str()) {
                continue;
            }
            match self.tree.row(&here)? {
                Some(row) if row.kind == VfsKind::File => here = self.make_way(&in_command, &here, &row)?,
                Some(_) => {}
                None => self.tree.make_directories(path, &here)?,
            }
            self.directories.insert(here.as_str().to_owned());
        }
        Ok(here.join(path.name())?)
    }

    /// The command has a directory where the tree has a file: it replaces a file that nobody else touched, and goes beside another.
    fn make_way(&mut self, in_command: &RelPath, here: &RelPath, row: &VfsRow) -> Step<RelPath> {
        if self.untouched(row) {
            self.tree.edit.end(row)?;
            self.tree.make_directories(here, here)?;
            self.directories.insert(here.as_str().to_owned());
            self.applied(here, ChangeKind::Changed, EntryKind::Directory);
            return Ok(here.clone());
        }
        let beside = self.free_name(here)?;
        self.tree.make_directories(&beside, &beside)?;
        self.directories.insert(beside.as_str().to_owned());
        self.moved.insert(in_command.as_str().to_owned(), beside.clone());
        self.report.conflicts.push(Conflict { path: here.clone(), reason: OTHER_KIND, kept_as: Some(beside.clone()) });
        Ok(beside)
    }

    fn store_beside(&mut self, path: &RelPath, mode: u32, data: &Data, reason: &'static str) -> Step<()> {
        let beside = self.free_name(path)?;
        self.tree.put_file(&beside, None, Some(mode), data)?;
        self.report.conflicts.push(Conflict { path: path.clone(), reason, kept_as: Some(beside) });
        Ok(())
    }

    /// `name.conflict-<run>`, with a number if that is taken.
    fn free_name(&self, path: &RelPath) -> Step<RelPath> {
        for number in 1_u32.. {
            let ending = if number == 1 { self.suffix.clone() } else { format!("{}-{number}", self.suffix) };
            let name = path.name();
            let kept = name.floor_char_boundary(MAX_NAME.saturating_sub(ending.len()));
            let name = format!("{}{ending}", &name[..kept]);
            let free = path.parent().unwrap_or_default().join(&name)?;
            self.tree.limits.check_path(&free)?;
            if self.tree.row(&free)?.is_none() {
                return Ok(free);
            }
        }
        Err(FsError::Exists { path: path.to_string() }.into())
    }
}

/// Run ids are a client's text: of other characters than these a name would be hard to type.
fn suffix(run: Option<&RunId>) -> String {
    let plain =
        |character: char| if character.is_ascii_alphanumeric() || "._-".contains(character) { character } else { '_' };
    match run {
        Some(run) => format!(".conflict-{}", run.as_str().chars().take(MAX_SUFFIX).map(plain).collect::<String>()),
        None => ".conflict".to_owned(),
    }
}
