//! One file system inside of another: the files of a run below the scratch files of its agent.

use std::sync::Arc;

use super::rel_path::shorten;
use super::{AgentFiles, Entry, FileChange, FsError, Listing, OpenedReader, RelPath, WriteOptions, Written};

/// A base, and a mount at one name of its root: with the mount `run`, `run/draft.md` is `draft.md` there. Listing the root shows
/// only the base; what the base has under that name cannot be reached.
pub struct MountedFiles {
    base: Arc<dyn AgentFiles>,
    name: &'static str,
    mount: Arc<dyn AgentFiles>,
}

/// Where a path leads.
struct Place<'m> {
    files: &'m Arc<dyn AgentFiles>,
    path: RelPath,
    /// Name of the mount it is in.
    mount: Option<&'static str>,
}

impl Place<'_> {
    /// An error with the path as it is known outside of the mount.
    fn named<T>(&self, result: Result<T, FsError>) -> Result<T, FsError> {
        let Some(mount) = self.mount else { return result };
        result.map_err(|error| {
            error.map_path(|path| if path == "." { mount.to_owned() } else { format!("{mount}/{path}") })
        })
    }
}

impl MountedFiles {
    /// The base with a mount at `name`.
    pub fn new(base: Arc<dyn AgentFiles>, name: &'static str, mount: Arc<dyn AgentFiles>) -> Self {
        Self { base, name, mount }
    }

    fn place(&self, path: &RelPath) -> Result<Place<'_>, FsError> {
        let (first, rest) = path.as_str().split_once('/').unwrap_or((path.as_str(), ""));
        if first == self.name {
            return Ok(Place { files: &self.mount, path: RelPath::parse(rest)?, mount: Some(self.name) });
        }
        Ok(Place { files: &self.base, path: path.clone(), mount: None })
    }
}

impl AgentFiles for MountedFiles {
    fn describe(&self) -> String {
        self.base.describe()
    }

    fn resolve(&self, text: &str) -> Result<RelPath, FsError> {
        self.base.resolve(text)
    }

    fn open_for_read(&self, path: &RelPath) -> Result<OpenedReader, FsError> {
        let place = self.place(path)?;
        place.named(place.files.open_for_read(&place.path))
    }

    fn read(&self, path: &RelPath, max: u64) -> Result<Vec<u8>, FsError> {
        let place = self.place(path)?;
        place.named(place.files.read(&place.path, max))
    }

    fn write_with(&self, path: &RelPath, data: &[u8], options: &WriteOptions) -> Result<Written, FsError> {
        let place = self.place(path)?;
        place.named(place.files.write_with(&place.path, data, options))
    }

    fn list_bounded(&self, path: &RelPath, max: usize) -> Result<Listing, FsError> {
        let place = self.place(path)?;
        place.named(place.files.list_bounded(&place.path, max))
    }

    fn stat(&self, path: &RelPath) -> Result<Entry, FsError> {
        let place = self.place(path)?;
        place.named(place.files.stat(&place.path))
    }

    fn mkdirs(&self, path: &RelPath) -> Result<(), FsError> {
        let place = self.place(path)?;
        place.named(place.files.mkdirs(&place.path))
    }

    fn remove_file(&self, path: &RelPath) -> Result<(), FsError> {
        let place = self.place(path)?;
        place.named(place.files.remove_file(&place.path))
    }

    fn apply(&self, changes: &[FileChange]) -> Result<(), FsError> {
        let mut inner = Vec::with_capacity(changes.len());
        let mut all: Option<Place<'_>> = None;
        for change in changes {
            let place = self.place(change.path())?;
            let path = place.path.clone();
            let mut mixed = all.as_ref().is_some_and(|all| all.mount != place.mount);
            inner.push(match change {
                FileChange::Write { data, mode_of, expected, .. } => {
                    let other = mode_of.as_ref().map(|other| self.place(other)).transpose()?;
                    mixed |= other.as_ref().is_some_and(|other| other.mount != place.mount);
                    let mode_of = other.map(|other| other.path);
                    FileChange::Write { path, data: data.clone(), mode_of, expected: *expected }
                }
                FileChange::Remove { expected, .. } => FileChange::Remove { path, expected: *expected },
            });
            if mixed {
                return Err(FsError::InvalidPath {
                    path: shorten(change.path().as_str()),
                    why: "one set of changes must be in one place, so that all of it can be taken back",
                });
            }
            all = Some(place);
        }
        match all {
            Some(place) => place.named(place.files.apply(&inner)),
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
        own: Arc<HostCapabilityFs>,
        files: MountedFiles,
    }

    fn places() -> Places {
        let dirs = [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
        let open = |index: usize| Arc::new(HostCapabilityFs::open(dirs[index].path()).expect("it opens"));
        let (base, own) = (open(0), open(1));
        let files = MountedFiles::new(base.clone(), "run", own.clone());
        Places { _dirs: dirs, base, own, files }
    }

    fn write(path: RelPath) -> FileChange {
        FileChange::Write { path, data: b"x".to_vec(), mode_of: None, expected: Expected::Anything }
    }

    #[test]
    fn the_first_name_chooses_the_place() {
        let places = places();
        let options = WriteOptions { create_parents: true, ..WriteOptions::default() };
        for text in ["a/b.txt", "run/a/c.txt", "runner.txt", "a/run/d.txt"] {
            let path = places.files.resolve(text).expect("a path");
            places.files.write_with(&path, text.as_bytes(), &options).expect("written");
            assert_eq!(places.files.read(&path, 99).expect("there"), text.as_bytes());
        }
        let names = |files: &dyn AgentFiles, at: &str| -> Vec<String> {
            let path = files.resolve(at).expect("a path");
            files.list_bounded(&path, 9).expect("a list").entries.into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(names(places.base.as_ref(), "."), ["a", "runner.txt"]);
        assert_eq!(names(places.own.as_ref(), "."), ["a"]);
        assert_eq!(names(&places.files, "run/a"), ["c.txt"]);
        assert_eq!(names(&places.files, "run"), ["a"]);
    }

    #[test]
    fn errors_name_the_path_as_it_was_asked_for() {
        let places = places();
        let missing = places.files.resolve("run/gone/x.txt").expect("a path");
        let error = places.files.read(&missing, 9).expect_err("missing");
        assert_eq!((error.code(), error.path()), ("not_found", "run/gone/x.txt"));
    }

    #[test]
    fn a_set_of_changes_is_in_one_place() {
        let places = places();
        let at = |text: &str| places.files.resolve(text).expect("a path");
        places.files.apply(&[write(at("run/one")), write(at("run/two"))]).expect("one place");
        assert!(places.own.read(&RelPath::parse("two").expect("a path"), 9).is_ok());
        let error = places.files.apply(&[write(at("three")), write(at("run/four"))]).expect_err("two places");
        assert_eq!(error.code(), "invalid_path");
        assert!(places.base.read(&RelPath::parse("three").expect("a path"), 9).is_err(), "none of it happened");
    }
}
