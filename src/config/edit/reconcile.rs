//! From the value that is there to the one that is wanted, with as few changes of the text as possible.

use serde_json::Value;

use super::super::json5::Node;
use super::super::path::{Segment, node_at};
use super::super::substitute;
use super::splice;
use crate::core::{Error, Result};
use crate::secrets::Environment;

/// A text under change: parsed again after every splice, so that places are always right.
pub(super) struct Draft<'e> {
    /// The text.
    pub(super) text: String,
    /// Its tree.
    pub(super) root: Node,
    env: &'e Environment,
}

impl<'e> Draft<'e> {
    /// Parses the text.
    pub(super) fn new(text: String, env: &'e Environment) -> Result<Self> {
        let root = parse(&text)?;
        Ok(Self { text, root, env })
    }

    fn update(&mut self, text: String) -> Result<()> {
        self.root = parse(&text)?;
        self.text = text;
        Ok(())
    }

    /// The node at a path.
    pub(super) fn node(&self, path: &[Segment]) -> Option<&Node> {
        node_at(&self.root, path)
    }

    /// Makes the value at an existing path the wanted one.
    pub(super) fn reconcile(&mut self, path: &mut Vec<Segment>, wanted: &Value) -> Result<()> {
        let Some(node) = self.node(path) else { return Err(lost()) };
        if same(node, wanted, self.env) {
            return Ok(());
        }
        match wanted {
            Value::Object(members) if node.is_object() && !members.is_empty() => {
                let names: Vec<String> = node.members().iter().map(|member| member.key.clone()).collect();
                for name in names.iter().filter(|name| !members.contains_key(*name)) {
                    self.remove_key(path, name)?;
                }
                for (key, value) in members {
                    if names.contains(key) {
                        path.push(Segment::Key(key.clone()));
                        self.reconcile(path, value)?;
                        path.pop();
                    } else {
                        self.insert(path, Some(key), value)?;
                    }
                }
                Ok(())
            }
            Value::Array(elements) if node.is_array() && !elements.is_empty() && !node.elements().is_empty() => {
                let common = node.elements().len().min(elements.len());
                for _ in common..node.elements().len() {
                    self.remove_index(path, common)?;
                }
                for (index, element) in elements.iter().enumerate() {
                    if index < common {
                        path.push(Segment::Index(index));
                        self.reconcile(path, element)?;
                        path.pop();
                    } else {
                        self.insert(path, None, element)?;
                    }
                }
                Ok(())
            }
            _ => {
                let text = splice::replace(&self.text, &self.root, node, wanted);
                self.update(text)
            }
        }
    }

    /// Adds a member or, without a key, an element at the end of the node at `path`.
    pub(super) fn insert(&mut self, path: &[Segment], key: Option<&str>, value: &Value) -> Result<()> {
        let parent = self.node(path).ok_or_else(lost)?;
        let text = splice::insert(&self.text, &self.root, parent, key, value);
        self.update(text)
    }

    /// Removes every member of that name from the object at `path`.
    pub(super) fn remove_key(&mut self, path: &[Segment], key: &str) -> Result<()> {
        loop {
            let parent = self.node(path).ok_or_else(lost)?;
            let Some(index) = parent.members().iter().position(|member| member.key == key) else { return Ok(()) };
            let text = splice::remove(&self.text, parent, index);
            self.update(text)?;
        }
    }

    /// Removes one element of the list at `path`.
    pub(super) fn remove_index(&mut self, path: &[Segment], index: usize) -> Result<()> {
        let parent = self.node(path).ok_or_else(lost)?;
        let text = splice::remove(&self.text, parent, index);
        self.update(text)
    }
}

/// Whether the node already says this: as written, or after its variables have been replaced.
fn same(node: &Node, wanted: &Value, env: &Environment) -> bool {
    if let (Some(text), Value::String(wanted)) = (node.as_str(), wanted) {
        return text == wanted || (substitute::has_token(text) && substitute::text(text, env).as_ref() == Ok(wanted));
    }
    let value = node.to_value();
    value == *wanted || numbers_equal(&value, wanted)
}

/// `1.0` and `1` are one number.
fn numbers_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left.is_f64() != right.is_f64() && left.as_f64() == right.as_f64()
        }
        _ => false,
    }
}

fn parse(text: &str) -> Result<Node> {
    super::super::json5::parse(text, 0)
        .map(|parsed| parsed.root)
        .map_err(|error| Error::internal("An edit made a configuration that does not parse").why(error.why))
}

fn lost() -> Error {
    Error::internal("An edit lost its place in the configuration")
}
