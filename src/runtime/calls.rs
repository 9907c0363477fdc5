//! The tool calls of an answer: ids that are unique in the conversation, and the call that an output limit cut.

use std::collections::HashSet;

use serde_json::Value;

use crate::core::ToolCallId;
use crate::providers::ModelAnswer;
use crate::session::message::{ChatMessage, ContentBlock, Context, KnownBlock, StopReason};
use crate::session::repair;

/// One call of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// Its id in the transcript.
    pub(super) id: ToolCallId,
    /// Tool.
    pub(super) name: String,
    /// Arguments as the model gave them.
    pub(super) arguments: Value,
    /// The output limit cut it off before its arguments were complete.
    pub(super) is_cut: bool,
}

/// The ids of a conversation's calls, in the form in which they are sent.
#[derive(Debug, Default)]
pub(super) struct CallIds {
    taken: HashSet<String>,
}

impl CallIds {
    /// The ids in use.
    pub(super) fn of(context: &Context) -> Self {
        let mut ids = Self::default();
        for message in context {
            if let ChatMessage::Assistant { content, .. } = &**message {
                let calls = content.iter().filter_map(ContentBlock::as_tool_call);
                ids.taken.extend(calls.map(|(id, ..)| repair::legal_id(id.as_str()).into_owned()));
            }
        }
        ids
    }

    /// Gives every call whose id was used before (some servers number the calls of every answer from 0) one of its own,
    /// so that events name one call only.
    pub(super) fn claim(&mut self, content: &mut [ContentBlock]) {
        for block in content {
            let ContentBlock::Known(KnownBlock::ToolCall { id, .. }) = block else { continue };
            while id.as_str().is_empty() || !self.taken.insert(repair::legal_id(id.as_str()).into_owned()) {
                *id = ToolCallId::generate();
            }
        }
    }
}

/// Puts an answer in its final form and lists its calls.
pub(super) fn finish(answer: &mut ModelAnswer, ids: &mut CallIds) -> Vec<Call> {
    let last_is_cut = last_call_is_cut(answer);
    answer.finish();
    ids.claim(&mut answer.content);
    let mut calls: Vec<Call> = answer
        .content
        .iter()
        .filter_map(ContentBlock::as_tool_call)
        .map(|(id, name, arguments)| Call {
            id: id.clone(),
            name: name.to_owned(),
            arguments: arguments.clone(),
            is_cut: false,
        })
        .collect();
    if let Some(last) = calls.last_mut() {
        last.is_cut = last_is_cut;
    }
    calls
}

/// Whether an answer ends, by its limit, in a call whose arguments are not whole. Must be asked before they are parsed.
fn last_call_is_cut(answer: &ModelAnswer) -> bool {
    let last = answer.content.iter().rev().find_map(ContentBlock::as_tool_call);
    match last {
        Some((_, _, Value::String(raw))) if answer.stop_reason == Some(StopReason::Length) => {
            !serde_json::from_str::<Value>(raw).is_ok_and(|arguments| arguments.is_object())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn call(id: &str) -> ContentBlock {
        ContentBlock::tool_call(id.into(), "ls", json!({}))
    }

    fn ids(content: &[ContentBlock]) -> Vec<String> {
        content.iter().filter_map(|block| block.as_tool_call().map(|call| call.0.to_string())).collect()
    }

    #[test]
    fn first_uses_keep_their_id_and_later_ones_get_another() {
        let context: Context =
            vec![Arc::new(ChatMessage::Assistant { content: vec![call("old")], provider: None, model: None })];
        let mut known = CallIds::of(&context);
        let mut content = vec![call("old"), call("fresh"), call("fresh"), call(""), ContentBlock::text("x")];
        known.claim(&mut content);
        let given = ids(&content);
        assert_eq!(given[1], "fresh");
        let distinct: HashSet<&str> = given.iter().map(String::as_str).chain(["old", ""]).collect();
        assert_eq!(distinct.len(), 6, "{given:?}");
    }

    #[test]
    fn ids_that_are_the_same_once_they_are_sent_are_the_same() {
        let sent = repair::legal_id("functions.ls:0").into_owned();
        let mut known = CallIds::default();
        let mut content = vec![call(&sent), call("functions.ls:0")];
        known.claim(&mut content);
        assert_ne!(ids(&content)[1], "functions.ls:0");
    }
}
