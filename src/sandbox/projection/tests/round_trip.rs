//! What a command may do to files (rows 76 to 78 and 82 to 84 of the attack list), and what comes back of it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use insta::assert_debug_snapshot;
use insta::assert_snapshot;

use super::super::{ProjectionLimits, SyncError};
use super::support::{Sandbox, apply, lines, run, tree};

/// Makes the projected files old enough for their times to prove something, and waits until the clock of the files has ticked.
fn past_the_tick(sandbox: &mut Sandbox) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(12) {
        std::hint::spin_loop();
    }
    sandbox.baseline.ended += 60_000_000_000;
}

#[test]
fn the_tree_arrives_as_it_was_and_nothing_comes_back_from_an_idle_command() {
    let mut start = tree(&["a=1", "deep/", "deep/er/", "deep/er/file=text", "empty=", "locked/", "locked/in=x"]);
    start.insert("big".to_owned(), (0o755, Some(vec![7; 700_001])));
    start.insert("exactly".to_owned(), (0o600, Some(vec![8; 128 * 1024])));
    start.insert("locked".to_owned(), (0o500, None));
    start.insert("locked/secret".to_owned(), (0o000, Some(b"s".to_vec())));
    let sandbox = Sandbox::new(&start);
    sandbox.chmod("locked/secret", 0o400);
    let mut real = sandbox.real();
    sandbox.chmod("locked/secret", 0o000);
    real.get_mut("locked/secret").unwrap().0 = 0o000;
    assert_eq!(real, start);
    let changes = sandbox.changes();
    assert_eq!(lines(&changes), Vec::<String>::new(), "the files are younger than a tick: they are read and compared");
}

#[test]
fn directories_that_nobody_named_are_made_and_are_no_changes() {
    let sandbox = Sandbox::new(&tree(&["x/y/z=1"]));
    assert!(sandbox.path("x/y").is_dir() && sandbox.projected.is_directory("x/y") && sandbox.projected.len() == 3);
    assert!(sandbox.changes().changes.is_empty());
    fs::remove_dir_all(sandbox.path("x")).unwrap();
    assert_eq!(lines(&sandbox.changes()), ["- x/y/z", "- x/y", "- x"]);
}

#[test]
fn creates_edits_deletes_renames_modes_and_directories() {
    let start = tree(&["edit=old", "gone=1", "from=moved", "tool=#!", "dir/", "dir/in=1", "keep=same", "empty/"]);
    let sandbox = Sandbox::new(&start);
    sandbox.write("edit", "new");
    fs::remove_file(sandbox.path("gone")).unwrap();
    fs::rename(sandbox.path("from"), sandbox.path("to")).unwrap();
    sandbox.chmod("tool", 0o755);
    sandbox.chmod("dir", 0o700);
    fs::remove_dir(sandbox.path("empty")).unwrap();
    fs::create_dir_all(sandbox.path("new/deeper")).unwrap();
    sandbox.write("new/deeper/file", "");
    let changes = sandbox.changes();
    assert_snapshot!(lines(&changes).join("\n"), @r"
    - gone
    - from
    - empty
    d dir 700
    f edit 644 new
    d new 755
    d new/deeper 755
    f new/deeper/file 644 
    f to 644 moved
    f tool 755 #!
    ");
    let mut model = start;
    apply(&mut model, &changes);
    assert_eq!(model, sandbox.real());
}

#[test]
fn an_edit_that_keeps_size_and_times_is_seen() {
    let mut sandbox = Sandbox::new(&tree(&["a=one", "b=one", "reference=r"]));
    past_the_tick(&mut sandbox);
    run(&sandbox, "sh", &["-c", "touch -r a stamp; printf two > a; touch -r stamp a; rm stamp"]);
    assert_eq!(lines(&sandbox.changes()), ["f a 644 two"]);
}

#[test]
fn an_edit_within_the_tick_of_the_projection_is_seen() {
    for _ in 0..50 {
        let sandbox = Sandbox::new(&tree(&["a=one"]));
        fs::File::options().write(true).open(sandbox.path("a")).unwrap().write_all_at(b"two", 0).unwrap();
        assert_eq!(lines(&sandbox.changes()), ["f a 644 two"]);
    }
}

#[test]
fn an_edit_that_is_taken_back_and_a_touch_are_no_changes() {
    let big = "b".repeat(300_000);
    let mut sandbox = Sandbox::new(&tree(&["a=one", &format!("big={big}")]));
    past_the_tick(&mut sandbox);
    sandbox.write("a", "two");
    sandbox.write("a", "one");
    run(&sandbox, "touch", &["big"]);
    assert!(sandbox.changes().changes.is_empty());
    sandbox.write("big", big.replacen('b', "c", 1));
    assert_eq!(lines(&sandbox.changes()), ["f big 644 (300000 bytes)"]);
}

/// A page that was read before is writable at once in a shared mapping: the write leaves no time behind.
#[test]
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn a_write_through_a_mapping_that_was_read_before_is_seen() {
    let python = "/usr/bin/python3";
    if !std::path::Path::new(python).exists() {
        eprintln!("not run: without {python} there is nothing here that can map a file");
        return;
    }
    let script = r#"
import mmap, os
fd = os.open("mapped", os.O_RDWR)
view = mmap.mmap(fd, 0)
assert view[0:3] == b"one"
view[0:3] = b"two"
view.close()
"#;
    let mut sandbox = Sandbox::new(&tree(&["mapped=one, and more", "other=x"]));
    past_the_tick(&mut sandbox);
    run(&sandbox, python, &["-c", script]);
    assert_eq!(lines(&sandbox.changes()), ["f mapped 644 two, and more"]);
}

#[test]
fn a_write_through_a_descriptor_kept_open_is_seen() {
    let mut sandbox = Sandbox::new(&tree(&["log=1"]));
    let kept = fs::File::options().append(true).open(sandbox.path("log")).unwrap();
    past_the_tick(&mut sandbox);
    std::io::Write::write_all(&mut &kept, b"2").unwrap();
    assert_eq!(lines(&sandbox.changes()), ["f log 644 12"]);
}

#[test]
fn things_become_other_things() {
    let start = tree(&["f=1", "d/", "d/x=1", "d/sub/", "d/sub/y=2", "p=left", "q=right", "Case=c"]);
    let sandbox = Sandbox::new(&start);
    run(
        &sandbox,
        "sh",
        &["-c", "rm f; mkdir f; echo -n in > f/in; rm -r d; echo -n file > d; mv p t; mv q p; mv t q; mv Case case"],
    );
    let changes = sandbox.changes();
    assert_snapshot!(lines(&changes).join("\n"), @r"
    - f
    - d/x
    - d/sub/y
    - d/sub
    - d
    - Case
    f case 644 c
    f d 644 file
    d f 755
    f f/in 644 in
    f p 644 right
    f q 644 left
    ");
    let mut model = start;
    apply(&mut model, &changes);
    assert_eq!(model, sandbox.real());
}

#[test]
fn names_that_are_odd_but_text_survive() {
    let sandbox = Sandbox::new(&tree(&["-rf=1"]));
    let long = "n".repeat(255);
    for name in
        ["new\nline", "tab\t", "\u{1b}[31m", ".hidden", "...", "ä", "a\u{308}", "A", "a", "%2e%2e", "a\\b", &long]
    {
        sandbox.write(name, name);
    }
    sandbox.write("-rf", "2");
    let changes = sandbox.changes();
    let mut model = tree(&["-rf=1"]);
    apply(&mut model, &changes);
    assert_eq!((model.len(), changes.rejected.len()), (13, 0));
    assert_eq!(model, sandbox.real());
}

#[test]
fn what_its_owner_may_not_read_is_read_all_the_same() {
    let sandbox = Sandbox::new(&tree(&["d/", "d/f=1", "d/e/", "d/e/g=1"]));
    sandbox.write("d/f", "two");
    sandbox.write("d/e/g", "three");
    sandbox.chmod("d/f", 0o000);
    sandbox.chmod("d/e", 0o000);
    sandbox.chmod("d", 0o000);
    sandbox.chmod("", 0o000);
    assert_eq!(
        lines(&sandbox.changes()),
        ["d d 0", "d d/e 0", "f d/e/g 644 three", "f d/f 0 two"],
        "the modes that come back are those that the command set"
    );
}

#[test]
fn special_bits_are_dropped_and_told() {
    let sandbox = Sandbox::new(&tree(&["su=1"]));
    sandbox.chmod("su", 0o4755);
    fs::create_dir(sandbox.path("shared")).unwrap();
    sandbox.chmod("shared", 0o1777);
    assert_eq!(lines(&sandbox.changes()), ["d shared 777", "f su 755 1", "! shared SpecialBits", "! su SpecialBits"]);
}

#[test]
fn large_files_come_in_pieces() {
    let content: Vec<u8> = (0..1_000_003_u32).map(|index| index.to_le_bytes()[0] ^ index.to_le_bytes()[1]).collect();
    let sandbox = Sandbox::new(&tree(&[]));
    sandbox.write("large", &content);
    sandbox.write("edge", &content[..128 * 1024]);
    sandbox.write("over", &content[..=128 * 1024]);
    let mut model = tree(&[]);
    apply(&mut model, &sandbox.changes());
    assert_eq!(model, sandbox.real());
}

#[test]
fn bounds_of_the_whole_let_nothing_through_and_say_so() {
    let refused = |limits: ProjectionLimits, script: &str| {
        let sandbox = Sandbox::with(limits, &tree(&["a=1"]));
        run(&sandbox, "sh", &["-c", script]);
        match sandbox.try_changes() {
            Err(SyncError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let few = ProjectionLimits { entries: 10, ..ProjectionLimits::default() };
    let small = ProjectionLimits { bytes: 1000, ..ProjectionLimits::default() };
    assert_debug_snapshot!(
        [
            refused(few, "for i in 1 2 3 4 5; do mkdir d$i; echo > d$i/f; done"),
            refused(small.clone(), "head -c 600 /dev/zero > x; head -c 600 /dev/zero > y"),
            refused(small, "truncate -s 100M sparse"),
        ],
        @r#"
    [
        "there are more than 10 files and directories",
        "the files that changed have more than 1000 bytes together",
        "the files that changed have more than 1000 bytes together",
    ]
    "#
    );
}
