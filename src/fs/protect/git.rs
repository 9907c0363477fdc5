//! Git repositories that are not called `.git`, and hooks in places of their own.

use std::ffi::OsStr;
use std::os::fd::AsFd;

use super::fold::fold;
use super::{GIT, refused};
use crate::fs::unix::{self, TRAVERSE};
use crate::fs::{EntryKind, FsError, HostCapabilityFs, RelPath};

/// Largest configuration of a repository that is looked at.
const MAX_CONFIG: u64 = 256 * 1024;

/// Names in a repository that git takes commands or other repositories from.
pub(super) const CONTROL: [&str; 5] = ["config", "config.worktree", "commondir", "gitdir", "hooks"];

/// Directories of a repository that hold data only, and a lot of it.
pub(super) const DATA: [&str; 5] = ["objects", "refs", "logs", "lfs", "rr-cache"];

impl HostCapabilityFs {
    /// Refuses the configuration and the hooks of a repository under any name: bare ones, and those of `git init --separate-git-dir`.
    pub(in crate::fs) fn check_repository(&self, path: &RelPath) -> Result<(), FsError> {
        let mut directory = RelPath::root();
        for name in path.components() {
            let here = directory.join(name)?;
            let folded = fold(name);
            let is_last = here == *path;
            let is_control = CONTROL.contains(&folded.as_str()) && (is_last || folded == "hooks");
            if is_control && self.is_repository(&directory) {
                return refused(path, GIT);
            }
            directory = here;
        }
        Ok(())
    }

    /// By the same signs as git: `HEAD` with `objects` and `refs`, or `HEAD` with a `commondir` that has them.
    fn is_repository(&self, directory: &RelPath) -> bool {
        let Ok(fd) = self.open_fd(directory, TRAVERSE) else { return false };
        let has = |name: &str| unix::meta_at(fd.as_fd(), OsStr::new(name)).is_ok();
        has("HEAD") && (has("commondir") || (has("objects") && has("refs")))
    }

    /// Where `core.hooksPath` of the repository at the root leads, if that is below the root.
    pub(in crate::fs) fn hook_directories(&self) -> Vec<RelPath> {
        let mut found = Vec::new();
        for config in self.repository_configurations() {
            // A configuration that is missing, no file, or not text names nothing that git would run.
            let Ok(data) = self.read(&config, MAX_CONFIG) else { continue };
            for value in hook_paths(&String::from_utf8_lossy(&data)) {
                if let Ok(directory) = self.resolve(&value)
                    && !directory.is_root()
                {
                    found.push(directory);
                }
            }
        }
        found
    }

    fn repository_configurations(&self) -> Vec<RelPath> {
        let Ok(git) = RelPath::root().join(".git") else { return Vec::new() };
        let mut directories = Vec::new();
        match self.stat(&git) {
            Ok(entry) if entry.kind == EntryKind::Directory => directories.push(git),
            Ok(entry) if entry.kind == EntryKind::File => {
                let text = self.read(&git, MAX_CONFIG).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                let target = text.strip_prefix("gitdir:").map(str::trim).unwrap_or_default();
                if let Ok(directory) = self.resolve(target) {
                    directories.push(directory);
                }
            }
            _ => {}
        }
        let names = ["config", "config.worktree"];
        directories.iter().flat_map(|directory| names.iter().filter_map(|name| directory.join(name).ok())).collect()
    }
}

/// The values of `hooksPath` in a section `[core]`.
fn hook_paths(config: &str) -> Vec<String> {
    let mut in_core = false;
    let mut found = Vec::new();
    for line in config.lines().map(str::trim) {
        let mut setting = line;
        if let Some(rest) = line.strip_prefix('[') {
            let (section, after) = rest.split_once(']').unwrap_or((rest, ""));
            in_core = section.trim().eq_ignore_ascii_case("core");
            setting = after.trim();
        }
        if let Some((key, value)) = setting.split_once('=')
            && in_core
            && key.trim().eq_ignore_ascii_case("hookspath")
        {
            found.push(value.trim().trim_matches('"').to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_paths_are_found_in_the_core_section_only() {
        let config =
            "[core]\n\tbare = false\n\thooksPath = tools/hooks\n[x]\nhookspath = no\n[CORE] HooksPath=\"a b\"\n";
        assert_eq!(hook_paths(config), ["tools/hooks", "a b"]);
        assert!(hook_paths("hooksPath = x").is_empty());
    }
}
