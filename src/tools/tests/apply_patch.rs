//! `apply_patch` on real files. The first part goes through the scenarios that harnesses with this format agree on; where this one differs
//! (nothing is left of a patch that fails), the test says so.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn envelope(body: &str) -> String {
    format!("*** Begin Patch\n{body}\n*** End Patch")
}

/// `name=content` of every file, sorted; directories without files by their name.
fn tree(bench: &Bench) -> String {
    let mut found = Vec::new();
    let mut pending = vec![bench.dir.path().to_path_buf()];
    while let Some(directory) = pending.pop() {
        let entries: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        if entries.is_empty() && directory != bench.dir.path() {
            found.push(format!("{}/", directory.strip_prefix(bench.dir.path()).unwrap().display()));
        }
        for path in entries {
            if path.is_dir() && !path.is_symlink() {
                pending.push(path);
            } else {
                let name = path.strip_prefix(bench.dir.path()).unwrap().display().to_string();
                found.push(format!("{name}={:?}", fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    found.sort();
    found.join(" ")
}

/// Files before, body of the patch, and the tree after it.
async fn good(files: &[(&str, &str)], body: &str, after: &str) -> String {
    let bench = Bench::new(files);
    let text = bench.good("apply_patch", json!({ "input": envelope(body) })).await;
    assert_eq!(tree(&bench), after, "{body}");
    text
}

/// Files before and a body that is refused; nothing has changed.
async fn bad(files: &[(&str, &str)], body: &str) -> String {
    refused(files, &envelope(body)).await
}

async fn refused(files: &[(&str, &str)], patch: &str) -> String {
    let bench = Bench::new(files);
    let before = tree(&bench);
    let text = bench.bad("apply_patch", json!({ "input": patch })).await;
    assert_eq!(tree(&bench), before, "{patch}");
    text
}

#[tokio::test]
async fn files_are_added_updated_and_deleted() {
    // 001, 002
    let text = good(&[], "*** Add File: bar.md\n+This is a new file", "bar.md=\"This is a new file\\n\"").await;
    assert_eq!(text, "Success. Updated the following files:\nA bar.md");
    let text = good(
        &[("modify.txt", "one\ntwo\n"), ("delete.txt", "gone\n")],
        "*** Add File: nested/new.txt\n+created\n*** Delete File: delete.txt\n*** Update File: modify.txt\n@@\n-two\n+TWO",
        "modify.txt=\"one\\nTWO\\n\" nested/new.txt=\"created\\n\"",
    )
    .await;
    assert_eq!(text, "Success. Updated the following files:\nA nested/new.txt\nM modify.txt\nD delete.txt");
    // 003
    good(
        &[("multi.txt", "one\ntwo\nthree\nfour\n")],
        "*** Update File: multi.txt\n@@\n-two\n+2\n@@\n-four\n+4",
        "multi.txt=\"one\\n2\\nthree\\n4\\n\"",
    )
    .await;
    // 020a
    good(&[("stale", "x"), ("kept", "y")], "*** Delete File: stale", "kept=\"y\"").await;
    // 011: adding replaces
    good(&[("dup.txt", "old\n")], "*** Add File: dup.txt\n+other", "dup.txt=\"other\\n\"").await;
}

#[tokio::test]
async fn files_move() {
    // 004
    let text = good(
        &[("old/name.txt", "first\nsecond\n"), ("old/other", "x")],
        "*** Update File: old/name.txt\n*** Move to: renamed/dir/name.txt\n@@\n-second\n+changed",
        "old/other=\"x\" renamed/dir/name.txt=\"first\\nchanged\\n\"",
    )
    .await;
    assert_eq!(text, "Success. Updated the following files:\nM renamed/dir/name.txt\nD old/name.txt");
    // 010: an existing file at the other name is replaced
    good(
        &[("from", "a\n"), ("to", "something else\n")],
        "*** Update File: from\n*** Move to: to\n@@\n-a\n+b",
        "to=\"b\\n\"",
    )
    .await;
    // Onto itself, without changes, and on from there.
    good(&[("f", "a\n")], "*** Update File: f\n*** Move to: ./f\n@@\n-a\n+b", "f=\"b\\n\"").await;
    good(&[("f", "a")], "*** Update File: f\n*** Move to: g", "g=\"a\"").await;
    good(
        &[("f", "a\n")],
        "*** Update File: f\n*** Move to: g\n*** Update File: g\n*** Move to: h\n@@\n-a\n+b",
        "h=\"b\\n\"",
    )
    .await;
    // Two files change places.
    good(
        &[("f", "1\n"), ("g", "2\n")],
        "*** Update File: f\n*** Move to: t\n*** Update File: g\n*** Move to: f\n*** Update File: t\n*** Move to: g",
        "f=\"2\\n\" g=\"1\\n\"",
    )
    .await;
    let bench = Bench::new(&[("run.sh", "echo a\n")]);
    fs::set_permissions(bench.path("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let body = "*** Update File: run.sh\n*** Move to: bin/run\n@@\n-echo a\n+echo b";
    bench.good("apply_patch", json!({ "input": envelope(body) })).await;
    assert_eq!(fs::metadata(bench.path("bin/run")).unwrap().permissions().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_whole() {
    let one: &[(&str, &str)] = &[("f.txt", "line1\nline2\n"), ("dir/x", "x")];
    // 005
    assert!(bad(one, "").await.contains("The patch is empty"));
    assert!(refused(one, "*** Begin Patch\n*** End Patch").await.contains("The patch is empty"));
    // 006
    insta::assert_snapshot!(bad(one, "*** Update File: f.txt\n@@\n-missing\n+x").await, @r"
    f.txt was not changed: the chunk at line 3 of the patch does not fit. These lines are not in the file. Read it again and quote it exactly:
      missing.
    ");
    // 007, 009, 012
    assert!(bad(one, "*** Delete File: none.txt").await.contains("none.txt does not exist"));
    assert_eq!(bad(one, "*** Update File: f.tx\n@@\n-a\n+b").await, "f.tx does not exist. Similar: f.txt.");
    assert!(bad(one, "*** Delete File: dir").await.contains("dir is a directory, not a file"));
    assert!(bad(one, "*** Add File: dir\n+x").await.contains("dir is a directory"));
    // 008
    insta::assert_snapshot!(bad(one, "*** Update File: f.txt").await, @"Line 2 of the patch: the update of f.txt changes nothing. Give lines that begin with '-' or '+'.");
    // 013
    insta::assert_snapshot!(bad(one, "*** Frobnicate File: f.txt").await, @"Line 2 of the patch is not understood: \"*** Frobnicate File: f.txt\". A section begins with '*** Add File: <path>', '*** Update File: <path>' or '*** Delete File: <path>'.");
    // 015, where others leave what they did before the failure
    bad(one, "*** Add File: created.txt\n+x\n*** Delete File: f.txt\n*** Update File: none\n@@\n-a\n+b").await;
    bad(one, "*** Update File: f.txt\n@@\n-line1\n+1\n@@\n-nothing\n+x").await;
    // Chunks run from the top to the end.
    assert!(
        bad(one, "*** Update File: f.txt\n@@\n-line2\n+2\n@@\n-line1\n+1").await.contains("before an earlier chunk")
    );
    bad(one, "*** Add File: f.txt/below\n+x").await;
    bad(one, "*** Delete File: f.txt\n*** Add File: f.txt/below\n+x").await;
}

#[tokio::test]
async fn line_endings_and_the_last_line() {
    // 014
    good(
        &[("f", "no newline at end")],
        "*** Update File: f\n@@\n-no newline at end\n+first\n+second",
        "f=\"first\\nsecond\\n\"",
    )
    .await;
    good(&[("f", "a\nb")], "*** Update File: f\n@@\n-a\n+A\n b", "f=\"A\\nb\\n\"").await;
    // 021
    good(&[("f", "a\nb\nc\n")], "*** Update File: f\n@@\n a\n-b\n c", "f=\"a\\nc\\n\"").await;
    good(&[("f", "a\n")], "*** Update File: f\n@@\n-a", "f=\"\"").await;
    // 022
    good(
        &[("f", "x\nend\nx\nend\n")],
        "*** Update File: f\n@@\n x\n-end\n+END\n*** End of File",
        "f=\"x\\nend\\nx\\nEND\\n\"",
    )
    .await;
    // Endings are the target's, line by line.
    good(
        &[("f", "a\r\nb\r\nc\r\n")],
        "*** Update File: f\n@@\n a\n-b\n+B\n+BB\n c",
        "f=\"a\\r\\nB\\r\\nBB\\r\\nc\\r\\n\"",
    )
    .await;
    good(&[("f", "a\r\nb\nc\r\nd\n")], "*** Update File: f\n@@\n-b\n+B\n c\n-d\n+D", "f=\"a\\r\\nB\\nc\\r\\nD\\n\"")
        .await;
    good(&[("f", "a\r\nb")], "*** Update File: f\n@@\n a\n-b\n+c", "f=\"a\\r\\nc\\n\"").await;
    good(&[("f", "a\r\nb\r\nc")], "*** Update File: f\n@@\n b\n-c\n+d", "f=\"a\\r\\nb\\r\\nd\\r\\n\"").await;
    // A patch with carriage returns changes a file without them.
    good(&[("f", "a\nb\n")], "*** Update File: f\r\n@@\r\n-a\r\n+A\r", "f=\"A\\nb\\n\"").await;
    // A byte order mark stays, and is not in the way.
    good(&[("f", "\u{feff}a\nb\n")], "*** Update File: f\n@@\n-a\n+A", "f=\"\\u{feff}A\\nb\\n\"").await;
    good(&[("f", "a\tb\n")], "*** Update File: f\n@@\n-a\tb\n+\ta", "f=\"\\ta\\n\"").await;
}

#[tokio::test]
async fn lines_that_are_only_added_go_where_the_patch_says() {
    // 016
    good(&[("f", "a\nb\n")], "*** Update File: f\n@@\n+c\n+d", "f=\"a\\nb\\nc\\nd\\n\"").await;
    good(&[("f", "a\nb")], "*** Update File: f\n@@\n+c", "f=\"a\\nb\\nc\\n\"").await;
    let file: &[(&str, &str)] = &[("f", "fn a() {\n}\nfn b() {\n}\n")];
    good(file, "*** Update File: f\n@@ fn a() {\n+    x();", "f=\"fn a() {\\n    x();\\n}\\nfn b() {\\n}\\n\"").await;
    good(file, "*** Update File: f\n@@ fn a() {\n+end\n*** End of File", "f=\"fn a() {\\n}\\nfn b() {\\n}\\nend\\n\"")
        .await;
    assert!(bad(file, "*** Update File: f\n@@ fn none() {\n+    x();").await.contains("The line after @@ are not"));
    assert!(
        bad(file, "*** Update File: f\n@@ -3,0 +4,1 @@\n+    x();").await.contains("line numbers do not say where")
    );
    // Several lines narrow the place, each below the one before it.
    let nested: &[(&str, &str)] = &[("f", "class A\n def x\n  1\nclass B\n def x\n  1\n")];
    good(
        nested,
        "*** Update File: f\n@@ class B\n@@  def x\n-  1\n+  2",
        "f=\"class A\\n def x\\n  1\\nclass B\\n def x\\n  2\\n\"",
    )
    .await;
    good(
        nested,
        "*** Update File: f\n@@ -3 +3 @@ def x\n-  1\n+  2",
        "f=\"class A\\n def x\\n  2\\nclass B\\n def x\\n  1\\n\"",
    )
    .await;
}

#[tokio::test]
async fn markers_and_wrappers_are_read_generously() {
    let file: &[(&str, &str)] = &[("f.txt", "old\n")];
    let after = "f.txt=\"new\\n\"";
    // 017, 018, 020b
    good(file, "   *** Update File: f.txt  \n@@\n-old\n+new", after).await;
    for patch in [
        " *** Begin Patch\n*** Update File: f.txt\n@@\n-old\n+new\n*** End Patch ",
        "*** Begin Patch   \n*** Update File: f.txt\n@@\n-old\n+new\n   *** End Patch\t\n",
        "<<'EOF'\n*** Begin Patch\n*** Update File: f.txt\n@@\n-old\n+new\n*** End Patch\nEOF\n",
        "apply_patch <<\"PATCH\"\n*** Begin Patch\n*** Update File: f.txt\n-old\n+new\n*** End Patch\nPATCH",
        "\u{feff}*** Begin Patch\r\n*** Environment ID: 1\r\n*** Update File: f.txt\r\n@@\r\n-old\r\n+new\r\n*** End Patch\r\n",
        "```\n*** Begin Patch\n\n*** Update File: f.txt\n\n@@\n-old\n+new\n\n*** End Patch\n```",
    ] {
        let bench = Bench::new(file);
        bench.good("apply_patch", json!({ "input": patch })).await;
        assert_eq!(tree(&bench), after, "{patch}");
    }
    for (patch, expected) in [
        ("please:\n*** Begin Patch\n*** End Patch", "The first line of the patch must be"),
        ("*** Begin Patch\n*** Update File: f.txt\n-old\n+new", "The last line of the patch must be"),
        ("*** Begin Patch", "The last line of the patch must be"),
        ("", "The first line of the patch must be"),
        ("*** Begin Patch\n*** Update File: f.txt\nold\n*** End Patch", "Line 3 of the patch is not understood"),
        ("*** Begin Patch\n*** Add File: g\nx\n*** End Patch", "Every line of an added file begins with '+'"),
        ("*** Begin Patch\n*** Add File: g\n+a\n\n+b\n*** End Patch", "empty ones too"),
        ("*** Begin Patch\n*** Add File:\n+a\n*** End Patch", "names no file"),
        ("*** Begin Patch\n*** Update File: f.txt\n@@\n*** End Patch", "the chunk has no lines"),
        ("*** Begin Patch\n*** Delete File: f.txt\n+x\n*** End Patch", "A section begins with"),
    ] {
        assert!(refused(file, patch).await.contains(expected), "{patch}");
    }
}

#[tokio::test]
async fn near_misses_are_found_and_kept_as_they_are() {
    // 019
    good(
        &[("f", "naïve café ✅\n")],
        "*** Update File: f\n@@\n-naïve café ✅\n+naïve café ☕",
        "f=\"naïve café ☕\\n\"",
    )
    .await;
    // Typographic marks that the patch lacks; unchanged lines keep theirs.
    good(
        &[("f", "\u{201c}it\u{2019}s\u{201d} \u{2013} one\ntwo\n")],
        "*** Update File: f\n@@\n \"it's\" - one\n-two\n+2",
        "f=\"“it’s” – one\\n2\\n\"",
    )
    .await;
    good(&[("f", "a   \n\tb\nc\n")], "*** Update File: f\n@@\n a\n b\n-c\n+d", "f=\"a   \\n\\tb\\nd\\n\"").await;
    // A blank line before the next marker is not in the file.
    good(&[("f", "a\nb\n")], "*** Update File: f\n@@\n a\n-b\n+c\n\n*** Add File: g\n+g", "f=\"a\\nc\\n\" g=\"g\\n\"")
        .await;
}

#[tokio::test]
async fn sections_see_what_earlier_ones_did() {
    good(
        &[("f", "1\n2\n")],
        "*** Update File: f\n@@\n-1\n+one\n*** Update File: f\n@@\n-2\n+two\n*** Update File: f\n@@\n-one\n+ONE",
        "f=\"ONE\\ntwo\\n\"",
    )
    .await;
    good(&[], "*** Add File: f\n+a\n*** Update File: f\n@@\n-a\n+b", "f=\"b\\n\"").await;
    good(&[("f", "x")], "*** Delete File: f\n*** Add File: f\n+y", "f=\"y\\n\"").await;
    good(&[("f", "x")], "*** Add File: g\n+y\n*** Delete File: g\n*** Delete File: f", "").await;
    bad(&[("f", "x\n")], "*** Delete File: f\n*** Update File: f\n@@\n-x\n+y").await;
    bad(&[("f", "x\n")], "*** Delete File: f\n*** Delete File: f").await;
}

#[tokio::test]
async fn details_carry_the_diff_and_every_file() {
    let bench = Bench::new(&[("a", "1\n2\n"), ("b", "x\n"), ("c", "moved\n")]);
    let body = "*** Update File: a\n@@\n-2\n+two\n+three\n*** Delete File: b\n*** Add File: n\n+n\n*** Update File: c\n*** Move to: d";
    let output = bench.call("apply_patch", json!({ "patch": envelope(body) })).await;
    let details = output.details.unwrap();
    assert_eq!((&details["added"], &details["removed"]), (&json!(4), &json!(3)));
    assert_eq!(
        details["files"],
        json!([
            { "path": "a", "change": "modified" },
            { "path": "b", "change": "deleted" },
            { "path": "c", "change": "deleted" },
            { "path": "d", "change": "modified", "movedFrom": "c" },
            { "path": "n", "change": "added" },
        ])
    );
    assert!(details["diff"].as_str().unwrap().contains("--- a/a\n+++ b/a\n@@ -1,2 +1,3 @@\n 1\n-2\n+two\n+three\n"));
}

#[tokio::test]
async fn attacks_through_paths_end_at_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret\n").unwrap();
    let bench = Bench::new(&[("in", "in\n")]);
    symlink(outside.path(), bench.path("way")).unwrap();
    symlink(outside.path().join("secret"), bench.path("link")).unwrap();
    symlink("nowhere", bench.path("broken")).unwrap();
    symlink("in", bench.path("inner")).unwrap();
    fs::hard_link(outside.path().join("secret"), bench.path("hard")).unwrap();
    assert_eq!(fs::read_to_string(bench.path("way/secret")).unwrap(), "secret\n", "control");
    let absolute = outside.path().join("secret").display().to_string();
    let before = tree(&bench);
    for path in [
        "../secret",
        "a/../../secret",
        absolute.as_str(),
        "way/secret",
        "link",
        "broken",
        "inner",
        "~/x",
        ".",
        ".git/config",
    ] {
        for body in [
            format!("*** Add File: {path}\n+evil"),
            format!("*** Update File: {path}\n@@\n-secret\n+evil"),
            format!("*** Update File: in\n*** Move to: {path}\n@@\n-in\n+evil"),
        ] {
            bench.bad("apply_patch", json!({ "input": envelope(&body) })).await;
        }
    }
    for path in ["way/secret", "../secret", absolute.as_str(), "way/none"] {
        bench.bad("apply_patch", json!({ "input": envelope(&format!("*** Delete File: {path}")) })).await;
    }
    assert_eq!(tree(&bench), before);
    // An alias gets a file of its own; links go without what they name; absolute paths inside are fine.
    let inside = bench.path("in").display().to_string();
    let body = format!(
        "*** Update File: hard\n@@\n-secret\n+mine\n*** Delete File: link\n*** Delete File: broken\n*** Update File: {inside}\n@@\n-in\n+IN"
    );
    bench.good("apply_patch", json!({ "input": envelope(&body) })).await;
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret\n");
    assert_eq!(fs::read_to_string(bench.path("hard")).unwrap(), "mine\n");
    assert_eq!(fs::read_to_string(bench.path("in")).unwrap(), "IN\n");
    assert!(!bench.path("link").is_symlink() && !bench.path("broken").is_symlink());
}

#[tokio::test]
async fn binary_files_can_be_removed_and_moved_and_not_patched() {
    let bench = Bench::new(&[]);
    fs::write(bench.path("bin"), b"\xff\xfe\0\x01").unwrap();
    fs::write(bench.path("nul"), b"a\0b\nc\n").unwrap();
    let text = bench.bad("apply_patch", json!({ "input": envelope("*** Update File: bin\n@@\n-a\n+b") })).await;
    assert!(text.contains("not UTF-8 text"), "{text}");
    bench.good("apply_patch", json!({ "input": envelope("*** Update File: bin\n*** Move to: b2") })).await;
    assert_eq!(fs::read(bench.path("b2")).unwrap(), b"\xff\xfe\0\x01");
    bench.good("apply_patch", json!({ "input": envelope("*** Delete File: b2") })).await;
    bench.good("apply_patch", json!({ "input": envelope("*** Update File: nul\n@@\n-c\n+d") })).await;
    assert_eq!(fs::read(bench.path("nul")).unwrap(), b"a\0b\nd\n");
    fs::File::create(bench.path("huge")).unwrap().set_len(1 << 40).unwrap();
    let text = bench.bad("apply_patch", json!({ "input": envelope("*** Update File: huge\n@@\n-c\n+d") })).await;
    assert!(text.contains("too large"), "{text}");
    bench.good("apply_patch", json!({ "input": envelope("*** Delete File: huge") })).await;
}

/// 100,000 chunks in a file of 200,000 lines, every one found only by the loosest comparison but one.
#[tokio::test]
async fn many_chunks_in_a_large_file_take_seconds_at_most() {
    let lines = 200_000;
    let content = (0..lines).fold(String::new(), |text, line| text + &format!("\tvalue {line} is here  \n"));
    let bench = Bench::new(&[("big", &content)]);
    let body = (0..lines).step_by(2).fold("*** Update File: big".to_owned(), |text, line| {
        text + &format!("\n@@\n-value {line} is here\n+changed {line}")
    });
    let started = std::time::Instant::now();
    bench.good("apply_patch", json!({ "input": envelope(&body) })).await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    let after = fs::read_to_string(bench.path("big")).unwrap();
    assert!(after.starts_with("changed 0\n\tvalue 1 is here  \n"));
    assert_eq!(after.lines().filter(|line| line.starts_with("changed")).count(), 100_000);
}

/// Lines that are everywhere, and a chunk that fits nowhere.
#[tokio::test]
async fn a_hostile_patch_is_given_up() {
    let content = "x\ny\n".repeat(200_000);
    let bench = Bench::new(&[("big", &content)]);
    let mut body = "*** Update File: big\n@@".to_owned();
    for _ in 0..50_000 {
        body.push_str("\n x\n y");
    }
    body.push_str("\n-y\n-x\n+z");
    let started = std::time::Instant::now();
    let text = bench.bad("apply_patch", json!({ "input": envelope(&body) })).await;
    assert!(text.contains("very often") || text.contains("not in the file"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

/// The same tool on the files of the database.
#[tokio::test]
async fn virtual_files_are_patched_in_one_transaction() {
    use crate::fs::{AgentFiles, Namespace, RelPath, VfsLimits, VirtualAgentFs, WriteOptions};
    use crate::state::{OpenOptions, StatePaths, Store};
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StatePaths::new(dir.path()), &OpenOptions::default()).unwrap();
    let virtual_fs =
        |namespace| Arc::new(VirtualAgentFs::new(store.clone(), "main".into(), namespace, VfsLimits::default()));
    let (files, scratch) = (virtual_fs(Namespace::Workspace), virtual_fs(Namespace::Scratch));
    let path = |text: &str| RelPath::parse(text).unwrap();
    let read = |name: &str| files.read(&path(name), 99).map(|data| String::from_utf8(data).unwrap()).ok();
    let parents = WriteOptions { create_parents: true, ..WriteOptions::default() };
    files.write_with(&path("src/a"), b"1\r\n2\r\n", &parents).unwrap();
    files.write_with(&path("b"), b"b\n", &parents).unwrap();
    let mut context = ToolContext::for_files(AgentFilesystem::of(files.clone()));
    context.files.scratch = Some(scratch.clone());
    let tools = ToolSet::builtin(&[], &[]);
    let call = async |body: &str| {
        let output = tools.call(&context, "apply_patch", json!({ "input": envelope(body) })).await;
        (output.is_error, plain_text(&output.content))
    };
    let revision = || files.usage().unwrap().0.revision;

    let before = revision();
    let body = "*** Update File: src/a\n*** Move to: moved/a\n@@\n-2\n+two\n*** Delete File: b\n*** Add File: n/c\n+c";
    let (failed, text) = call(body).await;
    assert!(!failed, "{text}");
    assert_eq!(text, "Success. Updated the following files:\nA n/c\nM moved/a\nD b\nD src/a");
    assert_eq!((read("moved/a").as_deref(), read("n/c").as_deref()), (Some("1\r\ntwo\r\n"), Some("c\n")));
    assert_eq!((read("src/a"), read("b")), (None, None));
    assert!(revision() > before);

    let before = revision();
    for body in [
        "*** Add File: x\n+x\n*** Update File: n/c\n@@\n-nothing\n+x",
        "*** Add File: x\n+x\n*** Delete File: none",
        "*** Add File: x\n+x\n*** Add File: n\n+a directory",
        "*** Add File: n/c/below\n+x",
        "*** Add File: ../x\n+x",
    ] {
        assert!(call(body).await.0, "{body}");
    }
    assert_eq!((revision(), read("x")), (before, None), "nothing of a patch that is refused");

    let (failed, text) = call("*** Add File: scratch:/notes\n+kept").await;
    assert!(!failed && text.ends_with("A scratch:/notes"), "{text}");
    assert_eq!(scratch.read(&path("notes"), 99).unwrap(), b"kept\n");
    assert_eq!(read("notes"), None);
}
