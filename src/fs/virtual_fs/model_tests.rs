//! Random operations on virtual files and on a real directory: the same results, the same kinds of errors, the same tree at the end.
//! The directory is on tmpfs where there is one.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use proptest::prelude::*;

use super::tests::{Place, code, path};
use super::*;
use crate::fs::{
    AgentFiles, EntryKind, Expected, FileChange, FsError, HostCapabilityFs, RelPath, WalkOptions, WriteOptions,
};

#[derive(Debug, Clone)]
enum Op {
    Write {
        at: String,
        byte: u8,
        size: usize,
        parents: bool,
        must_exist: bool,
    },
    Append {
        at: String,
        byte: u8,
        size: usize,
        parents: bool,
    },
    MakeDirectory(String),
    Remove(String),
    RemoveTree(String),
    Rename {
        from: String,
        to: String,
        replace: bool,
    },
    SetMode {
        at: String,
        executable: bool,
    },
    Read {
        at: String,
        max: u64,
    },
    List {
        at: String,
        max: usize,
    },
    Stat(String),
    /// Path, content to write (`None` removes), whether nothing may be there.
    Apply(Vec<(String, Option<u8>, bool)>),
}

/// Few names, so that operations meet; some that mean something to SQL or to a careless prefix comparison.
fn any_path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "ab", "a.b", "%", "_", "a0"]);
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

fn any_op() -> impl Strategy<Value = Op> {
    let size = prop_oneof![8 => 0..200_usize, 1 => Just((1 << 20) + 5), 1 => Just(1 << 20)];
    prop_oneof![
        6 => (any_path(), any::<u8>(), size.clone(), any::<bool>(), prop::bool::weighted(0.1)).prop_map(
            |(at, byte, size, parents, must_exist)| Op::Write { at, byte, size, parents: parents && !must_exist, must_exist }
        ),
        3 => (any_path(), any::<u8>(), size, any::<bool>()).prop_map(|(at, byte, size, parents)| Op::Append { at, byte, size, parents }),
        3 => any_path().prop_map(Op::MakeDirectory),
        2 => any_path().prop_map(Op::Remove),
        1 => any_path().prop_map(Op::RemoveTree),
        4 => (any_path(), any_path(), any::<bool>()).prop_map(|(from, to, replace)| Op::Rename { from, to, replace }),
        1 => (any_path(), any::<bool>()).prop_map(|(at, executable)| Op::SetMode { at, executable }),
        2 => (any_path(), 0..300_u64).prop_map(|(at, max)| Op::Read { at, max }),
        2 => (prop_oneof![any_path(), Just(String::new())], 0..4_usize).prop_map(|(at, max)| Op::List { at, max }),
        1 => any_path().prop_map(Op::Stat),
        3 => prop::collection::vec((any_path(), any::<Option<u8>>(), prop::bool::weighted(0.2)), 1..4).prop_map(Op::Apply),
    ]
}

/// The real directory.
struct Real {
    directory: tempfile::TempDir,
    files: HostCapabilityFs,
}

impl Real {
    fn new() -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let directory =
            if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() };
        let files = HostCapabilityFs::open(directory.path()).unwrap();
        Self { directory, files }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn append(&self, at: &str, bytes: &[u8], parents: bool) -> Result<(), FsError> {
        if parents {
            self.files.mkdirs(&path(at).parent().unwrap_or_default())?;
        }
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(self.at(at));
        opened.and_then(|mut file| file.write_all(bytes)).map_err(|error| FsError::from_io(at, error))
    }

    fn remove_tree(&self, at: &str) -> Result<(), FsError> {
        let removed = std::fs::symlink_metadata(self.at(at)).and_then(|meta| {
            if meta.is_dir() { std::fs::remove_dir_all(self.at(at)) } else { std::fs::remove_file(self.at(at)) }
        });
        removed.map_err(|error| FsError::from_io(at, error))
    }

    /// The kernel's rename, except that a path renamed to itself is left alone whatever the flags.
    fn rename(&self, from: &str, to: &str, replace: bool) -> Result<(), FsError> {
        use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
        let flags = if replace || from == to { RenameFlags::empty() } else { RenameFlags::RENAME_NOREPLACE };
        renameat2(AT_FDCWD, &self.at(from), AT_FDCWD, &self.at(to), flags).map_err(|errno| match errno {
            nix::errno::Errno::EINVAL => FsError::InvalidPath { path: to.to_owned(), why: "into itself" },
            other => FsError::from_io(to, other.into()),
        })
    }

    fn set_mode(&self, at: &str, mode: u32) -> Result<(), FsError> {
        std::fs::set_permissions(self.at(at), std::fs::Permissions::from_mode(mode))
            .map_err(|error| FsError::from_io(at, error))
    }
}

/// Path → `None` for a directory, else whether a file may be executed and its bytes.
type Tree = BTreeMap<String, Option<(bool, Vec<u8>)>>;

fn tree_of(files: &dyn AgentFiles, executable: impl Fn(&RelPath) -> bool) -> Tree {
    crate::fs::Walk::start(files, &RelPath::root(), WalkOptions::default())
        .unwrap()
        .map(|found| {
            let content = (found.entry.kind == EntryKind::File)
                .then(|| (executable(&found.path), files.read(&found.path, u64::MAX).unwrap()));
            (found.path.to_string(), content)
        })
        .collect()
}

fn tree_then(files: &VirtualAgentFs, moment: &Moment) -> Tree {
    let nodes = files.tree_at(&RelPath::root(), moment).unwrap();
    nodes
        .into_iter()
        .map(|node| {
            let content = (node.kind == EntryKind::File)
                .then(|| (node.mode & 0o100 != 0, files.read_at(&node.path, moment, u64::MAX).unwrap()));
            (node.path.to_string(), content)
        })
        .collect()
}

/// Does it to both; what comes back, in comparable form.
fn both(virtual_files: &VirtualAgentFs, real: &Real, op: &Op) -> (String, String) {
    fn shown<T: std::fmt::Debug>(result: Result<T, FsError>) -> String {
        match result {
            Ok(value) => format!("{value:?}"),
            Err(error) => code(Err::<(), _>(error)).to_owned(),
        }
    }
    let options = |create_parents, must_exist| WriteOptions { create_parents, must_exist, ..WriteOptions::default() };
    match op {
        Op::Write { at, byte, size, parents, must_exist } => {
            let (data, options) = (vec![*byte; *size], options(*parents, *must_exist));
            let write = |files: &dyn AgentFiles| shown(files.write_with(&path(at), &data, &options));
            (write(virtual_files), write(&real.files))
        }
        Op::Append { at, byte, size, parents } => {
            let data = vec![*byte; *size];
            let appended = virtual_files.append(&path(at), &data, &options(*parents, false)).map(|_| ());
            (shown(appended), shown(real.append(at, &data, *parents)))
        }
        Op::MakeDirectory(at) => (shown(virtual_files.mkdirs(&path(at))), shown(real.files.mkdirs(&path(at)))),
        Op::Remove(at) => {
            (shown(AgentFiles::remove_file(virtual_files, &path(at))), shown(real.files.remove_file(&path(at))))
        }
        Op::RemoveTree(at) => (shown(virtual_files.remove_tree(&path(at)).map(|_| ())), shown(real.remove_tree(at))),
        Op::Rename { from, to, replace } => {
            let options = RenameOptions { replace: *replace, create_parents: false };
            let renamed = virtual_files.rename(&path(from), &path(to), options);
            (shown(renamed), shown(real.rename(from, to, *replace)))
        }
        Op::SetMode { at, executable } => {
            let directory = virtual_files.stat(&path(at)).is_ok_and(|entry| entry.kind == EntryKind::Directory);
            let mode = if *executable || directory { 0o755 } else { 0o644 };
            (shown(virtual_files.set_mode(&path(at), mode)), shown(real.set_mode(at, mode)))
        }
        Op::Read { at, max } => (shown(virtual_files.read(&path(at), *max)), shown(real.files.read(&path(at), *max))),
        Op::List { at, max } => {
            let list = |files: &dyn AgentFiles| {
                let listed = files.list_bounded(&path(at), 1000).map(|listing| {
                    let kept = listing.entries.into_iter().map(|entry| (entry.name, entry.kind));
                    kept.collect::<Vec<_>>()
                });
                // Which entries a bounded list has is up to the file system, but not whether there are more.
                let bounded = files.list_bounded(&path(at), *max).map(|list| (list.entries.len(), list.truncated));
                format!("{} {}", shown(listed), shown(bounded))
            };
            (list(virtual_files), list(&real.files))
        }
        Op::Apply(set) => {
            let changes: Vec<FileChange> = set
                .iter()
                .map(|(at, byte, absent)| {
                    let expected = if *absent { Expected::Absent } else { Expected::Anything };
                    match byte {
                        Some(byte) => {
                            FileChange::Write { path: path(at), data: vec![*byte; 10], mode_of: None, expected }
                        }
                        None => FileChange::Remove { path: path(at), expected },
                    }
                })
                .collect();
            (shown(AgentFiles::apply(virtual_files, &changes)), shown(AgentFiles::apply(&real.files, &changes)))
        }
        Op::Stat(at) => {
            let stat = |files: &dyn AgentFiles| {
                // The size of a real directory is the file system's own business.
                let size = |entry: &crate::fs::Entry| if entry.kind == EntryKind::File { entry.size } else { 0 };
                shown(files.stat(&path(at)).map(|entry| (entry.kind, size(&entry), entry.name)))
            };
            (stat(virtual_files), stat(&real.files))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn virtual_files_behave_like_a_real_directory(ops in prop::collection::vec(any_op(), 1..40)) {
        let place = Place::new();
        let (files, real) = (place.files(), Real::new());
        let executable = |path: &RelPath| {
            std::fs::metadata(real.at(path.as_str())).unwrap().permissions().mode() & 0o100 != 0
        };
        let mut past: Vec<(i64, Tree)> = vec![(0, Tree::new())];
        for op in &ops {
            let (ours, theirs) = both(&files, &real, op);
            prop_assert_eq!(ours, theirs, "{:?}", op);
            let tree = tree_of(&real.files, executable);
            prop_assert_eq!(&tree_then(&files, &Moment::Now), &tree, "after {:?}", op);
            let (totals, _) = files.usage().unwrap();
            let bytes: usize = tree.values().flatten().map(|(_, bytes)| bytes.len()).sum();
            prop_assert_eq!(totals.bytes, bytes as u64);
            prop_assert_eq!(totals.files + totals.directories, tree.len() as u64);
            let (newest, before) = past.last().unwrap();
            prop_assert_eq!(totals.revision > *newest, &tree != before, "a revision is a change: {:?}", op);
            past.push((totals.revision, tree));
        }
        for (revision, tree) in &past {
            prop_assert_eq!(&tree_then(&files, &Moment::Revision(*revision)), tree, "revision {}", revision);
        }
        let (first, last) = (&past[past.len() / 2], &past[past.len() - 1]);
        let differences = files.diff(&Moment::Revision(first.0), &Moment::Revision(last.0), &RelPath::root()).unwrap();
        let mut changed: Vec<&String> = first.1.keys().chain(last.1.keys()).collect();
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|path| first.1.get(*path) != last.1.get(*path));
        prop_assert_eq!(differences.iter().map(|found| found.path.to_string()).collect::<Vec<_>>(), changed.into_iter().cloned().collect::<Vec<_>>());
        files.restore(&RelPath::root(), &Moment::Revision(first.0)).unwrap();
        prop_assert_eq!(&tree_then(&files, &Moment::Now), &first.1);
    }
}
