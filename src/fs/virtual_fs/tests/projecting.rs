//! Trees that go into a sandbox, and what comes back.

use super::*;

/// A sink that looks at nothing.
pub(super) struct Nothing;

impl TreeSink for Nothing {
    fn directory(&mut self, _path: &RelPath, _mode: u32) -> std::io::Result<()> {
        Ok(())
    }

    fn file(&mut self, _path: &RelPath, _mode: u32, size: u64, content: &mut dyn Read) -> std::io::Result<()> {
        assert_eq!(std::io::copy(content, &mut std::io::sink())?, size);
        Ok(())
    }
}

/// A sink that takes nothing.
struct Full;

impl TreeSink for Full {
    fn directory(&mut self, _path: &RelPath, _mode: u32) -> std::io::Result<()> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }
    fn file(&mut self, _: &RelPath, _: u32, _: u64, _: &mut dyn Read) -> std::io::Result<()> {
        Ok(())
    }
}

/// A sink that writes down what it is given.
#[derive(Default)]
pub(super) struct Copy(pub(super) Vec<String>);

impl TreeSink for Copy {
    fn directory(&mut self, path: &RelPath, mode: u32) -> std::io::Result<()> {
        self.0.push(format!("{path}/ {mode:o}"));
        Ok(())
    }

    fn file(&mut self, path: &RelPath, mode: u32, size: u64, content: &mut dyn Read) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        assert_eq!(bytes.len() as u64, size);
        self.0.push(format!(
            "{path} {mode:o} {}",
            if size > 100 { size.to_string() } else { String::from_utf8(bytes).unwrap() }
        ));
        Ok(())
    }
}

pub(super) fn file(at: &str, text: &str) -> TreeChange {
    TreeChange::File { path: path(at), mode: 0o644, data: text.as_bytes().to_vec() }
}

fn directory(at: &str) -> TreeChange {
    TreeChange::Directory { path: path(at), mode: 0o755 }
}

fn delete(at: &str) -> TreeChange {
    TreeChange::Delete { path: path(at) }
}

#[test]
fn a_projection_is_the_whole_tree_parents_first() {
    let place = Place::new();
    let files = place.files();
    put(&files, "d/a", "1");
    put(&files, "d-x", "2");
    files.mkdirs(&path("empty")).unwrap();
    files.write_with(&path("big"), &large(1_500_000), &PARENTS).unwrap();
    files.set_mode(&path("d/a"), 0o755).unwrap();
    let mut copy = Copy::default();
    let base = files.project(&mut copy).unwrap();
    assert_eq!(copy.0, ["big 644 1500000", "d/ 755", "d-x 644 2", "d/a 755 1", "empty/ 755"]);
    assert_eq!((base.len(), base.revision), (5, 5));
    assert_eq!(code(files.project(&mut Full)), "io");
}

#[test]
fn a_commands_changes_come_back_in_one_revision() {
    let place = Place::new();
    let files = place.files();
    put(&files, "src/a.c", "a");
    put(&files, "src/b.c", "b");
    put(&files, "old/deep/x", "x");
    put(&files, "becomes-dir", "f");
    put(&files, "becomes-file/x", "x");
    let base = files.project(&mut Nothing).unwrap();
    let run = RunId::from("run-7");
    let report = files
        .apply(
            &base,
            vec![
                file("src/a.c", "a"),
                file("src/b.c", "B"),
                file("src/new/c.c", "c"),
                directory("made/empty"),
                delete("old"),
                delete("old/deep"),
                delete("old/deep/x"),
                delete("becomes-dir"),
                directory("becomes-dir"),
                file("becomes-dir/y", "y"),
                delete("becomes-file/x"),
                delete("becomes-file"),
                file("becomes-file", "now"),
                TreeChange::File { path: path("prog"), mode: 0o6755, data: b"elf".to_vec() },
                delete("never-was"),
            ],
            Some(&run),
        )
        .unwrap();
    assert_eq!(
        all(&files, &Moment::Now),
        "becomes-dir becomes-dir/y=y becomes-file=now made made/empty prog=elf src src/a.c=a src/b.c=B src/new src/new/c.c=c"
    );
    assert_eq!((report.conflicts.len(), report.rejected.len(), report.unchanged), (0, 0, 2));
    assert_eq!(report.revision, Some(base.revision + 1));
    assert_eq!(revision(&files), base.revision + 1);
    let node = files.node(&path("prog"), &Moment::Now).unwrap();
    assert_eq!((node.mode, node.run_id), (0o755, Some(run)), "set-user-id is dropped");
    assert_eq!(files.node(&path("src/a.c"), &Moment::Now).unwrap().revision, 1, "untouched");
    let nothing = files.apply(&files.project(&mut Nothing).unwrap(), vec![file("src/a.c", "a")], None).unwrap();
    assert_eq!((nothing.revision, nothing.unchanged), (None, 1));
    files.restore(&RelPath::root(), &Moment::Revision(base.revision)).unwrap();
    assert_eq!(
        all(&files, &Moment::Now),
        "becomes-dir=f becomes-file becomes-file/x=x old old/deep old/deep/x=x src src/a.c=a src/b.c=b"
    );
}

#[test]
fn conflicts_keep_both_sides() {
    let place = Place::new();
    let files = place.files();
    for name in ["both", "same", "theirs-deleted", "ours-deleted", "tree/kept", "tree/gone", "file-or-dir", "dir/x"] {
        put(&files, name, "old");
    }
    let base = files.project(&mut Nothing).unwrap();
    put(&files, "both", "vfs");
    put(&files, "same", "agreed");
    files.remove(&path("theirs-deleted")).unwrap();
    put(&files, "ours-deleted", "vfs");
    put(&files, "tree/kept", "vfs");
    put(&files, "tree/appeared", "vfs");
    put(&files, "file-or-dir", "vfs");
    put(&files, "both.conflict-r_1", "taken");
    files.remove_tree(&path("dir")).unwrap();
    put(&files, "dir", "a file now");
    put(&files, "created-both", "vfs");
    let report = files
        .apply(
            &base,
            vec![
                file("both", "command"),
                file("same", "agreed"),
                file("theirs-deleted", "command"),
                delete("ours-deleted"),
                delete("tree"),
                delete("tree/kept"),
                delete("tree/gone"),
                delete("file-or-dir"),
                directory("file-or-dir"),
                file("file-or-dir/inside", "command"),
                file("dir/x", "command"),
                file("dir/sub/y", "command"),
                file("created-both", "command"),
            ],
            Some(&RunId::from("r/1")),
        )
        .unwrap();
    let conflicts: Vec<String> = report
        .conflicts
        .iter()
        .map(|conflict| match &conflict.kept_as {
            Some(kept) => format!("{} -> {kept}", conflict.path),
            None => conflict.path.to_string(),
        })
        .collect();
    assert_eq!(
        conflicts,
        [
            "tree/kept",
            "tree/appeared",
            "ours-deleted",
            "file-or-dir",
            "file-or-dir -> file-or-dir.conflict-r_1",
            "both -> both.conflict-r_1-2",
            "created-both -> created-both.conflict-r_1",
            "dir -> dir.conflict-r_1",
            "theirs-deleted -> theirs-deleted.conflict-r_1",
        ]
    );
    assert_eq!(
        all(&files, &Moment::Now),
        "both=vfs both.conflict-r_1=taken both.conflict-r_1-2=command created-both=vfs created-both.conflict-r_1=command \
         dir=a file now dir.conflict-r_1 dir.conflict-r_1/sub dir.conflict-r_1/sub/y=command dir.conflict-r_1/x=command \
         file-or-dir=vfs file-or-dir.conflict-r_1 file-or-dir.conflict-r_1/inside=command ours-deleted=vfs same=agreed \
         theirs-deleted.conflict-r_1=command tree tree/appeared=vfs tree/kept=vfs"
    );
    assert_eq!(report.unchanged, 1);
    assert!(report.rejected.is_empty());
}

#[test]
fn a_directory_of_the_tree_in_the_way_of_a_file_is_kept() {
    let place = Place::new();
    let files = place.files();
    put(&files, "d/x", "1");
    let base = files.project(&mut Nothing).unwrap();
    put(&files, "d/y", "2");
    let report = files.apply(&base, vec![delete("d"), delete("d/x"), file("d", "command")], None).unwrap();
    assert_eq!(all(&files, &Moment::Now), "d d.conflict=command d/y=2");
    assert_eq!(report.conflicts.len(), 2, "{:?}", report.conflicts);
}
