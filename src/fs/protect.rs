//! Paths that stay out of reach although they lie below the root.

use std::path::{Component, Path, PathBuf};

use nix::libc::{dev_t, ino_t};
use nix::sys::stat::lstat;

use super::{FsError, RelPath};

const SECRET: &str = "it belongs to openclaw's own state or configuration";
const GIT: &str = "git runs or trusts what is there";

/// What must not be reached below one root.
#[derive(Debug, Default)]
pub(super) struct Protected {
    /// Lower-cased components below the root: neither read nor written.
    hidden: Vec<Vec<String>>,
    /// The protected paths as given, for finding hard links to protected files.
    absolute: Vec<PathBuf>,
}

impl Protected {
    /// `paths` are absolute and need not exist. A protected path that *is* the root is an error: nothing could be allowed there. One
    /// that holds the root is of no effect, because the caller chose a root inside it (the default workspace is inside the state directory).
    pub(super) fn below(root: &Path, paths: &[PathBuf]) -> Result<Self, FsError> {
        let mut hidden = Vec::new();
        for path in paths {
            for name in [path.clone(), real_path(path)] {
                if let Ok(rest) = name.strip_prefix(root) {
                    let components: Vec<String> = rest
                        .components()
                        .filter_map(|component| match component {
                            Component::Normal(text) => Some(text.to_string_lossy().to_lowercase()),
                            _ => None,
                        })
                        .collect();
                    if components.is_empty() {
                        return Err(FsError::Protected { path: root.display().to_string(), why: SECRET });
                    }
                    if !hidden.contains(&components) {
                        hidden.push(components);
                    }
                }
            }
        }
        Ok(Self { hidden, absolute: paths.to_vec() })
    }

    /// Refuses what may not even be read. Names are compared without case, for file systems that do the same.
    pub(super) fn check_read(&self, path: &RelPath) -> Result<(), FsError> {
        if self.is_hidden(path) {
            return Err(FsError::Protected { path: path.to_string(), why: SECRET });
        }
        Ok(())
    }

    /// Refuses what may not be created, replaced or removed.
    pub(super) fn check_write(&self, path: &RelPath) -> Result<(), FsError> {
        self.check_read(path)?;
        if is_git_control(path) {
            return Err(FsError::Protected { path: path.to_string(), why: GIT });
        }
        Ok(())
    }

    /// Whether listings leave it out.
    pub(super) fn is_hidden(&self, path: &RelPath) -> bool {
        if self.hidden.is_empty() {
            return false;
        }
        let names: Vec<String> = path.components().map(str::to_lowercase).collect();
        self.hidden.iter().any(|hidden| names.starts_with(hidden))
    }

    /// Whether a file with several names is one of the protected files under another name.
    pub(super) fn is_alias(&self, device: dev_t, inode: ino_t) -> bool {
        // A protected path that does not exist, or cannot be seen by this user, has no alias this user could have made.
        self.absolute.iter().any(|path| lstat(path).is_ok_and(|stat| stat.st_dev == device && stat.st_ino == inode))
    }
}

/// Git executes hooks and commands named in `config`, and follows `.git` files, `gitdir` and `commondir` to other configurations.
/// Covers nested repositories, submodules (`.git/modules/x/…`) and linked worktrees.
fn is_git_control(path: &RelPath) -> bool {
    let mut names = path.components().map(str::to_lowercase).skip_while(|name| name != ".git");
    if names.next().is_none() {
        return false;
    }
    let rest: Vec<String> = names.collect();
    rest.is_empty()
        || rest.iter().any(|name| name == "hooks" || name == ".git")
        || rest
            .last()
            .is_some_and(|name| matches!(name.as_str(), "config" | "config.worktree" | "gitdir" | "commondir"))
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

    #[test]
    fn git_control_files_are_not_written() {
        let none = Protected::default();
        for text in [
            ".git/hooks/pre-commit",
            ".git/hooks",
            ".git/config",
            ".GIT/Config",
            "sub/.git/config",
            "sub/.git",
            ".git/modules/m/hooks/post-checkout",
            ".git/modules/m/config",
            ".git/worktrees/w/commondir",
        ] {
            assert!(none.check_write(&path(text)).is_err(), "{text}");
            assert!(none.check_read(&path(text)).is_ok(), "{text}");
        }
        for text in [".gitignore", ".github/hooks/x", "hooks/pre-commit", "config", ".git/info/exclude", "git/config"] {
            assert!(none.check_write(&path(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn hidden_paths_are_neither_read_nor_written_and_containing_ones_do_not_count() {
        let root = Path::new("/nonexistent/home");
        let paths = [PathBuf::from("/nonexistent/home/.openclaw"), PathBuf::from("/nonexistent")];
        let protected = Protected::below(root, &paths).unwrap();
        for text in [".openclaw", ".openclaw/state/x", ".OpenClaw/openclaw.json"] {
            assert!(protected.check_read(&path(text)).is_err(), "{text}");
        }
        for text in [".openclaw2", "a/.openclaw", "x"] {
            assert!(protected.check_read(&path(text)).is_ok(), "{text}");
        }
        assert!(Protected::below(root, &[root.to_path_buf()]).is_err());
    }
}
