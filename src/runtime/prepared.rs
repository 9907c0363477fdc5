//! A run as data: everything a host needs to carry it out, nothing that cannot be written down.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::core::{AgentId, EventId, RunId, SessionId, SessionKey};
use crate::providers::ThinkingLevel;
use crate::session::ContentBlock;

/// Version written by this program.
pub const PREPARED_VERSION: u32 = 1;

/// A run that is ready to start. Serialisable; holds no key and no handle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreparedAgentRun {
    /// [`PREPARED_VERSION`].
    pub version: u32,
    /// The run.
    pub run_id: RunId,
    /// Its agent.
    pub agent_id: AgentId,
    /// Its session.
    pub session_key: SessionKey,
    /// Its transcript.
    pub session_id: SessionId,
    /// The user message's event; the run's own events follow it.
    pub message_event_id: EventId,
    /// The user message while it is only stored here, that is while the run waits in its lane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<ContentBlock>,
    /// Where the message came from.
    pub channel: String,
    /// Model references to try, in order; empty = the session's, the agent's, or the gateway's default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Reasoning effort asked for by the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingLevel>,
    /// Most model calls.
    pub max_steps: u32,
    /// Wall time from the start of the run, in milliseconds.
    pub timeout_ms: u64,
    /// Workspace directory.
    pub workspace: PathBuf,
    /// Tool policy: allowed names and groups; empty = all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_allow: Vec<String>,
    /// Tool policy: forbidden names and groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools_deny: Vec<String>,
    /// Appended to the system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_system_prompt: Option<String>,
}
