//! Trees as `find` and `grep` see them: without `.git` and without what `.gitignore` files name.
//!
//! `.gitignore` files count from the workspace down, in or outside of a git repository; the user's global excludes and
//! `.git/info/exclude` do not. A start inside an ignored directory is searched: it was asked for by name.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::support::{Failure, Job, Place};
use crate::fs::{AgentFiles, EntryKind, FsError, RelPath, Walk, WalkEntry, WalkOptions, WalkReport};

/// Larger `.gitignore` files are left unread.
const MAX_RULES: u64 = 256 * 1024;

/// Calls `each` for the entries below a place that are not ignored, in a fixed order, until it returns false.
pub(super) fn visit(
    job: &Job,
    place: &Place,
    mut each: impl FnMut(&WalkEntry) -> Result<bool, Failure>,
) -> Result<WalkReport, Failure> {
    let files = place.files.as_ref();
    let mut rules = Rules::above(files, &place.path)?;
    let mut walk = Walk::start(files, &place.path, WalkOptions::default())?;
    while let Some(found) = walk.next() {
        job.check()?;
        let directory = found.entry.kind == EntryKind::Directory;
        if found.entry.name == ".git" || rules.ignores(&found.path, directory) {
            walk.skip_directory();
            continue;
        }
        if directory {
            rules.enter(files, &found.path);
        }
        if !each(&found)? {
            break;
        }
    }
    Ok(walk.into_report())
}

/// What the model should know about a search that left something out.
pub(super) fn notes(report: &WalkReport) -> Vec<String> {
    let mut notes = Vec::new();
    if report.truncated {
        notes.push("The tree is too large or too deep to be searched in one go; give a path".to_owned());
    }
    if report.unreadable > 0 {
        notes.push(format!("Directories that could not be read: {}", report.unreadable));
    }
    if report.other_mounts > 0 {
        notes.push(format!("Directories on other file systems, not searched: {}", report.other_mounts));
    }
    if report.unusable_names > 0 {
        notes.push(format!("Names that are not UTF-8, left out: {}", report.unusable_names));
    }
    notes
}

/// The rules of the directories from the root to the current one.
struct Rules {
    levels: Vec<(RelPath, Gitignore)>,
}

impl Rules {
    fn above(files: &dyn AgentFiles, start: &RelPath) -> Result<Self, FsError> {
        let mut rules = Self { levels: Vec::new() };
        let mut directory = RelPath::root();
        rules.enter(files, &directory);
        for name in start.components() {
            directory = directory.join(name)?;
            rules.enter(files, &directory);
        }
        Ok(rules)
    }

    /// Reads the rules in `directory`. A `.gitignore` that cannot be read (a link, no permission, too large) hides nothing.
    fn enter(&mut self, files: &dyn AgentFiles, directory: &RelPath) {
        let Ok(path) = directory.join(".gitignore") else { return };
        let Ok(data) = files.read(&path, MAX_RULES) else { return };
        let mut builder = GitignoreBuilder::new("");
        for line in String::from_utf8_lossy(&data).lines() {
            if let Err(error) = builder.add_line(None, line) {
                tracing::debug!(%path, %error, "a line of a .gitignore file is not understood");
            }
        }
        match builder.build() {
            Ok(rules) if !rules.is_empty() => self.levels.push((directory.clone(), rules)),
            Ok(_) => {}
            Err(error) => tracing::debug!(%path, %error, "a .gitignore file is not understood"),
        }
    }

    /// The deepest file with an opinion decides. Forgets the rules of directories that the walk has left.
    fn ignores(&mut self, path: &RelPath, is_directory: bool) -> bool {
        while self.levels.last().is_some_and(|(directory, _)| !path.is_within(directory)) {
            self.levels.pop();
        }
        for (directory, rules) in self.levels.iter().rev() {
            match rules.matched(Path::new(below(path, directory)), is_directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

/// `path` as seen from `directory`, which it lies in.
pub(super) fn below<'a>(path: &'a RelPath, directory: &RelPath) -> &'a str {
    path.as_str()[directory.as_str().len()..].trim_start_matches('/')
}

/// A glob for paths: with a `/` it applies to the path below the start of the search, without one to the name alone.
pub(super) struct PathGlob {
    matcher: GlobMatcher,
    by_name: bool,
}

impl PathGlob {
    pub(super) fn parse(pattern: &str) -> Result<Self, Failure> {
        let relative = pattern.trim_start_matches("./");
        if relative.is_empty() || relative.starts_with('/') {
            return Err(Failure::new(
                "The glob pattern must be relative, such as *.rs or src/**/*.rs; give the directory as path.",
            ));
        }
        let glob = GlobBuilder::new(relative)
            .literal_separator(true)
            .build()
            .map_err(|error| Failure::new(format!("The glob pattern is not valid: {error}.")))?;
        Ok(Self { matcher: glob.compile_matcher(), by_name: !relative.contains('/') })
    }

    pub(super) fn matches(&self, path: &RelPath, start: &RelPath) -> bool {
        self.matcher.is_match(if self.by_name { path.name() } else { below(path, start) })
    }
}
