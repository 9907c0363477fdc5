//! The bytes of files: up to [`INLINE_MAX`] in the row, more in chunks. A blob is never cut by SQLite, which would read all of it.

use rusqlite::{OptionalExtension, params};

use super::{VfsHash, VfsRow};
use crate::core::{AgentId, Result};
use crate::state::error::{Doing, StateError};
use crate::state::tx::{ReadTx, WriteTx, as_i64};

/// Most bytes in a row; what is larger is in chunks.
pub const INLINE_MAX: usize = 1024 * 1024;
/// Bytes of a chunk; the last one of a content may be shorter.
pub const CHUNK: usize = 256 * 1024;

const READ: &str = "read the content of a virtual file";
const STORE: &str = "store the content of a virtual file";

impl ReadTx<'_> {
    /// The bytes of a version from `offset`, at most `max` of them.
    pub fn vfs_bytes(&self, row: &VfsRow, offset: u64, max: usize) -> Result<Vec<u8>> {
        match row.content {
            Some(content) => self.vfs_content_bytes(content, offset, max),
            None => self.inline_bytes(row, offset, max),
        }
    }

    /// The same of a stored content; fewer bytes than there should be mean that it is gone.
    pub fn vfs_content_bytes(&self, content: i64, offset: u64, max: usize) -> Result<Vec<u8>> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let last = offset.saturating_add(max.max(1) - 1) / CHUNK;
        let mut statement = self
            .prepare("SELECT data FROM vfs_chunks WHERE content = ?1 AND idx BETWEEN ?2 AND ?3 ORDER BY idx", READ)?;
        let mut rows = statement.query(params![content, as_i64(offset / CHUNK), as_i64(last)]).doing(READ)?;
        let mut bytes = Vec::new();
        let mut skip = offset % CHUNK;
        while let Some(row) = rows.next().doing(READ)? {
            let data = row.get_ref(0).doing(READ)?.as_blob().map_err(rusqlite::Error::from).doing(READ)?;
            let part = data.get(skip..).unwrap_or_default();
            skip = 0;
            bytes.extend_from_slice(part.get(..max - bytes.len()).unwrap_or(part));
        }
        Ok(bytes)
    }

    fn inline_bytes(&self, row: &VfsRow, offset: u64, max: usize) -> Result<Vec<u8>> {
        let sql = if row.past {
            "SELECT content_blob FROM vfs_history WHERE version = ?1"
        } else {
            "SELECT content_blob FROM vfs_entries WHERE entry = ?1"
        };
        let mut statement = self.prepare(sql, READ)?;
        let mut rows = statement.query([row.id]).doing(READ)?;
        let Some(found) = rows.next().doing(READ)? else { return Ok(Vec::new()) };
        let blob = found.get_ref(0).doing(READ)?.as_blob_or_null().map_err(rusqlite::Error::from).doing(READ)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| blob?.get(offset..)).unwrap_or_default();
        Ok(rest.get(..max).unwrap_or(rest).to_vec())
    }

    /// Bytes of an agent's uploads that are not finished.
    pub fn vfs_upload_bytes(&self, agent: &AgentId) -> Result<u64> {
        let sql = "SELECT coalesce(sum(size), 0) FROM vfs_contents WHERE agent_id = ?1 AND hash IS NULL";
        let bytes: i64 = self.prepare(sql, READ)?.query_row([agent.as_str()], |row| row.get(0)).doing(READ)?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Bytes an unfinished upload has; `None` if the agent has no such upload.
    pub fn vfs_upload_size(&self, agent: &AgentId, upload: i64) -> Result<Option<u64>> {
        let sql = "SELECT size FROM vfs_contents WHERE content = ?1 AND agent_id = ?2 AND hash IS NULL";
        let size: Option<i64> = self
            .prepare(sql, READ)?
            .query_row(params![upload, agent.as_str()], |row| row.get(0))
            .optional()
            .doing(READ)?;
        Ok(size.map(|size| u64::try_from(size).unwrap_or(0)))
    }
}

impl WriteTx<'_> {
    /// Stores a content in chunks, or finds the agent's equal one.
    pub fn vfs_store_content(&self, agent: &AgentId, hash: &VfsHash, bytes: &[u8], at: i64) -> Result<i64> {
        if let Some(known) = self.known_content(agent, hash)? {
            return Ok(known);
        }
        let content = self.new_content(agent, Some(hash), bytes.len(), at)?;
        for (index, chunk) in bytes.chunks(CHUNK).enumerate() {
            self.insert_chunk(content, index, chunk)?;
        }
        Ok(content)
    }

    /// Begins an upload, whose number is the result. What it gets becomes a content when it is finished.
    pub fn vfs_begin_upload(&self, agent: &AgentId, at: i64) -> Result<i64> {
        Ok(self.new_content(agent, None, 0, at)?)
    }

    /// Adds bytes at the end of an upload that has `size` of them.
    pub fn vfs_extend_upload(&self, upload: i64, size: u64, mut bytes: &[u8], at: i64) -> Result<()> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (mut index, partial) = (size / CHUNK, size % CHUNK);
        let total = size.saturating_add(bytes.len());
        if partial > 0 {
            let mut chunk = self.vfs_content_bytes(upload, u64::try_from(size - partial).unwrap_or(0), CHUNK)?;
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - partial));
            chunk.extend_from_slice(now);
            self.prepare("UPDATE vfs_chunks SET data = ?3 WHERE content = ?1 AND idx = ?2", STORE)?
                .execute(params![upload, as_i64(index), chunk])
                .doing(STORE)?;
            index += 1;
            bytes = later;
        }
        for (number, chunk) in bytes.chunks(CHUNK).enumerate() {
            self.insert_chunk(upload, index + number, chunk)?;
        }
        self.prepare("UPDATE vfs_contents SET size = ?2, created_at = ?3 WHERE content = ?1", STORE)?
            .execute(params![upload, as_i64(total), at])
            .doing(STORE)?;
        Ok(())
    }

    /// Makes a finished upload a content: the upload itself, or the agent's equal one. A caller that does not use the content must
    /// drop it.
    pub fn vfs_finish_upload(&self, agent: &AgentId, upload: i64, hash: &VfsHash) -> Result<i64> {
        if let Some(known) = self.known_content(agent, hash)? {
            self.vfs_drop_upload(upload)?;
            return Ok(known);
        }
        self.prepare("UPDATE vfs_contents SET hash = ?2 WHERE content = ?1", STORE)?
            .execute(params![upload, hash])
            .doing(STORE)?;
        Ok(upload)
    }

    /// Deletes an unfinished upload.
    pub fn vfs_drop_upload(&self, upload: i64) -> Result<()> {
        self.prepare("DELETE FROM vfs_contents WHERE content = ?1 AND hash IS NULL", STORE)?
            .execute([upload])
            .doing(STORE)?;
        Ok(())
    }

    /// Deletes an agent's uploads that nobody has added to since `before`.
    pub fn vfs_drop_stale_uploads(&self, agent: &AgentId, before: i64) -> Result<()> {
        self.prepare("DELETE FROM vfs_contents WHERE agent_id = ?1 AND hash IS NULL AND created_at < ?2", STORE)?
            .execute(params![agent.as_str(), before])
            .doing(STORE)?;
        Ok(())
    }

    fn known_content(&self, agent: &AgentId, hash: &VfsHash) -> Result<Option<i64>, StateError> {
        self.prepare("SELECT content FROM vfs_contents WHERE agent_id = ?1 AND hash = ?2", STORE)?
            .query_row(params![agent.as_str(), hash], |row| row.get(0))
            .optional()
            .doing(STORE)
    }

    fn new_content(&self, agent: &AgentId, hash: Option<&VfsHash>, size: usize, at: i64) -> Result<i64, StateError> {
        let sql =
            "INSERT INTO vfs_contents (agent_id, hash, size, created_at) VALUES (?1, ?2, ?3, ?4) RETURNING content";
        self.prepare(sql, STORE)?
            .query_row(params![agent.as_str(), hash, as_i64(size), at], |row| row.get(0))
            .doing(STORE)
    }

    fn insert_chunk(&self, content: i64, index: usize, data: &[u8]) -> Result<(), StateError> {
        self.prepare("INSERT INTO vfs_chunks (content, idx, data) VALUES (?1, ?2, ?3)", STORE)?
            .execute(params![content, as_i64(index), data])
            .doing(STORE)?;
        Ok(())
    }
}
