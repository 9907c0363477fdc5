//! `transcript_snapshots`: checkpoints of a session, taken before a compaction or by hand.
//!
//! The log only grows, so a checkpoint is a position: the session at that time is the projection of the events up to it.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::error::{Doing, StateError};
use super::tx::{ReadTx, WriteTx};
use crate::core::{AgentId, Result, SessionId};

/// One checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Unique within the session.
    pub snapshot_id: String,
    /// Seq of the last event it contains; 0 for none.
    pub upto_seq: i64,
    /// Why it was taken, for example `compaction`.
    pub reason: String,
    /// What else is known about it.
    pub metadata: Value,
    /// Unix milliseconds.
    pub created_at: i64,
}

const COLUMNS: &str = "snapshot_id, upto_seq, reason, metadata_json, created_at";

impl ReadTx<'_> {
    /// A session's checkpoints, oldest first.
    pub fn snapshots(&self, agent: &AgentId, session: &SessionId) -> Result<Vec<Snapshot>> {
        let action = "list the snapshots of a session";
        let mut statement = self.prepare(
            &format!(
                "SELECT {COLUMNS} FROM transcript_snapshots WHERE agent_id = ?1 AND session_id = ?2 \
                 ORDER BY created_at, upto_seq, snapshot_id"
            ),
            action,
        )?;
        let rows = statement.query_map([agent.as_str(), session.as_str()], read).doing(action)?;
        Ok(rows.map(|row| parse(row.doing(action)?)).collect::<Result<_, StateError>>()?)
    }

    /// One checkpoint.
    pub fn snapshot(&self, agent: &AgentId, session: &SessionId, snapshot_id: &str) -> Result<Option<Snapshot>> {
        let action = "read a snapshot";
        let raw = self
            .prepare(
                &format!(
                    "SELECT {COLUMNS} FROM transcript_snapshots \
                     WHERE agent_id = ?1 AND session_id = ?2 AND snapshot_id = ?3"
                ),
                action,
            )?
            .query_row([agent.as_str(), session.as_str(), snapshot_id], read)
            .optional()
            .doing(action)?;
        Ok(raw.map(parse).transpose()?)
    }
}

impl WriteTx<'_> {
    /// Stores a checkpoint. Error: the id exists in that session.
    pub fn insert_snapshot(&self, agent: &AgentId, session: &SessionId, snapshot: &Snapshot) -> Result<()> {
        let action = "store a snapshot";
        self.prepare(
            "INSERT INTO transcript_snapshots \
             (agent_id, session_id, snapshot_id, upto_seq, reason, metadata_json, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            action,
        )?
        .execute(params![
            agent.as_str(),
            session.as_str(),
            snapshot.snapshot_id,
            snapshot.upto_seq,
            snapshot.reason,
            snapshot.metadata.to_string(),
            snapshot.created_at,
        ])
        .doing(action)?;
        Ok(())
    }

    /// Deletes a checkpoint; false if there was none. Events are not touched.
    pub fn delete_snapshot(&self, agent: &AgentId, session: &SessionId, snapshot_id: &str) -> Result<bool> {
        let action = "delete a snapshot";
        let deleted = self
            .prepare(
                "DELETE FROM transcript_snapshots WHERE agent_id = ?1 AND session_id = ?2 AND snapshot_id = ?3",
                action,
            )?
            .execute([agent.as_str(), session.as_str(), snapshot_id])
            .doing(action)?;
        Ok(deleted > 0)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Snapshot, String)> {
    let snapshot = Snapshot {
        snapshot_id: row.get(0)?,
        upto_seq: row.get(1)?,
        reason: row.get(2)?,
        metadata: Value::Null,
        created_at: row.get(4)?,
    };
    Ok((snapshot, row.get(3)?))
}

fn parse((mut snapshot, metadata): (Snapshot, String)) -> Result<Snapshot, StateError> {
    snapshot.metadata = serde_json::from_str(&metadata).doing("read a stored snapshot")?;
    Ok(snapshot)
}
