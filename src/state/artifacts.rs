//! `tool_artifacts`: what tools leave behind for delivery or export, by run.

use rusqlite::params;
use serde_json::Value;

use super::error::Doing;
use super::tx::{ReadTx, WriteTx};
use crate::core::{AgentId, Result, RunId};

/// Staged tool output.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Unique within the run.
    pub artifact_id: String,
    /// For example `media`, `trajectory`.
    pub kind: String,
    /// What is known about it (name, MIME type, size).
    pub metadata: Value,
    /// The content, unless it is elsewhere.
    pub blob: Option<Vec<u8>>,
    /// Unix milliseconds.
    pub created_at: i64,
}

impl ReadTx<'_> {
    /// A run's artifacts, oldest first.
    pub fn artifacts(&self, agent: &AgentId, run: &RunId) -> Result<Vec<Artifact>> {
        let action = "read the artifacts of a run";
        let mut statement = self.prepare(
            "SELECT artifact_id, kind, metadata_json, blob, created_at FROM tool_artifacts \
             WHERE agent_id = ?1 AND run_id = ?2 ORDER BY created_at, rowid",
            action,
        )?;
        let mut rows = statement.query([agent.as_str(), run.as_str()]).doing(action)?;
        let mut artifacts = Vec::new();
        while let Some(row) = rows.next().doing(action)? {
            let metadata: String = row.get(2).doing(action)?;
            artifacts.push(Artifact {
                artifact_id: row.get(0).doing(action)?,
                kind: row.get(1).doing(action)?,
                metadata: serde_json::from_str(&metadata).doing(action)?,
                blob: row.get(3).doing(action)?,
                created_at: row.get(4).doing(action)?,
            });
        }
        Ok(artifacts)
    }
}

impl WriteTx<'_> {
    /// Stores an artifact, or replaces the one with its id in that run.
    pub fn put_artifact(&self, agent: &AgentId, run: &RunId, artifact: &Artifact) -> Result<()> {
        let action = "store an artifact";
        self.prepare(
            "INSERT INTO tool_artifacts (agent_id, run_id, artifact_id, kind, metadata_json, blob, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (agent_id, run_id, artifact_id) DO UPDATE SET kind = excluded.kind, \
             metadata_json = excluded.metadata_json, blob = excluded.blob, created_at = excluded.created_at",
            action,
        )?
        .execute(params![
            agent.as_str(),
            run.as_str(),
            artifact.artifact_id,
            artifact.kind,
            artifact.metadata.to_string(),
            artifact.blob,
            artifact.created_at,
        ])
        .doing(action)?;
        Ok(())
    }

    /// Deletes a run's artifacts; how many there were.
    pub fn delete_artifacts(&self, agent: &AgentId, run: &RunId) -> Result<usize> {
        let action = "delete the artifacts of a run";
        Ok(self
            .prepare("DELETE FROM tool_artifacts WHERE agent_id = ?1 AND run_id = ?2", action)?
            .execute([agent.as_str(), run.as_str()])
            .doing(action)?)
    }
}
