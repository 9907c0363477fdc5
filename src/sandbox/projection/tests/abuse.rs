//! What a hostile command leaves behind (rows 79 to 82 of the attack list), and what a hostile supervisor sends (rows 86 and 87).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use insta::assert_snapshot;

use super::super::wire::{self, Entry, EntryKind, INLINE};
use super::super::{Change, PathProblem, ProjectionLimits, RejectReason, SyncError};
use super::support::{Sandbox, apply, frame, lines, run, tree};
use crate::sandbox::frames::FrameKind;

#[test]
fn links_are_told_and_never_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "canary").unwrap();
    let sandbox = Sandbox::new(&tree(&["d/", "d/secret=projected", "was=kept"]));
    assert!(fs::read_to_string(outside.path().join("secret")).is_ok(), "the link has something to find");
    symlink(outside.path().join("secret"), sandbox.path("absolute")).unwrap();
    symlink("was", sandbox.path("inside")).unwrap();
    symlink("nowhere", sandbox.path("dangling")).unwrap();
    symlink("loop", sandbox.path("loop")).unwrap();
    fs::remove_file(sandbox.path("was")).unwrap();
    symlink(outside.path().join("secret"), sandbox.path("was")).unwrap();
    fs::remove_dir_all(sandbox.path("d")).unwrap();
    symlink(outside.path(), sandbox.path("d")).unwrap();
    let changes = sandbox.changes();
    assert_snapshot!(lines(&changes).join("\n"), @r"
    ! absolute SymbolicLink
    ! d SymbolicLink
    ! dangling SymbolicLink
    ! inside SymbolicLink
    ! loop SymbolicLink
    ! was SymbolicLink
    ");
    assert!(!format!("{changes:?}").contains("canary"));
}

#[test]
fn hard_links_become_copies_and_are_told() {
    let sandbox = Sandbox::new(&tree(&["a=1", "b=2"]));
    fs::hard_link(sandbox.path("a"), sandbox.path("c")).unwrap();
    assert_eq!(lines(&sandbox.changes()), ["f c 644 1", "! a HardLink", "! c HardLink"]);
}

#[test]
fn fifos_and_sockets_and_devices_do_not_block() {
    let sandbox = Sandbox::new(&tree(&["pipe=was a file"]));
    fs::remove_file(sandbox.path("pipe")).unwrap();
    run(&sandbox, "mkfifo", &["pipe"]);
    // The name of a socket is limited to 108 bytes: bound by a short path.
    let _listener = UnixListener::bind(sandbox.path("socket")).unwrap();
    let mut expected = vec!["! pipe Fifo".to_owned(), "! socket Socket".to_owned()];
    let made = nix::unistd::geteuid().is_root()
        && nix::sys::stat::mknod(
            &sandbox.path("null"),
            nix::sys::stat::SFlag::S_IFCHR,
            nix::sys::stat::Mode::from_bits_truncate(0o666),
            nix::sys::stat::makedev(1, 3),
        )
        .is_ok();
    if made {
        expected.insert(0, "! null Device".to_owned());
    }
    assert_eq!(lines(&sandbox.changes()), expected);
}

#[test]
fn bounds_apply_before_anything_is_read() {
    let limits = ProjectionLimits { depth: 5, rejects: 3, ..ProjectionLimits::default() };
    let sandbox = Sandbox::with(limits, &tree(&["grows=1", "fine=1"]));
    let terabyte = 1 << 40;
    fs::File::create(sandbox.path("sparse")).unwrap().set_len(terabyte).unwrap();
    fs::File::options().write(true).open(sandbox.path("grows")).unwrap().set_len(terabyte).unwrap();
    fs::create_dir_all(sandbox.path("1/2/3/4/5/6/7")).unwrap();
    sandbox.write("1/2/3/4/5/6/7/x", "deep");
    sandbox.write("1/2/3/4/x", "here");
    fs::write(sandbox.directory.path().join(OsStr::from_bytes(b"bad\xff")), "1").unwrap();
    let changes = sandbox.changes();
    assert_eq!(
        changes.changes.iter().map(Change::path).collect::<Vec<_>>(),
        ["1", "1/2", "1/2/3", "1/2/3/4", "1/2/3/4/5", "1/2/3/4/x"]
    );
    assert_eq!((changes.rejected.len(), changes.rejected_total), (3, 4));

    let all = ProjectionLimits { depth: 5, ..ProjectionLimits::default() };
    let sandbox = Sandbox {
        limits: all.clone(),
        baseline: super::super::Baseline { limits: all, ..sandbox.baseline },
        ..sandbox
    };
    let mut reasons: Vec<(String, RejectReason)> =
        sandbox.changes().rejected.into_iter().map(|rejected| (rejected.path, rejected.reason)).collect();
    reasons.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        reasons,
        [
            ("1/2/3/4/5/6".to_owned(), RejectReason::TooDeep),
            ("bad\u{fffd}".to_owned(), RejectReason::NotUtf8),
            ("grows".to_owned(), RejectReason::TooLarge),
            ("sparse".to_owned(), RejectReason::TooLarge),
        ]
    );
}

#[test]
fn two_thousand_levels_are_one_rejection() {
    let sandbox = Sandbox::new(&tree(&[]));
    let script =
        "d=d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d; for i in $(seq 1 100); do mkdir -p $d && cd -P $d || exit 1; done";
    run(&sandbox, "sh", &["-c", script]);
    let changes = sandbox.changes();
    assert_eq!((changes.changes.len(), changes.rejected_total), (64, 1));
    assert_eq!(changes.rejected[0].reason, RejectReason::TooDeep);
    run(&sandbox, "rm", &["-rf", "d"]);
}

#[test]
fn a_stream_that_is_cut_anywhere_gives_nothing() {
    let sandbox = Sandbox::new(&tree(&["a=1", "gone=1"]));
    sandbox.write("a", "22");
    sandbox.write("large", vec![1; INLINE + 5]);
    symlink("a", sandbox.path("link")).unwrap();
    fs::remove_file(sandbox.path("gone")).unwrap();
    let stream = sandbox.stream();
    let mut model = tree(&["a=1", "gone=1"]);
    apply(&mut model, &sandbox.decode(&stream).unwrap());
    assert_eq!(model, sandbox.real(), "the whole stream is good");
    let cuts = (0..300).chain((300..stream.len()).step_by(997)).chain(stream.len() - 300..stream.len());
    for cut in cuts {
        assert_eq!(sandbox.decode(&stream[..cut]), Err(SyncError::Cut), "{cut} of {}", stream.len());
    }
}

fn change(path: &str, content: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    let entry = Entry { path: path.as_bytes(), kind: EntryKind::File, mode: 0o644, size: content.len() as u64 };
    wire::put_entry(&mut payload, &entry);
    payload.extend_from_slice(content.as_bytes());
    frame(FrameKind::Change, &payload)
}

fn directory(path: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    wire::put_entry(&mut payload, &Entry { path: path.as_bytes(), kind: EntryKind::Directory, mode: 0o755, size: 0 });
    frame(FrameKind::Change, &payload)
}

fn announce(path: &str, size: u64) -> Vec<u8> {
    let mut payload = Vec::new();
    wire::put_entry(&mut payload, &Entry { path: path.as_bytes(), kind: EntryKind::File, mode: 0o644, size });
    frame(FrameKind::Change, &payload)
}

fn delete(path: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    wire::put_path(&mut payload, path.as_bytes());
    frame(FrameKind::Delete, &payload)
}

fn end(json: &str) -> Vec<u8> {
    frame(FrameKind::End, json.as_bytes())
}

fn counts(directories: u64, files: u64, bytes: u64, deleted: u64, rejected: u64) -> Vec<u8> {
    end(&serde_json::json!({
        "directories": directories, "files": files, "bytes": bytes, "deleted": deleted, "rejected": rejected,
    })
    .to_string())
}

#[test]
fn a_hostile_supervisor_gets_nothing_through() {
    let limits = ProjectionLimits { entries: 4, bytes: 1000, file_bytes: 600, rejects: 1, depth: 4 };
    let sandbox = Sandbox::with(limits, &tree(&["d/", "d/in=1", "f=1"]));
    let outcome = |frames: &[Vec<u8>]| match sandbox.decode(&frames.concat()) {
        Ok(changes) => format!("taken: {}", lines(&changes).join(", ")),
        Err(error) => error.to_string(),
    };
    let one = counts(0, 1, 1, 0, 0);
    let mut table = Vec::new();
    let mut case = |name: &str, frames: &[Vec<u8>]| table.push(format!("{name}: {}", outcome(frames)));
    case("control", &[change("a", "x"), one.clone()]);
    case("control, type change", &[delete("f"), directory("f"), change("f/x", "x"), counts(1, 1, 1, 1, 0)]);
    case("nothing at all", &[counts(0, 0, 0, 0, 0)]);
    case("traversal", &[change("../x", "x"), one.clone()]);
    case("traversal in the middle", &[change("a/../../x", "x"), one.clone()]);
    case("absolute", &[change("/etc/passwd", "x"), one.clone()]);
    case("no path", &[change("", "x"), one.clone()]);
    case("root", &[directory("."), counts(1, 0, 0, 0, 0)]);
    case("NUL", &[change("a\0b", "x"), one.clone()]);
    case("too deep", &[change("d/d/d/d/x", "x"), one.clone()]);
    case("twice", &[change("a", "x"), change("a", "y"), counts(0, 2, 2, 0, 0)]);
    case("directory and file", &[directory("a"), change("a", "y"), counts(1, 1, 1, 0, 0)]);
    case("below a new file", &[change("a", "x"), change("a/b", "y"), counts(0, 2, 2, 0, 0)]);
    case("below an old file", &[change("f/b", "y"), one.clone()]);
    case("below nothing", &[change("none/b", "y"), one.clone()]);
    case("file over a directory", &[change("d", "y"), one.clone()]);
    case("directory left below", &[delete("d"), counts(0, 0, 0, 1, 0)]);
    case("deletes nothing", &[delete("none"), counts(0, 0, 0, 1, 0)]);
    case("deletes twice", &[delete("f"), delete("f"), counts(0, 0, 0, 2, 0)]);
    case("deletes and writes", &[delete("f"), change("f", "x"), counts(0, 1, 1, 1, 0)]);
    case("delete traversal", &[delete("../f"), counts(0, 0, 0, 1, 0)]);
    case("too many entries", &[change("1", ""), change("2", ""), change("3", ""), change("4", ""), change("5", "")]);
    case("one too large", &[announce("huge", 1_000_000_000)]);
    case("together too large", &[change("a", &"x".repeat(600)), change("b", &"x".repeat(600))]);
    case("size that wraps", &[change("a", "x"), announce("b", u64::MAX)]);
    case("counts that lie", &[change("a", "x"), counts(0, 2, 2, 0, 0)]);
    case("rejects that are not listed", &[counts(0, 0, 0, 0, 1)]);
    case("empty frame", &[frame(FrameKind::Change, b"")]);
    case("garbage", &[frame(FrameKind::Change, b"\x02\x00")]);
    case("end that is no JSON", &[end("{")]);
    case("content without a file", &[frame(FrameKind::ChangeData, b"x")]);
    case("frames of other talk", &[frame(FrameKind::Ready, b"{}")]);
    case("a header of a gigabyte", &[vec![0xff, 0xff, 0xff, 0x3f, 37]]);
    case("an unknown kind", &[vec![0, 0, 0, 0, 99]]);
    case(
        "a supervisor that gives up",
        &[change("a", "x"), end(r#"{"directories":0,"files":0,"bytes":0,"deleted":0,"rejected":0,"failed":"why"}"#)],
    );
    assert_snapshot!(table.join("\n"), @r#"
    control: taken: f a 644 x
    control, type change: taken: - f, d f 755, f f/x 644 x
    nothing at all: taken: 
    traversal: the changes of a sandbox name the path "../x": it has a . or .. component
    traversal in the middle: the changes of a sandbox name the path "a/../../x": it has a . or .. component
    absolute: the changes of a sandbox name the path "/etc/passwd": it is absolute
    no path: the changes of a sandbox name the path "": it is empty
    root: the changes of a sandbox name the path ".": it has a . or .. component
    NUL: the changes of a sandbox name the path "a\0b": it contains a NUL character
    too deep: the changes of a sandbox name the path "d/d/d/d/x": it is below too many directories
    twice: the changes of a sandbox contradict themselves at "a": it is written twice
    directory and file: the changes of a sandbox contradict themselves at "a": it is written twice
    below a new file: the changes of a sandbox contradict themselves at "a/b": it does not lie in a directory, or changes its kind unsaid
    below an old file: the changes of a sandbox contradict themselves at "f/b": it does not lie in a directory, or changes its kind unsaid
    below nothing: the changes of a sandbox contradict themselves at "none/b": it does not lie in a directory, or changes its kind unsaid
    file over a directory: the changes of a sandbox contradict themselves at "d": it does not lie in a directory, or changes its kind unsaid
    directory left below: the changes of a sandbox contradict themselves at "d/in": it does not lie in a directory, or changes its kind unsaid
    deletes nothing: the changes of a sandbox contradict themselves at "none": what was never there is deleted
    deletes twice: the changes of a sandbox contradict themselves at "f": it is deleted twice
    deletes and writes: the changes of a sandbox contradict themselves at "f": it does not lie in a directory, or changes its kind unsaid
    delete traversal: the changes of a sandbox name the path "../f": it has a . or .. component
    too many entries: the changes of a sandbox pass the bound of 4 files and directories
    one too large: the changes of a sandbox pass the bound of 600 bytes in one file
    together too large: the changes of a sandbox pass the bound of 1000 bytes of changed files
    size that wraps: the changes of a sandbox pass the bound of 600 bytes in one file
    counts that lie: the changes of a sandbox are malformed: Counts { directories: 0, files: 2, bytes: 2, deleted: 0, rejected: 0, failed: None } was announced, Counts { directories: 0, files: 1, bytes: 1, deleted: 0, rejected: 0, failed: None } came
    rejects that are not listed: the changes of a sandbox are malformed: Counts { directories: 0, files: 0, bytes: 0, deleted: 0, rejected: 1, failed: None } was announced, Counts { directories: 0, files: 0, bytes: 0, deleted: 0, rejected: 0, failed: None } came
    empty frame: the changes of a sandbox are malformed: there is no record in a frame
    garbage: the changes of a sandbox are malformed: a record ends in its middle
    end that is no JSON: the changes of a sandbox are malformed: END: EOF while parsing an object at line 1 column 1
    content without a file: the changes of a sandbox are malformed: content comes without a file
    frames of other talk: the changes of a sandbox are malformed: a frame Ready comes among changes
    a header of a gigabyte: the changes of a sandbox are malformed: a frame of 1073741823 bytes was announced; the most is 1048576
    an unknown kind: the changes of a sandbox are malformed: a frame of the unknown kind 99 came
    a supervisor that gives up: the files of the sandbox were not brought back: why
    "#);
}

#[test]
fn large_files_of_a_hostile_supervisor() {
    let sandbox = Sandbox::new(&tree(&[]));
    let size = INLINE as u64 + 10;
    let piece = |length: usize| frame(FrameKind::ChangeData, &vec![b'x'; length]);
    let outcome = |frames: &[Vec<u8>]| sandbox.decode(&frames.concat()).map(|changes| changes.changes.len());
    assert_eq!(outcome(&[announce("a", size), piece(INLINE), piece(10), counts(0, 1, size, 0, 0)]), Ok(1));
    let longer = SyncError::Conflict { path: "a".to_owned(), why: "it is longer than was announced" };
    assert_eq!(outcome(&[announce("a", size), piece(INLINE), piece(11)]), Err(longer));
    let malformed = |what: &str| Err(SyncError::Malformed(what.to_owned()));
    assert_eq!(outcome(&[announce("a", size), piece(0)]), malformed("a piece of 0 bytes"));
    assert_eq!(outcome(&[announce("a", size), piece(300_000)]), malformed("a piece of 300000 bytes"));
    assert_eq!(
        outcome(&[announce("a", size), piece(5), counts(0, 1, size, 0, 0)]),
        malformed("the end comes in the middle of a file")
    );
    assert_eq!(
        outcome(&[announce("a", size), change("b", "x")]),
        malformed("a frame Change comes in the middle of a file")
    );
    assert_eq!(outcome(&[announce("a", size), piece(INLINE), piece(10)]), Err(SyncError::Cut));
}

#[test]
fn a_bad_source_is_told_before_anything_is_started() {
    use super::super::Projection;
    let send = |source: fn(&mut super::super::ProjectionWriter<'_>) -> std::io::Result<()>| {
        let limits = ProjectionLimits { depth: 3, file_bytes: 10, entries: 3, ..ProjectionLimits::default() };
        Projection::new(limits, source)
            .send(&mut Vec::new())
            .map(|projected| projected.len())
            .map_err(|e| e.to_string())
    };
    let table = [
        send(|writer| writer.file_bytes("a/b", 0o644, b"x")),
        send(|writer| writer.file_bytes("../b", 0o644, b"x")),
        send(|writer| writer.file_bytes("a/b/c/d", 0o644, b"x")),
        send(|writer| writer.file_bytes("a", 0o644, b"12345678901")),
        send(|writer| writer.file("a", 0o644, 3, &mut &b"12"[..])),
        send(|writer| writer.file("a", 0o644, 3, &mut &b"1234"[..])),
        send(|writer| writer.dir("a", 0o755).and_then(|()| writer.dir("a", 0o755))),
        send(|writer| writer.file_bytes("a", 0o644, b"").and_then(|()| writer.dir("a/b", 0o755))),
        send(|writer| ["a", "b", "c", "d"].iter().try_for_each(|path| writer.dir(path, 0o755))),
    ];
    insta::assert_debug_snapshot!(table, @r#"
    [
        Ok(
            2,
        ),
        Err(
            "\"../b\" cannot be projected: it has a . or .. component",
        ),
        Err(
            "\"a/b/c/d\" cannot be projected: it is below too many directories",
        ),
        Err(
            "\"a\" cannot be projected: it has 11 bytes, the most is 10",
        ),
        Err(
            "\"a\" cannot be projected: its content does not have the length that was given",
        ),
        Err(
            "\"a\" cannot be projected: its content does not have the length that was given",
        ),
        Err(
            "\"a\" cannot be projected: it was named before, or something below it was",
        ),
        Err(
            "\"a/b\" cannot be projected: \"a\" is a file",
        ),
        Err(
            "\"d\" cannot be projected: there are more than 3 files and directories",
        ),
    ]
    "#);
    assert_eq!(PathProblem::DotComponent.to_string(), "it has a . or .. component");
}
