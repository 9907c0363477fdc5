//! A tree in a directory on a memory file system, and a connection to it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::{
    Baseline, Change, ChangeSet, Projected, Projection, ProjectionLimits, SyncError, decode_stream, receive, scan,
};

/// `path → (mode, content)`; a directory has no content.
pub(super) type Tree = BTreeMap<String, (u32, Option<Vec<u8>>)>;

/// A tree from `path=content` and `path/` lines, with the usual modes.
pub(super) fn tree(lines: &[&str]) -> Tree {
    let entry = |line: &&str| match line.split_once('=') {
        Some((path, content)) => (path.to_owned(), (0o644, Some(content.as_bytes().to_vec()))),
        None => (line.trim_end_matches('/').to_owned(), (0o755, None)),
    };
    lines.iter().map(entry).collect()
}

/// A projected tree: what a sandbox has when the command starts.
pub(super) struct Sandbox {
    pub(super) directory: TempDir,
    pub(super) root: OwnedFd,
    pub(super) baseline: Baseline,
    pub(super) projected: Projected,
    pub(super) limits: ProjectionLimits,
}

pub(super) fn memory_directory() -> TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { TempDir::new_in(shm).unwrap() } else { TempDir::new().unwrap() }
}

/// Writes `tree` as the owner of virtual files would.
pub(super) fn projection(limits: ProjectionLimits, tree: Tree) -> Projection {
    Projection::new(limits, move |writer| {
        for (path, (mode, content)) in &tree {
            match content {
                Some(content) => writer.file_bytes(path, *mode, content)?,
                None => writer.dir(path, *mode)?,
            }
        }
        Ok(())
    })
}

impl Sandbox {
    pub(super) fn new(tree: &Tree) -> Self {
        Self::with(ProjectionLimits::default(), tree)
    }

    pub(super) fn with(limits: ProjectionLimits, tree: &Tree) -> Self {
        let directory = memory_directory();
        let root: OwnedFd = fs::File::open(directory.path()).unwrap().into();
        let (mut gateway, mut inside) = UnixStream::pair().unwrap();
        let projection = projection(limits.clone(), tree.clone());
        let (projected, baseline) = std::thread::scope(|scope| {
            let sender = scope.spawn(move || projection.send(&mut gateway));
            let baseline = receive(&mut inside, root.as_fd()).unwrap();
            (sender.join().unwrap().unwrap(), baseline)
        });
        Self { directory, root, baseline, projected, limits }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(path), content).unwrap();
    }

    pub(super) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The bytes that the sandbox sends after the command.
    pub(super) fn stream(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        scan(self.root.as_fd(), &self.baseline, &mut bytes).unwrap();
        bytes
    }

    pub(super) fn decode(&self, mut stream: &[u8]) -> Result<ChangeSet, SyncError> {
        decode_stream(&mut stream, self.limits.clone(), self.projected.clone())
    }

    /// What comes back, over a socket.
    pub(super) fn try_changes(&self) -> Result<ChangeSet, SyncError> {
        let (mut gateway, mut inside) = UnixStream::pair().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || scan(self.root.as_fd(), &self.baseline, &mut inside).map(drop));
            decode_stream(&mut gateway, self.limits.clone(), self.projected.clone())
        })
    }

    pub(super) fn changes(&self) -> ChangeSet {
        self.try_changes().unwrap()
    }

    /// What is really there, links and the like left out.
    pub(super) fn real(&self) -> Tree {
        fn walk(root: &Path, directory: &Path, tree: &mut Tree) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let metadata = fs::symlink_metadata(&path).unwrap();
                let mode = metadata.mode() & 0o777;
                if metadata.is_dir() {
                    tree.insert(name, (mode, None));
                    walk(root, &path, tree);
                } else if metadata.is_file() {
                    tree.insert(name, (mode, Some(fs::read(&path).unwrap())));
                }
            }
        }
        let mut tree = Tree::new();
        walk(self.directory.path(), self.directory.path(), &mut tree);
        tree
    }
}

/// Obeys changes as an ordinary file system would: what would fail there fails here.
pub(super) fn apply(tree: &mut Tree, changes: &ChangeSet) {
    let is_directory = |tree: &Tree, path: &str| tree.get(path).is_some_and(|(_, content)| content.is_none());
    for change in &changes.changes {
        let path = change.path().to_owned();
        if let Some((parent, _)) = path.rsplit_once('/') {
            assert!(is_directory(tree, parent), "{path:?} comes before its directory");
        }
        match change {
            Change::Delete { .. } => {
                let below = format!("{path}/");
                assert!(
                    !tree.keys().any(|other| other.starts_with(&below)),
                    "{path:?} is deleted before what is in it"
                );
                assert!(tree.remove(&path).is_some(), "{path:?} is deleted and was not there");
            }
            Change::Directory { mode, .. } => {
                assert!(!tree.contains_key(&path) || is_directory(tree, &path), "{path:?} is a file");
                tree.insert(path, (*mode, None));
            }
            Change::File { mode, data, .. } => {
                assert!(!is_directory(tree, &path), "{path:?} is a directory");
                tree.insert(path, (*mode, Some(data.clone())));
            }
        }
    }
}

/// One line per change, for comparing.
pub(super) fn lines(changes: &ChangeSet) -> Vec<String> {
    let line = |change: &Change| match change {
        Change::Delete { path } => format!("- {path}"),
        Change::Directory { path, mode } => format!("d {path} {mode:o}"),
        Change::File { path, mode, data } => match std::str::from_utf8(data) {
            Ok(text) if text.len() < 40 => format!("f {path} {mode:o} {text}"),
            _ => format!("f {path} {mode:o} ({} bytes)", data.len()),
        },
    };
    let mut lines: Vec<String> = changes.changes.iter().map(line).collect();
    let mut rejected: Vec<String> =
        changes.rejected.iter().map(|rejected| format!("! {} {:?}", rejected.path, rejected.reason)).collect();
    rejected.sort();
    lines.append(&mut rejected);
    lines
}

/// Runs a program of the system in the tree, and expects it to succeed.
pub(super) fn run(sandbox: &Sandbox, program: &str, arguments: &[&str]) {
    let status = std::process::Command::new(program)
        .args(arguments)
        .current_dir(sandbox.directory.path())
        .status()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// A frame as bytes.
pub(super) fn frame(kind: crate::sandbox::frames::FrameKind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::sandbox::frames::write_frame(&mut bytes, kind, payload).unwrap();
    bytes.flush().unwrap();
    bytes
}
