//! JSON of content blocks. A block of a known type in a form we do not know is kept whole as [`ContentBlock::Other`];
//! optional members in a form we do not know stay in the block's `extra`.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use super::message::{ContentBlock, KnownBlock};
use crate::core::ToolCallId;

impl ContentBlock {
    /// Reads a block. Total: what is not a known block is kept as it came.
    pub fn from_json(value: Value) -> Self {
        match value {
            Value::Object(object) => match KnownBlock::from_object(object) {
                Ok(block) => Self::Known(block),
                Err(object) => Self::Other(Value::Object(object)),
            },
            other => Self::Other(other),
        }
    }
}

fn has_text(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key).is_some_and(Value::is_string)
}

fn take_text(object: &mut Map<String, Value>, key: &str) -> Option<String> {
    match object.shift_remove(key)? {
        Value::String(text) => Some(text),
        other => {
            object.insert(key.to_owned(), other);
            None
        }
    }
}

impl KnownBlock {
    /// The value of `type`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Thinking { .. } => "thinking",
            Self::ToolCall { .. } => "toolCall",
            Self::Image { .. } => "image",
        }
    }

    /// Reads a block, or gives the object back unchanged if it is none of ours.
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Map<String, Value>> {
        let known = match object.get("type").and_then(Value::as_str) {
            Some("text") => has_text(&object, "text"),
            Some("thinking") => has_text(&object, "thinking"),
            Some("toolCall") => {
                has_text(&object, "id") && has_text(&object, "name") && object.contains_key("arguments")
            }
            Some("image") => has_text(&object, "data") && has_text(&object, "mimeType"),
            _ => false,
        };
        if !known {
            return Err(object);
        }
        let kind = take_text(&mut object, "type").unwrap_or_default();
        let mut text = |key| take_text(&mut object, key).unwrap_or_default();
        Ok(match kind.as_str() {
            "text" => Self::Text { text: text("text"), extra: object },
            "image" => Self::Image { data: text("data"), mime_type: text("mimeType"), extra: object },
            "toolCall" => {
                let (id, name) = (ToolCallId::new(text("id")), text("name"));
                let arguments = object.shift_remove("arguments").unwrap_or_default();
                Self::ToolCall { id, name, arguments, extra: object }
            }
            _ => {
                let thinking = text("thinking");
                let signature = take_text(&mut object, "thinkingSignature");
                let redacted = object.get("redacted") == Some(&Value::Bool(true));
                if redacted {
                    object.shift_remove("redacted");
                }
                Self::Thinking { thinking, signature, redacted, extra: object }
            }
        })
    }
}

impl Serialize for KnownBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.type_name())?;
        let (extra, written): (_, &[&str]) = match self {
            Self::Text { text, extra } => {
                map.serialize_entry("text", text)?;
                (extra, &["text"])
            }
            Self::Thinking { thinking, signature, redacted, extra } => {
                map.serialize_entry("thinking", thinking)?;
                if let Some(signature) = signature {
                    map.serialize_entry("thinkingSignature", signature)?;
                }
                if *redacted {
                    map.serialize_entry("redacted", redacted)?;
                }
                let written: &[&str] = match (signature.is_some(), *redacted) {
                    (false, false) => &["thinking"],
                    (true, false) => &["thinking", "thinkingSignature"],
                    (false, true) => &["thinking", "redacted"],
                    (true, true) => &["thinking", "thinkingSignature", "redacted"],
                };
                (extra, written)
            }
            Self::ToolCall { id, name, arguments, extra } => {
                map.serialize_entry("id", id)?;
                map.serialize_entry("name", name)?;
                map.serialize_entry("arguments", arguments)?;
                (extra, &["id", "name", "arguments"])
            }
            Self::Image { data, mime_type, extra } => {
                map.serialize_entry("data", data)?;
                map.serialize_entry("mimeType", mime_type)?;
                (extra, &["data", "mimeType"])
            }
        };
        for (key, value) in extra {
            if key != "type" && !written.contains(&key.as_str()) {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for KnownBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_object(Map::deserialize(deserializer)?).map_err(|object| {
            let kind = object.get("type").and_then(Value::as_str).unwrap_or("without a type");
            D::Error::custom(format!("not a content block we know: {kind}"))
        })
    }
}

impl<'de> Deserialize<'de> for ContentBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_json)
    }
}
