//! One step of an edit: finds the place, makes what is missing, refuses what belongs to another file.

use serde_json::{Map, Value, json};

use super::super::include;
use super::super::json5::Node;
use super::super::loader::Pipeline;
use super::super::path::{Segment, node_at, render};
use super::reconcile::Draft;
use super::sentinel;
use super::{Change, Step};
use crate::core::{Error, ErrorKind, Result};

/// The text after the step.
pub(super) fn step(before: &Pipeline, text: String, step: &Step) -> Result<String> {
    let mut draft = Draft::new(text, &before.env)?;
    match &step.change {
        Change::Set(value) => {
            let value = sentinel::restore_value(value, before.own.as_ref(), &step.path)?;
            set(before, &mut draft, &step.path, &value)?;
        }
        Change::Unset => unset(before, &mut draft, &step.path)?,
        Change::Merge(value) => {
            let value = sentinel::restore_value(value, before.own.as_ref(), &step.path)?;
            merge(before, &mut draft, &mut step.path.clone(), &value)?;
        }
    }
    Ok(draft.text)
}

/// Sets the value at `path`; parents that are missing are made.
fn set(before: &Pipeline, draft: &mut Draft<'_>, path: &[Segment], value: &Value) -> Result<()> {
    let mut at: Vec<Segment> = Vec::new();
    for (depth, segment) in path.iter().enumerate() {
        let Some(node) = draft.node(&at) else { return Err(Error::internal("A configuration path lost its parent")) };
        let rest = &path[depth + 1..];
        if node.is_array() {
            let length = node.elements().len();
            let index = segment.index(length).ok_or_else(|| misfit(&at, node, segment))?;
            if index > length {
                return Err(Error::user(format!(
                    "`{}` has {length} elements, so index {index} cannot be set",
                    render(&at)
                ))
                .hint(format!("Use `{}[]` to add one.", render(&at))));
            }
            if index == length {
                return draft.insert(&at, None, &wrap(rest, value)?);
            }
            at.push(Segment::Index(index));
        } else if node.is_object() {
            let key = segment.key().ok_or_else(|| misfit(&at, node, segment))?;
            if node.get(&key).is_none_or(|child| !rest.is_empty() && child.kind == super::super::json5::Kind::Null) {
                refuse_included(before, node, &at, &key)?;
                let replaces_null = node.get(&key).is_some();
                let wrapped = wrap(rest, value)?;
                if replaces_null {
                    at.push(Segment::Key(key));
                    return draft.reconcile(&mut at, &wrapped);
                }
                return draft.insert(&at, Some(&key), &wrapped);
            }
            at.push(Segment::Key(key));
        } else {
            return Err(misfit(&at, node, segment));
        }
    }
    draft.reconcile(&mut at, value)
}

fn unset(before: &Pipeline, draft: &mut Draft<'_>, path: &[Segment]) -> Result<()> {
    let Some((last, parents)) = path.split_last() else { return Ok(()) };
    for depth in 0..path.len() {
        let Some(node) = draft.node(&path[..depth]) else { return Ok(()) };
        if let (true, Some(key)) = (node.is_object(), path[depth].key())
            && node.get(&key).is_none()
        {
            return refuse_included(before, node, &path[..depth], &key);
        }
    }
    let Some(parent) = draft.node(parents) else { return Ok(()) };
    if parent.is_array() {
        let length = parent.elements().len();
        return match last.index(length).filter(|index| *index < length) {
            Some(index) => draft.remove_index(parents, index),
            None => Ok(()),
        };
    }
    match last.key() {
        Some(key) => draft.remove_key(parents, &key),
        None => Ok(()),
    }
}

fn merge(before: &Pipeline, draft: &mut Draft<'_>, path: &mut Vec<Segment>, value: &Value) -> Result<()> {
    let Value::Object(members) = value else {
        return if value.is_null() { unset(before, draft, path) } else { set(before, draft, path, value) };
    };
    if !path.is_empty() && !draft.node(path).is_some_and(Node::is_object) {
        return set(before, draft, path, &without_nulls(value));
    }
    for (key, member) in members {
        path.push(Segment::Key(key.clone()));
        merge(before, draft, path, member)?;
        path.pop();
    }
    Ok(())
}

/// A patch laid on nothing: its `null`s remove nothing.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, member)| !member.is_null());
            Value::Object(kept.map(|(key, member)| (key.clone(), without_nulls(member))).collect())
        }
        other => other.clone(),
    }
}

/// The value inside the objects and lists the rest of the path needs.
fn wrap(rest: &[Segment], value: &Value) -> Result<Value> {
    rest.iter().rev().try_fold(value.clone(), |inner, segment| match segment {
        Segment::Key(key) => Ok(Value::Object(Map::from_iter([(key.clone(), inner)]))),
        Segment::Index(0) | Segment::Append => Ok(json!([inner])),
        Segment::Index(index) => {
            Err(Error::user(format!("there is no list yet, so its element {index} cannot be set"))
                .hint("Use index 0 or `[]` for the first element."))
        }
    })
}

fn misfit(at: &[Segment], node: &Node, segment: &Segment) -> Error {
    let parent = if at.is_empty() { "the configuration".to_owned() } else { format!("`{}`", render(at)) };
    let child = render(std::slice::from_ref(segment));
    Error::user(format!("{parent} is {}, so it has no `{child}`", node.describe()))
        .hint("Set or unset the value above it instead.")
}

/// Refuses when the key is not in this file but comes from one that an `$include` on the way names.
fn refuse_included(before: &Pipeline, node: &Node, at: &[Segment], key: &str) -> Result<()> {
    let mut path = at.to_vec();
    path.push(Segment::Key(key.to_owned()));
    let from = node_at(&before.merged, &path).filter(|found| found.span.file != 0);
    let file = from.and_then(|found| before.files.get(found.span.file));
    // A single `$include` of something that is no object cannot have siblings.
    let whole = node_at(&before.merged, at).filter(|found| node.get(include::KEY).is_some() && !found.is_object());
    let file = file.or_else(|| whole.and_then(|found| before.files.get(found.span.file)));
    let Some(file) = file else { return Ok(()) };
    let path = render(&path);
    Err(Error::new(
        ErrorKind::Config,
        format!("`{path}` comes from {}, which this command does not edit", file.path.display()),
    )
    .why(format!("{} takes it in with `$include`", before.path.display()))
    .hint(format!("Edit {} by hand.", file.path.display()))
    .details(json!({"key": path, "path": file.path})))
}

/// Removes the value at a path from a value.
pub(super) fn remove(value: &mut Value, path: &[Segment]) {
    let Some((first, rest)) = path.split_first() else { return };
    match value {
        Value::Object(members) => {
            let Some(key) = first.key() else { return };
            if rest.is_empty() {
                members.shift_remove(&key);
            } else if let Some(child) = members.get_mut(&key) {
                remove(child, rest);
            }
        }
        Value::Array(elements) => {
            let length = elements.len();
            if let Some(child) = first.index(length).and_then(|index| elements.get_mut(index)) {
                remove(child, rest);
            }
        }
        _ => {}
    }
}
