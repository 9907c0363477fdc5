//! Addresses of values: `gateway.port`, `agents.list[0].model`, `models.providers["my.host"].apiKey`.

use serde_json::Value;

use super::json5::{Node, is_identifier};
use crate::core::{Error, Result};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    /// A member of an object; also an element of a list if it is a number.
    Key(String),
    /// An element of a list, from 0.
    Index(usize),
    /// `[]`: one past the last element.
    Append,
}

impl Segment {
    /// The index this step means in a list of `length` elements.
    pub(crate) fn index(&self, length: usize) -> Option<usize> {
        match self {
            Self::Index(index) => Some(*index),
            Self::Append => Some(length),
            Self::Key(key) => key.parse().ok(), // dropped: a key that is no number names no element
        }
    }

    /// The member name this step means in an object.
    pub(crate) fn key(&self) -> Option<String> {
        match self {
            Self::Key(key) => Some(key.clone()),
            Self::Index(index) => Some(index.to_string()),
            Self::Append => None,
        }
    }
}

/// Parses dot and bracket notation. The empty path is the whole document.
pub(crate) fn parse(path: &str) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (segment, tail) = bracket(path, inner)?;
            segments.push(segment);
            rest = tail;
        } else {
            let rest_of_key = if segments.is_empty() {
                rest
            } else {
                rest.strip_prefix('.').ok_or_else(|| bad(path, "after `]` a `.` or `[` must follow"))?
            };
            let (key, tail) = dotted(rest_of_key);
            if key.is_empty() {
                return Err(bad(path, "a key is missing before or after a `.`"));
            }
            segments.push(Segment::Key(key));
            rest = tail;
        }
    }
    Ok(segments)
}

/// A key up to the next `.` or `[`; a backslash takes the character after it as it is.
fn dotted(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '.' | '[' => return (key, &text[at..]),
            '\\' => key.extend(characters.next().map(|(_, escaped)| escaped)),
            other => key.push(other),
        }
    }
    (key, "")
}

fn bracket<'p>(path: &str, inner: &'p str) -> Result<(Segment, &'p str)> {
    if let Some(quote) = inner.chars().next().filter(|character| matches!(character, '"' | '\'')) {
        let mut key = String::new();
        let mut characters = inner[1..].char_indices();
        while let Some((at, character)) = characters.next() {
            if character == quote {
                let tail = inner[1 + at + 1..]
                    .strip_prefix(']')
                    .ok_or_else(|| bad(path, "after the closing quote a `]` must follow"))?;
                return Ok((Segment::Key(key), tail));
            }
            if character == '\\' {
                key.extend(characters.next().map(|(_, escaped)| escaped));
            } else {
                key.push(character);
            }
        }
        return Err(bad(path, "a quote inside `[` is never closed"));
    }
    let (text, tail) = inner.split_once(']').ok_or_else(|| bad(path, "a `[` is never closed"))?;
    let segment = match text.trim() {
        "" => Segment::Append,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Segment::Index(digits.parse().map_err(|_too_big| bad(path, "an index is too big"))?)
        }
        key => Segment::Key(key.to_owned()),
    };
    Ok((segment, tail))
}

fn bad(path: &str, why: &str) -> Error {
    Error::user(format!("`{path}` is no configuration path"))
        .why(why)
        .hint("Write paths like `gateway.port`, `agents.list[0].model` or `models.providers[\"my.host\"].apiKey`.")
}

/// The usual notation of a path.
pub(crate) fn render(segments: &[Segment]) -> String {
    let mut text = String::new();
    for segment in segments {
        match segment {
            Segment::Index(index) => text.extend(["[", &index.to_string(), "]"]),
            Segment::Append => text.push_str("[]"),
            Segment::Key(key) if is_plain(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Segment::Key(key) => text.extend(["[", &Value::from(key.as_str()).to_string(), "]"]),
        }
    }
    text
}

fn is_plain(key: &str) -> bool {
    is_identifier(key)
        || (!key.is_empty()
            && key
                .chars()
                .all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '$' | ':' | '/')))
}

/// `parent` with one more key.
pub(crate) fn join(parent: &str, key: &str) -> String {
    let mut segments = String::from(parent);
    let child = render(&[Segment::Key(key.to_owned())]);
    if !segments.is_empty() && !child.starts_with('[') {
        segments.push('.');
    }
    segments + &child
}

/// The value at a path, if there is one.
pub(crate) fn value_at<'v>(value: &'v Value, segments: &[Segment]) -> Option<&'v Value> {
    segments.iter().try_fold(value, |value, segment| match value {
        Value::Object(members) => members.get(&segment.key()?),
        Value::Array(elements) => elements.get(segment.index(elements.len())?),
        _ => None,
    })
}

/// The node at a path, if there is one.
pub(crate) fn node_at<'n>(node: &'n Node, segments: &[Segment]) -> Option<&'n Node> {
    segments.iter().try_fold(node, |node, segment| {
        if node.is_array() {
            node.elements().get(segment.index(node.elements().len())?)
        } else {
            node.get(&segment.key()?)
        }
    })
}
