//! How a method is described. One description drives dispatch, the check of parameters and `rpc.discover`.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::Services;
use super::args::Args;
use crate::core::{Result, limits};
use crate::gateway::dispatch::Caller;

/// What a caller must be allowed to do (OpenClaw's operator scopes). Nothing checks it: a valid secret has all three, and
/// `rpc.discover` says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Looks only.
    Read,
    /// Makes agents work.
    Write,
    /// Changes configuration or destroys history.
    Admin,
}

impl Scope {
    /// From looking to changing.
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// OpenClaw's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "operator.read",
            Self::Write => "operator.write",
            Self::Admin => "operator.admin",
        }
    }

    /// One sentence for people.
    pub(crate) fn summary(self) -> &'static str {
        match self {
            Self::Read => "looks only",
            Self::Write => "makes agents work and changes conversations",
            Self::Admin => "changes the configuration or takes history away",
        }
    }
}

/// What happens to a call whose caller is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// It is dropped.
    WhileConnected,
    /// It runs to its end: half a change is worse than an unread answer.
    ToTheEnd,
}

/// One call, checked.
pub(crate) struct Call {
    /// Everything methods work with.
    pub(crate) services: Arc<Services>,
    /// Parameters that fit the description.
    pub(crate) args: Args,
    /// Who calls.
    pub(crate) caller: Caller,
}

/// Runs a call.
pub(crate) type Handler = fn(Call) -> BoxFuture<'static, Result<Value>>;

/// One method.
pub(crate) struct Method {
    /// Name on the wire.
    pub(crate) name: &'static str,
    /// One sentence for people.
    pub(crate) summary: &'static str,
    /// In the order of positional use.
    pub(crate) params: &'static [Param],
    /// JSON Schema of the result.
    pub(crate) result: fn() -> Value,
    /// Who may.
    pub(crate) scope: Scope,
    /// Whether it survives its caller.
    pub(crate) lifetime: Lifetime,
    /// The code.
    pub(crate) handler: Handler,
}

/// One parameter.
pub(crate) struct Param {
    /// Name.
    pub(crate) name: &'static str,
    /// Must be there.
    pub(crate) required: bool,
    /// What it may be.
    pub(crate) kind: Type,
    /// One sentence for people.
    pub(crate) summary: &'static str,
}

impl Param {
    /// Must be given.
    pub(crate) const fn required(name: &'static str, kind: Type, summary: &'static str) -> Self {
        Self { name, required: true, kind, summary }
    }

    /// May be left out.
    pub(crate) const fn optional(name: &'static str, kind: Type, summary: &'static str) -> Self {
        Self { name, required: false, kind, summary }
    }
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    /// An identifier: 1 to `limits::MAX_KEY_BYTES` bytes, no control characters.
    Key,
    /// Text of at most so many bytes without NUL.
    Text(usize),
    /// A whole number in a range.
    Integer(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of at most so many texts of at most so many bytes.
    Texts(usize, usize),
    /// A list of at most so many objects.
    Objects(usize),
    /// An object.
    Object,
    /// Any of these.
    AnyOf(&'static [Type]),
}

impl Type {
    /// Whether the value fits; the error says what would.
    pub(crate) fn check(self, value: &Value) -> Result<(), String> {
        match self {
            Self::Key => match value.as_str() {
                Some("") => Err("must not be empty".into()),
                Some(text) if text.len() > limits::MAX_KEY_BYTES => {
                    Err(format!("must be at most {} bytes long", limits::MAX_KEY_BYTES))
                }
                Some(text) if text.chars().any(char::is_control) => Err("must not contain control characters".into()),
                Some(_) => Ok(()),
                None => Err("must be a string".into()),
            },
            Self::Text(max) => match value.as_str() {
                Some(text) if text.len() > max => Err(format!("must be at most {max} bytes long")),
                Some(text) if text.contains('\0') => Err("must not contain NUL characters".into()),
                Some(_) => Ok(()),
                None => Err("must be a string".into()),
            },
            Self::Integer(min, max) => match whole(value) {
                Some(number) if (min..=max).contains(&number) => Ok(()),
                _ => Err(format!("must be a whole number from {min} to {max}")),
            },
            Self::Boolean if value.is_boolean() => Ok(()),
            Self::Boolean => Err("must be true or false".into()),
            Self::Null if value.is_null() => Ok(()),
            Self::Null => Err("must be null".into()),
            Self::OneOf(words) => match value.as_str() {
                Some(text) if words.contains(&text) => Ok(()),
                _ => Err(format!("must be one of {}", words.join(", "))),
            },
            Self::Texts(count, max) => match value.as_array() {
                Some(list) if list.len() > count => Err(format!("must have at most {count} items")),
                Some(list) => list.iter().try_for_each(|item| {
                    Self::Text(max).check(item).map_err(|why| format!("must be a list of strings; an item {why}"))
                }),
                None => Err("must be a list of strings".into()),
            },
            Self::Objects(count) => match value.as_array() {
                Some(list) if list.len() > count => Err(format!("must have at most {count} items")),
                Some(list) if list.iter().all(Value::is_object) => Ok(()),
                _ => Err("must be a list of objects".into()),
            },
            Self::Object if value.is_object() => Ok(()),
            Self::Object => Err("must be an object".into()),
            Self::AnyOf(types) => {
                let mut reasons = Vec::new();
                for kind in types {
                    match kind.check(value) {
                        Ok(()) => return Ok(()),
                        Err(why) => reasons.push(why),
                    }
                }
                Err(reasons.join(", or "))
            }
        }
    }

    /// JSON Schema.
    pub(crate) fn schema(self) -> Value {
        match self {
            Self::Key => json!({"type": "string", "minLength": 1, "maxLength": limits::MAX_KEY_BYTES}),
            Self::Text(max) => json!({"type": "string", "maxLength": max}),
            Self::Integer(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Boolean => json!({"type": "boolean"}),
            Self::Null => json!({"type": "null"}),
            Self::OneOf(words) => json!({"type": "string", "enum": words}),
            Self::Texts(count, max) => {
                json!({"type": "array", "maxItems": count, "items": {"type": "string", "maxLength": max}})
            }
            Self::Objects(count) => json!({"type": "array", "maxItems": count, "items": {"type": "object"}}),
            Self::Object => json!({"type": "object"}),
            Self::AnyOf(types) => json!({"anyOf": types.iter().map(|kind| kind.schema()).collect::<Vec<_>>()}),
        }
    }
}

/// The value as a whole number; `5.0` counts.
pub(super) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        #[expect(clippy::cast_possible_truncation, reason = "checked: whole and exactly representable")]
        (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
    })
}

/// JSON Schema of an object result: `(name, type, required)` per member; further members are allowed.
pub(crate) fn object_schema(members: &[(&str, &str)], optional: &[(&str, &str)]) -> Value {
    let mut properties = serde_json::Map::new();
    for (name, kind) in members.iter().chain(optional) {
        let schema = if *kind == "any" { json!({}) } else { json!({"type": kind}) };
        properties.insert((*name).to_owned(), schema);
    }
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}
