//! What the table cannot say about `tools` and `sandbox`: paths that must be absolute, names that must exist.

use std::path::{Component, Path};

use super::build::Reader;
use super::build_agents::sections;
use super::error::{Fault, Problem, SourceFile};
use super::json5::Node;
use super::loader::expand_home;
use super::path::join;
use super::table_tools::GUARANTEES;

/// Reports problems with the values of every `tools` and `sandbox` section.
pub(super) fn check(root: &Node, home: Option<&Path>, files: &[SourceFile], problems: &mut Vec<Problem>) {
    let mut found = Found { home, files, problems };
    if let Some(tools) = root.get("tools") {
        found.tools("tools", tools);
    }
    for (path, section) in sections(Reader(root.get("agents"))) {
        if let Some(tools) = section.get("tools") {
            found.tools(&join(&path, "tools"), tools);
        }
        if let Some(sandbox) = section.get("sandbox") {
            found.sandbox(&join(&path, "sandbox"), sandbox);
        }
    }
}

struct Found<'f> {
    home: Option<&'f Path>,
    files: &'f [SourceFile],
    problems: &'f mut Vec<Problem>,
}

impl Found<'_> {
    fn report(&mut self, path: &str, node: &Node, message: String, hint: &str) {
        if self.problems.len() < super::MAX_FINDINGS {
            self.problems.push(Problem::at(Fault::Value, self.files, node.span, path, message).hint(hint));
        }
    }

    /// Calls `problem` with each text of a list, and reports what it says.
    fn each(&mut self, path: &str, list: Option<&Node>, hint: &str, problem: impl Fn(&str) -> Option<String>) {
        for (index, node) in list.map_or(&[][..], Node::elements).iter().enumerate() {
            if let Some(message) = node.as_str().and_then(&problem) {
                self.report(&format!("{path}[{index}]"), node, message, hint);
            }
        }
    }

    fn tools(&mut self, path: &str, tools: &Node) {
        let Some(exec) = tools.get("exec") else { return };
        let home = self.home;
        self.each(
            &format!("{path}.exec.pathPrepend"),
            exec.get("pathPrepend"),
            "Write the whole path of a directory, without `:`.",
            |directory| {
                let expanded = expand_home(directory.trim(), home);
                absolute(&expanded)
                    .or_else(|| directory.contains(':').then(|| "a directory of `PATH` cannot have a `:`".to_owned()))
            },
        );
        self.each(
            &format!("{path}.exec.passEnv"),
            exec.get("passEnv"),
            "Write the names alone, like `CARGO_HOME`.",
            |name| (!is_variable(name)).then(|| format!("{name:?} is no name of an environment variable")),
        );
    }

    fn sandbox(&mut self, path: &str, sandbox: &Node) {
        self.mounts(&format!("{path}.mounts"), sandbox.get("mounts"));
        self.each(
            &format!("{path}.protect"),
            sandbox.get("protect"),
            "Write names or paths below the workspace, like `Makefile` or `ci/deploy.sh`.",
            |protect| {
                let inside = Path::new(protect).components().all(|part| matches!(part, Component::Normal(_)));
                (!inside || protect.is_empty()).then(|| format!("{protect:?} is no path below the workspace"))
            },
        );
        let hint = format!("The guarantees are {}.", GUARANTEES.join(", "));
        self.each(&format!("{path}.allowMissing"), sandbox.get("allowMissing"), &hint, |name| {
            (!GUARANTEES.contains(&name)).then(|| format!("there is no guarantee {name:?}"))
        });
    }

    fn mounts(&mut self, path: &str, mounts: Option<&Node>) {
        let hint = "Write {path: \"/whole/path\", access: \"ro\"}, each path once.";
        let mut seen = Vec::new();
        for (index, mount) in mounts.map_or(&[][..], Node::elements).iter().enumerate() {
            let path = format!("{path}[{index}]");
            let Some(directory) = Reader(Some(mount)).at("path").path(self.home) else {
                self.report(&path, mount, "a mount needs a `path`".to_owned(), hint);
                continue;
            };
            if let Some(message) = absolute(&directory) {
                self.report(&format!("{path}.path"), mount, message, hint);
            } else if directory.parent().is_none() {
                let message = "the whole file system cannot be mounted".to_owned();
                self.report(&format!("{path}.path"), mount, message, "Mount the directories that commands need.");
            } else if seen.contains(&directory) {
                let message = format!("{} is mounted twice", directory.display());
                self.report(&format!("{path}.path"), mount, message, hint);
            } else {
                seen.push(directory);
            }
        }
    }
}

/// Why it is no absolute path without `..`.
fn absolute(path: &Path) -> Option<String> {
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    (!path.is_absolute() || !plain).then(|| format!("{} is no absolute path", path.display()))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}
