//! The eight event kinds and the data each carries.
//!
//! JSON form: `{"id","parentId","ts","kind","runId"?,"data":{…}}`. Fields we do not know, in the envelope or in
//! `data`, are kept and written back, and so are known optional fields in a form we do not know (an explicit `null`,
//! a stop reason without a name here). The order of keys within an object carries no meaning. How the envelope is
//! read and written is in `envelope.rs`. Numbers keep their value, not their spelling (`1e2` is written as `100.0`), and
//! whole numbers beyond 64 bits become the nearest floating-point number.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::message::{ContentBlock, StopReason, Usage};
use super::record::record;
use crate::core::{EventId, RunId, ToolCallId};

/// One entry of a session's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Unique within the session.
    pub id: EventId,
    /// The event this one follows in the conversation tree; `None` for a root.
    pub parent_id: Option<EventId>,
    /// Unix milliseconds at which it happened.
    pub ts: i64,
    /// The run that caused it.
    pub run_id: Option<RunId>,
    /// `kind` and `data`.
    pub body: EventBody,
    /// Envelope fields we do not know.
    pub extra: Map<String, Value>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
pub enum EventBody {
    /// A transcript begins.
    SessionStarted(SessionStarted),
    /// Somebody wrote to the agent.
    MessageReceived(MessageReceived),
    /// The agent is about to run a tool.
    ToolCalled(ToolCalled),
    /// A tool call ended.
    ToolResult(ToolResult),
    /// A model answered.
    AgentResponse(AgentResponse),
    /// A reply left towards its channel.
    MessageSent(MessageSent),
    /// A keyed value changed; the latest by `(ts, id)` counts.
    StateChanged(StateChanged),
    /// The transcript ended (reset, delete).
    SessionEnded(SessionEnded),
}

impl EventBody {
    /// The names of all kinds, in the order in which a conversation usually meets them.
    pub const KINDS: [&'static str; 8] = [
        "SessionStarted",
        "MessageReceived",
        "ToolCalled",
        "ToolResult",
        "AgentResponse",
        "MessageSent",
        "StateChanged",
        "SessionEnded",
    ];

    /// The kind's name on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SessionStarted(_) => "SessionStarted",
            Self::MessageReceived(_) => "MessageReceived",
            Self::ToolCalled(_) => "ToolCalled",
            Self::ToolResult(_) => "ToolResult",
            Self::AgentResponse(_) => "AgentResponse",
            Self::MessageSent(_) => "MessageSent",
            Self::StateChanged(_) => "StateChanged",
            Self::SessionEnded(_) => "SessionEnded",
        }
    }
    /// The value of a `StateChanged` with this key.
    pub fn state_value(&self, key: &str) -> Option<&Value> {
        match self {
            Self::StateChanged(change) if change.key == key => Some(&change.value),
            _ => None,
        }
    }

    /// Whether events of this kind are messages that clients show: from a person, a model or a tool.
    pub fn is_message(&self) -> bool {
        matches!(self, Self::MessageReceived(_) | Self::AgentResponse(_) | Self::ToolResult(_))
    }

    /// Whether events of this kind carry the conversation forward (all but `SessionStarted`, `StateChanged` and
    /// `SessionEnded`). The tip of a session is found by these; see [`super::projection`].
    pub fn is_conversation(&self) -> bool {
        !matches!(self, Self::SessionStarted(_) | Self::StateChanged(_) | Self::SessionEnded(_))
    }
}

macro_rules! body_from {
    ($($kind:ident),+) => {
        $(impl From<$kind> for EventBody {
            fn from(data: $kind) -> Self {
                Self::$kind(data)
            }
        })+
    };
}
body_from!(
    SessionStarted,
    MessageReceived,
    ToolCalled,
    ToolResult,
    AgentResponse,
    MessageSent,
    StateChanged,
    SessionEnded
);

record! {
    /// Data of [`EventBody::SessionStarted`].
    pub struct SessionStarted {
        required {}
        optional {
            /// Where the conversation takes place: `cli`, `rpc`, `telegram`, …
            channel: Option<String> = "channel",
            /// The other party on that channel.
            peer_id: Option<String> = "peerId",
            /// Workspace directory at the start.
            cwd: Option<String> = "cwd",
            /// Version of the event format; 1 for events written by this program.
            version: Option<u32> = "version",
            /// Session id this one was reset, forked or branched from.
            parent_session: Option<String> = "parentSession",
        }
    }
}

record! {
    /// Data of [`EventBody::MessageReceived`].
    pub struct MessageReceived {
        required {
            /// Text and images.
            content: Vec<ContentBlock> = "content",
        }
        optional {
            /// Attachments that are not content blocks: `{type, mimeType, fileName, …}`.
            attachments: Vec<Value> = "attachments",
            /// Who sent it: `{id, name, channel, …}`.
            sender: Option<Value> = "sender",
            /// How it came in (`{kind: "internal_system", …}` for messages no person wrote).
            provenance: Option<Value> = "provenance",
            /// The caller's idempotency key.
            idempotency_key: Option<String> = "idempotencyKey",
        }
    }
}

record! {
    /// Data of [`EventBody::ToolCalled`].
    pub struct ToolCalled {
        required {
            /// The model's call id.
            tool_call_id: ToolCallId = "toolCallId",
            /// Tool name.
            tool: String = "tool",
            /// Arguments as the model gave them.
            params: Value = "params",
        }
        optional {
            /// `{decision: "allow" | "deny" | "ask", rule}`.
            policy: Option<Value> = "policy",
        }
    }
}

record! {
    /// Data of [`EventBody::ToolResult`].
    pub struct ToolResult {
        required {
            /// The model's call id.
            tool_call_id: ToolCallId = "toolCallId",
            /// Tool name.
            tool: String = "tool",
            /// Text and images for the model.
            content: Vec<ContentBlock> = "content",
            /// Whether the tool did what was asked.
            success: bool = "success",
        }
        optional {
            /// Milliseconds from call to result.
            duration_ms: Option<u64> = "durationMs",
            /// Structured details for clients (exit code, paths, counts); not sent to the model.
            details: Option<Value> = "details",
            /// What confined the call (`SandboxReport`).
            sandbox: Option<Value> = "sandbox",
        }
    }
}

record! {
    /// Data of [`EventBody::AgentResponse`].
    pub struct AgentResponse {
        required {
            /// Text, thinking and tool calls, in the model's order.
            content: Vec<ContentBlock> = "content",
        }
        optional {
            /// Model id.
            model: Option<String> = "model",
            /// Provider id.
            provider: Option<String> = "provider",
            /// Wire API: `anthropic-messages`, `openai-completions`, `openai-responses`, `offline`.
            api: Option<String> = "api",
            /// Tokens and cost.
            usage: Option<Usage> = "usage",
            /// Why the model stopped.
            stop_reason: Option<StopReason> = "stopReason",
            /// The provider's id of the response.
            response_id: Option<String> = "responseId",
            /// What went wrong, when `stopReason` is `error` or `aborted`.
            error: Option<String> = "error",
        }
    }
}

record! {
    /// Data of [`EventBody::MessageSent`].
    pub struct MessageSent {
        required {
            /// What was sent.
            content: Vec<ContentBlock> = "content",
        }
        optional {
            /// The channel's id of the message.
            message_id: Option<String> = "messageId",
            /// Channel it went to.
            channel: Option<String> = "channel",
            /// The channel's receipt.
            receipt: Option<Value> = "receipt",
        }
    }
}

record! {
    /// Data of [`EventBody::StateChanged`].
    ///
    /// Keys in use: `model`, `thinkingLevel`, `label`, `name`, `compaction` (`{summary, firstKeptEventId, …}`),
    /// `branchSummary`, `tip` (event id of the branch in view), `custom.<name>`.
    pub struct StateChanged {
        required {
            /// Which value.
            key: String = "key",
            /// The value; `null` removes the key.
            value: Value = "value",
        }
        optional {}
    }
}

record! {
    /// Data of [`EventBody::SessionEnded`].
    pub struct SessionEnded {
        required {
            /// `reset`, `delete`, `archive`, …
            reason: String = "reason",
        }
        optional {}
    }
}

impl StateChanged {
    /// Sets `key` to `value`; `null` removes it.
    pub fn new(key: impl Into<String>, value: Value) -> Self {
        Self { key: key.into(), value, extra: Map::new() }
    }
}

impl SessionEnded {
    /// Ends a transcript for this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), extra: Map::new() }
    }
}
