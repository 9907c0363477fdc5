//! `usage`: one row per billed model call.

use rusqlite::params;

use super::error::Doing;
use super::tx::WriteTx;
use crate::core::{AgentId, Result, RunId, SessionId};
use crate::session::Usage;

/// One billed model call.
#[derive(Debug, Clone)]
pub struct UsageRow {
    /// The agent.
    pub agent_id: AgentId,
    /// The transcript.
    pub session_id: SessionId,
    /// The run that made the call.
    pub run_id: RunId,
    /// Provider id.
    pub provider: String,
    /// Model id.
    pub model: String,
    /// Tokens and cost.
    pub usage: Usage,
    /// When the call ended, Unix milliseconds.
    pub at: i64,
    /// Milliseconds the call took.
    pub duration_ms: i64,
}

impl WriteTx<'_> {
    /// Records a call. It stays when the session is deleted.
    pub fn record_usage(&self, row: &UsageRow) -> Result<()> {
        let action = "record the usage of a model";
        let transcript = self.ensure_transcript(&row.agent_id, &row.session_id)?;
        let tokens = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let Usage { input, output, cache_read, cache_write, total_tokens, cost } = row.usage;
        self.prepare(
            "INSERT INTO usage (at, transcript, run_id, provider, model, input, output, cache_read, cache_write, \
             total_tokens, cost_input, cost_output, cost_cache_read, cost_cache_write, cost_total, duration_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            action,
        )?
        .execute(params![
            row.at,
            transcript.0,
            row.run_id.as_str(),
            row.provider,
            row.model,
            tokens(input),
            tokens(output),
            tokens(cache_read),
            tokens(cache_write),
            tokens(total_tokens),
            cost.input,
            cost.output,
            cost.cache_read,
            cost.cache_write,
            cost.total,
            row.duration_ms,
        ])
        .doing(action)?;
        Ok(())
    }
}
