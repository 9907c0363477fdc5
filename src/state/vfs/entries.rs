//! Look-ups and range scans. No statement matches patterns: paths are compared as they are.

use rusqlite::{OptionalExtension, params};

use super::row::{COLUMN_COUNT, below, bound, columns, read};
use super::{VfsAt, VfsRow, VfsSpace};
use crate::core::{Error, Result};
use crate::state::error::Doing;
use crate::state::tx::{ReadTx, as_i64};

const READ: &str = "read virtual files";

impl ReadTx<'_> {
    /// The version at a path; the root has none.
    pub fn vfs_entry(&self, space: &VfsSpace, path: &str, at: VfsAt) -> Result<Option<VfsRow>> {
        let (agent, namespace) = (space.agent_id.as_str(), space.namespace.as_str());
        let current = self
            .prepare(
                &format!(
                    "SELECT {} FROM vfs_entries WHERE agent_id = ?1 AND namespace = ?2 AND path = ?3 AND revision <= ?4",
                    columns(false)
                ),
                READ,
            )?
            .query_row(params![agent, namespace, path, bound(at)], read)
            .optional()
            .doing(READ)?;
        let VfsAt::Revision(revision) = at else { return Ok(current) };
        if current.is_some() {
            return Ok(current);
        }
        Ok(self
            .prepare(
                &format!(
                    "SELECT {} FROM vfs_history WHERE agent_id = ?1 AND namespace = ?2 AND path = ?3 AND ended > ?4 \
                     AND revision <= ?4 ORDER BY ended LIMIT 1",
                    columns(true)
                ),
                READ,
            )?
            .query_row(params![agent, namespace, path, revision], read)
            .optional()
            .doing(READ)?)
    }

    /// At most `max` direct entries of a directory, by name. The directory itself is not looked at.
    pub fn vfs_children(&self, space: &VfsSpace, directory: &str, at: VfsAt, max: usize) -> Result<Vec<VfsRow>> {
        let (from, to) = below(directory);
        let name_starts = as_i64(from.chars().count()).saturating_add(1);
        let direct = "AND instr(substr(path, ?6), '/') = 0";
        let mut statement = self.prepare(&scan(at, direct, "LIMIT ?7"), READ)?;
        let rows = statement
            .query_map(
                params![space.agent_id.as_str(), space.namespace, from, to, bound(at), name_starts, as_i64(max)],
                read,
            )
            .doing(READ)?;
        rows.map(|row| Ok(row.doing(READ)?)).collect()
    }

    /// Everything below a directory, each directory before its content, by path.
    pub fn vfs_subtree(&self, space: &VfsSpace, directory: &str, at: VfsAt) -> Result<Vec<VfsRow>> {
        let (from, to) = below(directory);
        let mut statement = self.prepare(&scan(at, "", ""), READ)?;
        let rows = statement
            .query_map(params![space.agent_id.as_str(), space.namespace, from, to, bound(at)], read)
            .doing(READ)?;
        rows.map(|row| Ok(row.doing(READ)?)).collect()
    }

    /// Whether anything is below a directory.
    pub fn vfs_has_children(&self, space: &VfsSpace, directory: &str) -> Result<bool> {
        let (from, to) = below(directory);
        let sql = "SELECT EXISTS (SELECT 1 FROM vfs_entries WHERE agent_id = ?1 AND namespace = ?2 AND path >= ?3 \
                   AND path < ?4)";
        Ok(self
            .prepare(sql, READ)?
            .query_row(params![space.agent_id.as_str(), space.namespace, from, to], |row| row.get(0))
            .doing(READ)?)
    }

    /// Visits the whole current tree in the order of [`ReadTx::vfs_subtree`], with the bytes of files that hold them in their row:
    /// one statement for everything.
    pub fn vfs_scan<E: From<Error>>(
        &self,
        space: &VfsSpace,
        mut visit: impl FnMut(&VfsRow, Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error: rusqlite::Error| E::from(crate::state::StateError::sql(READ, &error).into());
        let sql = format!(
            "SELECT {}, content_blob FROM vfs_entries WHERE agent_id = ?1 AND namespace = ?2 ORDER BY path",
            columns(false)
        );
        let mut statement = self.prepare(&sql, READ).map_err(|error| E::from(error.into()))?;
        let mut rows = statement.query([space.agent_id.as_str(), space.namespace.as_str()]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let version = read(row).map_err(failed)?;
            let bytes = row.get_ref(COLUMN_COUNT).map_err(failed)?;
            visit(&version, bytes.as_blob_or_null().map_err(|error| failed(error.into()))?)?;
        }
        Ok(())
    }

    /// Namespaces of an agent that have entries or history.
    pub fn vfs_namespaces(&self, agent: &crate::core::AgentId) -> Result<Vec<String>> {
        let sql = "SELECT namespace FROM vfs_entries WHERE agent_id = ?1 \
                   UNION SELECT namespace FROM vfs_history WHERE agent_id = ?1 ORDER BY 1";
        let mut statement = self.prepare(sql, READ)?;
        let rows = statement.query_map([agent.as_str()], |row| row.get(0)).doing(READ)?;
        rows.map(|row| Ok(row.doing(READ)?)).collect()
    }
}

/// A range scan by path; ?1 to ?5 are agent, namespace, bounds and revision.
fn scan(at: VfsAt, condition: &str, end: &str) -> String {
    let range = "agent_id = ?1 AND namespace = ?2 AND path >= ?3 AND path < ?4 AND revision <= ?5";
    let current = format!("SELECT {} FROM vfs_entries WHERE {range} {condition}", columns(false));
    match at {
        VfsAt::Now => format!("{current} ORDER BY path {end}"),
        VfsAt::Revision(_) => format!(
            "{current} UNION ALL SELECT {} FROM vfs_history WHERE {range} AND ended > ?5 {condition} ORDER BY 2 {end}",
            columns(true)
        ),
    }
}
