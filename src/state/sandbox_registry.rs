//! `sandbox_registry_entries`: what runs in sandboxes beyond one tool call, so that the next process knows what this one left behind.

use rusqlite::params;
use serde_json::Value;

use super::error::Doing;
use super::tx::{ReadTx, WriteTx};
use crate::core::{AgentId, Result, SessionKey};

/// One long-lived thing in a sandbox.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxEntry {
    /// What it is, for example `process`.
    pub kind: String,
    /// Unique within its kind.
    pub name: String,
    /// Whose it is.
    pub agent_id: AgentId,
    /// The session that started it.
    pub session_key: SessionKey,
    /// The name of the sandbox backend.
    pub backend: String,
    /// What is known about it; its owner in this program decides.
    pub entry: Value,
    /// Unix milliseconds.
    pub created_at: i64,
}

impl ReadTx<'_> {
    /// All entries of a kind, oldest first.
    pub fn sandbox_entries(&self, kind: &str) -> Result<Vec<SandboxEntry>> {
        let action = "list what runs in sandboxes";
        let mut statement = self.prepare(
            "SELECT container_name, coalesce(agent_id, ''), coalesce(session_key, ''), backend, entry_json, created_at \
             FROM sandbox_registry_entries WHERE registry_kind = ?1 ORDER BY created_at, container_name",
            action,
        )?;
        let mut rows = statement.query([kind]).doing(action)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next().doing(action)? {
            let text = |index| row.get::<_, String>(index).doing(action);
            entries.push(SandboxEntry {
                kind: kind.to_owned(),
                name: text(0)?,
                agent_id: text(1)?.into(),
                session_key: text(2)?.into(),
                backend: text(3)?,
                entry: serde_json::from_str(&text(4)?).doing(action)?,
                created_at: row.get(5).doing(action)?,
            });
        }
        Ok(entries)
    }
}

impl WriteTx<'_> {
    /// Stores an entry, or replaces the one of its kind with its name.
    pub fn put_sandbox_entry(&self, entry: &SandboxEntry) -> Result<()> {
        let action = "record what runs in a sandbox";
        self.prepare(
            "INSERT INTO sandbox_registry_entries (registry_kind, container_name, agent_id, session_key, backend, \
             entry_json, created_at, last_used_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7) \
             ON CONFLICT DO UPDATE SET agent_id = excluded.agent_id, session_key = excluded.session_key, \
             backend = excluded.backend, entry_json = excluded.entry_json, last_used_at = excluded.last_used_at, \
             updated_at = excluded.updated_at",
            action,
        )?
        .execute(params![
            entry.kind,
            entry.name,
            entry.agent_id.as_str(),
            entry.session_key.as_str(),
            entry.backend,
            entry.entry.to_string(),
            entry.created_at,
        ])
        .doing(action)?;
        Ok(())
    }

    /// Forgets an entry; false if there was none.
    pub fn delete_sandbox_entry(&self, kind: &str, name: &str) -> Result<bool> {
        let action = "forget what ran in a sandbox";
        let deleted = self
            .prepare("DELETE FROM sandbox_registry_entries WHERE registry_kind = ?1 AND container_name = ?2", action)?
            .execute([kind, name])
            .doing(action)?;
        Ok(deleted > 0)
    }
}
