//! Named revisions. A snapshot is its revision: it costs nothing until something changes that it needs.

use rusqlite::{OptionalExtension, Row, params};

use super::VfsSpace;
use crate::core::{Result, RunId};
use crate::state::error::Doing;
use crate::state::tx::{ReadTx, WriteTx};

const READ: &str = "read the snapshots of virtual files";
const STORE: &str = "store a snapshot of virtual files";

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VfsSnapshot {
    /// Unique within the tree.
    pub name: String,
    /// The tree as it was after that revision.
    pub revision: i64,
    /// What it is for.
    pub note: String,
    /// The run that took it.
    pub run_id: Option<RunId>,
    /// When, Unix milliseconds.
    pub created_at: i64,
}

const COLUMNS: &str = "name, revision, note, run_id, created_at";

impl ReadTx<'_> {
    /// A tree's snapshots, oldest first.
    pub fn vfs_snapshots(&self, space: &VfsSpace) -> Result<Vec<VfsSnapshot>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM vfs_snapshots WHERE agent_id = ?1 AND namespace = ?2 ORDER BY revision, created_at, name"
        );
        let mut statement = self.prepare(&sql, READ)?;
        let rows = statement.query_map([space.agent_id.as_str(), space.namespace.as_str()], read).doing(READ)?;
        rows.map(|row| Ok(row.doing(READ)?)).collect()
    }

    /// One snapshot.
    pub fn vfs_snapshot(&self, space: &VfsSpace, name: &str) -> Result<Option<VfsSnapshot>> {
        let sql = format!("SELECT {COLUMNS} FROM vfs_snapshots WHERE agent_id = ?1 AND namespace = ?2 AND name = ?3");
        Ok(self
            .prepare(&sql, READ)?
            .query_row([space.agent_id.as_str(), space.namespace.as_str(), name], read)
            .optional()
            .doing(READ)?)
    }

    /// Whether a snapshot is of that revision.
    pub fn vfs_has_snapshot_at(&self, space: &VfsSpace, revision: i64) -> Result<bool> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM vfs_snapshots WHERE agent_id = ?1 AND namespace = ?2 AND revision = ?3)";
        Ok(self
            .prepare(sql, READ)?
            .query_row(params![space.agent_id.as_str(), space.namespace, revision], |row| row.get(0))
            .doing(READ)?)
    }
}

impl WriteTx<'_> {
    /// Stores a snapshot of the present revision. Error: the name is taken, or the revision is an earlier one.
    pub fn vfs_insert_snapshot(&self, space: &VfsSpace, snapshot: &VfsSnapshot) -> Result<()> {
        self.prepare(
            "INSERT INTO vfs_snapshots (agent_id, namespace, name, revision, note, run_id, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            STORE,
        )?
        .execute(params![
            space.agent_id.as_str(),
            space.namespace,
            snapshot.name,
            snapshot.revision,
            snapshot.note,
            snapshot.run_id.as_ref().map(RunId::as_str),
            snapshot.created_at,
        ])
        .doing(STORE)?;
        Ok(())
    }

    /// Deletes a snapshot and releases the versions that no other one needs; false if there was none.
    pub fn vfs_delete_snapshot(&self, space: &VfsSpace, name: &str) -> Result<bool> {
        let (agent, namespace) = (space.agent_id.as_str(), space.namespace.as_str());
        let revision: Option<i64> = self
            .prepare(
                "DELETE FROM vfs_snapshots WHERE agent_id = ?1 AND namespace = ?2 AND name = ?3 RETURNING revision",
                STORE,
            )?
            .query_row([agent, namespace, name], |row| row.get(0))
            .optional()
            .doing(STORE)?;
        let Some(revision) = revision else { return Ok(false) };
        self.prepare(
            "UPDATE vfs_history AS h SET held = 0 WHERE agent_id = ?1 AND namespace = ?2 AND held = 1 \
             AND revision <= ?3 AND ended > ?3 AND NOT EXISTS (SELECT 1 FROM vfs_snapshots s WHERE s.agent_id = h.agent_id \
             AND s.namespace = h.namespace AND s.revision >= h.revision AND s.revision < h.ended)",
            STORE,
        )?
        .execute(params![agent, namespace, revision])
        .doing(STORE)?;
        Ok(true)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<VfsSnapshot> {
    Ok(VfsSnapshot {
        name: row.get(0)?,
        revision: row.get(1)?,
        note: row.get(2)?,
        run_id: row.get::<_, Option<String>>(3)?.map(RunId::from),
        created_at: row.get(4)?,
    })
}
