//! Totals of an agent, kept by triggers.

use rusqlite::OptionalExtension;

use crate::core::{AgentId, Result};
use crate::state::error::Doing;
use crate::state::tx::ReadTx;

/// What an agent's virtual files come to, over all namespaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VfsTotals {
    /// Of the last change.
    pub revision: i64,
    /// Of all current files.
    pub bytes: u64,
    /// Current files.
    pub files: u64,
    /// Current directories.
    pub directories: u64,
    /// Superseded versions that no snapshot needs, with 512 bytes for each.
    pub history_bytes: u64,
    /// Those that a snapshot does need, likewise.
    pub held_bytes: u64,
    /// Trees of earlier revisions may be incomplete, except those of snapshots.
    pub pruned: i64,
}

impl ReadTx<'_> {
    /// The totals; zero for an agent without virtual files.
    pub fn vfs_totals(&self, agent: &AgentId) -> Result<VfsTotals> {
        let action = "read the totals of virtual files";
        let sql = "SELECT revision, bytes, files, directories, history_bytes, held_bytes, pruned FROM vfs_agents \
                   WHERE agent_id = ?1";
        let totals = self
            .prepare(sql, action)?
            .query_row([agent.as_str()], |row| {
                let count = |column| row.get::<_, i64>(column).map(|value| u64::try_from(value).unwrap_or(0));
                Ok(VfsTotals {
                    revision: row.get(0)?,
                    bytes: count(1)?,
                    files: count(2)?,
                    directories: count(3)?,
                    history_bytes: count(4)?,
                    held_bytes: count(5)?,
                    pruned: row.get(6)?,
                })
            })
            .optional()
            .doing(action)?;
        Ok(totals.unwrap_or_default())
    }
}
