//! Paths as models write them, and what becomes of them in virtual files.

use std::path::{Component, Path};

use openclaw::fs::{AgentFiles, Moment, Namespace, RelPath, VfsLimits, VirtualAgentFs, WriteOptions};
use openclaw::state::{OpenOptions, StatePaths, Store};

use super::harness::{Corpus, fuzz};

/// A path that was accepted cannot lead anywhere else, whoever interprets it.
fn stays_below(path: &RelPath) -> Result<(), String> {
    let host = Path::new("/root/of/tree").join(path.as_str());
    if !path.is_root() && !Path::new(path.as_str()).components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(format!("{path:?} has other components than names"));
    }
    if !host.starts_with("/root/of/tree") || path.as_str().contains('\0') || path.as_str().len() > 4096 {
        return Err(format!("{path:?} is not below its root"));
    }
    let mut again = RelPath::root();
    for name in path.components() {
        again = again.join(name).map_err(|error| format!("{path:?} does not take apart: {error}"))?;
        if again.name() != name || again.parent().is_none_or(|parent| !path.is_within(&parent)) {
            return Err(format!("{path:?} takes apart into other names"));
        }
    }
    if again == *path { Ok(()) } else { Err(format!("{path:?} became {again:?}")) }
}

/// What resolving by the text alone must give: computed with the standard library's idea of a path.
fn expected(text: &str) -> Option<String> {
    let text = text.strip_prefix('/').map_or_else(|| format!("workspace/{text}"), ToOwned::to_owned);
    let mut names: Vec<&str> = Vec::new();
    let relative = text.starts_with("workspace/");
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
        // A relative path may not climb above the root and come back by its name.
        if relative && names.is_empty() && part == ".." {
            return None;
        }
    }
    (names.first() == Some(&"workspace")).then(|| names[1..].join("/"))
}

#[test]
fn no_path_leads_out_of_its_tree() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&StatePaths::new(directory.path()), &OpenOptions::default()).expect("a store");
    let tree = |namespace| VirtualAgentFs::new(store.clone(), "main".into(), namespace, VfsLimits::default());
    let (files, scratch) = (tree(Namespace::Workspace), tree(Namespace::Scratch));
    let (mut accepted, mut written) = (0, 0);
    fuzz(&Corpus::load("paths"), 4000, |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        if let Ok(path) = RelPath::parse(&text) {
            stays_below(&path)?;
            if path.as_str() != text {
                return Err(format!("{text:?} was changed to {path:?}"));
            }
        }
        if let Ok(namespace) = Namespace::parse(&text)
            && namespace.to_string() != text
        {
            return Err(format!("{text:?} became the namespace {namespace}"));
        }
        if let Ok(Moment::Snapshot(name)) = Moment::parse(&text)
            && (name != text || name.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(format!("{text:?} became the snapshot {name:?}"));
        }
        let Ok(path) = files.resolve(&text) else { return Ok(()) };
        accepted += 1;
        stays_below(&path)?;
        let absolute = text.starts_with('/');
        if expected(&text).as_deref() != Some(path.as_str()) && !(absolute && path.is_root()) {
            return Err(format!("{text:?} was resolved to {path:?}, not {:?}", expected(&text)));
        }
        let options = WriteOptions { create_parents: true, ..WriteOptions::default() };
        match files.write_with(&path, input, &options) {
            Ok(_) => {
                written += 1;
                if files.read(&path, u64::MAX).ok().as_deref() != Some(input) {
                    return Err(format!("{path:?} does not have what was written"));
                }
                let listed =
                    files.list_bounded(&path.parent().unwrap_or_default(), 100_000).map_err(|e| e.to_string())?;
                if !listed.entries.iter().any(|entry| entry.name == path.name()) {
                    return Err(format!("{path:?} is not listed in its directory"));
                }
            }
            Err(error) if ["protected", "invalid_path", "not_a_file", "not_a_directory"].contains(&error.code()) => {}
            Err(error) => return Err(format!("{path:?}: {error}")),
        }
        Ok(())
    });
    let nodes = files.tree_at(&RelPath::root(), &Moment::Now).expect("the tree");
    for node in &nodes {
        stays_below(&node.path).expect("a stored path");
    }
    assert!(scratch.tree_at(&RelPath::root(), &Moment::Now).expect("the other tree").is_empty());
    assert!(accepted > 100 && written > 50, "{accepted} accepted, {written} written");
}
