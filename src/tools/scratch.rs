//! `scratch:/…`: the scratch files of a run, by paths that also say so in every error.

use std::sync::Arc;

use crate::fs::{AgentFiles, Entry, FileChange, FsError, Listing, OpenedReader, RelPath, WriteOptions, Written};

/// How paths of scratch files begin, for the model and in what it is shown.
pub(super) const PREFIX: &str = "scratch:/";

/// What follows [`PREFIX`], if the text names a scratch file.
pub(super) fn strip(text: &str) -> Option<&str> {
    if text == "scratch:" {
        return Some("");
    }
    // A path below the scratch root is never absolute, however many slashes a model writes.
    text.strip_prefix(PREFIX).map(|path| path.trim_start_matches('/'))
}

/// Files whose errors name paths with [`PREFIX`].
pub(super) struct ScratchFiles(pub(super) Arc<dyn AgentFiles>);

fn named<T>(result: Result<T, FsError>) -> Result<T, FsError> {
    result.map_err(|error| {
        error.map_path(|path| {
            let path = if path == "." { "" } else { &path };
            if path.starts_with(PREFIX) { path.to_owned() } else { format!("{PREFIX}{path}") }
        })
    })
}

impl AgentFiles for ScratchFiles {
    fn describe(&self) -> String {
        PREFIX.to_owned()
    }

    fn resolve(&self, text: &str) -> Result<RelPath, FsError> {
        named(self.0.resolve(strip(text).unwrap_or(text)))
    }

    fn open_for_read(&self, path: &RelPath) -> Result<OpenedReader, FsError> {
        named(self.0.open_for_read(path))
    }

    fn read(&self, path: &RelPath, max: u64) -> Result<Vec<u8>, FsError> {
        named(self.0.read(path, max))
    }

    fn write_with(&self, path: &RelPath, data: &[u8], options: &WriteOptions) -> Result<Written, FsError> {
        named(self.0.write_with(path, data, options))
    }

    fn list_bounded(&self, path: &RelPath, max: usize) -> Result<Listing, FsError> {
        named(self.0.list_bounded(path, max))
    }

    fn stat(&self, path: &RelPath) -> Result<Entry, FsError> {
        named(self.0.stat(path))
    }

    fn mkdirs(&self, path: &RelPath) -> Result<(), FsError> {
        named(self.0.mkdirs(path))
    }

    fn remove_file(&self, path: &RelPath) -> Result<(), FsError> {
        named(self.0.remove_file(path))
    }

    fn apply(&self, changes: &[FileChange]) -> Result<(), FsError> {
        named(self.0.apply(changes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_prefix_names_scratch_files() {
        assert_eq!(strip("scratch:/a/b"), Some("a/b"));
        assert_eq!(strip("scratch:///etc/passwd"), Some("etc/passwd"));
        assert_eq!((strip("scratch:/"), strip("scratch:")), (Some(""), Some("")));
        for text in ["scratch", "scratch/a", "scratch:a", "./scratch:/a", "Scratch:/a", "a/scratch:/b"] {
            assert_eq!(strip(text), None, "{text}");
        }
    }
}
