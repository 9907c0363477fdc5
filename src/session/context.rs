//! What a model is sent: the path root → tip, from the newest compaction on, repaired.
//!
//! | event | message |
//! |---|---|
//! | `MessageReceived` | user: its content blocks; sender, provenance and attachments stay here |
//! | `AgentResponse` | assistant; partial text of an aborted or failed response is kept, an empty one is left out |
//! | `ToolResult` | tool result; `details` stay here |
//! | `StateChanged` `branchSummary` (`{summary, …}` or a text) | user: the summary, at its place |
//! | `StateChanged` `compaction` (`{summary, firstKeptEventId, …}`) | the newest on the path: user, first of all |
//! | all others | none |
//!
//! The newest compaction on the path replaces everything before its `firstKeptEventId` by its summary. If that event is
//! not on the path before the compaction, what follows the compaction is kept. The value `null` takes compactions back;
//! a compaction without a summary is no compaction. Messages marked `excludeFromContext` and blocks of unknown types
//! are not sent. The context ends as the conversation ends: ask for it after the user's message has been applied.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::event::{Event, EventBody};
use super::message::{ChatMessage, ContentBlock, Context};
use super::projection::SessionState;
use super::repair;

/// State key of compactions.
pub const COMPACTION_KEY: &str = "compaction";
/// State key of branch summaries.
pub const BRANCH_SUMMARY_KEY: &str = "branchSummary";
/// First line of the user message that stands for what a compaction cut off.
pub const COMPACTION_HEADING: &str = "[Summary of the earlier conversation]";
/// First line of the user message that stands for a branch that was left.
pub const BRANCH_HEADING: &str = "[Summary of another branch of this conversation]";

/// The context at the tip.
pub(super) fn build(state: &SessionState) -> Context {
    let path = state.path_slots();
    let (summary, from) = compaction(state, &path);
    let kept = path[from..].iter().copied().filter(|slot| !state.slots()[*slot].is_compaction());
    let mut messages = Vec::with_capacity(path.len() - from + 1);
    messages.extend(summary.into_iter().chain(kept).filter_map(|slot| state.message_at(slot).cloned()));
    repair::arrange(messages)
}

/// Slot of the compaction in force, and the position on the path from which events are kept.
fn compaction(state: &SessionState, path: &[usize]) -> (Option<usize>, usize) {
    let mut compactions = (0..path.len()).rev().filter(|position| state.slots()[path[*position]].is_compaction());
    let value = |slot: usize| state.event_at(slot).and_then(|event| event.body.state_value(COMPACTION_KEY));
    let newest = compactions.find_map(|position| match value(path[position])? {
        Value::Null => Some((position, None)),
        value => summary_of(value).map(|_| (position, Some(value))),
    });
    let Some((position, Some(value))) = newest else { return (None, 0) };
    let first_kept = value.get("firstKeptEventId").and_then(Value::as_str).and_then(|id| {
        path[..position].iter().position(|slot| state.event_at(*slot).is_some_and(|event| event.id.as_str() == id))
    });
    (Some(path[position]), first_kept.unwrap_or(position))
}

/// The message of one event, in the form repair leaves untouched; `None` if it has none.
pub(super) fn message_of(event: &Event) -> Option<Arc<ChatMessage>> {
    let message = match &event.body {
        EventBody::MessageReceived(data) if !is_excluded(&data.extra) => {
            ChatMessage::User { content: data.content.clone() }
        }
        EventBody::AgentResponse(data) if !is_excluded(&data.extra) => ChatMessage::Assistant {
            content: data.content.clone(),
            provider: data.provider.clone(),
            model: data.model.clone(),
        },
        EventBody::ToolResult(data) => ChatMessage::ToolResult {
            tool_call_id: data.tool_call_id.clone(),
            tool_name: data.tool.clone(),
            content: data.content.clone(),
            is_error: !data.success,
        },
        EventBody::StateChanged(data) if data.key == COMPACTION_KEY => {
            summary_message(COMPACTION_HEADING, &data.value)?
        }
        EventBody::StateChanged(data) if data.key == BRANCH_SUMMARY_KEY => {
            summary_message(BRANCH_HEADING, &data.value)?
        }
        _ => return None,
    };
    repair::clean(Arc::new(message))
}

fn is_excluded(extra: &Map<String, Value>) -> bool {
    extra.get("excludeFromContext") == Some(&Value::Bool(true))
}

fn summary_of(value: &Value) -> Option<&str> {
    let text = value.as_str().or_else(|| value.get("summary")?.as_str())?;
    (!text.trim().is_empty()).then_some(text)
}

fn summary_message(heading: &str, value: &Value) -> Option<ChatMessage> {
    let summary = summary_of(value)?;
    Some(ChatMessage::User { content: vec![ContentBlock::text(format!("{heading}\n\n{summary}"))] })
}
