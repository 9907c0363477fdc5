//! The tree: values with the place they were read from.

use serde_json::{Map, Value};

/// Bytes `start..end` of the file with that number in the loader's list of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Number of the file.
    pub(crate) file: usize,
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The place.
    pub(crate) span: Span,
    /// The value.
    pub(crate) kind: Kind,
}

/// The value itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string, escapes undone.
    String(String),
    /// An array.
    Array(Vec<Node>),
    /// An object with every member in order, duplicates included.
    Object(Vec<Member>),
}

/// A number; JSON5 has some that JSON has not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Number {
    /// What JSON can say.
    Finite(serde_json::Number),
    /// `Infinity`, `-Infinity` or `NaN`.
    NotFinite,
}

/// One member of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// The key, quotes and escapes undone.
    pub(crate) key: String,
    /// Where the key stands, quotes included.
    pub(crate) key_span: Span,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// The member of that name; the last one if the name stands there twice.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.members().iter().rev().find(|member| member.key == key).map(|member| &member.value)
    }

    /// The members, or nothing if this is no object.
    pub(crate) fn members(&self) -> &[Member] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements, or nothing if this is no array.
    pub(crate) fn elements(&self) -> &[Node] {
        match &self.kind {
            Kind::Array(elements) => elements,
            _ => &[],
        }
    }

    /// Whether it is an object.
    pub(crate) fn is_object(&self) -> bool {
        matches!(self.kind, Kind::Object(_))
    }

    /// Whether it is an array.
    pub(crate) fn is_array(&self) -> bool {
        matches!(self.kind, Kind::Array(_))
    }

    /// The text, if it is a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// As JSON; of two members with one name the last wins, `Infinity` and `NaN` become `null`.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null | Kind::Number(Number::NotFinite) => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(Number::Finite(number)) => Value::Number(number.clone()),
            Kind::String(text) => Value::String(text.clone()),
            Kind::Array(elements) => Value::Array(elements.iter().map(Self::to_value).collect()),
            Kind::Object(members) => {
                let mut map = Map::new();
                for member in members {
                    map.insert(member.key.clone(), member.value.to_value());
                }
                Value::Object(map)
            }
        }
    }

    /// What it is, in words for an error.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "null".into(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number(Number::Finite(number)) => format!("the number {number}"),
            Kind::Number(Number::NotFinite) => "a number that JSON cannot hold".into(),
            Kind::String(_) => "a string".into(),
            Kind::Array(_) => "a list".into(),
            Kind::Object(_) => "an object".into(),
        }
    }
}
