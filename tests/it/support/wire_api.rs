//! The three wire APIs, as a server speaks them.

use serde_json::{Value, json};

use super::provider::{Script, completions};

/// One API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireApi {
    Anthropic,
    Completions,
    Responses,
}

/// An error body: what the provider says, in its API's shape.
pub(crate) struct Fault {
    /// Anthropic's `type`.
    pub(crate) anthropic: &'static str,
    /// OpenAI's `code`, if it has one for this.
    pub(crate) openai: Option<&'static str>,
    /// The words.
    pub(crate) message: &'static str,
}

impl WireApi {
    pub(crate) const ALL: [Self; 3] = [Self::Anthropic, Self::Completions, Self::Responses];

    /// The name in the configuration, which the tests also use as the provider's id.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic-messages",
            Self::Completions => "openai-completions",
            Self::Responses => "openai-responses",
        }
    }

    /// Where calls go.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Anthropic => "/v1/messages",
            Self::Completions => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
        }
    }

    /// How the key is sent.
    pub(crate) fn key_header(self, key: &str) -> (&'static str, String) {
        match self {
            Self::Anthropic => ("x-api-key", key.to_owned()),
            _ => ("authorization", format!("Bearer {key}")),
        }
    }

    /// A complete reply.
    pub(crate) fn text(self, parts: &[&str]) -> Script {
        if self == Self::Completions {
            return completions::text(parts);
        }
        let mut events = self.partial(parts);
        if self == Self::Anthropic {
            events.extend([
                event(&json!({"type": "content_block_stop", "index": 0})),
                event(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                    "usage": {"output_tokens": 4}})),
                event(&json!({"type": "message_stop"})),
            ]);
            return Script::Sse(events);
        }
        let item = json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": parts.concat(), "annotations": []}]});
        events.extend([
            event(&json!({"type": "response.output_item.done", "output_index": 0, "item": item})),
            event(&json!({"type": "response.completed", "response": {
                "id": "resp_1", "object": "response", "model": "model-a", "status": "completed", "output": [item],
                "usage": {"input_tokens": 20, "output_tokens": 4, "total_tokens": 24},
            }})),
        ]);
        Script::Sse(events)
    }

    /// The beginning of a reply, up to and with these parts of its text.
    pub(crate) fn partial(self, parts: &[&str]) -> Vec<String> {
        let mut events = match self {
            Self::Completions => return completions::text_events(parts),
            Self::Anthropic => vec![
                event(&json!({"type": "message_start", "message": {
                    "id": "msg_1", "type": "message", "role": "assistant", "model": "model-a", "content": [],
                    "stop_reason": null, "usage": {"input_tokens": 20, "output_tokens": 1},
                }})),
                event(
                    &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                ),
            ],
            Self::Responses => vec![
                event(&json!({"type": "response.created", "response": {
                    "id": "resp_1", "object": "response", "model": "model-a", "status": "in_progress", "output": [],
                }})),
                event(&json!({"type": "response.output_item.added", "output_index": 0, "item": {
                    "id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": [],
                }})),
            ],
        };
        events.extend(parts.iter().map(|part| match self {
            Self::Anthropic => event(&json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": part}})),
            _ => event(&json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0,
                "content_index": 0, "delta": part})),
        }));
        events
    }

    /// An error in the middle of a stream.
    pub(crate) fn error_event(self, fault: &Fault) -> String {
        match self {
            Self::Anthropic => event(&json!({"type": "error", "error": self.error(fault)})),
            Self::Completions => format!("data: {}\n\n", json!({"error": self.error(fault)})),
            Self::Responses => event(&json!({"type": "response.failed", "response": {
                "id": "resp_1", "object": "response", "status": "failed",
                "error": {"code": fault.openai, "message": fault.message},
            }})),
        }
    }

    /// The body of an answer with an error status.
    pub(crate) fn error_body(self, fault: &Fault) -> String {
        match self {
            Self::Anthropic => json!({"type": "error", "error": self.error(fault), "request_id": "req_1"}),
            _ => json!({"error": self.error(fault)}),
        }
        .to_string()
    }

    fn error(self, fault: &Fault) -> Value {
        match self {
            Self::Anthropic => json!({"type": fault.anthropic, "message": fault.message}),
            _ => {
                json!({"type": "invalid_request_error", "param": null, "code": fault.openai, "message": fault.message})
            }
        }
    }

    /// Roles and texts of the conversation in a request.
    pub(crate) fn conversation(self, body: &Value) -> Vec<(String, String)> {
        let list = if self == Self::Responses { &body["input"] } else { &body["messages"] };
        list.as_array()
            .expect("a conversation")
            .iter()
            .filter(|message| message["role"] != "system" && message["role"] != "developer")
            .map(|message| {
                let text = match &message["content"] {
                    Value::String(text) => text.clone(),
                    Value::Array(parts) => {
                        parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("|")
                    }
                    other => other.to_string(),
                };
                (message["role"].as_str().unwrap_or_default().to_owned(), text)
            })
            .collect()
    }
}

fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}
