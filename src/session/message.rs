//! Conversation content as the model, the transcript and the clients see it.
//!
//! Field names are OpenClaw's (`toolCall`, `mimeType`, `cacheRead`), so stored messages go to its clients unchanged.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::core::ToolCallId;

/// One piece of a message. Its JSON is read and written by `block_json.rs`, without loss.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ContentBlock {
    /// A block of a type we know.
    Known(KnownBlock),
    /// A block of a type we do not know, kept as it came. It is shown to clients and never sent to a model.
    Other(Value),
}

/// The block types the product produces and understands.
#[derive(Debug, Clone, PartialEq)]
pub enum KnownBlock {
    /// Plain text (Markdown by convention).
    Text {
        /// The text.
        text: String,
        /// Fields we do not interpret.
        extra: Map<String, Value>,
    },
    /// The model's reasoning, when the provider shares it.
    Thinking {
        /// The reasoning text; empty when redacted.
        thinking: String,
        /// The provider's signature or opaque reasoning item (`thinkingSignature`); must be sent back unchanged.
        signature: Option<String>,
        /// The provider withheld the text; `signature` holds its opaque form.
        redacted: bool,
        /// Fields we do not interpret.
        extra: Map<String, Value>,
    },
    /// A request of the model to run a tool.
    ToolCall {
        /// Call id, unique within the session.
        id: ToolCallId,
        /// Tool name.
        name: String,
        /// Arguments: an object; a string if the model wrote something that is not JSON.
        arguments: Value,
        /// Fields we do not interpret.
        extra: Map<String, Value>,
    },
    /// An image.
    Image {
        /// Base64 (standard alphabet, padded).
        data: String,
        /// For example `image/png`.
        mime_type: String,
        /// Fields we do not interpret.
        extra: Map<String, Value>,
    },
}

impl ContentBlock {
    /// A text block.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Known(KnownBlock::Text { text: text.into(), extra: Map::new() })
    }

    /// A thinking block with its signature.
    pub fn thinking(thinking: impl Into<String>, signature: Option<String>) -> Self {
        Self::Known(KnownBlock::Thinking { thinking: thinking.into(), signature, redacted: false, extra: Map::new() })
    }

    /// A tool call block.
    pub fn tool_call(id: ToolCallId, name: impl Into<String>, arguments: Value) -> Self {
        Self::Known(KnownBlock::ToolCall { id, name: name.into(), arguments, extra: Map::new() })
    }

    /// An image block; `data` is base64.
    pub fn image(data: impl Into<String>, mime_type: impl Into<String>) -> Self {
        Self::Known(KnownBlock::Image { data: data.into(), mime_type: mime_type.into(), extra: Map::new() })
    }

    /// The text of a text block.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Known(KnownBlock::Text { text, .. }) => Some(text),
            _ => None,
        }
    }

    /// `(id, name, arguments)` of a tool call block.
    pub fn as_tool_call(&self) -> Option<(&ToolCallId, &str, &Value)> {
        match self {
            Self::Known(KnownBlock::ToolCall { id, name, arguments, .. }) => Some((id, name, arguments)),
            _ => None,
        }
    }
}

/// All text blocks joined by line feeds.
pub fn plain_text(content: &[ContentBlock]) -> String {
    content.iter().filter_map(ContentBlock::as_text).collect::<Vec<_>>().join("\n")
}

/// Why the model stopped (names on the wire: `stop`, `toolUse`, `length`, `refusal`, `error`, `aborted`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StopReason {
    /// It finished its reply.
    Stop,
    /// It wants tools to be run.
    ToolUse,
    /// The output limit cut the reply.
    Length,
    /// The provider or model declined.
    Refusal,
    /// The call failed midway; what came before is kept.
    Error,
    /// A person stopped it; what came before is kept.
    Aborted,
}

/// Tokens and cost of one model call. Token counts are the provider's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Prompt tokens that were not read from a cache.
    pub input: u64,
    /// Generated tokens, reasoning included.
    pub output: u64,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: u64,
    /// Sum of the above.
    pub total_tokens: u64,
    /// Cost in US dollars by the model's configured prices.
    pub cost: Cost,
}

/// Cost in US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cost {
    /// Of `Usage::input`.
    pub input: f64,
    /// Of `Usage::output`.
    pub output: f64,
    /// Of `Usage::cache_read`.
    pub cache_read: f64,
    /// Of `Usage::cache_write`.
    pub cache_write: f64,
    /// Sum of the above.
    pub total: f64,
}

impl Usage {
    /// Adds another call's usage to this one; counts stop at the largest number instead of overflowing.
    pub fn add(&mut self, other: &Usage) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
        self.cost.input += other.cost.input;
        self.cost.output += other.cost.output;
        self.cost.cache_read += other.cost.cache_read;
        self.cost.cache_write += other.cost.cache_write;
        self.cost.total += other.cost.total;
    }
}

/// One message of the context sent to a model.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatMessage {
    /// From the person (or program) at the other end.
    User {
        /// Text and images; never empty after repair.
        content: Vec<ContentBlock>,
    },
    /// From a model.
    Assistant {
        /// Text, thinking and tool calls; never empty after repair.
        content: Vec<ContentBlock>,
        /// Provider id that produced it; thinking signatures are valid only there.
        provider: Option<String>,
        /// Model id that produced it.
        model: Option<String>,
    },
    /// What a tool call gave. After repair each follows the assistant message with its call.
    ToolResult {
        /// The call answered.
        tool_call_id: ToolCallId,
        /// Tool name.
        tool_name: String,
        /// Text and images; never empty after repair.
        content: Vec<ContentBlock>,
        /// The tool failed.
        is_error: bool,
    },
}

/// A context: shared, because histories are long and sent again every step.
pub type Context = Vec<Arc<ChatMessage>>;
