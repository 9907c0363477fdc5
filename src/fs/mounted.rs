//! Several file systems as one: a workspace, and others beside it under names like `scratch:`.

use std::sync::Arc;

use super::rel_path::shorten;
use super::{AgentFiles, Entry, FileChange, FsError, Listing, OpenedReader, RelPath, WriteOptions, Written};

/// A base with mounts. A path whose first name is a mount's is in that mount: `scratch:/notes.txt` is `notes.txt` there. The root
/// lists only the base; a file of the base that is called like a mount cannot be reached.
pub struct MountedFiles {
    base: Arc<dyn AgentFiles>,
    mounts: Vec<(&'static str, Arc<dyn AgentFiles>)>,
}

impl MountedFiles {
    /// The base alone.
    pub fn new(base: Arc<dyn AgentFiles>) -> Self {
        Self { base, mounts: Vec::new() }
    }

    /// The same with another file system; `name` ends with a colon.
    #[must_use]
    pub fn with(mut self, name: &'static str, files: Arc<dyn AgentFiles>) -> Self {
        self.mounts.push((name, files));
        self
    }

    /// The file system that a path is in, and the path there.
    fn route(&self, path: &RelPath) -> Result<(&Arc<dyn AgentFiles>, RelPath), FsError> {
        let (first, rest) = path.as_str().split_once('/').unwrap_or((path.as_str(), ""));
        match self.mounts.iter().find(|(name, _)| *name == first) {
            Some((_, files)) => Ok((files, RelPath::parse(rest)?)),
            None => Ok((&self.base, path.clone())),
        }
    }

    /// [`Self::route`] for what may not be a mount itself.
    fn route_below(&self, path: &RelPath) -> Result<(&Arc<dyn AgentFiles>, RelPath), FsError> {
        let (files, inner) = self.route(path)?;
        if inner.is_root() && !path.is_root() {
            return Err(FsError::NotAFile { path: path.to_string(), what: "a place for files" });
        }
        Ok((files, inner))
    }
}

impl AgentFiles for MountedFiles {
    fn describe(&self) -> String {
        self.base.describe()
    }

    fn resolve(&self, text: &str) -> Result<RelPath, FsError> {
        for (name, files) in &self.mounts {
            if let Some(rest) = text.strip_prefix(name) {
                let inner = files.resolve(rest.trim_start_matches('/'))?;
                return RelPath::parse(name)?.join(inner.as_str());
            }
        }
        self.base.resolve(text)
    }

    fn open_for_read(&self, path: &RelPath) -> Result<OpenedReader, FsError> {
        let (files, path) = self.route(path)?;
        files.open_for_read(&path)
    }

    fn read(&self, path: &RelPath, max: u64) -> Result<Vec<u8>, FsError> {
        let (files, path) = self.route(path)?;
        files.read(&path, max)
    }

    fn write_with(&self, path: &RelPath, data: &[u8], options: &WriteOptions) -> Result<Written, FsError> {
        let (files, path) = self.route_below(path)?;
        files.write_with(&path, data, options)
    }

    fn list_bounded(&self, path: &RelPath, max: usize) -> Result<Listing, FsError> {
        let (files, path) = self.route(path)?;
        files.list_bounded(&path, max)
    }

    fn stat(&self, path: &RelPath) -> Result<Entry, FsError> {
        let (files, path) = self.route(path)?;
        files.stat(&path)
    }

    fn mkdirs(&self, path: &RelPath) -> Result<(), FsError> {
        let (files, path) = self.route(path)?;
        files.mkdirs(&path)
    }

    fn remove_file(&self, path: &RelPath) -> Result<(), FsError> {
        let (files, path) = self.route_below(path)?;
        files.remove_file(&path)
    }

    fn apply(&self, changes: &[FileChange]) -> Result<(), FsError> {
        let mut all: Option<&Arc<dyn AgentFiles>> = None;
        let mut inner = Vec::with_capacity(changes.len());
        for change in changes {
            let (files, path) = self.route_below(change.path())?;
            let mut places = vec![files];
            inner.push(match change {
                FileChange::Write { data, mode_of, expected, .. } => {
                    let mode_of = match mode_of {
                        Some(other) => {
                            let (files, other) = self.route_below(other)?;
                            places.push(files);
                            Some(other)
                        }
                        None => None,
                    };
                    FileChange::Write { path, data: data.clone(), mode_of, expected: *expected }
                }
                FileChange::Remove { expected, .. } => FileChange::Remove { path, expected: *expected },
            });
            for files in places {
                if !Arc::ptr_eq(all.get_or_insert(files), files) {
                    return Err(FsError::InvalidPath {
                        path: shorten(change.path().as_str()),
                        why: "one set of changes must be in one place, the workspace or scratch:/, so that all of it can be taken back",
                    });
                }
            }
        }
        match all {
            Some(files) => files.apply(&inner),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Expected, HostCapabilityFs};

    struct Places {
        _dirs: [tempfile::TempDir; 2],
        base: Arc<HostCapabilityFs>,
        scratch: Arc<HostCapabilityFs>,
        files: MountedFiles,
    }

    fn places() -> Places {
        let dirs = [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
        let open = |index: usize| Arc::new(HostCapabilityFs::open(dirs[index].path()).expect("it opens"));
        let (base, scratch) = (open(0), open(1));
        let mounted: Arc<dyn AgentFiles> = scratch.clone();
        let files = MountedFiles::new(base.clone()).with("scratch:", mounted);
        Places { _dirs: dirs, base, scratch, files }
    }

    fn write(path: RelPath) -> FileChange {
        FileChange::Write { path, data: b"x".to_vec(), mode_of: None, expected: Expected::Anything }
    }

    #[test]
    fn a_prefix_chooses_the_place() {
        let places = places();
        let options = WriteOptions { create_parents: true, must_exist: false, ..WriteOptions::default() };
        for text in ["a/b.txt", "scratch:/a/c.txt", "scratch:a/d.txt"] {
            let path = places.files.resolve(text).expect("a path");
            places.files.write_with(&path, text.as_bytes(), &options).expect("written");
            assert_eq!(places.files.read(&path, 99).expect("there"), text.as_bytes());
        }
        let names = |files: &dyn AgentFiles, at: &str| -> Vec<String> {
            let path = files.resolve(at).expect("a path");
            files.list_bounded(&path, 9).expect("a list").entries.into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(places.base.as_ref(), "a"), ["b.txt"]);
        assert_eq!(names(places.scratch.as_ref(), "a"), ["c.txt", "d.txt"]);
        assert_eq!(names(&places.files, "scratch:/a"), ["c.txt", "d.txt"]);
        assert_eq!(places.files.resolve("scratch:/a/c.txt").expect("a path").as_str(), "scratch:/a/c.txt");
        assert_eq!(names(&places.files, "scratch:"), ["a"]);
    }

    #[test]
    fn nothing_leads_from_one_place_to_another() {
        let places = places();
        for text in ["scratch:/../a", "scratch:/a/../../b", "scratch:/~/x/../../.."] {
            assert!(places.files.resolve(text).is_err(), "{text}");
        }
        let root = places.files.resolve("scratch:/").expect("a path");
        assert!(places.files.remove_file(&root).is_err());
    }

    #[test]
    fn a_set_of_changes_is_in_one_place() {
        let places = places();
        let at = |text: &str| places.files.resolve(text).expect("a path");
        places.files.apply(&[write(at("scratch:/one")), write(at("scratch:/two"))]).expect("one place");
        assert!(places.scratch.read(&RelPath::parse("two").expect("a path"), 9).is_ok());
        let error = places.files.apply(&[write(at("three")), write(at("scratch:/four"))]).expect_err("two places");
        assert_eq!(error.code(), "invalid_path");
        assert!(places.base.read(&RelPath::parse("three").expect("a path"), 9).is_err(), "none of it happened");
    }
}
