//! `tool_artifacts`: what tools leave behind for delivery or export, by run.

use rusqlite::{OptionalExtension, Row, named_params, params};
use serde_json::Value;

use super::error::{Doing, StateError};
use super::tx::{ReadTx, WriteTx};
use crate::core::{AgentId, Result, RunId, SessionId, SessionKey};

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

/// An artifact with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactEntry {
    /// Whose run made it.
    pub agent_id: AgentId,
    /// The run.
    pub run_id: RunId,
    /// The conversation the run belongs to, as it was called then.
    pub session_key: Option<SessionKey>,
    /// Its transcript.
    pub session_id: Option<SessionId>,
    /// Bytes of the content; `None` when it is elsewhere.
    pub bytes: Option<u64>,
    /// The artifact; lists leave its content out.
    pub artifact: Artifact,
}

/// Which artifacts are wanted; `None` = any.
#[derive(Debug, Clone, Default)]
pub struct ArtifactQuery {
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Of this run.
    pub run: Option<RunId>,
    /// Of this conversation.
    pub session_key: Option<SessionKey>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Most entries.
    pub limit: usize,
}

const ENTRY: &str = "SELECT a.agent_id, a.run_id, session_key, session_id, length(blob), artifact_id, kind, metadata_json, \
                     a.created_at FROM tool_artifacts a LEFT JOIN runs USING (run_id) LEFT JOIN transcripts USING (transcript)";

impl ReadTx<'_> {
    /// Artifacts without their content, newest first.
    pub fn artifact_list(&self, query: &ArtifactQuery) -> Result<Vec<ArtifactEntry>> {
        let action = "list artifacts";
        let mut statement = self.prepare(
            &format!(
                "{ENTRY} WHERE (:agent IS NULL OR a.agent_id = :agent) AND (:run IS NULL OR a.run_id = :run) \
                 AND (:key IS NULL OR session_key = :key) AND (:kind IS NULL OR kind = :kind) \
                 ORDER BY a.created_at DESC, a.rowid DESC LIMIT :limit"
            ),
            action,
        )?;
        let filter = named_params! {
            ":agent": query.agent.as_ref().map(AgentId::as_str),
            ":run": query.run.as_ref().map(RunId::as_str),
            ":key": query.session_key.as_ref().map(SessionKey::as_str),
            ":kind": query.kind,
            ":limit": i64::try_from(query.limit).unwrap_or(i64::MAX),
        };
        let rows = statement.query_map(filter, raw_entry).doing(action)?;
        Ok(rows.map(|row| parse_entry(row.doing(action)?)).collect::<Result<_, StateError>>()?)
    }

    /// The artifact with this id, with its content.
    pub fn artifact(&self, id: &str) -> Result<Option<ArtifactEntry>> {
        let action = "read an artifact";
        // The unique index is searched instead of the table, whose rows are large.
        let found = self
            .prepare(
                &format!("{ENTRY} WHERE a.rowid = (SELECT rowid FROM tool_artifacts WHERE artifact_id = ?1)"),
                action,
            )?
            .query_row([id], raw_entry)
            .optional()
            .doing(action)?;
        let Some(mut entry) = found.map(parse_entry).transpose()? else { return Ok(None) };
        entry.artifact.blob = self
            .prepare(
                "SELECT blob FROM tool_artifacts WHERE artifact_id = ?1 AND agent_id = ?2 AND run_id = ?3",
                action,
            )?
            .query_row([id, entry.agent_id.as_str(), entry.run_id.as_str()], |row| row.get(0))
            .doing(action)?;
        Ok(Some(entry))
    }

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

    /// Deletes at most `limit` artifacts made before `before`, Unix milliseconds, the oldest first; how many there were.
    pub fn prune_artifacts(&self, before: i64, limit: usize) -> Result<usize> {
        let action = "delete old artifacts";
        Ok(self
            .prepare(
                "DELETE FROM tool_artifacts WHERE rowid IN \
                 (SELECT rowid FROM tool_artifacts WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
                action,
            )?
            .execute(params![before, i64::try_from(limit).unwrap_or(i64::MAX)])
            .doing(action)?)
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

fn raw_entry(row: &Row<'_>) -> rusqlite::Result<(ArtifactEntry, String)> {
    let entry = ArtifactEntry {
        agent_id: AgentId::new(row.get::<_, String>(0)?),
        run_id: RunId::new(row.get::<_, String>(1)?),
        session_key: row.get::<_, Option<String>>(2)?.map(SessionKey::new),
        session_id: row.get::<_, Option<String>>(3)?.map(SessionId::new),
        bytes: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
        artifact: Artifact {
            artifact_id: row.get(5)?,
            kind: row.get(6)?,
            metadata: Value::Null,
            blob: None,
            created_at: row.get(8)?,
        },
    };
    Ok((entry, row.get(7)?))
}

fn parse_entry((mut entry, metadata): (ArtifactEntry, String)) -> Result<ArtifactEntry, StateError> {
    entry.artifact.metadata = serde_json::from_str(&metadata).doing("read what is known about an artifact")?;
    Ok(entry)
}
