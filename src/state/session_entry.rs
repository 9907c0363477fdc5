//! The index row of one conversation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::core::{AgentId, RunId, SessionId, SessionKey};
use crate::session::Usage;

/// The index row of one conversation. JSON form (`entry_json`) is camelCase and keeps unknown fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionEntry {
    /// The agent; a column of its own, not in the JSON.
    #[serde(skip)]
    pub agent_id: AgentId,
    /// The conversation's address; a column of its own, not in the JSON.
    #[serde(skip)]
    pub key: SessionKey,
    /// The transcript the key points at.
    pub session_id: SessionId,
    /// Unix milliseconds.
    #[serde(default)]
    pub created_at: i64,
    /// Unix milliseconds; the order of lists.
    #[serde(default)]
    pub updated_at: i64,
    /// Name given by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// First user text, shortened, for lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_title: Option<String>,
    /// Newest message, shortened, for lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message_preview: Option<String>,
    /// Where the conversation takes place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// `provider/model` chosen for this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_override: Option<String>,
    /// Thinking level chosen for this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<String>,
    /// Provider of the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_provider: Option<String>,
    /// Model of the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `running`, `done`, `error`, `killed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The newest run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_id: Option<RunId>,
    /// When the newest run began, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    /// When the newest run ended, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<i64>,
    /// Kept out of the usual lists.
    #[serde(default)]
    pub archived: bool,
    /// Shown first by clients.
    #[serde(default)]
    pub pinned: bool,
    /// Has messages nobody has looked at.
    #[serde(default)]
    pub unread: bool,
    /// Usage over the session's life.
    #[serde(default)]
    pub usage: Usage,
    /// Prompt size of the last model call, tokens.
    #[serde(default)]
    pub context_tokens: u64,
    /// Fields we do not know (imported entries, later versions).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Filter and order of `sessions.list`: newest first, then by key.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    /// Only this agent's.
    pub agent_id: Option<AgentId>,
    /// Only those of these agents; `None` = of any.
    pub agents: Option<Vec<AgentId>>,
    /// Only those with this text, in any case, in key, session id, label, title or preview.
    pub search: Option<String>,
    /// Only those updated after this time, Unix milliseconds.
    pub updated_after: Option<i64>,
    /// Only archived ones, or only those that are not.
    pub archived: Option<bool>,
    /// Entries in the page; 0 gives the total alone.
    pub limit: usize,
    /// Entries before the page.
    pub offset: usize,
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionPage {
    /// The page's entries.
    pub entries: Vec<SessionEntry>,
    /// Entries that match, in all pages.
    pub total: usize,
}

impl SessionEntry {
    /// The row of a conversation that begins at `now` (Unix milliseconds); everything else is unset.
    pub fn new(agent_id: AgentId, key: SessionKey, session_id: SessionId, now: i64) -> Self {
        Self {
            agent_id,
            key,
            session_id,
            created_at: now,
            updated_at: now,
            label: None,
            derived_title: None,
            last_message_preview: None,
            channel: None,
            model_override: None,
            thinking_level: None,
            model_provider: None,
            model: None,
            status: None,
            last_run_id: None,
            started_at: None,
            ended_at: None,
            archived: false,
            pinned: false,
            unread: false,
            usage: Usage::default(),
            context_tokens: 0,
            extra: Map::new(),
        }
    }
}
