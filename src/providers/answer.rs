//! Deltas into a whole answer.
//!
//! While a tool call streams, its arguments are kept as a JSON string of the raw text; [`ModelAnswer::finish`] parses them.

use serde_json::{Map, Value};

use super::types::{Delta, ModelAnswer};
use crate::session::message::{ContentBlock, KnownBlock};

impl ModelAnswer {
    /// Takes the next delta.
    pub fn apply(&mut self, delta: &Delta) {
        match delta {
            Delta::Start { response_id, model } => {
                self.response_id.clone_from(response_id);
                self.model.clone_from(model);
            }
            Delta::Text { index, text: more } => match self.slot(*index) {
                ContentBlock::Known(KnownBlock::Text { text, .. }) => text.push_str(more),
                other => *other = ContentBlock::text(more.as_str()),
            },
            Delta::Thinking { index, text } => match self.slot(*index) {
                ContentBlock::Known(KnownBlock::Thinking { thinking, .. }) => thinking.push_str(text),
                other => *other = ContentBlock::thinking(text.as_str(), None),
            },
            Delta::ThinkingSignature { index, signature: value, redacted: withheld } => {
                let block = self.slot(*index);
                if !matches!(block, ContentBlock::Known(KnownBlock::Thinking { .. })) {
                    *block = ContentBlock::thinking("", None);
                }
                if let ContentBlock::Known(KnownBlock::Thinking { signature, redacted, .. }) = block {
                    *signature = Some(value.clone());
                    *redacted = *withheld;
                }
            }
            Delta::ToolCallStart { index, id, name } => {
                *self.slot(*index) = ContentBlock::tool_call(id.clone(), name.as_str(), Value::String(String::new()));
            }
            Delta::ToolCallArguments { index, json } => {
                if let ContentBlock::Known(KnownBlock::ToolCall { arguments: Value::String(raw), .. }) =
                    self.slot(*index)
                {
                    raw.push_str(json);
                }
            }
            Delta::Usage(usage) => self.usage = *usage,
            Delta::Done { stop_reason } => self.stop_reason = Some(*stop_reason),
        }
    }

    /// Parses tool arguments and removes what is empty. Without a stop reason (aborted, failed) tool calls whose arguments had not
    /// arrived whole are removed too, and text stays. May be called at any moment and more than once.
    pub fn finish(&mut self) {
        let complete = self.stop_reason.is_some();
        self.content.retain_mut(|block| match block {
            ContentBlock::Known(KnownBlock::Text { text, .. }) => !text.is_empty(),
            ContentBlock::Known(KnownBlock::Thinking { thinking, signature, .. }) => {
                !thinking.is_empty() || signature.is_some()
            }
            ContentBlock::Known(KnownBlock::ToolCall { arguments, .. }) => {
                if let Value::String(raw) = arguments {
                    match parse_arguments(raw) {
                        Some(_) if !complete && raw.trim().is_empty() => return false,
                        Some(object) => *arguments = Value::Object(object),
                        None => return complete,
                    }
                }
                true
            }
            _ => true,
        });
    }

    fn slot(&mut self, index: usize) -> &mut ContentBlock {
        if self.content.len() <= index {
            self.content.resize_with(index + 1, || ContentBlock::text(""));
        }
        &mut self.content[index]
    }
}

/// An object from the model's text: empty and `null` mean no arguments, and an object written as a JSON string is unpacked.
fn parse_arguments(raw: &str) -> Option<Map<String, Value>> {
    if raw.trim().is_empty() {
        return Some(Map::new());
    }
    match serde_json::from_str(raw) {
        Ok(Value::Object(object)) => Some(object),
        Ok(Value::Null) => Some(Map::new()),
        Ok(Value::String(inner)) => match serde_json::from_str(&inner) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::ToolCallId;
    use crate::session::message::{StopReason, Usage};

    fn answer(deltas: &[Delta]) -> ModelAnswer {
        let mut answer = ModelAnswer::default();
        for delta in deltas {
            answer.apply(delta);
        }
        answer
    }

    fn call(index: usize, arguments: &[&str]) -> Vec<Delta> {
        let start = Delta::ToolCallStart { index, id: ToolCallId::from(format!("c{index}")), name: "ls".into() };
        std::iter::once(start)
            .chain(arguments.iter().map(|json| Delta::ToolCallArguments { index, json: (*json).into() }))
            .collect()
    }

    fn arguments(answer: &ModelAnswer) -> Vec<Value> {
        answer.content.iter().filter_map(|block| block.as_tool_call().map(|call| call.2.clone())).collect()
    }

    #[test]
    fn a_whole_answer() {
        let usage = Usage { input: 3, output: 4, total_tokens: 7, ..Usage::default() };
        let mut deltas = vec![
            Delta::Start { response_id: Some("r".into()), model: Some("m".into()) },
            Delta::Thinking { index: 0, text: "hm".into() },
            Delta::ThinkingSignature { index: 0, signature: "sig".into(), redacted: false },
            Delta::Text { index: 1, text: "Hel".into() },
            Delta::Text { index: 1, text: "lo".into() },
        ];
        deltas.extend(call(2, &["{\"a\"", ":1}"]));
        deltas.extend([Delta::Usage(usage), Delta::Done { stop_reason: StopReason::ToolUse }]);
        let mut whole = answer(&deltas);
        whole.finish();
        let again = {
            let mut copy = whole.clone();
            copy.finish();
            copy
        };
        assert_eq!(again, whole, "finish is idempotent");
        assert_eq!(whole.content[0], ContentBlock::thinking("hm", Some("sig".into())));
        assert_eq!(whole.content[1].as_text(), Some("Hello"));
        assert_eq!(arguments(&whole), [json!({"a": 1})]);
        assert_eq!((whole.usage, whole.stop_reason), (usage, Some(StopReason::ToolUse)));
        assert_eq!((whole.response_id.as_deref(), whole.model.as_deref()), (Some("r"), Some("m")));
    }

    #[test]
    fn arguments_of_every_shape() {
        for (raw, parsed) in [
            ("", json!({})),
            ("  ", json!({})),
            ("null", json!({})),
            ("{\"a\":[1]}", json!({"a": [1]})),
            ("\"{\\\"a\\\":1}\"", json!({"a": 1})),
            ("{\"a\":", json!("{\"a\":")),
            ("[1]", json!("[1]")),
            ("ls -l", json!("ls -l")),
        ] {
            let mut deltas = call(0, &[raw]);
            deltas.push(Delta::Done { stop_reason: StopReason::ToolUse });
            let mut whole = answer(&deltas);
            whole.finish();
            assert_eq!(arguments(&whole), [parsed], "{raw:?}");
        }
    }

    #[test]
    fn an_aborted_answer_keeps_text_and_drops_incomplete_calls() {
        let mut deltas = vec![Delta::Text { index: 0, text: "I will".into() }];
        deltas.extend(call(1, &["{\"path\":\".\"}"]));
        deltas.extend(call(2, &["{\"path\":\"/e"]));
        deltas.extend(call(3, &[]));
        let mut partial = answer(&deltas);
        partial.finish();
        assert_eq!(partial.content.len(), 2);
        assert_eq!(partial.content[0].as_text(), Some("I will"));
        assert_eq!(arguments(&partial), [json!({"path": "."})]);
        assert_eq!(partial.stop_reason, None);
    }

    #[test]
    fn gaps_between_block_numbers_leave_nothing_behind() {
        let mut sparse = answer(&[Delta::Text { index: 3, text: "x".into() }]);
        sparse.finish();
        assert_eq!(sparse.content, [ContentBlock::text("x")]);
    }
}
