//! Keys nobody knows: kept, but said, because most of them are slips.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::error::SourceFile;
use super::include;
use super::json5::Node;
use super::path::join;
use super::position::Position;
use super::table::TABLE;
use super::{ConfigIssue, MAX_FINDINGS, issue};
use crate::core::suggest::did_you_mean;

/// Key paths of OpenClaw 2026.5.7 and 2026.9.6, one per line; `*` is any key or index, the end of a line is open below.
const PATHS: &str = include_str!("known_keys.txt");

/// What may stand below a key. Without children everything may.
#[derive(Default)]
struct Known {
    children: BTreeMap<&'static str, Known>,
    /// A line of [`PATHS`] ends here: keys below are not checked even if our table names some of them.
    open: bool,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut root = Known::default();
    let ours = TABLE.iter().map(|row| (row.path, false)).chain([(include::KEY, true)]);
    for (path, open) in PATHS.lines().map(|path| (path, true)).chain(ours) {
        let mut at = &mut root;
        for part in path.split('.') {
            at = at.children.entry(part).or_default();
        }
        at.open |= open;
    }
    root
});

/// Warns about every key that neither OpenClaw's schemas nor our table know.
pub(super) fn check(root: &Node, files: &[SourceFile], warnings: &mut Vec<ConfigIssue>) {
    walk(root, &KNOWN, "", files, warnings);
}

fn walk(node: &Node, known: &Known, path: &str, files: &[SourceFile], warnings: &mut Vec<ConfigIssue>) {
    if warnings.len() >= MAX_FINDINGS || known.open || known.children.is_empty() {
        return;
    }
    let any = known.children.get("*");
    for (index, element) in node.elements().iter().enumerate() {
        if let Some(below) = any {
            walk(element, below, &format!("{path}[{index}]"), files, warnings);
        }
    }
    for member in node.members() {
        let child = join(path, &member.key);
        if warnings.len() >= MAX_FINDINGS {
            return;
        }
        if let Some(below) = known.children.get(member.key.as_str()).or(any) {
            walk(&member.value, below, &child, files, warnings);
            continue;
        }
        let names = known.children.keys().copied().filter(|name| !name.starts_with('$'));
        let suggestion = did_you_mean(&member.key, names).map(|name| join(path, name));
        let place = files.get(member.key_span.file).map(|file| Position::of(&file.text, member.key_span.start));
        let meant = suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        warnings.push(ConfigIssue {
            suggestion,
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            ..issue(&child, format!("unknown key, kept but not used{meant}"))
        });
    }
}
