//! The interface that tools use.

use std::path::Path;

use super::VirtualAgentFs;
use super::node::Moment;
use crate::fs::{AgentFiles, Entry, FileChange, FsError, Listing, OpenedReader, RelPath, WriteOptions, Written};

impl AgentFiles for VirtualAgentFs {
    fn describe(&self) -> String {
        self.namespace.described().to_owned()
    }

    fn resolve(&self, text: &str) -> Result<RelPath, FsError> {
        crate::fs::resolve::resolve(text, &[Path::new(self.namespace.mount_point())])
    }

    fn open_for_read(&self, path: &RelPath) -> Result<OpenedReader, FsError> {
        self.open(path)
    }

    fn read(&self, path: &RelPath, max: u64) -> Result<Vec<u8>, FsError> {
        self.read_at(path, &Moment::Now, max)
    }

    fn write_with(&self, path: &RelPath, data: &[u8], options: &WriteOptions) -> Result<Written, FsError> {
        self.write(path, data.to_vec(), None, options)
    }

    fn list_bounded(&self, path: &RelPath, max: usize) -> Result<Listing, FsError> {
        let (nodes, truncated) = self.nodes(path, &Moment::Now, max)?;
        Ok(Listing { entries: nodes.iter().map(super::VfsNode::entry).collect(), truncated })
    }

    fn stat(&self, path: &RelPath) -> Result<Entry, FsError> {
        Ok(self.node(path, &Moment::Now)?.entry())
    }

    fn mkdirs(&self, path: &RelPath) -> Result<(), FsError> {
        self.make_directory(path)
    }

    fn remove_file(&self, path: &RelPath) -> Result<(), FsError> {
        self.remove(path)
    }

    fn apply(&self, changes: &[FileChange]) -> Result<(), FsError> {
        self.apply_set(changes)
    }
}
