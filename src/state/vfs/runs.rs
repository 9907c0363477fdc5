//! The files of runs: what is there to be cleaned up.

use super::row::VfsSpace;
use crate::core::{AgentId, Result};
use crate::state::error::Doing;
use crate::state::tx::ReadTx;

const ACTION: &str = "look for files of runs";

impl ReadTx<'_> {
    /// Namespaces `run/…` of an agent that have entries or history.
    pub fn vfs_run_namespaces(&self, agent: &AgentId) -> Result<Vec<String>> {
        let sql = "SELECT namespace FROM vfs_entries WHERE agent_id = ?1 AND namespace >= 'run/' AND namespace < 'run0' \
                   UNION SELECT namespace FROM vfs_history WHERE agent_id = ?1 AND namespace >= 'run/' AND namespace < 'run0'";
        let mut statement = self.prepare(sql, ACTION)?;
        let rows = statement.query_map([agent.as_str()], |row| row.get(0)).doing(ACTION)?;
        rows.map(|row| Ok(row.doing(ACTION)?)).collect()
    }

    /// Whether there is anything in a tree or its history.
    pub fn vfs_is_used(&self, space: &VfsSpace) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM vfs_entries WHERE agent_id = ?1 AND namespace = ?2) \
                   OR EXISTS (SELECT 1 FROM vfs_history WHERE agent_id = ?1 AND namespace = ?2)";
        Ok(self
            .prepare(sql, ACTION)?
            .query_row([space.agent_id.as_str(), space.namespace.as_str()], |row| row.get(0))
            .doing(ACTION)?)
    }
}
