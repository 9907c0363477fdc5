//! Keys nobody knows: kept, but said, because most of them are slips.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::error::SourceFile;
use super::include;
use super::json5::Node;
use super::path::join;
use super::position::Position;
use super::table::rows;
use super::{ConfigIssue, MAX_FINDINGS, issue};
use crate::core::suggest::did_you_mean;

/// Key paths of OpenClaw 2026.5.7 and 2026.9.6, one per line; `*` is any key or index, the end of a line is open below.
const PATHS: &str = include_str!("known_keys.txt");

/// Every known path, sorted, and whether keys below it go unchecked: a line of [`PATHS`] ends there. Looked up by binary
/// search: a tree of maps would take a millisecond of every command to build and a megabyte to keep.
static KNOWN: LazyLock<Vec<(&'static str, bool)>> = LazyLock::new(|| {
    let ours = rows().map(|row| (row.path, false)).chain([(include::KEY, true)]);
    let mut paths: Vec<_> = PATHS.lines().map(|path| (path, true)).chain(ours).collect();
    paths.sort_unstable();
    paths
});

/// A place among the known keys: its path, with `*` for any key. Empty for the root.
#[derive(Clone, Default)]
struct Place(String);

impl Place {
    /// The known paths below.
    fn below(&self) -> &'static [(&'static str, bool)] {
        if self.0.is_empty() {
            return &KNOWN;
        }
        let start = format!("{}.", self.0);
        let from = KNOWN.partition_point(|(path, _)| *path < start.as_str());
        let count = KNOWN[from..].partition_point(|(path, _)| path.starts_with(&start));
        &KNOWN[from..from + count]
    }

    /// Keys below are not checked, even if our table names some of them.
    fn is_open(&self) -> bool {
        let from = KNOWN.partition_point(|(path, _)| *path < self.0.as_str());
        KNOWN[from..].iter().take_while(|(path, _)| *path == self.0).any(|(_, open)| *open)
    }

    /// The place of a key below this one, if it is known by that name.
    fn child(&self, key: &str) -> Option<Place> {
        if key.is_empty() || key.contains('.') {
            return None;
        }
        let child = Place(if self.0.is_empty() { key.to_owned() } else { format!("{}.{key}", self.0) });
        let from = KNOWN.partition_point(|(path, _)| *path < child.0.as_str());
        let is_path = KNOWN.get(from).is_some_and(|(path, _)| *path == child.0);
        (is_path || !child.below().is_empty()).then_some(child)
    }

    /// The names known below this place.
    fn names(&self) -> BTreeSet<&'static str> {
        let skipped = if self.0.is_empty() { 0 } else { self.0.len() + 1 };
        self.below().iter().filter_map(|(path, _)| path[skipped..].split('.').next()).collect()
    }
}

/// Warns about every key that neither OpenClaw's schemas nor our table know.
pub(super) fn check(root: &Node, files: &[SourceFile], warnings: &mut Vec<ConfigIssue>) {
    walk(root, &Place::default(), "", files, warnings);
}

fn walk(node: &Node, known: &Place, path: &str, files: &[SourceFile], warnings: &mut Vec<ConfigIssue>) {
    if warnings.len() >= MAX_FINDINGS || known.is_open() || known.below().is_empty() {
        return;
    }
    let any = known.child("*");
    for (index, element) in node.elements().iter().enumerate() {
        if let Some(below) = &any {
            walk(element, below, &format!("{path}[{index}]"), files, warnings);
        }
    }
    for member in node.members() {
        let child = join(path, &member.key);
        if warnings.len() >= MAX_FINDINGS {
            return;
        }
        if let Some(below) = known.child(&member.key).or_else(|| any.clone()) {
            walk(&member.value, &below, &child, files, warnings);
            continue;
        }
        let names = known.names().into_iter().filter(|name| !name.starts_with('$'));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_whole_names_only() {
        let root = Place::default();
        assert!(root.child("gateway").is_some() && root.child("gatewa").is_none() && root.child("").is_none());
        let gateway = root.child("gateway").unwrap();
        assert!(gateway.child("port").is_some() && gateway.child("auth.mode").is_none());
        assert!(gateway.names().contains("port") && !gateway.is_open());
        assert!(root.names().contains("agents") && root.names().len() < KNOWN.len());
        assert!(KNOWN.iter().all(|(path, _)| !path.is_empty()));
    }
}
