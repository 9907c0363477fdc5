//! Read, list, stat, at any revision.

use std::io::{self, Read};

use super::access::Step;
use super::node::{Moment, VfsNode};
use super::tree::{find, find_file};
use super::{VfsLimits, VirtualAgentFs};
use crate::fs::{FsError, OpenedReader, RelPath, Walk, WalkOptions};
use crate::state::{ReadTx, Store, VFS_CHUNK, VfsAt, VfsKind, VfsRow, VfsTotals};

impl VirtualAgentFs {
    /// The file at a moment, refusing more than `max` bytes.
    pub fn read_at(&self, path: &RelPath, moment: &Moment, max: u64) -> Result<Vec<u8>, FsError> {
        self.reading(path, |tx| {
            let row = self.file_at(tx, path, moment)?;
            if row.size > max {
                return Err(FsError::TooLarge { path: path.to_string(), size: row.size, max, unit: "bytes" }.into());
            }
            whole(tx, path, &row, 0, row.size)
        })
    }

    /// A part of the file at a moment: at most `max` bytes from `offset`, and what the file is.
    pub fn read_range(
        &self,
        path: &RelPath,
        moment: &Moment,
        offset: u64,
        max: u64,
    ) -> Result<(Vec<u8>, VfsNode), FsError> {
        self.reading(path, |tx| {
            let row = self.file_at(tx, path, moment)?;
            let bytes = whole(tx, path, &row, offset, max.min(row.size.saturating_sub(offset)))?;
            Ok((bytes, VfsNode::of(row)?))
        })
    }

    /// What is at a path, with everything that is known about it.
    pub fn node(&self, path: &RelPath, moment: &Moment) -> Result<VfsNode, FsError> {
        self.reading(path, |tx| match self.row_at(tx, path, moment)? {
            Some(row) => Ok(VfsNode::of(row)?),
            None => Ok(VfsNode::root()),
        })
    }

    /// At most `max` entries of a directory, by name, and whether there are more.
    pub fn nodes(&self, path: &RelPath, moment: &Moment, max: usize) -> Result<(Vec<VfsNode>, bool), FsError> {
        self.reading(path, |tx| {
            let at = self.whole_tree_at(tx, path, moment)?;
            if find(tx, &self.space, path, at)?.is_some_and(|row| row.kind == VfsKind::File) {
                return Err(FsError::NotADirectory { path: path.to_string() }.into());
            }
            let mut rows = tx.vfs_children(&self.space, path.as_str(), at, max.saturating_add(1))?;
            let more = rows.len() > max;
            rows.truncate(max);
            let nodes = rows.into_iter().map(VfsNode::of).collect::<Result<_, _>>()?;
            Ok((nodes, more))
        })
    }

    /// Everything at and below a path at a moment, each directory before its content.
    pub fn tree_at(&self, path: &RelPath, moment: &Moment) -> Result<Vec<VfsNode>, FsError> {
        self.reading(path, |tx| {
            let at = self.whole_tree_at(tx, path, moment)?;
            let top = find(tx, &self.space, path, at)?;
            let below = tx.vfs_subtree(&self.space, path.as_str(), at)?;
            Ok(top.into_iter().chain(below).map(VfsNode::of).collect::<Result<_, _>>()?)
        })
    }

    /// A tree below `path` in a fixed order, within bounds.
    pub fn walk(&self, path: &RelPath, options: WalkOptions) -> Result<Walk<'_>, FsError> {
        Walk::start(self, path, options)
    }

    /// What the agent's virtual files come to, over all namespaces, and what they may.
    pub fn usage(&self) -> Result<(VfsTotals, VfsLimits), FsError> {
        let totals = self.reading(&RelPath::root(), |tx| Ok(tx.vfs_totals(&self.space.agent_id)?))?;
        Ok((totals, self.limits))
    }

    /// The agent's namespaces that have files or history.
    pub fn namespaces(&self) -> Result<Vec<String>, FsError> {
        self.reading(&RelPath::root(), |tx| Ok(tx.vfs_namespaces(&self.space.agent_id)?))
    }

    /// Opens a file for reading in pieces. A large one is read from the database as it is asked for.
    pub(super) fn open(&self, path: &RelPath) -> Result<OpenedReader, FsError> {
        self.reading(path, |tx| {
            let row = find_file(tx, &self.space, path, VfsAt::Now)?;
            let reader: Box<dyn Read + Send> = match row.content {
                None => Box::new(io::Cursor::new(whole(tx, path, &row, 0, row.size)?)),
                Some(content) => Box::new(ContentReader {
                    store: self.store.clone(),
                    content,
                    offset: 0,
                    size: row.size,
                    chunk: io::Cursor::default(),
                }),
            };
            Ok(OpenedReader { reader, size: row.size, modified_ms: row.updated_at })
        })
    }

    pub(super) fn file_at(&self, tx: &ReadTx<'_>, path: &RelPath, moment: &Moment) -> Step<VfsRow> {
        match self.row_at(tx, path, moment)? {
            Some(row) if row.kind == VfsKind::File => Ok(row),
            _ => Err(FsError::NotAFile { path: path.to_string(), what: "a directory" }.into()),
        }
    }

    /// What is at a path at a moment. A single version may still be there when its tree is incomplete.
    fn row_at(&self, tx: &ReadTx<'_>, path: &RelPath, moment: &Moment) -> Step<Option<VfsRow>> {
        let at = self.resolve_moment(tx, path, moment)?;
        if path.is_root() {
            return Ok(None);
        }
        if let Some(row) = tx.vfs_entry(&self.space, path.as_str(), at)? {
            return Ok(Some(row));
        }
        self.check_complete(tx, path, at)?;
        find(tx, &self.space, path, at)
    }
}

/// The bytes of a version from `offset`; all of them must be there.
pub(super) fn whole(tx: &ReadTx<'_>, path: &RelPath, row: &VfsRow, offset: u64, length: u64) -> Step<Vec<u8>> {
    let wanted = usize::try_from(length).unwrap_or(usize::MAX);
    let bytes = tx.vfs_bytes(row, offset, wanted)?;
    if bytes.len() != wanted {
        return Err(FsError::Io { path: path.to_string(), source: damaged() }.into());
    }
    Ok(bytes)
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a part of its content is missing in the database")
}

/// Reads a stored content chunk by chunk, each in a transaction of its own: contents do not change, they only go.
struct ContentReader {
    store: Store,
    content: i64,
    offset: u64,
    size: u64,
    chunk: io::Cursor<Vec<u8>>,
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.chunk.read(buffer)?;
        if count > 0 || buffer.is_empty() || self.offset >= self.size {
            return Ok(count);
        }
        let (content, offset) = (self.content, self.offset);
        let bytes = self
            .store
            .read_blocking(|tx| tx.vfs_content_bytes(content, offset, VFS_CHUNK))
            .map_err(io::Error::other)?;
        if bytes.is_empty() {
            return Err(io::Error::other("the file was replaced and its old content deleted while it was read"));
        }
        self.offset += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.chunk = io::Cursor::new(bytes);
        self.chunk.read(buffer)
    }
}
