//! From bytes to requests.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::RpcError;
use super::scan;
use super::strict::Strict;
use crate::core::limits;

/// Longest id echoed back, in bytes.
const MAX_ID_BYTES: usize = 1024;

/// What one HTTP body or WebSocket message holds.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// One entry, one answer (or none).
    Single(Entry<'a>),
    /// A list of answers (or none, when all were notifications).
    Batch(Vec<Entry<'a>>),
}

/// A request, or what is wrong with it.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    /// A well-formed request or notification.
    Request(Request<'a>),
    /// Not a request object. `id` is there if it could be read.
    Invalid {
        /// Raw id.
        id: Option<&'a RawValue>,
        /// For the answer.
        error: RpcError,
    },
}

/// A call.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Raw id; `None` makes it a notification, which is never answered.
    pub(crate) id: Option<&'a RawValue>,
    /// Method name.
    pub(crate) method: Cow<'a, str>,
    /// An object or an array; the error belongs into the answer, if one is wanted.
    pub(crate) params: Result<Option<Value>, RpcError>,
}

/// Reads one message. An error is answered with `id: null`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message<'_>, RpcError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        RpcError::parse(
            format!("invalid UTF-8 at byte {}", error.valid_up_to()),
            &json!({"offset": error.valid_up_to()}),
        )
    })?;
    if let Some(offset) = scan::too_deep(text, limits::MAX_JSON_DEPTH) {
        return Err(RpcError::parse(
            format!("nested deeper than {} levels at byte {offset}", limits::MAX_JSON_DEPTH),
            &json!({"offset": offset, "maxDepth": limits::MAX_JSON_DEPTH}),
        ));
    }
    let document: &RawValue = serde_json::from_str(text).map_err(|error| {
        RpcError::parse(error.to_string(), &json!({"line": error.line(), "column": error.column()}))
    })?;
    if !document.get().starts_with('[') {
        return Ok(Message::Single(entry(document)));
    }
    let items: Vec<&RawValue> = serde_json::from_str(document.get()).map_err(|error| {
        RpcError::parse(error.to_string(), &json!({"line": error.line(), "column": error.column()}))
    })?;
    if items.is_empty() {
        return Err(RpcError::invalid_request("a batch must not be empty"));
    }
    if items.len() > limits::MAX_RPC_BATCH {
        return Err(RpcError::invalid_request(format!(
            "a batch may hold at most {} calls; this one has {}",
            limits::MAX_RPC_BATCH,
            items.len()
        )));
    }
    Ok(Message::Batch(items.into_iter().map(entry).collect()))
}

fn entry(raw: &RawValue) -> Entry<'_> {
    if !raw.get().starts_with('{') {
        return Entry::Invalid { id: None, error: RpcError::invalid_request("a request is a JSON object") };
    }
    let members: Members<'_> = match serde_json::from_str(raw.get()) {
        Ok(members) => members,
        Err(error) => return Entry::Invalid { id: None, error: RpcError::invalid_request(error.to_string()) },
    };
    let id = members.id.filter(|id| is_legal_id(id));
    let invalid = |why: &str| Entry::Invalid { id, error: RpcError::invalid_request(why) };
    if let Some(twice) = members.twice {
        return invalid(&format!("the member {twice:?} occurs twice"));
    }
    if members.id.is_some() && id.is_none() {
        return invalid("an id is a string, a number or null, and at most 1024 bytes long");
    }
    if members.version.is_none_or(|version| version.get() != "\"2.0\"") {
        return invalid("the member \"jsonrpc\" must be the string \"2.0\"");
    }
    let Some(method) = members.method.and_then(text_of) else {
        return invalid("the member \"method\" must be a string");
    };
    let params = match members.params {
        None => Ok(None),
        Some(raw) if raw.get().starts_with(['{', '[']) => strict_params(raw),
        Some(_) => return invalid("the member \"params\" must be an object or an array"),
    };
    Entry::Request(Request { id, method, params })
}

fn strict_params(raw: &RawValue) -> Result<Option<Value>, RpcError> {
    match serde_json::from_str::<Strict>(raw.get()) {
        Ok(Strict(value)) => Ok(Some(value)),
        Err(error) => Err(RpcError::invalid_params("the params cannot be read", error.to_string())),
    }
}

fn is_legal_id(id: &RawValue) -> bool {
    let text = id.get();
    text.len() <= MAX_ID_BYTES
        && (text == "null" || text.starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit()))
}

fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    // dropped: a lone surrogate has no text; the caller reports the member as unusable
    serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned)
}

#[derive(Default)]
struct Members<'a> {
    version: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    twice: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Name {
    Jsonrpc,
    Id,
    Method,
    Params,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a request object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(name) = map.next_key::<Name>()? {
                    let (label, slot) = match name {
                        Name::Jsonrpc => ("jsonrpc", &mut members.version),
                        Name::Id => ("id", &mut members.id),
                        Name::Method => ("method", &mut members.method),
                        Name::Params => ("params", &mut members.params),
                        Name::Other => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let before = slot.replace(map.next_value::<&'de RawValue>()?);
                    if before.is_some() {
                        members.twice = Some(label);
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}
