//! `audit`: who did what, and what came of it.

use rusqlite::params;
use serde_json::Value;

use super::error::{Doing, StateError};
use super::tx::{ReadTx, WriteTx};
use crate::core::Result;

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Unix milliseconds.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// What, for example `approval.decided`.
    pub action: String,
    /// `ok`, `denied`, `error`.
    pub outcome: &'static str,
    /// For which agent.
    pub agent_id: Option<String>,
    /// In which conversation.
    pub session_key: Option<String>,
    /// In which run.
    pub run_id: Option<String>,
    /// On what.
    pub target: Option<String>,
    /// More, JSON. Never a secret.
    pub details: Value,
}

impl WriteTx<'_> {
    /// Adds an entry.
    pub fn record_audit(&self, row: &AuditRow) -> Result<()> {
        let action = "record what was done";
        self.prepare(
            "INSERT INTO audit (at, actor, action, outcome, agent_id, session_key, run_id, target, details_json) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            action,
        )?
        .execute(params![
            row.at,
            row.actor,
            row.action,
            row.outcome,
            row.agent_id,
            row.session_key,
            row.run_id,
            row.target,
            row.details.to_string()
        ])
        .doing(action)?;
        Ok(())
    }
}

impl ReadTx<'_> {
    /// The newest entries, newest first.
    pub fn audit(&self, limit: usize) -> Result<Vec<AuditRow>> {
        let action = "read the record of what was done";
        let mut statement = self.prepare(
            "SELECT at, actor, action, outcome, agent_id, session_key, run_id, target, details_json FROM audit \
             ORDER BY id DESC LIMIT ?1",
            action,
        )?;
        let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)]).doing(action)?;
        let mut list = Vec::new();
        while let Some(row) = rows.next().doing(action)? {
            let outcome: String = row.get(3).doing(action)?;
            let details: String = row.get(8).doing(action)?;
            list.push(AuditRow {
                at: row.get(0).doing(action)?,
                actor: row.get(1).doing(action)?,
                action: row.get(2).doing(action)?,
                outcome: ["ok", "denied", "error"].into_iter().find(|known| *known == outcome).unwrap_or("error"),
                agent_id: row.get(4).doing(action)?,
                session_key: row.get(5).doing(action)?,
                run_id: row.get(6).doing(action)?,
                target: row.get(7).doing(action)?,
                details: serde_json::from_str(&details)
                    .map_err(|error| StateError::Json { action: action.to_owned(), detail: error.to_string() })?,
            });
        }
        Ok(list)
    }
}
