//! What can go wrong with a file, always with its path.

use std::io;

use crate::core::{Error, ErrorKind};

/// A file operation that was not done. `path` is the path as the caller knows it: relative to the root, or absolute for the root itself.
#[derive(Debug, thiserror::Error)]
pub enum FsError {
    /// Nothing has that name.
    #[error("{path} does not exist")]
    NotFound {
        /// The path.
        path: String,
    },
    /// The path leads out of the root: by `..`, as an absolute path elsewhere, or onto another mounted file system.
    #[error("{path} is outside of the workspace: {why}")]
    OutsideRoot {
        /// The path.
        path: String,
        /// Which of the reasons.
        why: &'static str,
    },
    /// The path is a symbolic link or passes through one.
    #[error("{path} is a symbolic link or passes through one")]
    Symlink {
        /// The path.
        path: String,
    },
    /// A regular file was needed.
    #[error("{path} is {what}, not a file")]
    NotAFile {
        /// The path.
        path: String,
        /// What it is: `a directory`, `a named pipe` …
        what: &'static str,
    },
    /// A directory was needed, at the path or on the way to it.
    #[error("{path} is not a directory, or a part of it is a file")]
    NotADirectory {
        /// The path.
        path: String,
    },
    /// More bytes or entries than the caller's bound.
    #[error("{path} is too large: {size} {unit}, and the limit is {max}")]
    TooLarge {
        /// The path.
        path: String,
        /// What was found; at least that many when it was still growing.
        size: u64,
        /// The bound.
        max: u64,
        /// `bytes` or `entries`.
        unit: &'static str,
    },
    /// It was to be created, and is there already.
    #[error("{path} already exists")]
    Exists {
        /// The path.
        path: String,
    },
    /// It is not what the caller had seen: somebody else changed it meanwhile.
    #[error("{path} was changed by somebody else meanwhile")]
    Changed {
        /// The path.
        path: String,
    },
    /// Policy keeps this path out of reach.
    #[error("{path} is protected: {why}")]
    Protected {
        /// The path.
        path: String,
        /// What it is protected for.
        why: &'static str,
    },
    /// The operating system refused: permissions, or a read-only file or file system.
    #[error("no permission for {path}: {source}")]
    Permission {
        /// The path.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// The disk or the quota is full.
    #[error("no space left for {path}: {source}")]
    NoSpace {
        /// The path.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// A directory that should be empty is not.
    #[error("{path} is a directory that is not empty")]
    NotEmpty {
        /// The path.
        path: String,
    },
    /// An agent's virtual files would exceed what they may be.
    #[error("{path} would exceed the quota: {would_be} {unit}, and the limit is {max}")]
    Quota {
        /// The path.
        path: String,
        /// What there would be.
        would_be: u64,
        /// The bound.
        max: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// There is no such state in the past.
    #[error("{path} cannot be shown as it was at {moment}: {why}")]
    NoVersion {
        /// The path.
        path: String,
        /// The revision or snapshot.
        moment: String,
        /// Why.
        why: &'static str,
    },
    /// The text is not a usable path.
    #[error("the path {path:?} is not valid: {why}")]
    InvalidPath {
        /// The text, shortened if it was very long.
        path: String,
        /// Why.
        why: &'static str,
    },
    /// Anything else.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: String,
        /// The system's error.
        source: io::Error,
    },
}

impl FsError {
    /// The path it is about.
    pub fn path(&self) -> &str {
        match self {
            Self::NotFound { path }
            | Self::OutsideRoot { path, .. }
            | Self::Symlink { path }
            | Self::NotAFile { path, .. }
            | Self::NotADirectory { path }
            | Self::TooLarge { path, .. }
            | Self::Exists { path }
            | Self::Changed { path }
            | Self::Protected { path, .. }
            | Self::Permission { path, .. }
            | Self::NoSpace { path, .. }
            | Self::NotEmpty { path }
            | Self::Quota { path, .. }
            | Self::NoVersion { path, .. }
            | Self::InvalidPath { path, .. }
            | Self::Io { path, .. } => path,
        }
    }

    /// The same about a path that the reader knows by another name.
    #[must_use]
    pub fn map_path(mut self, name: impl FnOnce(String) -> String) -> Self {
        let (Self::NotFound { path }
        | Self::OutsideRoot { path, .. }
        | Self::Symlink { path }
        | Self::NotAFile { path, .. }
        | Self::NotADirectory { path }
        | Self::TooLarge { path, .. }
        | Self::Exists { path }
        | Self::NotEmpty { path }
        | Self::Changed { path }
        | Self::Quota { path, .. }
        | Self::NoVersion { path, .. }
        | Self::Protected { path, .. }
        | Self::Permission { path, .. }
        | Self::NoSpace { path, .. }
        | Self::InvalidPath { path, .. }
        | Self::Io { path, .. }) = &mut self;
        *path = name(std::mem::take(path));
        self
    }

    /// Stable machine name of the variant.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::OutsideRoot { .. } => "outside_root",
            Self::Symlink { .. } => "symlink",
            Self::NotAFile { .. } => "not_a_file",
            Self::NotADirectory { .. } => "not_a_directory",
            Self::TooLarge { .. } => "too_large",
            Self::Exists { .. } => "exists",
            Self::Changed { .. } => "changed",
            Self::Protected { .. } => "protected",
            Self::Permission { .. } => "permission",
            Self::NoSpace { .. } => "no_space",
            Self::NotEmpty { .. } => "not_empty",
            Self::Quota { .. } => "quota",
            Self::NoVersion { .. } => "no_version",
            Self::InvalidPath { .. } => "invalid_path",
            Self::Io { .. } => "io",
        }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "List the directory to see which names exist",
            Self::OutsideRoot { .. } => "Use a path relative to the workspace",
            Self::Symlink { .. } => {
                "Symbolic links are not followed; use the path of the target if it lies inside the workspace"
            }
            Self::NotAFile { .. } => "Give the path of a regular file",
            Self::NotADirectory { .. } => "Give the path of a directory, or check the parts of the path",
            Self::TooLarge { .. } => "Work on a part of it",
            Self::Exists { .. } => "Choose another name, or remove what is there first",
            Self::Changed { .. } => "Read it again, then repeat the change",
            Self::Protected { .. } => "A person has to change this path outside of the agent",
            Self::Permission { .. } => "Change the permissions, or choose another path",
            Self::NoSpace { .. } => "Free some space, then try again",
            Self::NotEmpty { .. } => "Remove what is in it first",
            Self::Quota { .. } => {
                "Remove files or snapshots that are not needed, or raise tools.vfs in the configuration"
            }
            Self::NoVersion { .. } => "List the history or the snapshots to see what there is",
            Self::InvalidPath { .. } => "Use a plain relative path such as src/main.rs",
            Self::Io { .. } => "Check the disk and try again",
        }
    }

    /// An [`io::Error`] about `path`, sorted into the variants.
    pub(crate) fn from_io(path: impl Into<String>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Permission { path, source },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path, source },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::DirectoryNotEmpty => Self::NotEmpty { path },
            io::ErrorKind::NotADirectory => Self::NotADirectory { path },
            io::ErrorKind::IsADirectory => Self::NotAFile { path, what: "a directory" },
            io::ErrorKind::InvalidFilename => Self::InvalidPath { path, why: "the operating system refuses the name" },
            _ => Self::Io { path, source },
        }
    }
}

impl From<FsError> for Error {
    fn from(error: FsError) -> Self {
        let kind = match &error {
            FsError::NotFound { .. } | FsError::NoVersion { .. } => ErrorKind::NotFound,
            FsError::Exists { .. } | FsError::Changed { .. } | FsError::NotEmpty { .. } => ErrorKind::Conflict,
            FsError::OutsideRoot { .. } | FsError::Symlink { .. } | FsError::Protected { .. } => ErrorKind::Policy,
            FsError::NotAFile { .. } | FsError::NotADirectory { .. } | FsError::InvalidPath { .. } => ErrorKind::User,
            FsError::TooLarge { .. } | FsError::Quota { .. } => ErrorKind::TooLarge,
            FsError::Permission { .. } | FsError::NoSpace { .. } | FsError::Io { .. } => ErrorKind::Unavailable,
        };
        let message = match &error {
            FsError::Permission { path, .. } => format!("no permission for {path}"),
            FsError::NoSpace { path, .. } => format!("no space left for {path}"),
            FsError::Io { path, .. } => format!("the file {path} could not be used"),
            other => other.to_string(),
        };
        let result = Error::new(kind, message)
            .hint(error.hint())
            .details(serde_json::json!({ "path": error.path(), "reason": error.code() }));
        match error {
            FsError::Permission { source, .. } | FsError::NoSpace { source, .. } | FsError::Io { source, .. } => {
                result.source(source)
            }
            _ => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_variant_and_system_errors_stay_visible() {
        let outside: Error = FsError::OutsideRoot { path: "../x".into(), why: "it goes above the workspace" }.into();
        assert_eq!(outside.kind(), ErrorKind::Policy);
        assert_eq!(outside.data().unwrap()["reason"], "outside_root");
        let full: Error = FsError::from_io("a", io::Error::from(io::ErrorKind::StorageFull)).into();
        assert_eq!(full.kind(), ErrorKind::Unavailable);
        assert_eq!(full.message(), "no space left for a");
        assert!(full.reason().is_some() && full.fix().is_some());
    }
}
