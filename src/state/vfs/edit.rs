//! Ending and inserting versions.

use std::cell::Cell;

use rusqlite::params;

use super::{VfsHash, VfsRow, VfsSpace};
use crate::core::{Result, RunId};
use crate::state::error::Doing;
use crate::state::tx::WriteTx;

const STORE: &str = "store a virtual file";

/// Where the bytes of a file are.
#[derive(Debug, Clone, Copy)]
pub enum VfsContent<'a> {
    /// Here; at most [`super::INLINE_MAX`].
    Inline(&'a [u8]),
    /// In this stored content.
    Stored(i64),
}

/// A version of a file to be.
#[derive(Debug, Clone, Copy)]
pub struct VfsFile<'a> {
    /// Permission bits.
    pub mode: u32,
    /// Bytes.
    pub size: u64,
    /// Hash of the bytes.
    pub hash: &'a VfsHash,
    /// The bytes.
    pub content: VfsContent<'a>,
}

/// Changes of one tree that share a revision. The revision is taken by the first change, so that an edit that finds nothing to do
/// writes nothing.
pub struct VfsEdit<'t, 'c> {
    tx: &'t WriteTx<'c>,
    space: VfsSpace,
    run: Option<RunId>,
    at: i64,
    revision: Cell<Option<i64>>,
}

impl<'c> WriteTx<'c> {
    /// Begins changes of a tree. `at` is their time, `run` who makes them.
    pub fn vfs_edit<'t>(&'t self, space: &VfsSpace, run: Option<&RunId>, at: i64) -> VfsEdit<'t, 'c> {
        VfsEdit { tx: self, space: space.clone(), run: run.cloned(), at, revision: Cell::new(None) }
    }
}

impl<'t, 'c> VfsEdit<'t, 'c> {
    /// The view that the changes are made in.
    pub fn tx(&self) -> &'t WriteTx<'c> {
        self.tx
    }

    /// The tree.
    pub fn space(&self) -> &VfsSpace {
        &self.space
    }

    /// The revision of the changes; `None` while there are none.
    pub fn changed(&self) -> Option<i64> {
        self.revision.get()
    }

    /// Inserts a file where nothing is.
    pub fn insert_file(&self, path: &str, file: &VfsFile<'_>) -> Result<()> {
        let (content, blob) = match file.content {
            VfsContent::Inline(bytes) => (None, Some(bytes)),
            VfsContent::Stored(content) => (Some(content), None),
        };
        self.tx
            .prepare(
                "INSERT INTO vfs_entries (agent_id, namespace, path, kind, revision, size, hash, mode, run_id, updated_at, \
                 content, content_blob) VALUES (?1, ?2, ?3, 'file', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                STORE,
            )?
            .execute(params![
                self.space.agent_id.as_str(),
                self.space.namespace,
                path,
                self.take_revision()?,
                i64::try_from(file.size).unwrap_or(i64::MAX),
                file.hash,
                file.mode,
                self.run.as_ref().map(RunId::as_str),
                self.at,
                content,
                blob,
            ])
            .doing(STORE)?;
        Ok(())
    }

    /// Inserts a directory where nothing is.
    pub fn insert_directory(&self, path: &str, mode: u32) -> Result<()> {
        self.tx
            .prepare(
                "INSERT INTO vfs_entries (agent_id, namespace, path, kind, revision, mode, run_id, updated_at) \
                 VALUES (?1, ?2, ?3, 'directory', ?4, ?5, ?6, ?7)",
                STORE,
            )?
            .execute(params![
                self.space.agent_id.as_str(),
                self.space.namespace,
                path,
                self.take_revision()?,
                mode,
                self.run.as_ref().map(RunId::as_str),
                self.at,
            ])
            .doing(STORE)?;
        Ok(())
    }

    /// Inserts a version like another one (of this agent, from whichever tree and time) where nothing is.
    pub fn insert_like(&self, other: &VfsRow, path: &str, mode: u32) -> Result<()> {
        let (table, key) = if other.past { ("vfs_history", "version") } else { ("vfs_entries", "entry") };
        self.tx
            .prepare(
                &format!(
                    "INSERT INTO vfs_entries (agent_id, namespace, path, kind, revision, size, hash, mode, run_id, updated_at, \
                     content, content_blob) SELECT ?1, ?2, ?3, kind, ?4, size, hash, ?5, ?6, ?7, content, content_blob \
                     FROM {table} WHERE {key} = ?8 AND agent_id = ?1"
                ),
                STORE,
            )?
            .execute(params![
                self.space.agent_id.as_str(),
                self.space.namespace,
                path,
                self.take_revision()?,
                mode,
                self.run.as_ref().map(RunId::as_str),
                self.at,
                other.id,
            ])
            .doing(STORE)?;
        Ok(())
    }

    /// Ends a current version. One that this edit made leaves no trace: it was never there at the end of a revision.
    pub fn end(&self, row: &VfsRow) -> Result<()> {
        let ended = self.take_revision()?;
        self.tx
            .prepare(
                "INSERT INTO vfs_history (version, agent_id, namespace, path, kind, revision, size, hash, mode, run_id, \
                 updated_at, ended, ended_run_id, ended_at, held, content, content_blob) \
                 SELECT entry, agent_id, namespace, path, kind, revision, size, hash, mode, run_id, updated_at, ?2, ?3, ?4, \
                 EXISTS (SELECT 1 FROM vfs_snapshots s WHERE s.agent_id = e.agent_id AND s.namespace = e.namespace \
                 AND s.revision >= e.revision AND s.revision < ?2), content, content_blob \
                 FROM vfs_entries e WHERE entry = ?1 AND revision < ?2",
                STORE,
            )?
            .execute(params![row.id, ended, self.run.as_ref().map(RunId::as_str), self.at])
            .doing(STORE)?;
        self.tx.prepare("DELETE FROM vfs_entries WHERE entry = ?1", STORE)?.execute([row.id]).doing(STORE)?;
        Ok(())
    }

    /// Changes the permission bits of a current version, by another version with the same content.
    pub fn change_mode(&self, row: &VfsRow, mode: u32) -> Result<()> {
        if self.revision.get() == Some(row.revision) {
            self.tx
                .prepare("UPDATE vfs_entries SET mode = ?2 WHERE entry = ?1", STORE)?
                .execute(params![row.id, mode])
                .doing(STORE)?;
            return Ok(());
        }
        self.end(row)?;
        let ended = VfsRow { past: true, ..row.clone() };
        self.insert_like(&ended, &row.path, mode)
    }

    fn take_revision(&self) -> Result<i64> {
        if let Some(revision) = self.revision.get() {
            return Ok(revision);
        }
        let revision = self
            .tx
            .prepare(
                "INSERT INTO vfs_agents (agent_id, revision) VALUES (?1, 1) \
                 ON CONFLICT DO UPDATE SET revision = revision + 1 RETURNING revision",
                STORE,
            )?
            .query_row([self.space.agent_id.as_str()], |row| row.get(0))
            .doing(STORE)?;
        self.revision.set(Some(revision));
        Ok(revision)
    }
}
