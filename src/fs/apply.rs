//! Several changes, all or none: everything is checked and prepared beside its target before the first file changes.
//!
//! 1. check: the set, the policy, what is there, what the caller expected;
//! 2. prepare: missing directories, one synchronised sibling for each file that is written;
//! 3. commit, in the order of the set: a sibling is exchanged with the file it replaces, becomes the file that is created, or takes the file
//!    that is removed. What was replaced or removed stays under the sibling's name until the end;
//! 4. on a failure, the other way round with what is under the siblings' names; at the end the siblings are removed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use ring::digest::{Context, SHA256};

use super::atomic::existing;
use super::files::{Expected, FileChange, check_change_set};
use super::sibling::Sibling;
use super::unix::{self, DIRECTORY, Meta, TRAVERSE, fs_error};
use super::{EntryKind, FsError, HostCapabilityFs, RelPath};

impl HostCapabilityFs {
    /// All of the changes or none; see [`super::AgentFiles::apply`].
    pub fn apply(&self, changes: &[FileChange]) -> Result<(), FsError> {
        check_change_set(changes)?;
        let mut plans = Vec::with_capacity(changes.len());
        for change in changes {
            plans.push(self.plan(change)?);
        }
        let mut made = Vec::new();
        let result = self.prepare_and_commit(&plans, &mut made);
        if result.is_err() {
            self.remove_made(&made);
        }
        result
    }

    /// Checks one change against what is there.
    fn plan<'a>(&self, change: &'a FileChange) -> Result<Plan<'a>, FsError> {
        let path = change.path();
        self.check_write(path)?;
        let parent = path.parent().unwrap_or_default();
        let before = match (self.open_fd_for(path, &parent, TRAVERSE), change) {
            (Ok(directory), FileChange::Write { .. }) => existing(&directory, path)?,
            (Ok(directory), FileChange::Remove { .. }) => {
                let meta = unix::meta_at(&directory, OsStr::new(path.name())).map_err(|errno| fs_error(path, errno))?;
                if meta.kind == EntryKind::Directory {
                    meta.require_file(path)?;
                }
                Some(meta)
            }
            (Err(FsError::NotFound { .. }), FileChange::Write { .. }) => None,
            (Err(error), _) => return Err(error),
        };
        match (change.expected(), &before) {
            (Expected::Absent, Some(_)) => return Err(FsError::Exists { path: path.to_string() }),
            (Expected::Sha256(_), None) => return Err(FsError::Changed { path: path.to_string() }),
            (Expected::Sha256(expected), Some(_)) if self.sha256(path)? != expected => {
                return Err(FsError::Changed { path: path.to_string() });
            }
            _ => {}
        }
        let like = match change {
            FileChange::Write { mode_of: Some(other), .. } => {
                self.check_read(other)?;
                let directory = self.open_fd_for(other, &other.parent().unwrap_or_default(), TRAVERSE)?;
                let meta =
                    unix::meta_at(&directory, OsStr::new(other.name())).map_err(|errno| fs_error(other, errno))?;
                meta.require_file(other)?;
                Some(meta)
            }
            _ => before,
        };
        Ok(Plan { change, parent, before, like })
    }

    fn sha256(&self, path: &RelPath) -> Result<[u8; 32], FsError> {
        let mut opened = self.open_for_read(path)?;
        let mut context = Context::new(&SHA256);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match opened.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => context.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FsError::from_io(path.to_string(), error)),
            }
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Ok(hash)
    }

    fn prepare_and_commit(&self, plans: &[Plan<'_>], made: &mut Vec<RelPath>) -> Result<(), FsError> {
        let mut directories: BTreeMap<&RelPath, OwnedFd> = BTreeMap::new();
        for plan in plans {
            if !directories.contains_key(&plan.parent) {
                self.make_directories_into(&plan.parent, made)?;
                let directory = self.open_fd_for(plan.change.path(), &plan.parent, DIRECTORY)?;
                directories.insert(&plan.parent, directory);
            }
        }
        let mut steps = Vec::with_capacity(plans.len());
        for plan in plans {
            steps.push(plan.prepare(&directories[&plan.parent])?);
        }
        for at in 0..steps.len() {
            if let Err(error) = steps[at].commit() {
                return Err(roll_back(&steps[..at], error));
            }
        }
        let touched: BTreeSet<&RelPath> = plans.iter().map(|plan| &plan.parent).collect();
        for parent in touched {
            if let Err(errno) = fsync(&directories[parent]) {
                return Err(roll_back(&steps, fs_error(parent, errno)));
            }
        }
        Ok(())
    }

    /// Takes back the directories that were made for a set that failed; what somebody else put there meanwhile stays.
    fn remove_made(&self, made: &[RelPath]) {
        for path in made.iter().rev() {
            let removed = self.open_fd(&path.parent().unwrap_or_default(), TRAVERSE).and_then(|directory| {
                unlinkat(&directory, path.name(), UnlinkatFlags::RemoveDir).map_err(|errno| fs_error(path, errno))
            });
            if let Err(error) = removed {
                tracing::debug!(%error, "a directory made for a change that failed stays");
            }
        }
    }
}

/// One change with what it found.
struct Plan<'a> {
    change: &'a FileChange,
    parent: RelPath,
    before: Option<Meta>,
    /// Whose permissions the written file gets.
    like: Option<Meta>,
}

impl<'a> Plan<'a> {
    fn prepare<'d>(&self, directory: &'d OwnedFd) -> Result<Step<'a, 'd>, FsError> {
        let path = self.change.path();
        let sibling = match self.change {
            FileChange::Write { data, .. } => Sibling::with_content(directory, data, self.like.as_ref())
                .map_err(|error| FsError::from_io(path.to_string(), error))?,
            FileChange::Remove { .. } => Sibling::reserve(directory),
        };
        let removes = matches!(self.change, FileChange::Remove { .. });
        Ok(Step { path, directory, before: self.before, removes, sibling })
    }
}

/// One change with everything ready beside it.
struct Step<'a, 'd> {
    path: &'a RelPath,
    directory: &'d OwnedFd,
    before: Option<Meta>,
    removes: bool,
    sibling: Sibling<'d>,
}

impl Step<'_, '_> {
    /// Makes the change. What was there before is under the sibling's name afterwards, and is what the check had seen.
    fn commit(&self) -> Result<(), FsError> {
        let changed = || FsError::Changed { path: self.path.to_string() };
        let failed = |errno| match errno {
            Errno::ENOENT => changed(),
            Errno::EEXIST => FsError::Exists { path: self.path.to_string() },
            errno => fs_error(self.path, errno),
        };
        let name = self.path.name();
        let Some(before) = &self.before else {
            return self.sibling.place(name).map_err(failed);
        };
        if self.removes { self.sibling.take(name) } else { self.sibling.exchange(name) }.map_err(failed)?;
        if self.sibling.meta().is_ok_and(|found| found.is_same_content(before)) {
            return Ok(());
        }
        Err(match self.undo() {
            Ok(()) => changed(),
            Err(errno) => not_put_back(self.path, &changed(), errno),
        })
    }

    fn undo(&self) -> nix::Result<()> {
        let name = self.path.name();
        match (&self.before, self.removes) {
            (None, _) => unlinkat(self.directory, name, UnlinkatFlags::NoRemoveDir),
            (Some(_), true) => self.sibling.place(name),
            (Some(_), false) => self.sibling.replace(name),
        }
    }
}

/// Undoes `steps`, the last first. The result is `error`, with what could not be undone.
fn roll_back(steps: &[Step<'_, '_>], error: FsError) -> FsError {
    let mut result = error;
    for step in steps.iter().rev() {
        if let Err(errno) = step.undo() {
            result = not_put_back(step.path, &result, errno);
        }
    }
    result
}

fn not_put_back(path: &RelPath, error: &FsError, errno: Errno) -> FsError {
    tracing::error!(%path, %error, %errno, "a change could not be undone");
    let source = io::Error::other(format!("{error}; and the change of {path} could not be undone: {errno}"));
    FsError::Io { path: path.to_string(), source }
}
