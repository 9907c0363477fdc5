//! Tools through [`ToolSet`], as the agent loop uses them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::spec;
use super::*;
use crate::core::limits::MAX_TOOL_RESULT_BYTES;
use crate::fs::HostCapabilityFs;
use crate::session::message::plain_text;

mod apply_patch;
mod scratch;

struct Bench {
    dir: tempfile::TempDir,
    tools: ToolSet,
    context: ToolContext,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let workspace = Arc::new(HostCapabilityFs::open(dir.path()).unwrap());
        let context = ToolContext { images: true, ..ToolContext::for_files(AgentFilesystem::of(workspace)) };
        Self { dir, tools: ToolSet::builtin(&[], &[]), context }
    }

    async fn call(&self, name: &str, arguments: Value) -> ToolOutput {
        self.tools.call(&self.context, name, arguments).await
    }

    /// Text of a call that must succeed.
    async fn good(&self, name: &str, arguments: Value) -> String {
        let output = self.call(name, arguments).await;
        assert!(!output.is_error, "{output:?}");
        plain_text(&output.content)
    }

    /// Text of a call that must fail.
    async fn bad(&self, name: &str, arguments: Value) -> String {
        let output = self.call(name, arguments).await;
        assert!(output.is_error, "{output:?}");
        plain_text(&output.content)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }
}

fn numbered(lines: usize) -> String {
    (1..=lines).fold(String::new(), |text, number| text + &format!("line {number}\n"))
}

#[test]
fn specs_are_small_ordered_and_filtered() {
    let names = |allow: &[&str], deny: &[&str]| {
        let own = |rules: &[&str]| rules.iter().map(|&rule| rule.to_owned()).collect::<Vec<_>>();
        let set = ToolSet::builtin(&own(allow), &own(deny));
        set.specs().iter().map(|spec| spec.name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[], &[]), "read write edit ls find grep apply_patch exec process");
    assert_eq!(names(&["grep", "read"], &[]), "read grep");
    assert_eq!(names(&["group:fs"], &["write", "edit"]), "read ls find grep");
    assert_eq!(names(&["group:runtime"], &[]), "exec process");
    assert_eq!(names(&["bash"], &[]), "exec");
    let specs = ToolSet::builtin(&[], &[]).specs();
    let wire: Vec<Value> = specs
        .iter()
        .map(|spec| json!({ "name": spec.name, "description": spec.description, "input_schema": spec.parameters }))
        .collect();
    let size = serde_json::to_string(&wire).unwrap().len();
    assert!(size <= 6000, "the tool list is {size} bytes");
    for spec in specs.iter() {
        let properties = spec.parameters["properties"].as_object().unwrap();
        for name in spec.parameters["required"].as_array().unwrap() {
            assert!(properties.contains_key(name.as_str().unwrap()), "{name}");
        }
    }
}

#[test]
fn only_changing_tools_run_alone() {
    let tools = ToolSet::builtin(&[], &[]);
    let parallel: Vec<bool> = tools.specs().iter().map(|spec| tools.parallel(&spec.name)).collect();
    assert_eq!(parallel, [true, false, false, true, true, true, false, false, false]);
    assert!(!tools.parallel("unknown"));
}

#[tokio::test]
async fn what_cannot_be_called_is_explained() {
    let bench = Bench::new(&[]);
    insta::assert_snapshot!(bench.bad("fly", json!({})).await, @r#"There is no tool "fly" here. Available: read, write, edit, ls, find, grep, apply_patch, exec, process."#);
    insta::assert_snapshot!(bench.bad("read", json!({})).await, @"Missing argument path. Expected: read(path: string, offset?: integer, limit?: integer)");
    insta::assert_snapshot!(bench.bad("read", json!({ "path": "none" })).await, @"none does not exist. List the directory to see which names exist.");
    insta::assert_snapshot!(bench.bad("read", json!({ "path": "../x" })).await, @"../x is outside of the workspace: it goes above the workspace. Use a path relative to the workspace.");
    insta::assert_snapshot!(bench.bad("write", json!({ "path": ".git/hooks/x", "content": "" })).await, @".git/hooks/x is protected: git runs or trusts what is there. A person has to change this path outside of the agent.");
    insta::assert_snapshot!(bench.bad("read", json!({ "path": "." })).await, @". is a directory, not a file. Give the path of a regular file.");
    fs::write(bench.path("README.md"), "").unwrap();
    insta::assert_snapshot!(bench.bad("read", json!({ "path": "Readme.txt" })).await, @"Readme.txt does not exist. Similar: README.md.");
    let mut context = bench.context.clone();
    context.files.workspace = None;
    let output = bench.tools.call(&context, "ls", json!({})).await;
    insta::assert_snapshot!(plain_text(&output.content), @"This run has no files.");
    let huge = bench.bad(&"x".repeat(200_000), json!({})).await;
    assert!(huge.len() <= MAX_TOOL_RESULT_BYTES);
}

#[tokio::test]
async fn read_pages_through_a_file() {
    let bench =
        Bench::new(&[("a.txt", &numbered(5)), ("big.txt", &numbered(5000)), ("empty", ""), ("open-end", "a\nb")]);
    assert_eq!(bench.good("read", json!({ "path": "a.txt" })).await, numbered(5));
    assert_eq!(bench.good("read", json!({ "file_path": bench.path("a.txt"), "offset": "5" })).await, "line 5\n");
    insta::assert_snapshot!(bench.good("read", json!({ "path": "a.txt", "offset": 2, "limit": 2 })).await, @r"
    line 2
    line 3

    [2 more lines; continue with offset=4]
    ");
    assert_eq!(bench.good("read", json!({ "path": "open-end", "limit": 9 })).await, "a\nb");
    assert_eq!(bench.good("read", json!({ "path": "empty" })).await, "[The file is empty.]");
    insta::assert_snapshot!(bench.bad("read", json!({ "path": "a.txt", "offset": 9 })).await, @"a.txt has 5 lines; offset 9 is past its end.");

    // Following the notes gives the whole file back.
    let (mut offset, mut whole) = (1, String::new());
    loop {
        let output = bench.call("read", json!({ "path": "big.txt", "offset": offset })).await;
        let text = plain_text(&output.content);
        let details = output.details.unwrap();
        assert_eq!(details["lines"], 5000);
        let Some(next) = details["nextOffset"].as_u64() else {
            whole.push_str(&text);
            break;
        };
        whole.push_str(text.rsplit_once("\n[").unwrap().0);
        offset = next;
    }
    assert_eq!(whole, numbered(5000));
}

#[tokio::test]
async fn read_keeps_to_its_bounds_whatever_the_file() {
    let bench = Bench::new(&[("long", &"x".repeat(1 << 20)), ("wide", &format!("{}\n", "é".repeat(3000)).repeat(50))]);
    fs::write(bench.path("crlf"), "a\r\nb\r\n").unwrap();
    fs::write(bench.path("latin"), b"caf\xe9\n").unwrap();
    fs::write(bench.path("bom"), "\u{feff}text\n").unwrap();
    fs::write(bench.path("binary"), b"\x7fELF\0\0\0").unwrap();
    fs::File::create(bench.path("sparse")).unwrap().set_len(1 << 40).unwrap();
    let long = bench.good("read", json!({ "path": "long" })).await;
    assert!(long.len() < 9000 && long.ends_with("[1 line longer than 8.0 KB cut, marked …]"), "{}", long.len());
    let wide = bench.good("read", json!({ "path": "wide" })).await;
    assert!(
        wide.len() < 52_000 && wide.ends_with("[42 more lines; continue with offset=9]"),
        "{}",
        &wide[wide.len() - 80..]
    );
    assert!(!wide.contains('\u{fffd}'));
    assert_eq!(bench.good("read", json!({ "path": "crlf" })).await, "a\r\nb\r\n");
    assert_eq!(bench.good("read", json!({ "path": "bom" })).await, "text\n");
    insta::assert_snapshot!(bench.good("read", json!({ "path": "latin" })).await, @"
    caf\u{fffd}

    [Bytes that are not UTF-8 are shown as \u{fffd}]
    ");
    insta::assert_snapshot!(bench.good("read", json!({ "path": "binary" })).await, @"binary is not text (7 B, binary). Its content is not shown.");
    insta::assert_snapshot!(bench.good("read", json!({ "path": "sparse" })).await, @"sparse is not text (1.0 TB, binary). Its content is not shown.");
}

#[tokio::test]
async fn read_shows_images_to_models_that_see() {
    let mut bench = Bench::new(&[]);
    let png = b"\x89PNG\r\n\x1a\n\0\0\0rest";
    fs::write(bench.path("no-extension"), png).unwrap();
    let output = bench.call("read", json!({ "path": "no-extension" })).await;
    let image = ContentBlock::image(data_encoding::BASE64.encode(png), "image/png");
    assert_eq!(output.content, [ContentBlock::text("no-extension is an image (image/png, 15 B)."), image]);
    fs::write(bench.path("huge.png"), [png.as_slice(), &vec![0; 4_000_000]].concat()).unwrap();
    insta::assert_snapshot!(bench.bad("read", json!({ "path": "huge.png" })).await, @"huge.png is an image (image/png, 3.8 MB), too large to be shown: the limit is 3.5 MB.");
    bench.context.images = false;
    insta::assert_snapshot!(bench.good("read", json!({ "path": "no-extension" })).await, @"no-extension is an image (image/png, 15 B). This model cannot see images.");
}

#[tokio::test]
async fn write_creates_and_replaces() {
    let bench = Bench::new(&[]);
    insta::assert_snapshot!(bench.good("write", json!({ "path": "x/y.txt", "content": "one\ntwo\n" })).await, @"Created x/y.txt (8 bytes, 2 lines).");
    let output = bench.call("write", json!({ "path": "x/y.txt", "content": "" })).await;
    insta::assert_snapshot!(plain_text(&output.content), @"Replaced x/y.txt (0 bytes, 0 lines).");
    insta::assert_snapshot!(output.details.unwrap(), @r#"{"path":"x/y.txt","bytes":0,"lines":0,"created":false}"#);
    insta::assert_snapshot!(bench.bad("write", json!({ "path": "x", "content": "" })).await, @"x is a directory, not a file. Give the path of a regular file.");
    assert_eq!(fs::read(bench.path("x/y.txt")).unwrap(), b"");
}

#[tokio::test]
async fn edit_replaces_and_reports() {
    let bench = Bench::new(&[("a.rs", "fn a() {}\nfn b() {}\n"), ("crlf.txt", "one\r\ntwo\r\n")]);
    let output = bench.call("edit", json!({ "path": "a.rs", "old_string": "b()", "new_string": "c()" })).await;
    insta::assert_snapshot!(plain_text(&output.content), @"Edited a.rs: 1 replacement, from line 2.");
    let details = output.details.unwrap();
    insta::assert_snapshot!(details["diff"].as_str().unwrap(), @r"
    --- a/a.rs
    +++ b/a.rs
    @@ -1,2 +1,2 @@
     fn a() {}
    -fn b() {}
    +fn c() {}
    ");
    assert_eq!(
        (&details["firstChangedLine"], &details["added"], &details["removed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!(fs::read_to_string(bench.path("a.rs")).unwrap(), "fn a() {}\nfn c() {}\n");

    let edits = json!([{ "oldText": "one\ntwo", "newText": "1\n2" }]);
    bench.good("edit", json!({ "path": "crlf.txt", "edits": edits })).await;
    assert_eq!(fs::read_to_string(bench.path("crlf.txt")).unwrap(), "1\r\n2\r\n");

    insta::assert_snapshot!(bench.bad("edit", json!({ "path": "a.rs", "oldText": "fn", "newText": "x" })).await, @"a.rs was not changed. oldText occurs 2 times (lines 1, 2). It must occur once: quote more of the lines around it.");
    insta::assert_snapshot!(bench.bad("edit", json!({ "path": "a.rs", "oldText": "fn" })).await, @"oldText and newText belong together; one of them is missing.");
    insta::assert_snapshot!(bench.bad("edit", json!({ "path": "a.rs" })).await, @"Nothing to do: give oldText and newText, or edits: [{oldText, newText}].");
    insta::assert_snapshot!(bench.bad("edit", json!({ "path": "none", "oldText": "a", "newText": "b" })).await, @"none does not exist. List the directory to see which names exist.");
    fs::write(bench.path("latin"), b"caf\xe9\n").unwrap();
    insta::assert_snapshot!(bench.bad("edit", json!({ "path": "latin", "oldText": "a", "newText": "b" })).await, @"latin is not UTF-8 text, so it cannot be edited as text.");
}

#[tokio::test]
async fn ls_lists() {
    let bench = Bench::new(&[(".hidden", ""), ("b/c", "1"), ("a.txt", &"x".repeat(2048))]);
    std::os::unix::fs::symlink("a.txt", bench.path("link")).unwrap();
    insta::assert_snapshot!(bench.good("ls", json!({})).await, @r"
    .hidden  0 B
    a.txt  2.0 KB
    b/
    link  (symbolic link, not followed)
    ");
    insta::assert_snapshot!(bench.good("ls", json!({ "path": "b/", "limit": 5 })).await, @"c  1 B");
    insta::assert_snapshot!(bench.good("ls", json!({ "limit": 1 })).await, @r"
    .hidden  0 B
    [3 more; give a larger limit, or use find]
    ");
    fs::create_dir(bench.path("empty")).unwrap();
    insta::assert_snapshot!(bench.good("ls", json!({ "path": "empty" })).await, @"[The directory is empty.]");
    insta::assert_snapshot!(bench.bad("ls", json!({ "path": "a.txt" })).await, @"a.txt is not a directory, or a part of it is a file. Give the path of a directory, or check the parts of the path.");
}

fn project() -> Bench {
    Bench::new(&[
        (".gitignore", "target/\n*.log\n!keep.log\n/only-here\n"),
        (".git/config", "needle"),
        ("only-here", "needle"),
        ("src/only-here", "x"),
        ("src/main.rs", "fn main() {\n    needle();\n}\n"),
        ("src/deep/lib.rs", "// needle one\r\n// other\r\n// Needle two\r\n"),
        ("src/deep/.gitignore", "secret.*\n"),
        ("src/deep/secret.rs", "needle"),
        ("src/secret.rs", "x"),
        ("target/debug/out.rs", "needle"),
        ("a.log", "needle"),
        ("keep.log", "x"),
        ("notes.md", "no such thing\n"),
    ])
}

#[tokio::test]
async fn find_by_name_and_by_path() {
    let bench = project();
    insta::assert_snapshot!(bench.good("find", json!({ "pattern": "*.rs" })).await, @r"
    src/deep/lib.rs
    src/main.rs
    src/secret.rs
    ");
    insta::assert_snapshot!(bench.good("find", json!({ "pattern": "*" })).await, @r"
    .gitignore
    keep.log
    notes.md
    src/
    src/deep/
    src/deep/.gitignore
    src/deep/lib.rs
    src/main.rs
    src/only-here
    src/secret.rs
    ");
    assert_eq!(bench.good("find", json!({ "pattern": "src/*.rs" })).await, "src/main.rs\nsrc/secret.rs");
    assert_eq!(bench.good("find", json!({ "pattern": "**/l*.{rs,md}" })).await, "src/deep/lib.rs");
    assert_eq!(bench.good("find", json!({ "pattern": "deep/*.rs", "path": "src" })).await, "src/deep/lib.rs");
    assert_eq!(bench.good("find", json!({ "pattern": "*.rs", "path": "target" })).await, "target/debug/out.rs");
    insta::assert_snapshot!(bench.good("find", json!({ "pattern": "*.rs", "limit": 1 })).await, @r"
    src/deep/lib.rs
    [Stopped after 1; there are more. Narrow the pattern or the path]
    ");
    insta::assert_snapshot!(bench.good("find", json!({ "pattern": "*.py" })).await, @"[Nothing below . matches *.py (.git and what .gitignore names is left out)]");
    insta::assert_snapshot!(bench.bad("find", json!({ "pattern": "/etc/*" })).await, @"The glob pattern must be relative, such as *.rs or src/**/*.rs; give the directory as path.");
    insta::assert_snapshot!(bench.bad("find", json!({ "pattern": "a{b" })).await, @"The glob pattern is not valid: error parsing glob 'a{b': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?).");
}

#[tokio::test]
async fn grep_finds_lines() {
    let bench = project();
    insta::assert_snapshot!(bench.good("grep", json!({ "pattern": "needle" })).await, @r"
    src/deep/lib.rs:1: // needle one
    src/main.rs:2:     needle();
    ");
    insta::assert_snapshot!(bench.good("grep", json!({ "pattern": "NEEDLE.*o$", "-i": true, "path": "src/deep" })).await, @"src/deep/lib.rs:3: // Needle two");
    insta::assert_snapshot!(bench.good("grep", json!({ "pattern": "needle()", "literal": true, "glob": "*.rs", "context": 1 })).await, @r"
    src/main.rs-1- fn main() {
    src/main.rs:2:     needle();
    src/main.rs-3- }
    ");
    assert_eq!(
        bench.good("grep", json!({ "pattern": "needle", "path": "target/debug/out.rs" })).await,
        "target/debug/out.rs:1: needle"
    );
    insta::assert_snapshot!(bench.good("grep", json!({ "pattern": "needle", "limit": 1 })).await, @r"
    src/deep/lib.rs:1: // needle one
    [Stopped after 1 match; there are more. Narrow the pattern, path or glob]
    ");
    insta::assert_snapshot!(bench.good("grep", json!({ "pattern": "absent" })).await, @"[No match in 8 files]");
    insta::assert_snapshot!(bench.bad("grep", json!({ "pattern": "a(b" })).await, @r"
    The pattern is not valid: regex parse error:
        a(b
         ^
    error: unclosed group
    Set literal to true to search for it as plain text.
    ");
    assert!(bench.bad("grep", json!({ "pattern": "a\nb" })).await.contains("line break"));
    assert!(
        bench.bad("grep", json!({ "pattern": "(?:\\w{1000}){1000}" })).await.contains("not valid"),
        "a pattern bomb"
    );
    assert!(bench.bad("grep", json!({ "pattern": "x", "path": "none" })).await.contains("does not exist"));
}

#[tokio::test]
async fn grep_context_groups_do_not_repeat_lines() {
    let bench = Bench::new(&[("a", "1\nx\n3\n4\nx\n6\n7\n8\n9\nx\n"), ("b", "x\n")]);
    insta::assert_snapshot!(bench.good("grep", json!({ "pattern": "x", "context": 1 })).await, @r"
    a-1- 1
    a:2: x
    a-3- 3
    a-4- 4
    a:5: x
    a-6- 6
    --
    a-9- 9
    a:10: x
    --
    b:1: x
    ");
}

#[tokio::test]
async fn grep_keeps_to_its_bounds() {
    let line = format!("{}needle{}\n", "a".repeat(5000), "b".repeat(5000));
    let bench = Bench::new(&[("long", &line), ("many", &"needle é\n".repeat(100_000))]);
    fs::write(bench.path("binary"), b"needle\0needle").unwrap();
    fs::write(bench.path("latin"), b"n\xe9edle needle\n").unwrap();
    let long = bench.good("grep", json!({ "pattern": "needle", "path": "long" })).await;
    assert!(long.len() < 450 && long.contains("needle") && long.ends_with('…'), "{long}");
    let many = bench.good("grep", json!({ "pattern": "needle", "path": "many", "limit": 999_999 })).await;
    assert!(many.len() <= MAX_TOOL_RESULT_BYTES && many.ends_with("Narrow the pattern, path or glob]"));
    assert_eq!(
        bench.good("grep", json!({ "pattern": "needle", "path": "latin" })).await,
        "latin:1: n\u{fffd}edle needle"
    );
    assert_eq!(
        bench.good("grep", json!({ "pattern": "needle", "path": "binary" })).await,
        "[No match in 0 files]\n[Binary files, not searched: 1]"
    );
}

/// Panics, waits for ever, or waits for a signal, on request.
struct Odd {
    spec: ToolSpec,
    parallel: bool,
    finish: CancellationToken,
}

impl Odd {
    fn set(parallel: bool) -> (ToolSet, CancellationToken) {
        let finish = CancellationToken::new();
        let properties = json!({ "how": { "type": "string" } });
        let tool = Self { spec: spec("odd", "", properties, &["how"]), parallel, finish: finish.clone() };
        (ToolSet::from_tools(vec![Arc::new(tool)]), finish)
    }
}

impl Tool for Odd {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move {
            match arguments["how"].as_str() {
                Some("panic") => panic!("as asked"),
                Some("panic below") => {
                    let work =
                        |_: &support::Job, _: Value| -> Result<ToolOutput, support::Failure> { panic!("as asked") };
                    support::run(context, json!({}), work).await
                }
                _ => {
                    self.finish.cancelled().await;
                    ToolOutput::text("done")
                }
            }
        })
    }

    fn parallel(&self) -> bool {
        self.parallel
    }
}

#[tokio::test]
async fn a_panic_stays_inside_its_call() {
    let bench = Bench::new(&[]);
    let (tools, finish) = Odd::set(true);
    for how in ["panic", "panic below"] {
        let output = tools.call(&bench.context, "odd", json!({ "how": how })).await;
        assert!(output.is_error);
        insta::allow_duplicates! {
            insta::assert_snapshot!(plain_text(&output.content), @"The tool odd broke because of a fault in openclaw. Try another way.");
        }
    }
    finish.cancel();
    assert_eq!(tools.call(&bench.context, "odd", json!({ "how": "" })).await, ToolOutput::text("done"), "control");
}

#[tokio::test]
async fn cancellation_leaves_readers_at_once_and_gives_writers_time() {
    let bench = Bench::new(&[("a", "x")]);
    let cancelled = "Cancelled before it was done.";
    let (reader, _finish) = Odd::set(true);
    let (call, ()) =
        tokio::join!(reader.call(&bench.context, "odd", json!({ "how": "" })), async { bench.context.cancel.cancel() });
    assert_eq!((plain_text(&call.content).as_str(), call.is_error), (cancelled, true));

    assert_eq!(bench.bad("write", json!({ "path": "b", "content": "" })).await, cancelled);
    assert!(!bench.path("b").exists(), "a run that was aborted changes nothing more");

    let bench = Bench::new(&[]);
    let (writer, finish) = Odd::set(false);
    let (call, ()) = tokio::join!(writer.call(&bench.context, "odd", json!({ "how": "" })), async {
        bench.context.cancel.cancel();
        finish.cancel();
    });
    assert_eq!(call, ToolOutput::text("done"), "a change that was finished is reported as done");

    let bench = Bench::new(&[]);
    let (writer, _finish) = Odd::set(false);
    let (call, ()) =
        tokio::join!(writer.call(&bench.context, "odd", json!({ "how": "" })), async { bench.context.cancel.cancel() });
    assert!(plain_text(&call.content).contains("may still be completed"));
}

#[tokio::test]
async fn a_cancelled_search_of_a_large_tree_stops() {
    let bench = Bench::new(&[]);
    for number in 0..300 {
        fs::write(bench.path(&format!("f{number}")), "x\n").unwrap();
    }
    let job = support::Job::new(&bench.context);
    let mut seen = 0;
    let result = ignore_rules::visit(&job, &job.locate("").unwrap(), |_| {
        seen += 1;
        if seen == 5 {
            job.cancel.cancel();
        }
        Ok(true)
    });
    assert!(result.is_err());
    assert_eq!(seen, 5);
}

#[tokio::test]
async fn attacks_through_the_tools_end_at_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "needle").unwrap();
    let bench = Bench::new(&[("inside", "needle")]);
    std::os::unix::fs::symlink(outside.path(), bench.path("way")).unwrap();
    assert!(Path::new(&bench.path("way/secret")).exists(), "control");
    let absolute = outside.path().join("secret");
    for path in ["way/secret", "../secret", absolute.to_str().unwrap(), "inside/../../secret", "~/secret", "a\0b"] {
        bench.bad("read", json!({ "path": path })).await;
        bench.bad("write", json!({ "path": path, "content": "x" })).await;
        bench.bad("edit", json!({ "path": path, "oldText": "needle", "newText": "x" })).await;
        bench.bad("grep", json!({ "pattern": "needle", "path": path })).await;
        bench.bad("ls", json!({ "path": path })).await;
        bench.bad("find", json!({ "pattern": "*", "path": path })).await;
    }
    assert_eq!(bench.good("grep", json!({ "pattern": "needle" })).await, "inside:1: needle");
    assert_eq!(bench.good("find", json!({ "pattern": "**" })).await, "inside\nway");
    assert_eq!(fs::read_to_string(absolute).unwrap(), "needle");
}
