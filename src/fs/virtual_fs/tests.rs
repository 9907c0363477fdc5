//! Virtual files against a real database file.

mod projecting;

use projecting::{Copy, Nothing, file};

use std::io::Read;

use tempfile::TempDir;

use super::*;
use crate::core::RunId;
use crate::fs::{AgentFiles, EntryKind, FsError, RelPath, WriteOptions};
use crate::state::{OpenOptions, StatePaths};

pub(super) struct Place {
    _directory: TempDir,
    pub(super) store: Store,
}

impl Place {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&StatePaths::new(directory.path()), &OpenOptions::default()).unwrap();
        Self { _directory: directory, store }
    }

    pub(super) fn files(&self) -> VirtualAgentFs {
        self.with(VfsLimits::default())
    }

    fn with(&self, limits: VfsLimits) -> VirtualAgentFs {
        self.of("main", Namespace::Workspace, limits)
    }

    fn of(&self, agent: &str, namespace: Namespace, limits: VfsLimits) -> VirtualAgentFs {
        VirtualAgentFs::new(self.store.clone(), agent.into(), namespace, limits)
    }
}

pub(super) fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

pub(super) fn code<T: std::fmt::Debug>(result: Result<T, FsError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

const PARENTS: WriteOptions = WriteOptions { create_parents: true, must_exist: false, must_not_exist: false };

fn put(files: &VirtualAgentFs, at: &str, text: &str) {
    files.write_with(&path(at), text.as_bytes(), &PARENTS).unwrap();
}

fn text(files: &VirtualAgentFs, at: &str) -> String {
    String::from_utf8(files.read(&path(at), u64::MAX).unwrap()).unwrap()
}

fn revision(files: &VirtualAgentFs) -> i64 {
    files.usage().unwrap().0.revision
}

/// Everything in the tree, as `path` or `path=content`.
fn all(files: &VirtualAgentFs, moment: &Moment) -> String {
    let nodes = files.tree_at(&RelPath::root(), moment).unwrap();
    let shown = nodes.iter().map(|node| match node.kind {
        EntryKind::File => {
            let bytes = files.read_at(&node.path, moment, u64::MAX).unwrap();
            format!("{}={}", node.path, String::from_utf8_lossy(&bytes))
        }
        _ => node.path.to_string(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Bytes that compress to nothing and differ at every offset.
fn large(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from((at * 31 + at / 251) % 251).unwrap()).collect()
}

#[test]
fn reads_and_writes_like_files() {
    let place = Place::new();
    let files = place.files();
    assert_eq!(code(files.write_with(&path("a/b.txt"), b"x", &WriteOptions::default())), "not_found");
    assert!(files.write_with(&path("a/b.txt"), b"hello", &PARENTS).unwrap().created);
    assert!(!files.write_with(&path("a/b.txt"), b"hello!", &PARENTS).unwrap().created);
    assert_eq!(text(&files, "a/b.txt"), "hello!");
    assert_eq!(code(files.read(&path("a"), 10)), "not_a_file");
    assert_eq!(code(files.read(&path("a/b.txt/c"), 10)), "not_a_directory");
    assert_eq!(code(files.read(&path("a/b.txt"), 5)), "too_large");
    assert_eq!(code(files.write_with(&path("a"), b"", &PARENTS)), "not_a_file");
    assert_eq!(code(files.write_with(&path("a/b.txt/c"), b"", &PARENTS)), "not_a_directory");
    assert_eq!(code(files.write_with(&RelPath::root(), b"", &PARENTS)), "not_a_file");
    let must_exist = WriteOptions { must_exist: true, ..PARENTS };
    assert_eq!(code(files.write_with(&path("a/none"), b"", &must_exist)), "not_found");
    put(&files, "a/empty", "");
    assert_eq!(files.stat(&path("a/empty")).unwrap().size, 0);
    assert_eq!(text(&files, "a/empty"), "");
    files.append(&path("a/empty"), b"one ", &PARENTS).unwrap();
    assert_eq!(files.append(&path("a/empty"), b"two", &PARENTS).unwrap().bytes, 7);
    assert!(files.append(&path("log"), b"1", &PARENTS).unwrap().created);
    assert_eq!(text(&files, "a/empty"), "one two");
    let listing = files.list_bounded(&path("a"), 10).unwrap();
    assert_eq!(listing.entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["b.txt", "empty"]);
    assert!(files.list_bounded(&path("a"), 1).unwrap().truncated);
    assert_eq!(code(files.list_bounded(&path("a/empty"), 1)), "not_a_directory");
    assert_eq!(code(files.list_bounded(&path("none"), 1)), "not_found");
    assert_eq!(code(files.remove_file(&path("a"))), "not_a_file");
    files.remove_file(&path("a/empty")).unwrap();
    assert_eq!(code(files.stat(&path("a/empty"))), "not_found");
    files.mkdirs(&path("x/y/z")).unwrap();
    files.mkdirs(&path("x/y")).unwrap();
    assert_eq!(code(files.mkdirs(&path("a/b.txt"))), "not_a_directory");
    assert_eq!(files.remove_tree(&path("x")).unwrap(), 3);
    assert_eq!(all(&files, &Moment::Now), "a a/b.txt=hello! log=1");
}

#[test]
fn names_that_are_patterns_or_quotes_elsewhere_are_plain_names() {
    let place = Place::new();
    let files = place.files();
    let names = [
        "a%",
        "a_",
        "a*",
        "a?",
        "[a]",
        "a'b",
        "a\"b",
        "a\\b",
        "ab",
        "-rf",
        "%2e%2e",
        "\u{202e}x",
        "ns2",
        "A",
        "é",
        "e\u{301}",
    ];
    for name in names {
        put(&files, &format!("{name}/inside"), name);
        put(&files, &format!("{name}0"), "sibling");
        put(&files, &format!("{name}.txt"), "sibling");
    }
    for name in names {
        assert_eq!(text(&files, &format!("{name}/inside")), name);
        let inside = files.list_bounded(&path(name), 10).unwrap().entries;
        assert_eq!(inside.len(), 1, "{name}: {inside:?}");
    }
    assert_eq!(files.remove_tree(&path("a%")).unwrap(), 2);
    assert_eq!(files.remove_tree(&path("a_")).unwrap(), 2);
    assert_eq!(files.list_bounded(&RelPath::root(), 1000).unwrap().entries.len(), names.len() * 3 - 2);
    for bad in ["..", "a/../b", "./a", "/a", "a//b", "a/", "a\0b"] {
        assert!(RelPath::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(files.resolve("/workspace/a/../b").unwrap(), path("b"));
    for bad in ["../x", "/etc/passwd", "/workspace2/x", "/workspace/../x", "~/x"] {
        assert!(files.resolve(bad).is_err(), "{bad}");
    }
}

#[test]
fn agents_and_namespaces_do_not_see_each_other() {
    let place = Place::new();
    let limits = VfsLimits::default();
    let trees = [
        place.of("a", Namespace::Workspace, limits),
        place.of("ab", Namespace::Workspace, limits),
        place.of("a", Namespace::Scratch, limits),
        place.of("a", Namespace::Run(RunId::from("1")), limits),
        place.of("a", Namespace::Run(RunId::from("12")), limits),
        place.of("a", Namespace::Run(RunId::from("1/x")), limits),
    ];
    for (number, files) in trees.iter().enumerate() {
        put(files, "d/same", &number.to_string());
        files.snapshot("s", "").unwrap();
    }
    for (number, files) in trees.iter().enumerate() {
        assert_eq!(all(files, &Moment::Now), format!("d d/same={number}"));
        assert_eq!(files.snapshots().unwrap().len(), 1);
        assert_eq!(files.diff(&Moment::Revision(0), &Moment::Now, &RelPath::root()).unwrap().len(), 2);
        assert_eq!(files.history(&path("d/same"), 10).unwrap().len(), 1);
    }
    assert_eq!(trees[3].clear_namespace().unwrap(), 2);
    assert_eq!(all(&trees[3], &Moment::Now), "");
    assert!(trees[3].snapshots().unwrap().is_empty());
    for (number, files) in trees.iter().enumerate().filter(|(number, _)| *number != 3) {
        assert_eq!(text(files, "d/same"), number.to_string());
    }
    let (of_a, _) = trees[0].usage().unwrap();
    assert_eq!((of_a.files, of_a.directories, of_a.bytes), (4, 4, 4));
    let (of_ab, _) = trees[1].usage().unwrap();
    assert_eq!((of_ab.files, of_ab.revision), (1, 1));
    for text in ["workspace", "scratch", "run/1"] {
        assert_eq!(Namespace::parse(text).unwrap().to_string(), text);
    }
    for bad in ["", "run/", "run", "Workspace", "workspace2", "run/\n", "other"] {
        assert!(Namespace::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_upload_of_one_agent_is_nothing_to_another() {
    let place = Place::new();
    let (mine, theirs) = (place.files(), place.of("other", Namespace::Workspace, VfsLimits::default()));
    let upload = mine.begin_upload(&path("big")).unwrap();
    mine.extend_upload(&path("big"), upload.id, 0, b"secret".to_vec()).unwrap();
    assert_eq!(code(theirs.extend_upload(&path("big"), upload.id, 6, b"x".to_vec())), "not_found");
    assert_eq!(code(theirs.finish_upload(&path("big"), upload.id, None, &PARENTS)), "not_found");
    assert_eq!(code(theirs.drop_upload(upload.id)), "not_found");
    mine.finish_upload(&path("big"), upload.id, None, &PARENTS).unwrap();
    assert_eq!(text(&mine, "big"), "secret");
    assert_eq!(code(mine.finish_upload(&path("big"), upload.id, None, &PARENTS)), "not_found");
}

#[test]
fn large_files_are_stored_in_chunks_and_shared_by_their_versions() {
    let place = Place::new();
    let files = place.files();
    for size in [1 << 20, (1 << 20) + 1, 3 * (1 << 20) + 17] {
        let bytes = large(size);
        files.write_with(&path("big"), &bytes, &PARENTS).unwrap();
        assert_eq!(files.read(&path("big"), u64::MAX).unwrap(), bytes);
        let mut streamed = Vec::new();
        files.open_for_read(&path("big")).unwrap().reader.read_to_end(&mut streamed).unwrap();
        assert_eq!(streamed, bytes);
        for (offset, length) in [(0, 1), (262_143, 2), (262_144, 262_144), (1_000_000, 500_000), (size - 1, 10)] {
            let (part, node) = files.read_range(&path("big"), &Moment::Now, offset as u64, length as u64).unwrap();
            assert_eq!(part, bytes[offset..(offset + length).min(size)]);
            assert_eq!(node.size, size as u64);
        }
        assert_eq!(files.read_range(&path("big"), &Moment::Now, size as u64 + 5, 10).unwrap().0, b"");
    }
    let contents = |place: &Place| {
        place
            .store
            .read_blocking(|tx| {
                let count = |sql: &str| tx.connection().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
                Ok((count("SELECT count(*) FROM vfs_contents"), count("SELECT count(*) FROM vfs_chunks")))
            })
            .unwrap()
    };
    // The first size fits into its row; the other two are a content each, of 5 and 13 chunks.
    assert_eq!(contents(&place), (2, 18));
    files.rename(&path("big"), &path("moved"), RenameOptions::default()).unwrap();
    files.restore(&path("big"), &Moment::Revision(2)).unwrap();
    files.set_mode(&path("moved"), 0o755).unwrap();
    assert_eq!(contents(&place), (2, 18), "nothing was copied");
    assert_eq!(files.read(&path("big"), u64::MAX).unwrap(), large((1 << 20) + 1));
    assert_eq!(files.node(&path("moved"), &Moment::Now).unwrap().mode, 0o755);
    let tight = place.with(VfsLimits { history_bytes: 0, ..VfsLimits::default() });
    tight.remove(&path("moved")).unwrap();
    assert_eq!(contents(&place), (1, 5), "a content goes with its last version");
    tight.remove(&path("big")).unwrap();
    assert_eq!(contents(&place), (0, 0));
}

#[test]
fn uploads_come_in_pieces_of_any_size_and_appear_at_once() {
    let place = Place::new();
    let files = place.files();
    for (size, piece) in [(3_000_000, 700_001), (2_000_000, 262_144), (5000, 999), (0, 1)] {
        let bytes = large(size);
        let mut progress = files.begin_upload(&path("up/file")).unwrap();
        for part in bytes.chunks(piece) {
            progress = files.extend_upload(&path("up/file"), progress.id, progress.size, part.to_vec()).unwrap();
        }
        assert_eq!(code(files.extend_upload(&path("up/file"), progress.id, progress.size + 1, vec![1])), "io");
        let before = revision(&files);
        files.finish_upload(&path("up/file"), progress.id, Some(0o755), &PARENTS).unwrap();
        assert_eq!(revision(&files), before + 1);
        assert_eq!(files.read(&path("up/file"), u64::MAX).unwrap(), bytes);
    }
    let again = files.begin_upload(&path("up/file")).unwrap();
    let before = revision(&files);
    files.finish_upload(&path("up/file"), again.id, None, &PARENTS).unwrap();
    assert_eq!(revision(&files), before, "the same content changes nothing");
    let small = place.with(VfsLimits { max_bytes: 1_000_000, max_file_bytes: 900_000, ..VfsLimits::default() });
    let progress = small.begin_upload(&path("x")).unwrap();
    assert_eq!(code(small.extend_upload(&path("x"), progress.id, 0, large(900_001))), "too_large");
    small.extend_upload(&path("x"), progress.id, 0, large(800_000)).unwrap();
    let second = small.begin_upload(&path("y")).unwrap();
    assert_eq!(code(small.extend_upload(&path("y"), second.id, 0, large(300_000))), "quota");
    small.drop_upload(progress.id).unwrap();
    small.extend_upload(&path("y"), second.id, 0, large(300_000)).unwrap();
}

#[test]
fn what_does_not_change_is_not_written() {
    let place = Place::new();
    let files = place.files();
    put(&files, "d/a", "same");
    let seen = || {
        let node = files.node(&path("d/a"), &Moment::Now).unwrap();
        (revision(&files), node.revision, node.modified_ms, files.history(&path("d/a"), 10).unwrap().len())
    };
    let before = seen();
    put(&files, "d/a", "same");
    files.append(&path("d/a"), b"", &PARENTS).unwrap();
    files.mkdirs(&path("d")).unwrap();
    files.set_mode(&path("d/a"), 0o644).unwrap();
    files.restore(&path("d/a"), &Moment::Now).unwrap();
    files.rename(&path("d/a"), &path("d/a"), RenameOptions::default()).unwrap();
    assert_eq!(seen(), before);
    put(&files, "d/a", "other");
    assert_ne!(seen(), before);
}

#[test]
fn renaming_moves_trees_and_refuses_what_makes_no_sense() {
    let place = Place::new();
    let files = place.files();
    put(&files, "a/b/c", "1");
    put(&files, "ab", "2");
    put(&files, "file", "3");
    files.mkdirs(&path("empty")).unwrap();
    let mv = |from: &str, to: &str, replace| {
        code(files.rename(&path(from), &path(to), RenameOptions { replace, create_parents: false }))
    };
    assert_eq!(mv("a", "a/b/inside", true), "invalid_path");
    assert_eq!(mv("none", "x", true), "not_found");
    assert_eq!(mv("a", "none/x", true), "not_found");
    assert_eq!(mv("a", "file/x", true), "not_a_directory");
    assert_eq!(mv("a", "file", false), "exists");
    assert_eq!(mv("a", "file", true), "not_a_directory");
    assert_eq!(mv("file", "a", true), "not_a_file");
    assert_eq!(mv("empty", "a", true), "not_empty");
    assert_eq!(code(files.rename(&RelPath::root(), &path("x"), RenameOptions::default())), "not_a_file");
    assert_eq!(mv("a", "empty", true), "ok");
    assert_eq!(mv("file", "ab", true), "ok");
    assert_eq!(all(&files, &Moment::Now), "ab=3 empty empty/b empty/b/c=1");
    let into = RenameOptions { create_parents: true, ..RenameOptions::default() };
    files.rename(&path("empty"), &path("new/place"), into).unwrap();
    assert_eq!(all(&files, &Moment::Now), "ab=3 new new/place new/place/b new/place/b/c=1");
    assert_eq!(revision(&files), 7, "one revision for a whole tree");
}

#[test]
fn protected_paths_are_not_made_by_any_way() {
    let place = Place::new();
    let files = place.files();
    put(&files, "repo/tool/hooks/pre-commit", "#!/bin/sh");
    put(&files, "repo/tool/config", "[core]");
    put(&files, "repo/.git/info/exclude", "fine");
    assert_eq!(code(files.write_with(&path("repo/.git/config"), b"", &PARENTS)), "protected");
    assert_eq!(code(files.write_with(&path("repo/.git"), b"gitdir: x", &PARENTS)), "protected");
    assert_eq!(code(files.mkdirs(&path(".git/hooks"))), "protected");
    assert_eq!(code(files.append(&path(".GIT/hooks/x"), b"", &PARENTS)), "protected");
    assert_eq!(code(files.begin_upload(&path(".git/config"))), "protected");
    let rename = |from: &str, to: &str| code(files.rename(&path(from), &path(to), RenameOptions::default()));
    assert_eq!(rename("repo/tool/config", "repo/.git/config"), "protected");
    assert_eq!(rename("repo/tool/hooks", "repo/.git/hooks"), "protected");
    assert_eq!(rename("repo/tool", "repo/.git/x"), "protected");
    let base = files.project(&mut Nothing).unwrap();
    let changes = vec![
        TreeChange::Directory { path: path("repo/.git"), mode: 0o755 },
        TreeChange::File { path: path("repo/.git/hooks/post-commit"), mode: 0o755, data: b"x".to_vec() },
        TreeChange::File { path: path("repo/.git/config"), mode: 0o644, data: b"x".to_vec() },
        TreeChange::File { path: path("repo/ok"), mode: 0o644, data: b"x".to_vec() },
    ];
    let report = files.apply(&base, changes, None).unwrap();
    let rejected: Vec<&str> = report.rejected.iter().map(|rejected| rejected.path.as_str()).collect();
    assert_eq!(rejected, ["repo/.git/config", "repo/.git/hooks/post-commit"]);
    assert!(report.rejected[0].reason.contains("protected"));
    assert_eq!(report.applied.len(), 1);
    assert_eq!(files.remove_tree(&path("repo")).unwrap(), 9);
}

#[test]
fn quotas_hold_in_the_transaction_of_the_change() {
    let place = Place::new();
    let files = place.with(VfsLimits {
        max_bytes: 100,
        max_files: 5,
        max_file_bytes: 60,
        history_bytes: 5000,
        max_depth: 4,
        max_path_bytes: 40,
        max_snapshots: 2,
    });
    assert_eq!(code(files.write_with(&path("a"), &[1; 61], &PARENTS)), "too_large");
    files.write_with(&path("a"), &[1; 60], &PARENTS).unwrap();
    assert_eq!(code(files.write_with(&path("b"), &[1; 41], &PARENTS)), "quota");
    assert_eq!(revision(&files), 1, "nothing of a refused change is there");
    files.write_with(&path("b"), &[1; 40], &PARENTS).unwrap();
    assert_eq!(code(files.append(&path("b"), &[1], &PARENTS)), "quota");
    assert_eq!(code(files.write_with(&path("w/x/y/z"), b"", &PARENTS)), "quota");
    assert_eq!(code(files.stat(&path("w"))), "not_found");
    assert_eq!(code(files.mkdirs(&path("1/2/3/4/5"))), "invalid_path");
    assert_eq!(code(files.mkdirs(&path(&"x".repeat(41)))), "invalid_path");
    let error: crate::core::Error = files.write_with(&path("c"), b"x", &PARENTS).unwrap_err().into();
    assert_eq!(error.message(), "c would exceed the quota: 101 bytes of virtual files, and the limit is 100");
    // A quota that was lowered does not keep anybody from making files smaller.
    let lowered = place.with(VfsLimits { max_bytes: 10, ..*files.limits() });
    lowered.write_with(&path("a"), &[2; 50], &PARENTS).unwrap();
    lowered.remove(&path("b")).unwrap();
    files.snapshot("one", "").unwrap();
    assert_eq!(code(files.snapshot("one", "")), "exists");
    files.snapshot("two", "").unwrap();
    assert_eq!(code(files.snapshot("three", "")), "quota");
    for bad in ["", "now", "12", "a\nb", &"x".repeat(129)] {
        assert_eq!(code(files.snapshot(bad, "")), "invalid_path", "{bad:?}");
    }
    let base = files.project(&mut Nothing).unwrap();
    let many = (0..6).map(|n| TreeChange::File { path: path(&format!("n{n}")), mode: 0o644, data: vec![] }).collect();
    assert_eq!(code(files.apply(&base, many, None)), "quota");
    assert_eq!(all(&files, &Moment::Now).matches('n').count(), 0, "nothing was applied");
}

#[test]
fn what_snapshots_hold_is_bounded_too() {
    let place = Place::new();
    let limits = VfsLimits { max_bytes: 1000, max_file_bytes: 1000, ..VfsLimits::default() };
    let files = place.with(limits);
    files.write_with(&path("a"), &[0; 900], &PARENTS).unwrap();
    files.snapshot("s0", "").unwrap();
    assert_eq!(code(files.write_with(&path("a"), &[1; 900], &PARENTS)), "quota");
    files.write_with(&path("a"), &[1; 500], &PARENTS).unwrap();
    files.remove(&path("a")).unwrap();
    assert_eq!(code(files.write_with(&path("b"), &[1; 600], &PARENTS)), "quota");
    files.drop_snapshot("s0").unwrap();
    files.write_with(&path("b"), &[1; 900], &PARENTS).unwrap();
}

#[test]
fn the_tree_of_every_revision_can_be_read_and_restored() {
    let place = Place::new();
    let files = place.files().for_run(RunId::from("r1"));
    let mut seen = vec![(0, String::new())];
    let mut note = |files: &VirtualAgentFs| seen.push((revision(files), all(files, &Moment::Now)));
    put(&files, "a/one", "1");
    note(&files);
    put(&files, "a/two", "2");
    note(&files);
    put(&files, "a/one", "uno");
    note(&files);
    files.rename(&path("a"), &path("b"), RenameOptions::default()).unwrap();
    note(&files);
    files.remove(&path("b/two")).unwrap();
    note(&files);
    files.mkdirs(&path("b/two")).unwrap();
    note(&files);
    put(&files, "b/two/three", "3");
    files.remove_tree(&path("b")).unwrap();
    note(&files);
    for (revision, tree) in &seen {
        assert_eq!(&all(&files, &Moment::Revision(*revision)), tree, "revision {revision}");
    }
    for (number, tree) in seen.iter().rev() {
        let before = all(&files, &Moment::Now);
        let changes = files.restore(&RelPath::root(), &Moment::Revision(*number)).unwrap();
        assert_eq!(&all(&files, &Moment::Now), tree, "restored {number}");
        assert_eq!(changes.is_empty(), &before == tree);
    }
    for (revision, tree) in &seen {
        assert_eq!(&all(&files, &Moment::Revision(*revision)), tree, "revision {revision}, later");
    }
    let versions = files.history(&path("a/one"), 100).unwrap();
    let runs = versions.iter().filter_map(|version| version.ended_run_id.as_ref());
    assert!(runs.into_iter().all(|run| run.as_str() == "r1"));
    assert!(versions.windows(2).all(|pair| pair[0].node.revision >= pair[1].ended.unwrap()));
    assert_eq!(code(files.history(&path("never"), 10)), "not_found");
    assert_eq!(code(files.read_at(&path("a/one"), &Moment::Revision(9999), 10)), "no_version");
    assert_eq!(code(files.read_at(&path("a/one"), &Moment::Snapshot("none".into()), 10)), "no_version");
    assert_eq!(code(files.read_at(&path("a/one"), &Moment::Revision(0), 10)), "not_found");
    assert_eq!(code(files.restore(&path("never"), &Moment::Revision(1))), "no_version");
}

#[test]
fn differences_name_what_changed_between_two_moments() {
    let place = Place::new();
    let files = place.files();
    put(&files, "keep", "k");
    put(&files, "edit", "1");
    put(&files, "gone/x", "x");
    files.snapshot("before", "a note").unwrap();
    put(&files, "edit", "2");
    put(&files, "edit", "3");
    put(&files, "short-lived", "s");
    files.remove(&path("short-lived")).unwrap();
    files.remove_tree(&path("gone")).unwrap();
    put(&files, "fresh/y", "y");
    files.set_mode(&path("keep"), 0o755).unwrap();
    let shown = |from: &Moment, to: &Moment, under: &str| {
        let differences = files.diff(from, to, &path(under)).unwrap();
        let lines = differences.iter().map(|difference| format!("{} {}", difference.kind().as_str(), difference.path));
        lines.collect::<Vec<_>>().join(", ")
    };
    let before = Moment::Snapshot("before".into());
    assert_eq!(
        shown(&before, &Moment::Now, ""),
        "changed edit, created fresh, created fresh/y, deleted gone, deleted gone/x, changed keep"
    );
    assert_eq!(
        shown(&Moment::Now, &before, ""),
        "changed edit, deleted fresh, deleted fresh/y, created gone, created gone/x, changed keep"
    );
    assert_eq!(shown(&before, &Moment::Now, "gone"), "deleted gone, deleted gone/x");
    assert_eq!(shown(&Moment::Now, &Moment::Now, ""), "");
    let edit = &files.diff(&before, &Moment::Now, &path("edit")).unwrap()[0];
    let (old, new) = (edit.before.as_ref().unwrap(), edit.after.as_ref().unwrap());
    assert!(old.hash != new.hash && old.size == new.size && old.revision < new.revision);
    assert_eq!(files.snapshots().unwrap()[0].note, "a note");
    // Changing back is no difference.
    put(&files, "edit", "1");
    assert_eq!(shown(&before, &Moment::Now, "edit"), "");
}

#[test]
fn history_is_pruned_to_its_bound_but_never_what_a_snapshot_needs() {
    let place = Place::new();
    let limits = VfsLimits { history_bytes: 3 * 1512, ..VfsLimits::default() };
    let files = place.with(limits);
    let fill = |number: u8| files.write_with(&path("f"), &[number; 1000], &PARENTS).map(|_| ()).unwrap();
    fill(0);
    fill(1);
    files.snapshot("one", "").unwrap();
    for number in 2..10 {
        fill(number);
    }
    let at = |number: i64| files.read_at(&path("f"), &Moment::Revision(number), 5000).map(|bytes| bytes[0]);
    assert_eq!(at(10).unwrap(), 9);
    assert_eq!(at(9).unwrap(), 8);
    assert_eq!(at(7).unwrap(), 6);
    assert_eq!(code(at(6)), "no_version");
    assert_eq!(code(at(1)), "no_version");
    assert_eq!(at(2).unwrap(), 1, "the snapshot's");
    assert_eq!(files.read_at(&path("f"), &Moment::Snapshot("one".into()), 5000).unwrap(), [1; 1000]);
    assert_eq!(code(files.tree_at(&RelPath::root(), &Moment::Revision(5))), "no_version");
    assert_eq!(code(files.diff(&Moment::Revision(1), &Moment::Now, &RelPath::root())), "no_version");
    let (totals, _) = files.usage().unwrap();
    assert_eq!((totals.history_bytes, totals.held_bytes), (3 * 1512, 1512));
    files.restore(&RelPath::root(), &Moment::Snapshot("one".into())).unwrap();
    assert_eq!(files.read(&path("f"), 5000).unwrap(), [1; 1000]);
    files.drop_snapshot("one").unwrap();
    assert_eq!(code(files.drop_snapshot("one")), "not_found");
    let (totals, _) = files.usage().unwrap();
    assert_eq!((totals.history_bytes, totals.held_bytes), (3 * 1512, 0));
}

#[test]
fn a_change_is_seen_through_every_handle_at_once_and_reads_are_of_one_state() {
    let place = Place::new();
    let files = place.files();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let files = files.clone();
            std::thread::spawn(move || {
                for number in 0..25 {
                    files.append(&path("log"), format!("{writer}:{number}\n").as_bytes(), &PARENTS).unwrap();
                    // Two files that are always changed together.
                    let changes = ["x", "y"].map(|name| file(name, &format!("{writer}:{number}")));
                    let base = files.project(&mut Nothing).unwrap();
                    files.apply(&base, changes.to_vec(), Some(&RunId::from("w"))).unwrap();
                }
            })
        })
        .collect();
    while !writers.iter().all(std::thread::JoinHandle::is_finished) {
        let mut copy = Copy::default();
        files.project(&mut copy).unwrap();
        let of = |name: &str| {
            let line = copy.0.iter().find(|line| line.starts_with(name)).cloned();
            line.map(|line| line[1..].to_owned())
        };
        if of("x 644").is_some() {
            assert_eq!(of("x 644"), of("y 644"));
        }
    }
    for writer in writers {
        writer.join().unwrap();
    }
    let lines = text(&files, "log");
    assert_eq!(lines.lines().count(), 100, "no append was lost");
    let check: String = place
        .store
        .read_blocking(|tx| Ok(tx.connection().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()))
        .unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_set_of_changes_is_one_revision_or_nothing() {
    use crate::fs::{Expected, FileChange};
    let place = Place::new();
    let files = place.files();
    put(&files, "a", "1");
    put(&files, "gone", "2");
    files.set_mode(&path("gone"), 0o755).unwrap();
    let write = |at: &str, text: &str, mode_of: Option<&str>, expected| FileChange::Write {
        path: path(at),
        data: text.as_bytes().to_vec(),
        mode_of: mode_of.map(path),
        expected,
    };
    let remove = |at: &str, expected| FileChange::Remove { path: path(at), expected };
    let hash = files.node(&path("a"), &Moment::Now).unwrap().hash.unwrap();
    let before = revision(&files);
    let apply = |changes: &[FileChange]| code(AgentFiles::apply(&files, changes));
    assert_eq!(apply(&[write("b", "x", None, Expected::Anything), remove("none", Expected::Anything)]), "not_found");
    assert_eq!(apply(&[write("b", "x", None, Expected::Anything), write("a", "y", None, Expected::Absent)]), "exists");
    assert_eq!(apply(&[write("a", "y", None, Expected::Sha256([0; 32]))]), "changed");
    assert_eq!(apply(&[write("c", "y", None, Expected::Sha256(hash))]), "changed");
    assert_eq!(apply(&[write(".git/hooks/x", "y", None, Expected::Anything)]), "protected");
    assert_eq!((revision(&files), all(&files, &Moment::Now).as_str()), (before, "a=1 gone=2"));
    let set = [
        remove("gone", Expected::Anything),
        write("moved/there", "2", Some("gone"), Expected::Absent),
        write("a", "one", None, Expected::Sha256(hash)),
    ];
    assert_eq!(apply(&set), "ok");
    assert_eq!((revision(&files), all(&files, &Moment::Now).as_str()), (before + 1, "a=one moved moved/there=2"));
    assert_eq!(files.node(&path("moved/there"), &Moment::Now).unwrap().mode, 0o755);
    assert_eq!(apply(&[]), "ok");
}

#[test]
fn a_full_disk_is_told_and_leaves_the_files_as_they_were() {
    let place = Place::new();
    let files = place.files();
    put(&files, "a", "kept");
    let pages = |limit: i64| {
        let sql = format!("PRAGMA max_page_count = {limit}");
        place
            .store
            .write_blocking(move |tx| Ok(tx.connection().query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()))
            .unwrap()
    };
    // Less than there is means: no more than there is.
    pages(1);
    for size in [600_000, 3_000_000] {
        assert_eq!(code(files.write_with(&path("b/c"), &large(size), &PARENTS)), "no_space");
    }
    assert_eq!((revision(&files), all(&files, &Moment::Now).as_str()), (1, "a=kept"));
    pages(1_000_000);
    files.write_with(&path("b/c"), &large(3_000_000), &PARENTS).unwrap();
    assert_eq!(revision(&files), 2);
}
