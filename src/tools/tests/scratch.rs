//! `scratch:/…` in every file tool. A host directory stands in for the scratch files.

use proptest::prelude::*;

use super::*;

struct Two {
    bench: Bench,
    scratch: tempfile::TempDir,
}

fn two() -> Two {
    let mut bench = Bench::new(&[("same.txt", "workspace\n")]);
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("same.txt"), "scratch\n").unwrap();
    bench.context.files.scratch = Some(Arc::new(HostCapabilityFs::open(scratch.path()).unwrap()));
    Two { bench, scratch }
}

#[tokio::test]
async fn every_tool_reaches_scratch_files_and_shows_them_as_such() {
    let Two { bench, scratch } = two();
    let path = "scratch:/same.txt";
    assert_eq!(bench.good("read", json!({ "path": path })).await, "scratch\n");
    assert_eq!(bench.good("read", json!({ "path": "same.txt" })).await, "workspace\n");
    assert!(
        bench
            .good("write", json!({ "path": "scratch:/d/n.txt", "content": "x\n" }))
            .await
            .starts_with("Created scratch:/d/n.txt (")
    );
    assert!(
        bench
            .good("edit", json!({ "path": path, "oldText": "scratch", "newText": "edited" }))
            .await
            .starts_with("Edited scratch:/same.txt:")
    );
    assert_eq!(bench.good("ls", json!({ "path": "scratch:/" })).await, "d/\nsame.txt  7 B");
    assert_eq!(
        bench.good("find", json!({ "pattern": "*.txt", "path": "scratch:/" })).await,
        "scratch:/d/n.txt\nscratch:/same.txt"
    );
    assert_eq!(bench.good("grep", json!({ "pattern": "e", "path": "scratch:/" })).await, "scratch:/same.txt:1: edited");
    let patch = "*** Begin Patch\n*** Update File: scratch:/same.txt\n@@\n-edited\n+patched\n*** Add File: scratch:/p\n+p\n*** End Patch";
    assert_eq!(
        bench.good("apply_patch", json!({ "input": patch })).await,
        "Success. Updated the following files:\nA scratch:/p\nM scratch:/same.txt"
    );
    assert_eq!(fs::read_to_string(scratch.path().join("same.txt")).unwrap(), "patched\n");
    assert_eq!(fs::read_to_string(bench.path("same.txt")).unwrap(), "workspace\n");
    let output = bench.call("read", json!({ "path": path })).await;
    assert_eq!(output.details.unwrap()["path"], path);
}

#[tokio::test]
async fn failures_name_the_scratch_path() {
    let Two { bench, scratch: _kept } = two();
    assert_eq!(
        bench.bad("read", json!({ "path": "scratch:/sam.txt" })).await,
        "scratch:/sam.txt does not exist. Similar: scratch:/same.txt."
    );
    assert!(bench.bad("read", json!({ "path": "scratch:/../x" })).await.starts_with("scratch:/"), "outside");
    assert!(bench.bad("ls", json!({ "path": "scratch:/none" })).await.starts_with("scratch:/none does not exist"));
    assert!(
        bench.bad("grep", json!({ "pattern": "x", "path": "scratch:/none" })).await.starts_with("scratch:/none does")
    );
    assert!(
        bench
            .bad("write", json!({ "path": "scratch:/same.txt/x", "content": "" }))
            .await
            .starts_with("scratch:/same.txt")
    );
    let both = "*** Begin Patch\n*** Delete File: same.txt\n*** Delete File: scratch:/same.txt\n*** End Patch";
    assert!(bench.bad("apply_patch", json!({ "input": both })).await.contains("not both"));
    assert!(bench.path("same.txt").exists());
}

#[tokio::test]
async fn without_scratch_files_nothing_of_that_name_is_touched() {
    let bench = Bench::new(&[]);
    for (tool, arguments) in [
        ("read", json!({ "path": "scratch:/x" })),
        ("write", json!({ "path": "scratch:/x", "content": "" })),
        ("edit", json!({ "path": "scratch:/x", "oldText": "a", "newText": "b" })),
        ("ls", json!({ "path": "scratch:/" })),
        ("find", json!({ "pattern": "*", "path": "scratch:/" })),
        ("grep", json!({ "pattern": "x", "path": "scratch:/" })),
        ("apply_patch", json!({ "input": "*** Begin Patch\n*** Add File: scratch:/x\n+x\n*** End Patch" })),
    ] {
        let text = bench.bad(tool, arguments).await;
        assert!(text.contains("no scratch files"), "{tool}: {text}");
    }
    assert_eq!(fs::read_dir(bench.dir.path()).unwrap().count(), 0);
    // The same name in the workspace can still be said.
    bench.good("write", json!({ "path": "./scratch:/x", "content": "mine" })).await;
    assert!(bench.path("scratch:/x").exists());
}

proptest! {
    /// Whatever follows the prefix, the workspace and everything outside of the scratch files stays as it is.
    #[test]
    fn no_scratch_path_leads_elsewhere(rest in "[/.a~: ]{0,12}") {
        let Two { bench, scratch } = two();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let call = |tool: &'static str, arguments: Value| runtime.block_on(bench.call(tool, arguments));
        let path = format!("scratch:/{rest}");
        let written = call("write", json!({ "path": path, "content": "probe" }));
        prop_assert_eq!(fs::read_dir(bench.dir.path()).unwrap().count(), 1);
        prop_assert_eq!(fs::read_to_string(bench.path("same.txt")).unwrap(), "workspace\n");
        if !written.is_error {
            prop_assert!(fs::read_dir(scratch.path()).unwrap().count() == 2);
            prop_assert_eq!(plain_text(&call("read", json!({ "path": path })).content), "probe");
        }
    }
}
