//! Agents that have ever been used, with the configuration they last had.

use rusqlite::params;
use serde_json::Value;

use super::error::Doing;
use super::tx::{ReadTx, WriteTx};
use crate::core::{AgentId, Result};

impl ReadTx<'_> {
    /// Every agent with its configuration, by id.
    pub fn agents(&self) -> Result<Vec<(AgentId, Value)>> {
        let action = "list the agents";
        let mut statement = self.prepare("SELECT agent_id, config_json FROM agents ORDER BY agent_id", action)?;
        let mut rows = statement.query([]).doing(action)?;
        let mut agents = Vec::new();
        while let Some(row) = rows.next().doing(action)? {
            let id: String = row.get(0).doing(action)?;
            let config: String = row.get(1).doing(action)?;
            agents.push((AgentId::new(id), serde_json::from_str(&config).doing(action)?));
        }
        Ok(agents)
    }
}

impl WriteTx<'_> {
    /// Records the agent's configuration; `at` is Unix milliseconds. The time of creation is kept.
    pub fn upsert_agent(&self, agent: &AgentId, config: &Value, at: i64) -> Result<()> {
        let action = "store an agent";
        self.prepare(
            "INSERT INTO agents (agent_id, config_json, created_at, updated_at) VALUES (?1, ?2, ?3, ?3) \
             ON CONFLICT DO UPDATE SET config_json = excluded.config_json, updated_at = excluded.updated_at",
            action,
        )?
        .execute(params![agent.as_str(), config.to_string(), at])
        .doing(action)?;
        Ok(())
    }
}
