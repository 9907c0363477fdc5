//! Time travel: the state at a position of the log, the difference between two states, one line per event.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::event::{Event, EventBody};
use super::message::{ContentBlock, plain_text};
use super::projection::{SessionState, project};
use super::wire::to_value;

/// Longest summary of an event, in characters.
const SUMMARY_CHARACTERS: usize = 120;

/// Projection of the events up to and including position `seq` (`None`: all). Events may come in any order.
pub fn state_at<I: IntoIterator<Item = (i64, Arc<Event>)>>(events: I, seq: Option<i64>) -> SessionState {
    let before = |position: i64| seq.is_none_or(|seq| position <= seq);
    project(events.into_iter().filter(|(position, _)| before(*position)).map(|(_, event)| event))
}

/// What changed from `before` to `after`; only what differs is named:
/// `{values?: {key: {from, to}}, tip?: {from, to}, messages?: {from, to}, events?: {from, to}, usage?: {from, to},
/// ended?: {from, to}}`. `messages` counts the messages on the path; an absent value is `null`.
pub fn diff(before: &SessionState, after: &SessionState) -> Value {
    let mut changes = Map::new();
    let keys: BTreeSet<String> = before.values().into_keys().chain(after.values().into_keys()).collect();
    let mut values = Map::new();
    for key in keys {
        note(&mut values, &key, json!(before.value(&key)), json!(after.value(&key)));
    }
    if !values.is_empty() {
        changes.insert("values".into(), Value::Object(values));
    }
    note(&mut changes, "tip", json!(before.tip()), json!(after.tip()));
    note(&mut changes, "messages", message_count(before).into(), message_count(after).into());
    note(&mut changes, "events", before.len().into(), after.len().into());
    note(&mut changes, "usage", usage_json(before), usage_json(after));
    note(&mut changes, "ended", json!(before.ended()), json!(after.ended()));
    Value::Object(changes)
}

fn note(changes: &mut Map<String, Value>, key: &str, from: Value, to: Value) {
    if from != to {
        let change = Map::from_iter([("from".to_owned(), from), ("to".to_owned(), to)]);
        changes.insert(key.to_owned(), Value::Object(change));
    }
}

fn message_count(state: &SessionState) -> usize {
    state.path().iter().filter(|event| event.body.is_message()).count()
}

/// Usage of a state in the clients' shape.
pub(super) fn usage_json(state: &SessionState) -> Value {
    to_value(state.usage()).unwrap_or_default()
}

/// One line about an event, for `sessions.timeline`:
/// `{seq, id, parentId, ts, kind, runId?, summary, tool?, durationMs?, usage?, success?}`.
pub fn timeline_json(seq: i64, event: &Event) -> Value {
    let mut line = json!({
        "seq": seq, "id": event.id, "parentId": event.parent_id, "ts": event.ts, "kind": event.body.kind(),
    });
    if let Some(run_id) = &event.run_id {
        line["runId"] = json!(run_id);
    }
    line["summary"] = one_line(&summary(&event.body)).into();
    match &event.body {
        EventBody::ToolCalled(data) => line["tool"] = data.tool.as_str().into(),
        EventBody::ToolResult(data) => {
            line["tool"] = data.tool.as_str().into();
            line["success"] = data.success.into();
            if let Some(duration) = data.duration_ms {
                line["durationMs"] = duration.into();
            }
        }
        EventBody::AgentResponse(data) => {
            if let Some(usage) = data.usage.and_then(to_value) {
                line["usage"] = usage;
            }
        }
        _ => {}
    }
    line
}

fn summary(body: &EventBody) -> String {
    match body {
        EventBody::SessionStarted(data) => match &data.channel {
            Some(channel) => format!("session started on {channel}"),
            None => "session started".to_owned(),
        },
        EventBody::MessageReceived(data) => content_summary(&data.content),
        EventBody::ToolCalled(data) => format!("{} {}", data.tool, arguments(&data.params)),
        EventBody::ToolResult(data) => {
            let state = if data.success { "ok" } else { "failed" };
            format!("{} {state}: {}", data.tool, content_summary(&data.content))
        }
        EventBody::AgentResponse(data) => match &data.error {
            Some(error) if plain_text(&data.content).trim().is_empty() => format!("failed: {error}"),
            _ => content_summary(&data.content),
        },
        EventBody::MessageSent(data) => match &data.channel {
            Some(channel) => format!("sent to {channel}: {}", content_summary(&data.content)),
            None => format!("sent: {}", content_summary(&data.content)),
        },
        EventBody::StateChanged(data) if data.value.is_null() => format!("{} removed", data.key),
        EventBody::StateChanged(data) => {
            let text = data.value.get("summary").and_then(Value::as_str).or(data.value.as_str());
            format!("{} = {}", data.key, text.map_or_else(|| data.value.to_string(), str::to_owned))
        }
        EventBody::SessionEnded(data) => format!("session ended: {}", data.reason),
    }
}

/// The text; without any, what else there is.
fn content_summary(content: &[ContentBlock]) -> String {
    let text = plain_text(content);
    if !text.trim().is_empty() {
        return text;
    }
    let calls: Vec<_> = content.iter().filter_map(ContentBlock::as_tool_call).map(|(_, name, _)| name).collect();
    match (calls.as_slice(), content.len()) {
        ([], 0) => "(nothing)".to_owned(),
        ([], 1) => "(1 block without text)".to_owned(),
        ([], count) => format!("({count} blocks without text)"),
        (calls, _) => format!("calls {}", calls.join(", ")),
    }
}

fn arguments(params: &Value) -> String {
    let Value::Object(params) = params else { return params.to_string() };
    let pairs = params.iter().map(|(key, value)| match value {
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// White space and control characters become single spaces; the end is cut off.
fn one_line(text: &str) -> String {
    let mut line = Vec::new();
    let mut gap = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            gap = !line.is_empty();
            continue;
        }
        if gap {
            line.push(' ');
            gap = false;
        }
        line.push(character);
        if line.len() > SUMMARY_CHARACTERS {
            line.truncate(SUMMARY_CHARACTERS - 1);
            line.push('…');
            break;
        }
    }
    line.into_iter().collect()
}
