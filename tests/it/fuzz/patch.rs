//! Patches: the parser, and the tool on real files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use openclaw::fs::HostCapabilityFs;
use openclaw::tools::patch::{Action, ChunkLine, Patch, parse};
use openclaw::tools::{AgentFilesystem, ToolContext, ToolSet};
use serde_json::json;

use super::harness::{Corpus, fuzz};

/// Patches that are also tried on files; each needs a directory of its own.
const TRIED: u32 = 250;

/// The patch in its plainest form.
fn written(patch: &Patch) -> String {
    let mut text = "*** Begin Patch\n".to_owned();
    let mut line = |line: String| text.extend([line.as_str(), "\n"]);
    for section in &patch.sections {
        match &section.action {
            Action::Add { content } => {
                line(format!("*** Add File: {}", section.path));
                content.split_terminator('\n').for_each(|added| line(format!("+{added}")));
            }
            Action::Delete => line(format!("*** Delete File: {}", section.path)),
            Action::Update { move_to, chunks } => {
                line(format!("*** Update File: {}", section.path));
                if let Some(target) = move_to {
                    line(format!("*** Move to: {target}"));
                }
                for chunk in chunks {
                    if chunk.numbered || chunk.contexts.is_empty() {
                        line(if chunk.numbered { "@@ -1 +1 @@" } else { "@@" }.to_owned());
                    }
                    chunk.contexts.iter().for_each(|context| line(format!("@@ {context}")));
                    for part in &chunk.lines {
                        line(match part {
                            ChunkLine::Keep(text) => format!(" {text}"),
                            ChunkLine::Remove(text) => format!("-{text}"),
                            ChunkLine::Add(text) => format!("+{text}"),
                        });
                    }
                    if chunk.end_of_file {
                        line("*** End of File".to_owned());
                    }
                }
            }
        }
    }
    text + "*** End Patch"
}

/// Without line numbers, which are the text's and not the patch's.
fn meaning(mut patch: Patch) -> Patch {
    for section in &mut patch.sections {
        section.line = 0;
        if let Action::Update { chunks, .. } = &mut section.action {
            for chunk in chunks {
                chunk.line = 0;
            }
        }
    }
    patch
}

fn tree(root: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").display().to_string();
            let is_directory = path.is_dir() && !path.is_symlink();
            found.insert(name, (!is_directory).then(|| std::fs::read(&path).unwrap_or_default()));
            if is_directory {
                pending.push(path);
            }
        }
    }
    found
}

/// Applies a patch to a few files beside others that are out of bounds: all or nothing, and nothing outside. Whether it was applied.
fn try_on_files(runtime: &tokio::runtime::Runtime, patch: &str) -> Result<bool, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path().join("workspace");
    for (name, content) in [
        ("src/main.txt", "fn main\nalpha\nbeta\ngamma\n"),
        ("old.txt", "old\n"),
        ("uni.txt", "na\u{ef}ve \u{2013} caf\u{e9}\n"),
        (".git/config", "[core]\n"),
        ("../elsewhere/file", "outside\n"),
    ] {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, content).expect("a file");
    }
    std::os::unix::fs::symlink("../elsewhere", root.join("way")).expect("a link");
    let before = (tree(&root), tree(&dir.path().join("elsewhere")));
    let files = HostCapabilityFs::open(&root).map_err(|error| error.to_string())?;
    let context = ToolContext::for_files(AgentFilesystem::of(Arc::new(files)));
    let tools = ToolSet::builtin(&["apply_patch".to_owned()], &[]);
    let output = runtime.block_on(tools.call(&context, "apply_patch", json!({ "input": patch })));
    let after = (tree(&root), tree(&dir.path().join("elsewhere")));
    let mut why = String::new();
    if after.1 != before.1 || std::fs::read_dir(dir.path()).expect("a directory").count() != 2 {
        write!(why, "something outside of the workspace has changed; ").expect("text");
    }
    if output.is_error && after.0 != before.0 {
        write!(why, "a patch that was refused has changed files: {:?}; ", output.content).expect("text");
    }
    if after.0.keys().any(|name| name.contains(".openclaw-") || name == ".git/hooks" || name.starts_with(".git/hooks/"))
    {
        write!(why, "left behind: {:?}; ", after.0.keys()).expect("text");
    }
    if why.is_empty() { Ok(!output.is_error) } else { Err(format!("{why}\n{patch}")) }
}

#[test]
fn no_patch_breaks_the_parser_or_is_applied_by_halves() {
    let corpus = Corpus::load("patch");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    for (name, content) in corpus.files() {
        let text = std::str::from_utf8(content).expect("seeds are text");
        assert_eq!(try_on_files(&runtime, text), Ok(name.starts_with("good-")), "{name}");
    }
    let (mut parsed, mut refused, mut tried, mut applied) = (0_u32, 0_u32, 0_u32, 0_u32);
    fuzz(&corpus, 20_000, |input| {
        let text = String::from_utf8_lossy(input);
        match parse(&text) {
            Ok(patch) => {
                parsed += 1;
                let plain = written(&patch);
                let again = parse(&plain).map_err(|error| format!("{error}\n{plain}"))?;
                if meaning(again.clone()) != meaning(patch.clone()) {
                    return Err(format!("{patch:?}\n{again:?}"));
                }
                if tried < TRIED {
                    tried += 1;
                    applied += u32::from(try_on_files(&runtime, &text)?);
                }
            }
            Err(error) => {
                refused += 1;
                if error.to_string().len() > 1000 {
                    return Err(format!("an endless message: {error}"));
                }
            }
        }
        Ok(())
    });
    let one_case = std::env::var_os("OPENCLAW_FUZZ_SEED").is_some();
    assert!(one_case || (parsed > 100 && refused > 100 && applied > 20), "{parsed} {refused} {tried} {applied}");
}
