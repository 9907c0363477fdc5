//! The rows behind virtual files.

use proptest::prelude::*;

use super::{Root, main_agent};
use crate::core::{Error, RunId};
use crate::state::{
    ReadTx, Store, VFS_CHUNK, VFS_INLINE_MAX, VfsAt, VfsContent, VfsEdit, VfsFile, VfsHash, VfsKind, VfsRow,
    VfsSnapshot, VfsSpace, VfsTotals,
};

fn space() -> VfsSpace {
    VfsSpace { agent_id: main_agent(), namespace: "workspace".into() }
}

fn hash(seed: u8) -> VfsHash {
    [seed; 32]
}

/// Puts a file in place of whatever is there.
fn put(edit: &VfsEdit<'_, '_>, path: &str, seed: u8, size: usize) {
    let bytes = vec![seed; size];
    if let Some(row) = edit.tx().vfs_entry(edit.space(), path, VfsAt::Now).unwrap() {
        edit.end(&row).unwrap();
    }
    let content = if size > VFS_INLINE_MAX {
        let agent = &edit.space().agent_id;
        VfsContent::Stored(edit.tx().vfs_store_content(agent, &hash(seed), &bytes, 1).unwrap())
    } else {
        VfsContent::Inline(&bytes)
    };
    edit.insert_file(path, &VfsFile { mode: 0o644, size: size as u64, hash: &hash(seed), content }).unwrap();
}

/// One edit; its revision.
fn edit(store: &Store, op: impl FnOnce(&VfsEdit<'_, '_>) + Send + 'static) -> Option<i64> {
    store
        .write_blocking(move |tx| {
            let edit = tx.vfs_edit(&space(), Some(&RunId::from("run")), 7);
            op(&edit);
            Ok(edit.changed())
        })
        .unwrap()
}

fn read<T>(store: &Store, op: impl FnOnce(&ReadTx<'_>) -> T) -> T {
    store.read_blocking(|tx| Ok(op(tx))).unwrap()
}

fn number(tx: &ReadTx<'_>, sql: &str) -> i64 {
    tx.connection().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// What the triggers keep, counted anew.
fn counted(tx: &ReadTx<'_>) -> VfsTotals {
    let count = |sql: &str| u64::try_from(number(tx, sql)).unwrap();
    VfsTotals {
        bytes: count("SELECT coalesce(sum(size), 0) FROM vfs_entries"),
        files: count("SELECT count(*) FROM vfs_entries WHERE kind = 'file'"),
        directories: count("SELECT count(*) FROM vfs_entries WHERE kind = 'directory'"),
        history_bytes: count("SELECT coalesce(sum(size + 512), 0) FROM vfs_history WHERE held = 0"),
        held_bytes: count("SELECT coalesce(sum(size + 512), 0) FROM vfs_history WHERE held = 1"),
        ..tx.vfs_totals(&main_agent()).unwrap()
    }
}

#[test]
fn an_edit_takes_one_revision_and_only_if_it_changes_something() {
    let root = Root::new();
    let store = root.open();
    assert_eq!(edit(&store, |_| {}), None);
    let first = edit(&store, |edit| {
        edit.insert_directory("d", 0o755).unwrap();
        put(edit, "d/a", 1, 10);
        put(edit, "d/b", 2, 10);
    });
    assert_eq!(first, Some(1));
    assert_eq!(edit(&store, |edit| put(edit, "d/a", 3, 5)), Some(2));
    // Made and replaced in one edit: only the end of it was ever there.
    edit(&store, |edit| {
        put(edit, "c", 4, 1);
        put(edit, "c", 5, 1);
    });
    let versions = read(&store, |tx| tx.vfs_versions(&space(), "c", 10).unwrap());
    assert_eq!(versions.len(), 1);
    let versions = read(&store, |tx| tx.vfs_versions(&space(), "d/a", 10).unwrap());
    let intervals: Vec<_> = versions.iter().map(|version| (version.row.revision, version.ended)).collect();
    assert_eq!(intervals, [(2, None), (1, Some(2))]);
    assert_eq!((versions[1].ended_at, versions[1].ended_run_id.as_ref().unwrap().as_str()), (Some(7), "run"));
    assert_ne!(versions[0].row.id, versions[1].row.id);
}

#[test]
fn a_range_is_a_directory_and_nothing_else() {
    let root = Root::new();
    let store = root.open();
    edit(&store, |edit| {
        for directory in ["a", "a.b", "a0", "a/b", "\u{10ffff}"] {
            edit.insert_directory(directory, 0o755).unwrap();
        }
        for path in ["a/x", "a/b/y", "a.b/z", "a0/z", "\u{10ffff}/z", "A"] {
            put(edit, path, 1, 1);
        }
    });
    let names = |rows: Vec<VfsRow>| rows.into_iter().map(|row| row.path).collect::<Vec<_>>();
    for at in [VfsAt::Now, VfsAt::Revision(1)] {
        let children = |directory| names(read(&store, |tx| tx.vfs_children(&space(), directory, at, 100).unwrap()));
        assert_eq!(children("a"), ["a/b", "a/x"]);
        assert_eq!(children(""), ["A", "a", "a.b", "a0", "\u{10ffff}"]);
        assert_eq!(children("\u{10ffff}"), ["\u{10ffff}/z"]);
        assert_eq!(names(read(&store, |tx| tx.vfs_subtree(&space(), "a", at).unwrap())), ["a/b", "a/b/y", "a/x"]);
        assert_eq!(read(&store, |tx| tx.vfs_subtree(&space(), "", at).unwrap()).len(), 11);
    }
    assert!(read(&store, |tx| tx.vfs_children(&space(), "a", VfsAt::Revision(0), 100).unwrap()).is_empty());
    // The listing reads an index range; it does not look at the whole table.
    let plan: Vec<String> = read(&store, |tx| {
        let sql = "EXPLAIN QUERY PLAN SELECT path FROM vfs_entries WHERE agent_id = 'main' AND namespace = 'workspace' \
                   AND path >= 'a/' AND path < 'a0' ORDER BY path";
        let mut statement = tx.connection().prepare(sql).unwrap();
        statement.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect()
    });
    assert_eq!(plan.len(), 1, "{plan:?}");
    assert!(plan[0].starts_with("SEARCH") && plan[0].contains("path>? AND path<?"), "{plan:?}");
}

#[test]
fn contents_are_cut_into_chunks_and_go_with_their_last_version() {
    let root = Root::new();
    let store = root.open();
    let size = 2 * VFS_INLINE_MAX + 3;
    edit(&store, move |edit| put(edit, "big", 9, size));
    let row = read(&store, |tx| tx.vfs_entry(&space(), "big", VfsAt::Now).unwrap().unwrap());
    read(&store, |tx| {
        assert_eq!(number(tx, "SELECT count(*) FROM vfs_chunks"), 9);
        assert_eq!(number(tx, "SELECT max(length(data)) FROM vfs_chunks"), i64::try_from(VFS_CHUNK).unwrap());
        assert_eq!(number(tx, "SELECT count(*) FROM vfs_entries WHERE content_blob IS NOT NULL"), 0);
        assert_eq!(tx.vfs_bytes(&row, 0, size).unwrap(), vec![9; size]);
        assert_eq!(tx.vfs_bytes(&row, size as u64 - 2, 100).unwrap(), [9, 9]);
        assert_eq!(tx.vfs_bytes(&row, size as u64, 100).unwrap(), [0; 0]);
    });
    let like = row.clone();
    edit(&store, move |edit| edit.insert_like(&like, "second", 0o600).unwrap());
    edit(&store, move |edit| edit.end(&row).unwrap());
    read(&store, |tx| assert_eq!(number(tx, "SELECT count(*) FROM vfs_contents"), 1));
    store.write_blocking(|tx| tx.vfs_prune(&main_agent(), 0)).unwrap();
    read(&store, |tx| assert_eq!(number(tx, "SELECT count(*) FROM vfs_chunks"), 9, "another version has it"));
    store.write_blocking(|tx| tx.vfs_clear(&space())).unwrap();
    read(&store, |tx| {
        assert_eq!(number(tx, "SELECT count(*) FROM vfs_contents") + number(tx, "SELECT count(*) FROM vfs_chunks"), 0);
        assert_eq!(counted(tx), tx.vfs_totals(&main_agent()).unwrap());
    });
}

#[test]
fn a_version_of_one_agent_is_not_taken_over_by_another() {
    let root = Root::new();
    let store = root.open();
    edit(&store, |edit| put(edit, "secret", 1, 5));
    let row = read(&store, |tx| tx.vfs_entry(&space(), "secret", VfsAt::Now).unwrap().unwrap());
    let theirs = VfsSpace { agent_id: "other".into(), namespace: "workspace".into() };
    let other = theirs.clone();
    store
        .write_blocking(move |tx| {
            tx.vfs_edit(&other, None, 1).insert_like(&row, "taken", 0o644)?;
            Ok(())
        })
        .unwrap();
    assert_eq!(read(&store, |tx| tx.vfs_entry(&theirs, "taken", VfsAt::Now).unwrap()), None);
}

#[test]
fn a_failed_edit_leaves_no_revision_and_no_row() {
    let root = Root::new();
    let store = root.open();
    edit(&store, |edit| put(edit, "a", 1, 5));
    let outcome: Result<(), Error> = store.write_blocking(|tx| {
        let edit = tx.vfs_edit(&space(), None, 1);
        put(&edit, "a", 2, VFS_INLINE_MAX + 1);
        Err(Error::user("changed my mind"))
    });
    assert!(outcome.is_err());
    read(&store, |tx| {
        let totals = tx.vfs_totals(&main_agent()).unwrap();
        assert_eq!((totals.revision, totals.bytes, totals.history_bytes), (1, 5, 0));
        assert_eq!(number(tx, "SELECT count(*) FROM vfs_contents"), 0);
    });
}

/// Path, content and mode of each file.
type Seen = Vec<(String, Option<VfsHash>, u32)>;

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    End(u8),
    Mode(u8),
    Snapshot(u8),
    Drop(u8),
    Prune(u16),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..5_u8, 1..6_u8).prop_map(|(path, seed)| Step::Put(path, seed)),
        2 => (0..5_u8).prop_map(Step::End),
        1 => (0..5_u8).prop_map(Step::Mode),
        1 => (0..3_u8).prop_map(Step::Snapshot),
        1 => (0..3_u8).prop_map(Step::Drop),
        1 => (0..4000_u16).prop_map(Step::Prune),
    ]
}

fn do_step(store: &Store, step: &Step) {
    let step = step.clone();
    store
        .write_blocking(move |tx| {
            let edit = tx.vfs_edit(&space(), None, 1);
            let row = |path: u8| tx.vfs_entry(&space(), &path.to_string(), VfsAt::Now);
            match step {
                // One of the contents is large, so that it is shared.
                Step::Put(path, 5) => put(&edit, &path.to_string(), 5, VFS_INLINE_MAX + 1),
                Step::Put(path, seed) => put(&edit, &path.to_string(), seed, usize::from(seed) * 100),
                Step::End(path) => row(path)?.iter().try_for_each(|row| edit.end(row))?,
                Step::Mode(path) => row(path)?.iter().try_for_each(|row| edit.change_mode(row, row.mode ^ 0o111))?,
                Step::Snapshot(name) if tx.vfs_snapshot(&space(), &name.to_string())?.is_none() => {
                    let revision = tx.vfs_totals(&main_agent())?.revision;
                    let (name, note) = (name.to_string(), String::new());
                    tx.vfs_insert_snapshot(
                        &space(),
                        &VfsSnapshot { name, revision, note, run_id: None, created_at: 1 },
                    )?;
                }
                Step::Snapshot(_) => {}
                Step::Drop(name) => drop(tx.vfs_delete_snapshot(&space(), &name.to_string())?),
                Step::Prune(max) => tx.vfs_prune(&main_agent(), u64::from(max))?,
            }
            Ok(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn totals_holds_and_snapshots_stay_exact_whatever_happens(steps in prop::collection::vec(any_step(), 1..40)) {
        let root = Root::new();
        let store = root.open();
        // What each snapshot saw.
        let mut seen: Vec<(u8, Seen)> = Vec::new();
        let tree = |at| {
            let rows = read(&store, |tx| tx.vfs_subtree(&space(), "", at).unwrap());
            assert!(rows.iter().all(|row| row.kind == VfsKind::File));
            rows.into_iter().map(|row| (row.path, row.hash, row.mode)).collect::<Seen>()
        };
        for step in &steps {
            do_step(&store, step);
            match step {
                Step::Snapshot(name) if !seen.iter().any(|(known, _)| known == name) => seen.push((*name, tree(VfsAt::Now))),
                Step::Drop(name) => seen.retain(|(known, _)| known != name),
                _ => {}
            }
            read(&store, |tx| {
                assert_eq!(counted(tx), tx.vfs_totals(&main_agent()).unwrap(), "{step:?}");
                let wrongly_held = "SELECT count(*) FROM vfs_history h WHERE held <> EXISTS (SELECT 1 FROM vfs_snapshots s \
                    WHERE s.agent_id = h.agent_id AND s.namespace = h.namespace AND s.revision >= h.revision AND s.revision < h.ended)";
                assert_eq!(number(tx, wrongly_held), 0, "{step:?}");
                let orphans = "SELECT count(*) FROM vfs_contents c WHERE NOT EXISTS (SELECT 1 FROM vfs_entries WHERE content = c.content) \
                    AND NOT EXISTS (SELECT 1 FROM vfs_history WHERE content = c.content)";
                assert_eq!(number(tx, orphans), 0, "{step:?}");
                if let Step::Prune(max) = step {
                    assert!(tx.vfs_totals(&main_agent()).unwrap().history_bytes <= u64::from(*max));
                }
            });
            for (name, then) in &seen {
                let snapshot = read(&store, |tx| tx.vfs_snapshot(&space(), &name.to_string()).unwrap().unwrap());
                prop_assert_eq!(&tree(VfsAt::Revision(snapshot.revision)), then, "snapshot {} after {:?}", name, step);
            }
        }
    }
}
