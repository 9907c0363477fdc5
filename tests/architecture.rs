//! Enforces the layer table: a module imports only from lines below its own, and only owners touch files, processes, SQL and HTTP clients.
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// `(line, modules)`, lowest first. `cli` may use everything; modules of one line do not import each other, but for line 1.
const LAYERS: [(u8, &[&str]); 10] = [
    (1, &["config", "secrets", "core"]),
    (2, &["session"]),
    (3, &["state"]),
    (4, &["providers", "sandbox", "fs"]),
    (5, &["tools"]),
    (6, &["runtime"]),
    (7, &["channels", "plugins", "cron"]),
    (8, &["doctor", "support", "service"]),
    (9, &["gateway"]),
    (10, &["cli", "tui"]),
];

/// What only some modules may name: `(path prefix, who, why)`. `who` are prefixes of files below `src/`.
const OWNERS: [(&[&str], &[&str], &str); 6] = [
    (&["rusqlite"], &["state/"], "every SQL statement is in state"),
    (&["refinery"], &["state/"], "migrations run in state"),
    (
        &["std", "fs"],
        &[
            "fs/",
            "state/",
            "config/",
            "secrets/",
            "sandbox/",
            "doctor/files.rs",
            "support/files.rs",
            "service/files.rs",
        ],
        "host files are read and written through their owners",
    ),
    (&["tokio", "fs"], &["fs/"], "host files are read and written through their owners"),
    (
        &["std", "process", "Command"],
        &["secrets/exec.rs", "sandbox/", "runtime/worker", "plugins/", "service/"],
        "processes are spawned by the sandbox, workers, plugins, services, and secret commands",
    ),
    (&["hyper_util", "client"], &["providers/http"], "only providers::http builds a model HTTP client"),
];

#[derive(Default)]
struct Paths {
    found: Vec<(Vec<String>, usize)>,
}

impl Paths {
    fn tree(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.tree(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Name(name) => self.leaf(prefix, &name.ident),
            syn::UseTree::Rename(rename) => self.leaf(prefix, &rename.ident),
            syn::UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.found.push((prefix.clone(), line));
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(prefix, tree);
                }
            }
        }
    }

    fn leaf(&mut self, prefix: &[String], ident: &proc_macro2::Ident) {
        let mut path = prefix.to_vec();
        path.push(ident.to_string());
        self.found.push((path, ident.span().start().line));
    }
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test")))
    })
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test_only(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test_only(&item.attrs) {
            syn::visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test_only(&item.attrs) {
            self.tree(&mut Vec::new(), &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            let line = path.segments[0].ident.span().start().line;
            self.found.push((segments, line));
        }
        syn::visit::visit_path(self, path);
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Path below `src/` → the paths it names outside its tests, with their lines.
fn named_paths() -> BTreeMap<String, Vec<(Vec<String>, usize)>> {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    let mut all = BTreeMap::new();
    for file in files {
        let relative = file.strip_prefix(root()).expect("below src").to_string_lossy().into_owned();
        let is_test =
            relative.ends_with("/tests.rs") || relative.contains("/tests/") || relative.ends_with("_tests.rs");
        if is_test {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a source file");
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{relative}: {error}"));
        let mut paths = Paths::default();
        paths.visit_file(&syntax);
        all.insert(relative, paths.found);
    }
    assert!(all.len() > 20, "the source tree was found");
    all
}

fn line_of(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, modules)| modules.contains(&module)).map(|(line, _)| *line)
}

#[test]
fn modules_import_only_from_lower_lines() {
    let mut wrong = Vec::new();
    for (file, paths) in named_paths() {
        let Some((module, _)) = file.split_once('/') else { continue };
        let own = line_of(module).unwrap_or_else(|| panic!("src/{module} is not in the layer table"));
        for (path, line) in paths {
            if path[0] != "crate" || path.len() < 2 {
                continue;
            }
            let Some(other) = line_of(&path[1]) else { continue };
            let allowed = other < own || path[1] == module || (own == 1 && other == 1);
            if !allowed {
                wrong
                    .push(format!("src/{file}:{line}: {module} (line {own}) names {} (line {other})", path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_owners_name_files_processes_sql_and_http_clients() {
    let mut wrong = Vec::new();
    for (file, paths) in named_paths() {
        for (path, line) in paths {
            for (prefix, who, why) in OWNERS {
                let named = path.len() >= prefix.len() && path.iter().zip(prefix).all(|(a, b)| a == b);
                if named && !who.iter().any(|owner| file.starts_with(owner)) {
                    wrong.push(format!("src/{file}:{line}: {} ({why})", path.join("::")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn main_is_role_dispatch_only() {
    let text = std::fs::read_to_string(root().join("main.rs")).expect("main.rs");
    assert!(text.lines().count() <= 40, "main.rs has {} lines", text.lines().count());
}

#[test]
fn no_file_is_longer_than_eight_hundred_lines() {
    let mut files = Vec::new();
    rust_files(&root(), &mut files);
    let long: Vec<String> = files
        .iter()
        .map(|file| (file, std::fs::read_to_string(file).expect("a source file").lines().count()))
        .filter(|(_, lines)| *lines > 800)
        .map(|(file, lines)| format!("{}: {lines}", file.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_checks_can_fail() {
    let text =
        "use crate::gateway::Gateway;\nfn f() { std::fs::read(\"x\"); }\n#[cfg(test)]\nmod tests { use crate::cli; }\n";
    let mut paths = Paths::default();
    paths.visit_file(&syn::parse_file(text).expect("it parses"));
    let joined: Vec<String> = paths.found.iter().map(|(path, _)| path.join("::")).collect();
    assert!(joined.contains(&"crate::gateway::Gateway".to_owned()), "{joined:?}");
    assert!(joined.contains(&"std::fs::read".to_owned()), "{joined:?}");
    assert!(!joined.contains(&"crate::cli".to_owned()), "test modules may import what they like");
}
