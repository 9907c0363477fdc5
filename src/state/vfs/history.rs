//! What was there before.

use rusqlite::{Row, params};

use super::row::{COLUMN_COUNT, columns, read};
use super::{VfsRow, VfsSpace};
use crate::core::{AgentId, Result, RunId};
use crate::state::error::Doing;
use crate::state::tx::{ReadTx, WriteTx, as_i64};

const READ: &str = "read the history of virtual files";
const PRUNE: &str = "prune the history of virtual files";

/// A version with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VfsVersion {
    /// The version.
    pub row: VfsRow,
    /// The revision that ended it; `None` for the current one.
    pub ended: Option<i64>,
    /// The run that ended it.
    pub ended_run_id: Option<RunId>,
    /// When it ended, Unix milliseconds.
    pub ended_at: Option<i64>,
    /// Whether a snapshot keeps it from being pruned.
    pub held: bool,
}

impl ReadTx<'_> {
    /// At most `max` versions of a path, the newest first.
    pub fn vfs_versions(&self, space: &VfsSpace, path: &str, max: usize) -> Result<Vec<VfsVersion>> {
        let of_path = "agent_id = ?1 AND namespace = ?2 AND path = ?3";
        let sql = format!(
            "SELECT {}, NULL, NULL, NULL, 0 FROM vfs_entries WHERE {of_path} \
             UNION ALL SELECT {}, ended, ended_run_id, ended_at, held FROM vfs_history WHERE {of_path} \
             ORDER BY 4 DESC LIMIT ?4",
            columns(false),
            columns(true)
        );
        let mut statement = self.prepare(&sql, READ)?;
        let given = params![space.agent_id.as_str(), space.namespace, path, as_i64(max)];
        let rows = statement.query_map(given, version).doing(READ)?;
        rows.map(|row| Ok(row.doing(READ)?)).collect()
    }

    /// Paths at which anything changed after revision `from` up to and with `to`, in order.
    pub fn vfs_changed_paths(&self, space: &VfsSpace, from: i64, to: i64) -> Result<Vec<String>> {
        let tree = "agent_id = ?1 AND namespace = ?2";
        let sql = format!(
            "SELECT path FROM vfs_entries INDEXED BY vfs_entries_by_revision WHERE {tree} AND revision > ?3 AND revision <= ?4 \
             UNION SELECT path FROM vfs_history INDEXED BY vfs_history_by_revision \
             WHERE {tree} AND revision > ?3 AND revision <= ?4 \
             UNION SELECT path FROM vfs_history INDEXED BY vfs_history_by_end \
             WHERE {tree} AND held IN (0, 1) AND ended > ?3 AND ended <= ?4 ORDER BY 1"
        );
        let mut statement = self.prepare(&sql, READ)?;
        let given = params![space.agent_id.as_str(), space.namespace, from, to];
        let rows = statement.query_map(given, |row| row.get(0)).doing(READ)?;
        rows.map(|row| Ok(row.doing(READ)?)).collect()
    }
}

impl WriteTx<'_> {
    /// Deletes the oldest versions of an agent that no snapshot needs until what is left is charged at most `max` bytes.
    pub fn vfs_prune(&self, agent: &AgentId, max: u64) -> Result<()> {
        let charged = self.vfs_totals(agent)?.history_bytes;
        if charged <= max {
            return Ok(());
        }
        let mut excess = i64::try_from(charged - max).unwrap_or(i64::MAX);
        let mut doomed = Vec::new();
        let mut pruned = 0_i64;
        {
            let mut statement = self.prepare(
                "SELECT version, size + 512, ended FROM vfs_history WHERE agent_id = ?1 AND held = 0 ORDER BY ended, version",
                PRUNE,
            )?;
            let mut rows = statement.query([agent.as_str()]).doing(PRUNE)?;
            while excess > 0
                && let Some(row) = rows.next().doing(PRUNE)?
            {
                doomed.push(row.get::<_, i64>(0).doing(PRUNE)?);
                excess -= row.get::<_, i64>(1).doing(PRUNE)?;
                pruned = row.get(2).doing(PRUNE)?;
            }
        }
        for version in doomed {
            self.prepare("DELETE FROM vfs_history WHERE version = ?1", PRUNE)?.execute([version]).doing(PRUNE)?;
        }
        self.prepare("UPDATE vfs_agents SET pruned = max(pruned, ?2) WHERE agent_id = ?1", PRUNE)?
            .execute(params![agent.as_str(), pruned])
            .doing(PRUNE)?;
        Ok(())
    }

    /// Deletes a tree with its history and snapshots, without a trace. How many current entries there were.
    pub fn vfs_clear(&self, space: &VfsSpace) -> Result<usize> {
        let mut cleared = 0;
        for table in ["vfs_snapshots", "vfs_history", "vfs_entries"] {
            cleared = self
                .prepare(&format!("DELETE FROM {table} WHERE agent_id = ?1 AND namespace = ?2"), PRUNE)?
                .execute([space.agent_id.as_str(), space.namespace.as_str()])
                .doing(PRUNE)?;
        }
        Ok(cleared)
    }
}

fn version(row: &Row<'_>) -> rusqlite::Result<VfsVersion> {
    Ok(VfsVersion {
        row: read(row)?,
        ended: row.get(COLUMN_COUNT)?,
        ended_run_id: row.get::<_, Option<String>>(COLUMN_COUNT + 1)?.map(RunId::from),
        ended_at: row.get(COLUMN_COUNT + 2)?,
        held: row.get(COLUMN_COUNT + 3)?,
    })
}
