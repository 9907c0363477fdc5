//! Paths that stay out of reach although they lie below the root.
//!
//! | file | job |
//! |---|---|
//! | `table` | what is protected in every workspace, and why |
//! | `pattern`, `fold` | patterns of paths; names as lax file systems compare them |
//! | `git` | repositories that are not called `.git`, and where their hooks are |
//! | `scan` | which protected paths exist, and which of them a command changed |

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use nix::libc::{dev_t, ino_t};
use nix::sys::stat::lstat;

use super::{FsError, RelPath};

mod fold;
mod git;
mod pattern;
mod scan;
mod table;

use fold::fold;
use pattern::Pattern;
pub use scan::{ProtectedChange, ProtectedScan, ScanBounds, protected_changes};
use table::{Access, GIT, RULES};

const SECRET: &str = "it belongs to openclaw's own state or configuration";
const CONFIGURED: &str = "sandbox.protect of the configuration names it";

/// The table with its patterns parsed.
struct Table {
    rows: Vec<(Pattern, Access, &'static str)>,
    /// How the paths end that are named; scans look at most names of a tree no closer.
    last_names: HashSet<String>,
    /// A pattern ends with no fixed name.
    wild_end: bool,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rows: Vec<_> = RULES.iter().map(|rule| (Pattern::anywhere(rule.pattern), rule.access, rule.why)).collect();
    let last_names: HashSet<String> =
        rows.iter().filter_map(|(pattern, ..)| pattern.last_name().map(str::to_owned)).collect();
    let wild_end = rows.iter().any(|(pattern, ..)| pattern.last_name().is_none());
    Table { rows, last_names, wild_end }
});

/// Why a path is protected, and against what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    access: Access,
    why: &'static str,
    /// Everything below is protected as well.
    below: bool,
}

/// What must not be reached below one root.
#[derive(Debug, Default)]
pub(super) struct Protected {
    /// Neither read, written nor listed.
    hidden: Vec<Pattern>,
    /// Not written: from the configuration, and directories of hooks.
    unwritable: Vec<(Pattern, &'static str)>,
    /// The protected paths as given, for finding hard links to protected files.
    absolute: Vec<PathBuf>,
}

impl Protected {
    /// `paths` are absolute and need not exist. A protected path that *is* the root is an error: nothing could be allowed there. One
    /// that holds the root is of no effect, because the caller chose a root inside it (the default workspace is inside the state directory).
    /// `protect` are further names or paths that are not written.
    pub(super) fn below(root: &Path, paths: &[PathBuf], protect: &[String]) -> Result<Self, FsError> {
        let mut hidden = Vec::new();
        for path in paths {
            for name in [path.clone(), real_path(path)] {
                if let Ok(rest) = name.strip_prefix(root) {
                    let components: Vec<String> = rest
                        .components()
                        .filter_map(|component| match component {
                            Component::Normal(text) => Some(text.to_string_lossy().into_owned()),
                            _ => None,
                        })
                        .collect();
                    if components.is_empty() {
                        return Err(FsError::Protected { path: root.display().to_string(), why: SECRET });
                    }
                    hidden.push(Pattern::exactly(components.iter().map(String::as_str)));
                }
            }
        }
        let unwritable = protect
            .iter()
            .filter_map(|text| {
                let below = Path::new(text).strip_prefix(root).ok().and_then(Path::to_str);
                let pattern = match below {
                    Some(path) => Some(Pattern::exactly(path.split('/').filter(|name| !name.is_empty()))),
                    None => Pattern::configured(text),
                };
                pattern.map(|pattern| (pattern, CONFIGURED))
            })
            .collect();
        Ok(Self { hidden, unwritable, absolute: paths.to_vec() })
    }

    /// A directory of hooks that the repository at the root names.
    pub(super) fn add_hooks(&mut self, directory: &RelPath) {
        self.unwritable.push((Pattern::exactly(directory.components()), GIT));
    }

    /// Refuses what may not even be read.
    pub(super) fn check_read(&self, path: &RelPath) -> Result<(), FsError> {
        match self.verdict(&folded(path)) {
            Some(Verdict { access: Access::ReadAndWrite, why, .. }) => refused(path, why),
            _ => Ok(()),
        }
    }

    /// Refuses what may not be created, replaced or removed.
    pub(super) fn check_write(&self, path: &RelPath) -> Result<(), FsError> {
        match self.verdict(&folded(path)) {
            Some(verdict) => refused(path, verdict.why),
            None => Ok(()),
        }
    }

    /// Whether listings leave it out.
    pub(super) fn is_hidden(&self, path: &RelPath) -> bool {
        if self.hidden.is_empty() {
            return false;
        }
        let names = folded(path);
        self.hidden.iter().any(|pattern| pattern.covers(&names))
    }

    /// Whether a file with several names is one of the protected files under another name.
    pub(super) fn is_alias(&self, device: dev_t, inode: ino_t) -> bool {
        // A protected path that does not exist, or cannot be seen by this user, has no alias this user could have made.
        self.absolute.iter().any(|path| lstat(path).is_ok_and(|stat| stat.st_dev == device && stat.st_ino == inode))
    }

    /// The strictest word on a path that is protected, by itself or because of what it lies in.
    fn verdict(&self, names: &[String]) -> Option<Verdict> {
        let whole = |access, why| Some(Verdict { access, why, below: true });
        if self.hidden.iter().any(|pattern| pattern.covers(names)) {
            return whole(Access::ReadAndWrite, SECRET);
        }
        let mut found: Option<Verdict> = None;
        for (pattern, access, why) in &TABLE.rows {
            if pattern.covers(names) {
                let verdict = Verdict { access: *access, why, below: pattern.has_below() };
                if *access == Access::ReadAndWrite {
                    return Some(verdict);
                }
                found = found.filter(|earlier| earlier.below).or(Some(verdict));
            }
        }
        if let Some((_, why)) = self.unwritable.iter().find(|(pattern, _)| pattern.covers(names)) {
            return whole(Access::Write, why);
        }
        found
    }

    /// Whether a path that ends with this folded name may be protected although nothing that it lies in is.
    fn may_name(&self, last: &str) -> bool {
        !self.hidden.is_empty() || !self.unwritable.is_empty() || TABLE.wild_end || TABLE.last_names.contains(last)
    }
}

fn refused(path: &RelPath, why: &'static str) -> Result<(), FsError> {
    Err(FsError::Protected { path: path.to_string(), why })
}

fn folded(path: &RelPath) -> Vec<String> {
    path.components().map(fold).collect()
}

/// The path with links of its longest existing part resolved.
fn real_path(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        if let Ok(real) = std::fs::canonicalize(existing) {
            return missing.iter().rev().fold(real, |joined, name| joined.join(name));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name);
                existing = parent;
            }
            _ => return path.to_path_buf(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    /// `r` and `w` for what is refused.
    fn refusals(protected: &Protected, text: &str) -> String {
        let read = if protected.check_read(&path(text)).is_err() { "r" } else { "" };
        let write = if protected.check_write(&path(text)).is_err() { "w" } else { "" };
        format!("{read}{write}")
    }

    #[test]
    fn what_programs_run_or_trust_is_not_written_and_may_be_read() {
        let none = Protected::default();
        for text in [
            ".git/hooks/pre-commit",
            ".git/hooks",
            ".git/config",
            ".GIT/Config",
            ".g\u{200d}it/config",
            "sub/.git/config",
            "sub/.git",
            ".git/modules/m/hooks/post-checkout",
            ".git/modules/m/config",
            ".git/worktrees/w/commondir",
            ".git/worktrees/w/gitdir",
            ".gitmodules",
            ".husky/pre-push",
            ".vscode/tasks.json",
            "a/.VSCode/Settings.json",
            ".vscode/launch.json",
            ".idea/workspace.xml",
            ".envrc",
            ".mcp.json",
            ".bashrc",
            "home/.ZSHENV",
            ".config/fish/config.fish",
            ".config/autostart/x.desktop",
        ] {
            assert_eq!(refusals(&none, text), "w", "{text}");
        }
    }

    #[test]
    fn secrets_are_neither_read_nor_written() {
        let none = Protected::default();
        for text in [
            ".ssh/id_ed25519",
            ".SSH",
            ".\u{17f}sh/id_rsa",
            "a/.gnupg/x",
            ".netrc",
            ".npmrc",
            ".cargo/credentials.toml",
            ".aws/credentials",
            ".docker/config.json",
            ".config/git/credentials",
        ] {
            assert_eq!(refusals(&none, text), "rw", "{text}");
        }
    }

    #[test]
    fn what_agents_work_on_stays_open() {
        let none = Protected::default();
        for text in [
            "AGENTS.md",
            "SOUL.md",
            "memory/MEMORY.md",
            ".env",
            ".gitignore",
            ".github/hooks/x",
            "hooks/pre-commit",
            "config",
            ".git/info/exclude",
            ".git/index",
            "git/config",
            ".vscode/extensions.json",
            ".cargo/config.toml",
            ".docker/x",
            "profile",
        ] {
            assert_eq!(refusals(&none, text), "", "{text}");
        }
    }

    #[test]
    fn configured_names_are_not_written() {
        let root = Path::new("/nonexistent/ws");
        let protect =
            ["deploy/prod", "*.pem", "Caf\u{e9}", "/nonexistent/ws/abs", "", "/elsewhere/x"].map(str::to_owned);
        let protected = Protected::below(root, &[], &protect).unwrap();
        for text in ["deploy/prod", "deploy/prod/x", "a/KEY.pem", "a/CAFE\u{301}/x", "abs/y"] {
            assert_eq!(refusals(&protected, text), "w", "{text}");
        }
        for text in ["deploy/staging", "a/deploy/prod", "pem", "cafe", "a/abs"] {
            assert_eq!(refusals(&protected, text), "", "{text}");
        }
    }

    #[test]
    fn hidden_paths_are_neither_read_nor_written_and_containing_ones_do_not_count() {
        let root = Path::new("/nonexistent/home");
        let paths = [PathBuf::from("/nonexistent/home/.openclaw"), PathBuf::from("/nonexistent")];
        let protected = Protected::below(root, &paths, &[]).unwrap();
        for text in [".openclaw", ".openclaw/state/x", ".OpenClaw/openclaw.json"] {
            assert_eq!(refusals(&protected, text), "rw", "{text}");
        }
        for text in [".openclaw2", "a/.openclaw", "x"] {
            assert_eq!(refusals(&protected, text), "", "{text}");
        }
        assert!(Protected::below(root, &[root.to_path_buf()], &[]).is_err());
    }

    #[test]
    fn every_row_is_found_by_the_last_name() {
        let none = Protected::default();
        for rule in RULES {
            let last = fold(rule.pattern.trim_end_matches('/').rsplit('/').next().unwrap());
            assert!(none.may_name(&last), "{}", rule.pattern);
        }
        assert!(!none.may_name("main.rs"));
    }
}
