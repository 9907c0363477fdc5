//! A tree as a stream, and what is remembered about it for the way back.

use std::collections::HashMap;
use std::io::{self, Read};

use super::VirtualAgentFs;
use super::access::Refusal;
use super::node::kind;
use crate::core::Error;
use crate::fs::{EntryKind, FsError, RelPath};
use crate::state::{ReadTx, VFS_CHUNK, VfsKind};

/// Takes a tree: each directory before its content.
pub trait TreeSink {
    /// A directory with its permission bits.
    fn directory(&mut self, path: &RelPath, mode: u32) -> io::Result<()>;

    /// A file with its permission bits, exactly `size` bytes of `content`.
    fn file(&mut self, path: &RelPath, mode: u32, size: u64, content: &mut dyn Read) -> io::Result<()>;
}

/// What a tree was when it was projected: the versions that changes of the projection are compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// The agent's newest revision then.
    pub revision: i64,
    entries: HashMap<String, (i64, EntryKind)>,
}

impl Base {
    /// Files and directories in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the tree was empty.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Revision and kind of what was at a path.
    pub(super) fn get(&self, path: &str) -> Option<(i64, EntryKind)> {
        self.entries.get(path).copied()
    }
}

impl VirtualAgentFs {
    /// Streams the whole tree, in one read transaction: one state of it, whatever happens meanwhile.
    pub fn project(&self, sink: &mut dyn TreeSink) -> Result<Base, FsError> {
        self.reading(&RelPath::root(), |tx| {
            let mut base = Base { revision: tx.vfs_totals(&self.space.agent_id)?.revision, entries: HashMap::new() };
            tx.vfs_scan(&self.space, |row, bytes| {
                let path = RelPath::parse(&row.path)?;
                let sent = match (row.kind, bytes, row.content) {
                    (VfsKind::Directory, ..) => sink.directory(&path, row.mode),
                    (VfsKind::File, Some(mut bytes), _) => sink.file(&path, row.mode, row.size, &mut bytes),
                    (VfsKind::File, None, content) => {
                        let mut reader = Chunks {
                            tx,
                            content: content.unwrap_or_default(),
                            offset: 0,
                            chunk: io::Cursor::default(),
                        };
                        sink.file(&path, row.mode, row.size, &mut reader)
                    }
                };
                sent.map_err(|source| FsError::Io { path: path.to_string(), source })?;
                base.entries.insert(row.path.clone(), (row.revision, kind(row.kind)));
                Ok::<(), Refusal>(())
            })?;
            Ok(base)
        })
    }
}

/// A stored content in the projection's own transaction.
struct Chunks<'t, 'c> {
    tx: &'t ReadTx<'c>,
    content: i64,
    offset: u64,
    chunk: io::Cursor<Vec<u8>>,
}

impl Read for Chunks<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.chunk.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        let failed = |error: Error| io::Error::other(error);
        let bytes = self.tx.vfs_content_bytes(self.content, self.offset, VFS_CHUNK).map_err(failed)?;
        self.offset += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.chunk = io::Cursor::new(bytes);
        self.chunk.read(buffer)
    }
}
