//! A tree in a fixed order, bounded in depth and number.

use super::{AgentFiles, Entry, EntryKind, FsError, RelPath};

/// Failures kept in a [`WalkReport`]; further ones are only counted.
const KEPT_FAILURES: usize = 10;

/// Bounds of a walk.
#[derive(Debug, Clone, Copy)]
pub struct WalkOptions {
    /// Directory levels below the start; 1 = its direct entries.
    pub max_depth: usize,
    /// Entries looked at in all.
    pub max_entries: usize,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self { max_depth: 64, max_entries: 200_000 }
    }
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkEntry {
    /// Where it is, from the root of the file system capability.
    pub path: RelPath,
    /// What it is.
    pub entry: Entry,
}

/// What a walk left out.
#[derive(Debug, Default)]
pub struct WalkReport {
    /// A bound was reached: there is more.
    pub truncated: bool,
    /// Names that are not UTF-8 (or too long in all) and so cannot be expressed as paths.
    pub unusable_names: usize,
    /// Directories on other mounts, not entered.
    pub other_mounts: usize,
    /// Directories that could not be read.
    pub unreadable: usize,
    /// The first ten of the errors behind `unreadable`.
    pub failures: Vec<FsError>,
}

/// Depth first, each directory before its content, names in byte order. Links are reported as entries and not followed; directories on
/// other mounts are not entered. Memory is bounded by the sizes of the directories on the current path.
pub struct Walk<'a> {
    fs: &'a dyn AgentFiles,
    options: WalkOptions,
    stack: Vec<(RelPath, std::vec::IntoIter<Entry>)>,
    /// The directory returned last; it is read only when the caller asks for more.
    pending: Option<RelPath>,
    seen: usize,
    report: WalkReport,
}

impl<'a> Walk<'a> {
    /// Reads the directory at `path`; a failure there is the walk's.
    pub fn start(fs: &'a dyn AgentFiles, path: &RelPath, options: WalkOptions) -> Result<Self, FsError> {
        let mut walk = Self { fs, options, stack: Vec::new(), pending: None, seen: 0, report: WalkReport::default() };
        walk.enter(path.clone())?;
        Ok(walk)
    }

    /// Leaves out the content of the directory that was returned last.
    pub fn skip_directory(&mut self) {
        self.pending = None;
    }

    /// What has been left out so far.
    pub fn report(&self) -> &WalkReport {
        &self.report
    }

    /// What was left out, at the end.
    pub fn into_report(self) -> WalkReport {
        self.report
    }

    fn enter(&mut self, path: RelPath) -> Result<(), FsError> {
        if self.stack.len() >= self.options.max_depth {
            self.report.truncated = true;
            return Ok(());
        }
        let listing = self.fs.list_bounded(&path, self.options.max_entries.saturating_sub(self.seen))?;
        self.report.truncated |= listing.truncated;
        self.stack.push((path, listing.entries.into_iter()));
        Ok(())
    }

    fn enter_pending(&mut self) {
        let Some(path) = self.pending.take() else { return };
        match self.enter(path) {
            // Gone meanwhile.
            Ok(()) | Err(FsError::NotFound { .. }) => {}
            Err(FsError::OutsideRoot { .. }) => self.report.other_mounts += 1,
            Err(error) => {
                self.report.unreadable += 1;
                if self.report.failures.len() < KEPT_FAILURES {
                    self.report.failures.push(error);
                }
            }
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = WalkEntry;

    fn next(&mut self) -> Option<WalkEntry> {
        self.enter_pending();
        loop {
            let (directory, entries) = self.stack.last_mut()?;
            let Some(entry) = entries.next() else {
                self.stack.pop();
                continue;
            };
            if self.seen >= self.options.max_entries {
                self.report.truncated = true;
                return None;
            }
            self.seen += 1;
            match directory.join(&entry.name) {
                Ok(path) if !entry.lossy_name => {
                    if entry.kind == EntryKind::Directory {
                        self.pending = Some(path.clone());
                    }
                    return Some(WalkEntry { path, entry });
                }
                _ => self.report.unusable_names += 1,
            }
        }
    }
}
