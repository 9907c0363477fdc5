//! Messages and states in the shape OpenClaw's clients read.

use serde_json::{Map, Value, json};

use super::event::{Event, EventBody};
use super::message::ContentBlock;
use super::projection::SessionState;
use super::timeline;

/// Name of the transcript's store in `transcriptPosition.source`.
const SOURCE: &str = "sqlite";

/// OpenClaw message shape of one event, for `chat.history` and `session.message`:
/// `{role, content, timestamp, api?, provider?, model?, usage?, stopReason?, responseId?, errorMessage?, toolCallId?,
/// toolName?, details?, isError?, idempotencyKey?, provenance?, excludeFromContext?,
/// __openclaw: {id, seq, recordTimestampMs, runId?, idempotencyKey?, transcriptPosition: {source, rawSeq}}}`.
///
/// The idempotency key of a user message is `<key of the request>:user`: clients match their own message by it.
/// `None` for events that are not messages (`SessionStarted`, `StateChanged`, `SessionEnded`, `ToolCalled`,
/// `MessageSent`).
pub fn message_json(event: &Event, seq: i64) -> Option<Value> {
    let mut message = Map::new();
    let mut idempotency_key = None;
    match &event.body {
        EventBody::MessageReceived(data) => {
            put(&mut message, "role", "user");
            put(&mut message, "content", blocks(&data.content));
            idempotency_key = data.idempotency_key.as_deref().map(user_key);
            put_some(&mut message, "idempotencyKey", idempotency_key.clone());
            put_some(&mut message, "provenance", data.provenance.clone());
            put_some(&mut message, "excludeFromContext", data.extra.get("excludeFromContext").cloned());
        }
        EventBody::AgentResponse(data) => {
            put(&mut message, "role", "assistant");
            put(&mut message, "content", blocks(&data.content));
            put_some(&mut message, "api", data.api.clone());
            put_some(&mut message, "provider", data.provider.clone());
            put_some(&mut message, "model", data.model.clone());
            put_some(&mut message, "usage", data.usage.and_then(to_value));
            let foreign = data.extra.get("stopReason").filter(|reason| reason.is_string()).cloned();
            put_some(&mut message, "stopReason", data.stop_reason.and_then(to_value).or(foreign));
            put_some(&mut message, "responseId", data.response_id.clone());
            put_some(&mut message, "errorMessage", data.error.clone());
            put_some(&mut message, "excludeFromContext", data.extra.get("excludeFromContext").cloned());
        }
        EventBody::ToolResult(data) => {
            put(&mut message, "role", "toolResult");
            put(&mut message, "toolCallId", data.tool_call_id.as_str());
            put(&mut message, "toolName", data.tool.as_str());
            put(&mut message, "content", blocks(&data.content));
            put_some(&mut message, "details", data.details.clone());
            put(&mut message, "isError", !data.success);
        }
        _ => return None,
    }
    put(&mut message, "timestamp", event.ts);
    let mut record = Map::new();
    put(&mut record, "id", event.id.as_str());
    put(&mut record, "seq", seq);
    put(&mut record, "recordTimestampMs", event.ts);
    put_some(&mut record, "runId", event.run_id.as_ref().map(ToString::to_string));
    put_some(&mut record, "idempotencyKey", idempotency_key);
    put(&mut record, "transcriptPosition", json!({"source": SOURCE, "rawSeq": seq}));
    put(&mut message, "__openclaw", record);
    Some(Value::Object(message))
}

/// See [`SessionState::to_json`].
pub(super) fn state_json(state: &SessionState) -> Value {
    let messages = (1..).zip(state.path()).filter_map(|(seq, event)| message_json(&event, seq));
    let mut json = Map::new();
    put(&mut json, "tip", state.tip().map(ToString::to_string));
    put(&mut json, "values", Map::from_iter(state.values()));
    put(&mut json, "messages", messages.collect::<Vec<_>>());
    put(&mut json, "usage", timeline::usage_json(state));
    put(
        &mut json,
        "counts",
        state.counts().into_iter().map(|(kind, n)| (kind.to_owned(), n.into())).collect::<Map<_, _>>(),
    );
    put_some(&mut json, "ended", state.ended());
    put(&mut json, "eventCount", state.len());
    Value::Object(json)
}

fn put(object: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    object.insert(key.to_owned(), value.into());
}

fn put_some(object: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(object, key, value);
    }
}

fn user_key(key: &str) -> String {
    if key.ends_with(":user") { key.to_owned() } else { format!("{key}:user") }
}

fn blocks(content: &[ContentBlock]) -> Value {
    content.iter().filter_map(to_value).collect()
}

/// JSON of one of our own types, which cannot fail: text keys and JSON values only.
pub(super) fn to_value(value: impl serde::Serialize) -> Option<Value> {
    // dropped: none of these types has a failing serialiser.
    serde_json::to_value(value).ok()
}
