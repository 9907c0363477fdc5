//! What goes into the runtime and what it tells its callers.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::prepared::PreparedAgentRun;
use crate::core::{AgentId, Error, FilesystemMode, RunId, SessionId, SessionKey};
use crate::session::{ContentBlock, StopReason, Usage};
use crate::state::{ApprovalRow, SessionEntry, StoredEvent};

/// A message for an agent.
#[derive(Debug, Clone, Default)]
pub struct TurnRequest {
    /// Conversation; `None` = the agent's main session.
    pub session_key: Option<String>,
    /// The caller's view of the transcript; a mismatch (the session was reset meanwhile) is a `Conflict`.
    pub session_id: Option<SessionId>,
    /// Agent; `None` = by the session key, else the default agent.
    pub agent_id: Option<String>,
    /// Text and images; must not be empty.
    pub content: Vec<ContentBlock>,
    /// Becomes the run id. A repeated key never runs twice.
    pub idempotency_key: Option<String>,
    /// Model for this run only (`provider/model`, alias or id).
    pub model: Option<String>,
    /// Thinking level for this run only.
    pub thinking: Option<String>,
    /// Wall time for this run; `None` = the agent's `timeoutSeconds`.
    pub timeout: Option<Duration>,
    /// Where the message came from: `cli`, `rpc`, …
    pub channel: String,
    /// Appended to the system prompt for this run.
    pub extra_system_prompt: Option<String>,
    /// Files for this run; it can only be narrower than the agent's.
    pub filesystem_mode: Option<FilesystemMode>,
    /// Whether what the model is sent and answers is kept; `None` = as configured.
    pub trajectory: Option<bool>,
}

/// How a submission was taken.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The run.
    pub run_id: RunId,
    /// Canonical session key.
    pub session_key: SessionKey,
    /// Transcript.
    pub session_id: SessionId,
    /// Agent.
    pub agent_id: AgentId,
    /// What became of it.
    pub status: AcceptedStatus,
    /// Unix milliseconds of the commit.
    pub accepted_at: i64,
    /// Position of the stored user message; `None` while it waits in the lane.
    pub message_seq: Option<i64>,
}

/// See [`Accepted`].
#[derive(Debug, Clone, PartialEq)]
pub enum AcceptedStatus {
    /// It runs.
    Started,
    /// It waits behind this many runs of the same session.
    Queued(usize),
    /// The same idempotency key is being worked on.
    InFlight,
    /// The same idempotency key has been answered.
    Finished(Box<RunOutcome>),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// The model finished its reply.
    Ok,
    /// Something failed; `error` says what.
    Error,
    /// A person stopped it.
    Aborted,
    /// The process died or was stopped while it ran.
    Interrupted,
}

impl RunStatus {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunOutcome {
    /// The run. Its JSON in `runs` has no members for what the row's columns have.
    #[serde(default, skip_serializing)]
    pub run_id: RunId,
    /// How it ended.
    pub status: RunStatus,
    /// Text of the last reply (partial when aborted). Not stored in `runs`: the transcript has it.
    #[serde(default, skip_serializing)]
    pub text: String,
    /// Why the model stopped, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
    /// `{code, message, why?, hint?, class?}` of [`crate::core::Error::to_json`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// Summed over the run's model calls.
    #[serde(default)]
    pub usage: Usage,
    /// Provider that answered last.
    #[serde(default)]
    pub provider: String,
    /// Model that answered last.
    #[serde(default)]
    pub model: String,
    /// Unix milliseconds.
    #[serde(default, skip_serializing)]
    pub started_at: i64,
    /// Unix milliseconds.
    #[serde(default, skip_serializing)]
    pub ended_at: i64,
    /// Model calls.
    #[serde(default)]
    pub steps: u32,
    /// Tool calls.
    #[serde(default)]
    pub tool_calls: u32,
}

impl RunOutcome {
    /// A run of which nothing has happened yet.
    pub(super) fn of(run_id: RunId, started_at: i64) -> Self {
        Self {
            run_id,
            status: RunStatus::Ok,
            text: String::new(),
            stop_reason: None,
            error: None,
            usage: Usage::default(),
            provider: String::new(),
            model: String::new(),
            started_at,
            ended_at: started_at,
            steps: 0,
            tool_calls: 0,
        }
    }

    /// A run that ended outside the agent loop.
    pub(super) fn failed(prepared: &PreparedAgentRun, status: RunStatus, error: &Error, at: i64) -> Self {
        let stop_reason = if status == RunStatus::Aborted { StopReason::Aborted } else { StopReason::Error };
        Self {
            status,
            stop_reason: Some(stop_reason),
            error: Some(error.to_json()),
            ..Self::of(prepared.run_id.clone(), at)
        }
    }
}

/// What a run tells its subscribers while it goes on.
#[derive(Debug, Clone)]
pub struct RunEvent {
    /// The run.
    pub run_id: RunId,
    /// Its session.
    pub session_key: SessionKey,
    /// Its transcript.
    pub session_id: SessionId,
    /// Its agent.
    pub agent_id: AgentId,
    /// Counts per run from 1.
    pub seq: u64,
    /// Unix milliseconds.
    pub ts: i64,
    /// What happened.
    pub body: RunEventBody,
}

/// See [`RunEvent`].
#[derive(Debug, Clone)]
pub enum RunEventBody {
    /// The run left its lane.
    Started,
    /// A model call begins.
    Model {
        /// Provider id.
        provider: String,
        /// Model id.
        model: String,
    },
    /// More reply text.
    Text {
        /// The new part.
        delta: String,
    },
    /// More reasoning.
    Thinking {
        /// The new part.
        delta: String,
    },
    /// A tool is about to run.
    ToolStart {
        /// Call id.
        tool_call_id: String,
        /// Tool.
        name: String,
        /// Arguments.
        arguments: Value,
    },
    /// More of what a running tool has to say.
    ToolProgress {
        /// Call id.
        tool_call_id: String,
        /// Tool.
        name: String,
        /// `stdout` or `stderr`.
        stream: &'static str,
        /// The new part.
        text: String,
    },
    /// A tool has run.
    ToolEnd {
        /// Call id.
        tool_call_id: String,
        /// Tool.
        name: String,
        /// It failed.
        is_error: bool,
        /// What the model sees.
        content: Vec<ContentBlock>,
        /// What clients may show besides.
        details: Option<Value>,
        /// Milliseconds.
        duration_ms: u64,
    },
    /// Tokens of the model call that just ended.
    Usage {
        /// Of that call.
        usage: Usage,
    },
    /// The run is over: exactly one, last, after its final state is durable.
    Ended {
        /// How.
        outcome: Arc<RunOutcome>,
    },
}

/// Everything the runtime broadcasts.
#[derive(Debug, Clone)]
pub enum RuntimeEvent {
    /// From a run.
    Run(Arc<RunEvent>),
    /// Transcript events were committed.
    Appended {
        /// Session.
        session_key: SessionKey,
        /// Transcript.
        session_id: SessionId,
        /// Agent.
        agent_id: AgentId,
        /// The events with their positions.
        events: Arc<Vec<StoredEvent>>,
        /// The session's index row, if it changed with them.
        entry: Option<Arc<SessionEntry>>,
    },
    /// A session's index row changed.
    SessionChanged {
        /// Session.
        session_key: SessionKey,
        /// Agent.
        agent_id: AgentId,
        /// `create`, `send`, `patch`, `reset`, `delete`, `agent.run.started`, `agent.input.settled` (a run ended).
        reason: &'static str,
        /// The row; `None` after a delete.
        entry: Option<Arc<SessionEntry>>,
    },
    /// A person is asked about something.
    ApprovalRequested {
        /// The question.
        approval: Arc<ApprovalRow>,
    },
    /// It was decided, or nobody did in time.
    ApprovalResolved {
        /// The question with its answer.
        approval: Arc<ApprovalRow>,
    },
    /// `openclaw.json` was read again.
    ConfigChanged {
        /// File.
        path: String,
        /// Hash of its text.
        hash: String,
    },
}
