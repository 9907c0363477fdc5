//! Puts secrets back where a client sent the redaction sentinel for a value it left alone.

use serde_json::{Value, json};

use super::super::json5::{Kind, Node};
use super::super::path::{Segment, render};
use super::super::redact::SENTINEL;
use crate::core::{Error, Result};

/// The text with every sentinel replaced by the text that stands at the same path of the current file.
pub(super) fn restore_text(raw: &str, root: &Node, current: Option<&Node>, current_raw: &str) -> Result<String> {
    let mut found = Vec::new();
    walk(root, current, &mut Vec::new(), &mut found)?;
    let mut text = raw.to_owned();
    for (start, end, old) in found.into_iter().rev() {
        text.replace_range(start..end, &current_raw[old.span.start..old.span.end]);
    }
    Ok(text)
}

/// The value with every sentinel replaced by the source text (`${VAR}` included) at the same path below `path`.
pub(super) fn restore_value(value: &Value, current: Option<&Node>, path: &[Segment]) -> Result<Value> {
    let base = current.and_then(|root| path.iter().try_fold(root, |node, segment| child(node, segment, None)));
    restore(value, base, &mut path.to_vec())
}

fn restore(value: &Value, current: Option<&Node>, path: &mut Vec<Segment>) -> Result<Value> {
    match value {
        Value::String(text) if text.contains(SENTINEL) => match current {
            Some(old) if text == SENTINEL && is_scalar(old) => Ok(old.to_value()),
            _ => Err(nothing_there(path)),
        },
        Value::Array(elements) => {
            let mut restored = Vec::with_capacity(elements.len());
            for (index, element) in elements.iter().enumerate() {
                let segment = Segment::Index(index);
                let id = element.get("id").and_then(Value::as_str);
                let old = current.and_then(|node| child(node, &segment, id));
                path.push(segment);
                restored.push(restore(element, old, path)?);
                path.pop();
            }
            Ok(Value::Array(restored))
        }
        Value::Object(members) => {
            let mut restored = serde_json::Map::new();
            for (key, member) in members {
                let segment = Segment::Key(key.clone());
                let old = current.and_then(|node| child(node, &segment, None));
                path.push(segment);
                restored.insert(key.clone(), restore(member, old, path)?);
                path.pop();
            }
            Ok(Value::Object(restored))
        }
        other => Ok(other.clone()),
    }
}

/// Places of sentinels in the new text, each with the node that stands there in the current file.
fn walk<'n>(
    node: &Node,
    current: Option<&'n Node>,
    path: &mut Vec<Segment>,
    found: &mut Vec<(usize, usize, &'n Node)>,
) -> Result<()> {
    match &node.kind {
        Kind::String(text) if text.contains(SENTINEL) => match current {
            Some(old) if text == SENTINEL && is_scalar(old) => {
                found.push((node.span.start, node.span.end, old));
                Ok(())
            }
            _ => Err(nothing_there(path)),
        },
        Kind::Array(elements) => elements.iter().enumerate().try_for_each(|(index, element)| {
            let segment = Segment::Index(index);
            let id = element.get("id").and_then(Node::as_str);
            let old = current.and_then(|node| child(node, &segment, id));
            path.push(segment);
            walk(element, old, path, found)?;
            path.pop();
            Ok(())
        }),
        Kind::Object(members) => members.iter().try_for_each(|member| {
            let segment = Segment::Key(member.key.clone());
            let old = current.and_then(|node| child(node, &segment, None));
            path.push(segment);
            walk(&member.value, old, path, found)?;
            path.pop();
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// The child at a step; an element with an `id` is the one with that id, wherever it stands.
fn child<'n>(node: &'n Node, segment: &Segment, id: Option<&str>) -> Option<&'n Node> {
    if !node.is_array() {
        return node.get(&segment.key()?);
    }
    let elements = node.elements();
    match id {
        Some(id) => elements.iter().find(|element| element.get("id").and_then(Node::as_str) == Some(id)),
        None => elements.get(segment.index(elements.len())?),
    }
}

fn is_scalar(node: &Node) -> bool {
    match &node.kind {
        Kind::String(text) => !text.contains(SENTINEL),
        Kind::Number(_) => true,
        _ => false,
    }
}

fn nothing_there(path: &[Segment]) -> Error {
    let path = render(path);
    Error::user(format!("`{path}` has the redaction mark, but there is no current secret to put back"))
        .why(format!("{SENTINEL} stands for the value in the file, and the file has none at that path"))
        .hint("Send the real value, or leave the key out.")
        .details(json!({"key": path}))
}
