//! Pieces of request bodies that the APIs share. Everything borrows: a long history is written once, straight into the body.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::core::ToolCallId;
use crate::providers::types::ModelRequest;
use crate::session::message::{ChatMessage, ContentBlock, KnownBlock};

/// Bytes of a body's fixed members and of a few tools.
const FRAME: usize = 4 * 1024;
/// Bytes of a message beside its texts.
const MESSAGE_FRAME: usize = 64;

/// The body of `request` as bytes.
pub(crate) fn to_bytes(request: &ModelRequest, body: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(likely_size(request));
    serde_json::to_writer(&mut bytes, body).expect("strings, numbers and JSON values always serialise");
    bytes
}

/// About how long the body will be: growing a vector to the megabytes of a long conversation copies it again and again.
fn likely_size(request: &ModelRequest) -> usize {
    let message = |message: &ChatMessage| {
        let (ChatMessage::User { content }
        | ChatMessage::Assistant { content, .. }
        | ChatMessage::ToolResult { content, .. }) = message;
        let blocks = content.iter().map(|block| match block {
            ContentBlock::Known(KnownBlock::Text { text, .. }) => text.len() + text.len() / 32,
            ContentBlock::Known(KnownBlock::Image { data, .. }) => data.len(),
            _ => MESSAGE_FRAME,
        });
        MESSAGE_FRAME + blocks.sum::<usize>()
    };
    FRAME + request.system.len() + request.messages.iter().map(|each| message(each)).sum::<usize>()
}

/// Tool arguments as an object, which is all the APIs take: anything else goes under the key `arguments`.
pub(crate) struct Arguments<'a>(pub(crate) &'a Value);

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(object) => object.serialize(serializer),
            Value::Null => Map::new().serialize(serializer),
            other => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("arguments", other)?;
                map.end()
            }
        }
    }
}

/// [`Arguments`] as the JSON text that the OpenAI APIs want inside a string.
pub(crate) fn arguments_text(arguments: &Value) -> String {
    serde_json::to_string(&Arguments(arguments)).expect("JSON values always serialise")
}

/// `data:<mime>;base64,<data>` without a copy of the image.
pub(crate) struct DataUrl<'a> {
    pub(crate) mime_type: &'a str,
    pub(crate) data: &'a str,
}

impl Serialize for DataUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("data:{};base64,{}", self.mime_type, self.data))
    }
}

/// A tool call id that every API takes (`[a-zA-Z0-9_-]`, at most `longest`): unchanged if it already is one, else made unique by a hash
/// of the original, so that call and result still match.
pub(crate) fn call_id(id: &ToolCallId, longest: usize) -> Cow<'_, str> {
    const HASH: usize = 17;
    let id = id.as_str();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !id.is_empty() && id.len() <= longest && id.bytes().all(allowed) {
        return Cow::Borrowed(id);
    }
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let readable: String =
        id.bytes().take(longest - HASH).map(|byte| if allowed(byte) { char::from(byte) } else { '_' }).collect();
    Cow::Owned(format!("{readable}_{:016x}", hasher.finish()))
}

/// The text of a text block that is more than white space; some APIs refuse empty ones.
pub(crate) fn text_of(block: &ContentBlock) -> Option<&str> {
    block.as_text().filter(|text| !text.trim().is_empty())
}

/// `(mime type, base64)` of an image block.
pub(crate) fn image_of(block: &ContentBlock) -> Option<DataUrl<'_>> {
    match block {
        ContentBlock::Known(KnownBlock::Image { data, mime_type, .. }) => Some(DataUrl { mime_type, data }),
        _ => None,
    }
}

/// The texts of `content` joined by line feeds, borrowed when there is only one.
pub(crate) fn joined_text(content: &[ContentBlock]) -> Cow<'_, str> {
    let mut texts = content.iter().filter_map(text_of);
    match (texts.next(), texts.next()) {
        (None, _) => Cow::Borrowed(""),
        (Some(only), None) => Cow::Borrowed(only),
        (Some(first), Some(second)) => {
            let mut all = format!("{first}\n{second}");
            for text in texts {
                all.push('\n');
                all.push_str(text);
            }
            Cow::Owned(all)
        }
    }
}

/// The session id as a cache key: OpenAI takes at most 64 characters.
pub(crate) fn cache_key(session: &str) -> Cow<'_, str> {
    const LONGEST: usize = 64;
    if session.len() <= LONGEST {
        return Cow::Borrowed(session);
    }
    let mut hasher = DefaultHasher::new();
    session.hash(&mut hasher);
    Cow::Owned(format!("session-{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_always_an_object() {
        for (given, sent) in [
            (json!({"b": 1, "a": 2}), r#"{"b":1,"a":2}"#),
            (json!(null), "{}"),
            (json!("ls -"), r#"{"arguments":"ls -"}"#),
            (json!([1]), r#"{"arguments":[1]}"#),
        ] {
            assert_eq!(arguments_text(&given), sent);
        }
    }

    #[test]
    fn call_ids_stay_or_become_valid_and_distinct() {
        assert_eq!(call_id(&"toolu_01-A".into(), 64), "toolu_01-A");
        let dotted = call_id(&"functions.ls:0".into(), 64).into_owned();
        let colon = call_id(&"functions:ls:0".into(), 64).into_owned();
        assert_ne!(dotted, colon);
        assert_eq!(dotted, call_id(&"functions.ls:0".into(), 64));
        assert!(dotted.starts_with("functions_ls_0_"));
        for odd in ["", "ü", &"x".repeat(500)] {
            let id = call_id(&odd.into(), 40).into_owned();
            assert!(
                !id.is_empty() && id.len() <= 40 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{id}"
            );
        }
    }

    #[test]
    fn data_urls_are_written_in_place() {
        let url = DataUrl { mime_type: "image/png", data: "aGk=" };
        assert_eq!(serde_json::to_string(&url).expect("JSON"), r#""data:image/png;base64,aGk=""#);
    }

    #[test]
    fn long_session_names_become_short_keys() {
        assert_eq!(cache_key("s1"), "s1");
        assert!(cache_key(&"s".repeat(65)).len() <= 64);
    }
}
