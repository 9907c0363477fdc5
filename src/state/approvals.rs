//! `approvals`: questions to people with their one answer each, and the answers that stand.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::error::{Doing, StateError};
use super::tx::{ReadTx, WriteTx};
use crate::core::{AgentId, Result, RunId};

/// How far a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// Nobody has decided.
    Pending,
    /// Go on.
    Allowed,
    /// Do not.
    Denied,
    /// Nobody decided in time, or a standing permission has ended.
    Expired,
    /// Whoever asked is gone, or a standing permission was taken back.
    Cancelled,
}

impl ApprovalStatus {
    const ALL: [Self; 5] = [Self::Pending, Self::Allowed, Self::Denied, Self::Expired, Self::Cancelled];

    /// Name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalRow {
    /// Its id.
    pub approval_id: String,
    /// `exec` or `tool`.
    pub kind: String,
    /// How far it is.
    pub status: ApprovalStatus,
    /// For whom.
    pub agent_id: AgentId,
    /// In which conversation.
    pub session_key: Option<String>,
    /// In which run; `None` for one that a client asked for.
    pub run_id: Option<RunId>,
    /// For which call of the run.
    pub tool_call_id: Option<String>,
    /// The tool.
    pub tool: Option<String>,
    /// What was asked, JSON.
    pub request: Value,
    /// Fingerprint of what exactly is approved.
    pub request_hash: Option<Vec<u8>>,
    /// `allow-once`, `allow-always`, `deny`.
    pub decision: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Why, or what else happened.
    pub reason: Option<String>,
    /// Unix milliseconds.
    pub created_at: i64,
    /// Until when it can be decided; of an `allow-always`, until when it stands. Unix milliseconds.
    pub expires_at: Option<i64>,
    /// Unix milliseconds.
    pub decided_at: Option<i64>,
}

/// The one answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What it becomes; not pending.
    pub status: ApprovalStatus,
    /// The decision, if a person or rule made one.
    pub decision: Option<&'static str>,
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Unix milliseconds.
    pub at: i64,
    /// Until when it stands, for `allow-always`; Unix milliseconds.
    pub stands_until: Option<i64>,
}

const SELECT: &str = "SELECT approval_id, kind, status, agent_id, session_key, run_id, tool_call_id, tool, request_json, \
                      request_hash, decision, decided_by, reason, created_at, expires_at, decided_at FROM approvals";

impl ReadTx<'_> {
    /// The question with this id.
    pub fn approval(&self, id: &str) -> Result<Option<ApprovalRow>> {
        let action = "read an approval";
        let row = self.prepare(&format!("{SELECT} WHERE approval_id = ?1"), action)?.query_row([id], read).optional();
        Ok(row.doing(action)?)
    }

    /// Questions that nobody has decided, oldest first.
    pub fn pending_approvals(&self) -> Result<Vec<ApprovalRow>> {
        self.approvals("WHERE status = 'pending' ORDER BY created_at, rowid", params![])
    }

    /// Permissions that stand at `now`, newest first.
    pub fn standing_grants(&self, now: i64) -> Result<Vec<ApprovalRow>> {
        self.approvals(
            "WHERE decision = 'allow-always' AND status = 'allowed' AND (expires_at IS NULL OR expires_at > ?1) \
             ORDER BY decided_at DESC, rowid DESC",
            params![now],
        )
    }

    /// The permission that stands at `now` for exactly this.
    pub fn standing_grant(&self, agent: &AgentId, tool: &str, hash: &[u8], now: i64) -> Result<Option<ApprovalRow>> {
        let found = self.approvals(
            "WHERE decision = 'allow-always' AND agent_id = ?1 AND tool = ?2 AND request_hash = ?3 \
             AND status = 'allowed' AND (expires_at IS NULL OR expires_at > ?4) LIMIT 1",
            params![agent.as_str(), tool, hash, now],
        )?;
        Ok(found.into_iter().next())
    }

    fn approvals(&self, rest: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<ApprovalRow>> {
        let action = "list approvals";
        let mut statement = self.prepare(&format!("{SELECT} {rest}"), action)?;
        let rows = statement.query_map(params, read).doing(action)?;
        Ok(rows.collect::<rusqlite::Result<_>>().doing(action)?)
    }
}

impl WriteTx<'_> {
    /// Stores a question.
    pub fn insert_approval(&self, row: &ApprovalRow) -> Result<()> {
        let action = "store an approval";
        self.prepare(
            "INSERT INTO approvals (approval_id, kind, status, agent_id, session_key, run_id, tool_call_id, tool, request_json, \
             request_hash, created_at, expires_at) VALUES (?1, ?2, 'pending', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            action,
        )?
        .execute(params![
            row.approval_id,
            row.kind,
            row.agent_id.as_str(),
            row.session_key,
            row.run_id.as_ref().map(RunId::as_str),
            row.tool_call_id,
            row.tool,
            row.request.to_string(),
            row.request_hash,
            row.created_at,
            row.expires_at,
        ])
        .doing(action)?;
        Ok(())
    }

    /// Decides a question. `None`: it is not pending (any more), and nothing has changed.
    pub fn decide_approval(&self, id: &str, verdict: &Verdict) -> Result<Option<ApprovalRow>> {
        let action = "decide an approval";
        let changed = self
            .prepare(
                "UPDATE approvals SET status = ?2, decision = ?3, decided_by = ?4, reason = ?5, decided_at = ?6, \
                 expires_at = CASE WHEN ?3 = 'allow-always' THEN ?7 ELSE expires_at END \
                 WHERE approval_id = ?1 AND status = 'pending'",
                action,
            )?
            .execute(params![
                id,
                verdict.status.as_str(),
                verdict.decision,
                verdict.by,
                verdict.reason,
                verdict.at,
                verdict.stands_until
            ])
            .doing(action)?;
        if changed == 0 { Ok(None) } else { self.approval(id) }
    }

    /// Takes a standing permission back; false if there is none with that id.
    pub fn revoke_grant(&self, id: &str, reason: &str) -> Result<bool> {
        let action = "take a permission back";
        let changed = self
            .prepare(
                "UPDATE approvals SET status = 'cancelled', reason = ?2 \
                 WHERE approval_id = ?1 AND decision = 'allow-always' AND status = 'allowed'",
                action,
            )?
            .execute(params![id, reason])
            .doing(action)?;
        Ok(changed > 0)
    }

    /// Forgets questions decided before `at` that do not stand any more; how many.
    pub fn forget_approvals_before(&self, at: i64) -> Result<usize> {
        let action = "forget old approvals";
        Ok(self
            .prepare(
                "DELETE FROM approvals WHERE decided_at < ?1 AND NOT (decision IS 'allow-always' AND status = 'allowed' \
                 AND (expires_at IS NULL OR expires_at > ?1))",
                action,
            )?
            .execute([at])
            .doing(action)?)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApprovalRow> {
    let status: String = row.get(2)?;
    let request: String = row.get(8)?;
    let broken =
        |column, error: StateError| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error));
    Ok(ApprovalRow {
        approval_id: row.get(0)?,
        kind: row.get(1)?,
        status: ApprovalStatus::ALL.into_iter().find(|known| known.as_str() == status).ok_or_else(|| {
            broken(2, StateError::Json { action: "read an approval".to_owned(), detail: format!("status {status:?}") })
        })?,
        agent_id: AgentId::new(row.get::<_, String>(3)?),
        session_key: row.get(4)?,
        run_id: row.get::<_, Option<String>>(5)?.map(RunId::new),
        tool_call_id: row.get(6)?,
        tool: row.get(7)?,
        request: serde_json::from_str(&request).map_err(|error| {
            broken(8, StateError::Json { action: "read an approval".to_owned(), detail: error.to_string() })
        })?,
        request_hash: row.get(9)?,
        decision: row.get(10)?,
        decided_by: row.get(11)?,
        reason: row.get(12)?,
        created_at: row.get(13)?,
        expires_at: row.get(14)?,
        decided_at: row.get(15)?,
    })
}
