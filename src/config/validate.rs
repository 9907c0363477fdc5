//! Values of the keys we use must be usable; everything else is left alone.

use super::MAX_FINDINGS;
use super::error::{Fault, Problem, SourceFile};
use super::json5::Node;
use super::path::join;
use super::table::{Row, rows};
use super::table_type::Type;

/// Reports every value of ours that has the wrong type.
pub(super) fn check(root: &Node, files: &[SourceFile], problems: &mut Vec<Problem>) {
    for row in rows() {
        let parts: Vec<&str> = row.path.split('.').collect();
        walk(root, &parts, "", row, files, problems);
    }
}

fn walk(node: &Node, parts: &[&str], path: &str, row: &Row, files: &[SourceFile], problems: &mut Vec<Problem>) {
    let mut report = |message: String| {
        if problems.len() < MAX_FINDINGS
            && !problems.iter().any(|known| known.key == path && known.fault == Fault::Value)
        {
            problems.push(Problem::at(Fault::Value, files, node.span, path, message));
        }
    };
    let Some((part, rest)) = parts.split_first() else {
        if !row.kind.accepts(node) {
            report(format!("expected {}, found {}", row.kind.describe(), found(node, row.kind)));
        }
        return;
    };
    let list = *part == "*" && row.path.starts_with("agents.list.") && path == "agents.list"
        || *part == "*" && path.starts_with("models.providers.") && path.ends_with(".models")
        || *part == "*" && path.starts_with("agents.") && path.ends_with(".sandbox.mounts");
    if list {
        if !node.is_array() {
            return report(format!("expected a list, found {}", node.describe()));
        }
        for (index, element) in node.elements().iter().enumerate() {
            walk(element, rest, &format!("{path}[{index}]"), row, files, problems);
        }
        return;
    }
    if !node.is_object() {
        // `model: "provider/model"` and the like are whole values of another row.
        return report(format!("expected an object, found {}", node.describe()));
    }
    if *part == "*" {
        for member in node.members() {
            walk(&member.value, rest, &join(path, &member.key), row, files, problems);
        }
    } else if let Some(child) = node.get(part) {
        walk(child, rest, &join(path, part), row, files, problems);
    }
}

/// The value in words; a short harmless text is shown as it is.
fn found(node: &Node, kind: Type) -> String {
    match (node.as_str(), kind) {
        (Some(_), Type::Secret) | (None, _) => node.describe(),
        (Some(text), _) if text.len() <= 40 => format!("{:?}", crate::core::redact::text(text)),
        (Some(_), _) => "a string".into(),
    }
}
