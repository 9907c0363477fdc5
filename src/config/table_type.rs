//! The types of the table: what a value must be, in words and as JSON Schema.

use serde_json::{Value, json};

use super::json5::{Kind, Node, Number as Numeral};

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// `true` or `false`.
    Bool,
    /// `true` or `false`, where OpenClaw's own files sometimes have `null`.
    Flag,
    /// A whole number between the two.
    Integer(u64, u64),
    /// A number from 0.
    Number,
    /// A string.
    Text,
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// A list of strings.
    List,
    /// A string or a secret reference.
    Secret,
    /// A string or `{primary, fallbacks}`.
    Model,
    /// An object.
    Map,
}

impl Type {
    /// Whether the value fits.
    pub(crate) fn accepts(self, node: &Node) -> bool {
        match (self, &node.kind) {
            (Self::Bool | Self::Flag, Kind::Bool(_))
            | (Self::Flag, Kind::Null)
            | (Self::Map, Kind::Object(_))
            | (Self::Text | Self::Secret | Self::Model, Kind::String(_)) => true,
            (Self::Integer(least, most), Kind::Number(_)) => {
                whole(node).is_some_and(|value| (least..=most).contains(&value))
            }
            (Self::Number, Kind::Number(Numeral::Finite(number))) => number.as_f64().is_some_and(|value| value >= 0.0),
            (Self::Enum(names), Kind::String(text)) => names.contains(&text.as_str()),
            (Self::List, Kind::Array(elements)) => elements.iter().all(|element| element.as_str().is_some()),
            (Self::Secret, Kind::Object(_)) => is_reference(node),
            (Self::Model, Kind::Object(_)) => {
                node.get("primary").is_none_or(|primary| primary.as_str().is_some())
                    && node.get("fallbacks").is_none_or(|fallbacks| Self::List.accepts(fallbacks))
            }
            _ => false,
        }
    }

    /// "a whole number from 1 to 65535".
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Bool | Self::Flag => "true or false".into(),
            Self::Integer(least, u64::MAX) => format!("a whole number, at least {least}"),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number => "a number, at least 0".into(),
            Self::Text => "a string".into(),
            Self::Enum(names) => format!("one of {}", names.join(", ")),
            Self::List => "a list of strings".into(),
            Self::Secret => "a string or a secret reference {source: \"env\"|\"file\"|\"exec\", provider, id}".into(),
            Self::Model => "a string like \"provider/model\" or {primary, fallbacks}".into(),
            Self::Map => "an object".into(),
        }
    }

    /// The JSON Schema of the value, without title and description.
    pub(crate) fn schema(self) -> Value {
        match self {
            Self::Bool | Self::Flag => json!({"type": "boolean"}),
            Self::Integer(least, u64::MAX) => json!({"type": "integer", "minimum": least}),
            Self::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Self::Number => json!({"type": "number", "minimum": 0}),
            Self::Text => json!({"type": "string"}),
            Self::Enum(names) => json!({"type": "string", "enum": names}),
            Self::List => json!({"type": "array", "items": {"type": "string"}}),
            Self::Secret => json!({"anyOf": [{"type": "string"}, {
                "type": "object",
                "properties": {
                    "source": {"type": "string", "enum": ["env", "file", "exec"]},
                    "provider": {"type": "string"},
                    "id": {"type": "string"},
                },
                "required": ["source", "id"],
                "additionalProperties": true,
            }]}),
            Self::Model => json!({"anyOf": [{"type": "string"}, {
                "type": "object",
                "properties": {"primary": {"type": "string"}, "fallbacks": {"type": "array", "items": {"type": "string"}}},
                "additionalProperties": true,
            }]}),
            Self::Map => json!({"type": "object", "additionalProperties": true}),
        }
    }
}

/// The value as a whole number; `18789.0` counts.
pub(super) fn whole(node: &Node) -> Option<u64> {
    let Kind::Number(Numeral::Finite(number)) = &node.kind else { return None };
    number.as_u64().or_else(|| number.as_f64().and_then(whole_float))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bounds are checked before the cast")]
fn whole_float(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&value)).then_some(value as u64)
}

/// `{source, id}` with a source there is.
fn is_reference(node: &Node) -> bool {
    let text = |key: &str| node.get(key).and_then(Node::as_str);
    text("source").is_some_and(|source| matches!(source, "env" | "file" | "exec" | "store"))
        && text("id").is_some_and(|id| !id.is_empty())
        && node.get("provider").is_none_or(|provider| provider.as_str().is_some())
}
