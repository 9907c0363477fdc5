//! Which file a program name stands for, and how that file is told from another.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where the search found it.
    pub found: PathBuf,
    /// The file itself, behind all links.
    pub real: PathBuf,
}

/// What tells a file from one that took its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgramIdentity {
    /// The file behind all links.
    pub path: String,
    /// Its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 of the last change of its content.
    pub modified_ns: String,
    /// Nanoseconds since 1970 of the last change of anything about it; no program can set it.
    pub changed_ns: String,
}

/// The program that a shell in `cwd` would start for `name`: a path as it is, a bare name from the directories of `PATH` in order.
/// `None` if there is none.
pub fn find_program(name: &str, cwd: &Path, directories: &[PathBuf]) -> Option<Program> {
    let executable = |path: PathBuf| {
        let real = fs::canonicalize(&path).ok()?; // dropped: what cannot be reached is not found
        let metadata = fs::metadata(&real).ok()?; // dropped: as above
        (metadata.is_file() && metadata.permissions().mode() & 0o111 != 0).then_some(Program { found: path, real })
    };
    if name.is_empty() {
        return None;
    }
    if name.contains('/') {
        return executable(cwd.join(name));
    }
    directories
        .iter()
        .filter(|directory| directory.is_absolute())
        .find_map(|directory| executable(directory.join(name)))
}

/// The identity of a file; `None` if it is gone.
pub fn identify(path: &Path) -> Option<ProgramIdentity> {
    let real = fs::canonicalize(path).ok()?; // dropped: what cannot be reached has no identity
    let metadata = fs::metadata(&real).ok()?; // dropped: as above
    let nanoseconds = |seconds: i64, rest: i64| (i128::from(seconds) * 1_000_000_000 + i128::from(rest)).to_string();
    Some(ProgramIdentity {
        path: real.to_string_lossy().into_owned(),
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (first, second) = (root.join("first"), root.join("second"));
        for (path, mode) in [(first.join("plain"), 0o644), (second.join("plain"), 0o755), (first.join("tool"), 0o755)] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/true\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::symlink(first.join("tool"), second.join("link")).unwrap();
        let path = [PathBuf::from("relative"), first.clone(), second.clone()];
        let found = |name: &str| find_program(name, &root, &path);
        assert_eq!(found("tool").unwrap().found, first.join("tool"));
        assert_eq!(found("plain").unwrap().found, second.join("plain"), "a file that cannot be run is passed over");
        assert_eq!(found("link").unwrap().real, first.join("tool"));
        assert_eq!(found("first/tool").unwrap().real, first.join("tool"));
        for name in ["missing", "", "first", "/missing/tool", "first/plain"] {
            assert_eq!(found(name), None, "{name}");
        }
    }

    #[test]
    fn a_replaced_file_is_another_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tool");
        fs::write(&path, "one").unwrap();
        let first = identify(&path).unwrap();
        assert_eq!(identify(&path).unwrap(), first);
        fs::write(directory.path().join("other"), "two").unwrap();
        fs::rename(directory.path().join("other"), &path).unwrap();
        assert_ne!(identify(&path).unwrap(), first);
        fs::remove_file(&path).unwrap();
        assert_eq!(identify(&path), None);
    }
}
