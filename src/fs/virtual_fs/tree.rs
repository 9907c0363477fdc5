//! Look-ups and changes in an open transaction.

use ring::digest::{SHA256, digest};

use super::access::Step;
use super::limits::{DIRECTORY_MODE, FILE_MODE, VfsLimits, directory_mode, file_mode};
use crate::core::now_ms;
use crate::fs::{FsError, RelPath};
use crate::state::{ReadTx, VFS_INLINE_MAX, VfsAt, VfsContent, VfsEdit, VfsFile, VfsHash, VfsKind, VfsRow, VfsSpace};

/// A content with its hash, which is made before the writer's turn.
pub(super) struct Data {
    pub(super) source: Source,
    pub(super) size: u64,
    pub(super) hash: VfsHash,
}

/// Where the bytes come from.
pub(super) enum Source {
    Bytes(Vec<u8>),
    /// A finished upload of more than [`VFS_INLINE_MAX`].
    Upload(i64),
}

impl Data {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let (hash, size) = (hash_of(&bytes), u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Self { source: Source::Bytes(bytes), size, hash }
    }
}

pub(super) fn hash_of(bytes: &[u8]) -> VfsHash {
    let mut hash = VfsHash::default();
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// What is at a path; `None` stands for the root. What is missing is an error.
pub(super) fn find(tx: &ReadTx<'_>, space: &VfsSpace, path: &RelPath, at: VfsAt) -> Step<Option<VfsRow>> {
    if path.is_root() {
        return Ok(None);
    }
    match tx.vfs_entry(space, path.as_str(), at)? {
        Some(row) => Ok(Some(row)),
        None => Err(missing(tx, space, path, at)?.into()),
    }
}

/// The file at a path.
pub(super) fn find_file(tx: &ReadTx<'_>, space: &VfsSpace, path: &RelPath, at: VfsAt) -> Step<VfsRow> {
    match find(tx, space, path, at)? {
        Some(row) if row.kind == VfsKind::File => Ok(row),
        _ => Err(FsError::NotAFile { path: path.to_string(), what: "a directory" }.into()),
    }
}

/// Why nothing is at a path: the nearest ancestor that is there may be a file.
pub(super) fn missing(tx: &ReadTx<'_>, space: &VfsSpace, path: &RelPath, at: VfsAt) -> Step<FsError> {
    let mut ancestor = path.parent();
    while let Some(above) = ancestor.filter(|above| !above.is_root()) {
        match tx.vfs_entry(space, above.as_str(), at)? {
            Some(row) if row.kind == VfsKind::File => return Ok(FsError::NotADirectory { path: path.to_string() }),
            Some(_) => break,
            None => ancestor = above.parent(),
        }
    }
    Ok(FsError::NotFound { path: path.to_string() })
}

/// A tree that is being changed.
pub(super) struct Tree<'t, 'c> {
    pub(super) edit: VfsEdit<'t, 'c>,
    pub(super) limits: VfsLimits,
}

impl Tree<'_, '_> {
    pub(super) fn space(&self) -> &VfsSpace {
        self.edit.space()
    }

    /// The current version at a path; the root has none.
    pub(super) fn row(&self, path: &RelPath) -> Step<Option<VfsRow>> {
        Ok(self.edit.tx().vfs_entry(self.space(), path.as_str(), VfsAt::Now)?)
    }

    pub(super) fn find(&self, path: &RelPath) -> Step<Option<VfsRow>> {
        find(self.edit.tx(), self.space(), path, VfsAt::Now)
    }

    pub(super) fn subtree(&self, path: &RelPath) -> Step<Vec<VfsRow>> {
        Ok(self.edit.tx().vfs_subtree(self.space(), path.as_str(), VfsAt::Now)?)
    }

    pub(super) fn has_children(&self, path: &RelPath) -> Step<bool> {
        Ok(self.edit.tx().vfs_has_children(self.space(), path.as_str())?)
    }

    pub(super) fn missing(&self, path: &RelPath) -> Step<FsError> {
        missing(self.edit.tx(), self.space(), path, VfsAt::Now)
    }

    /// Makes sure that `path` can be an entry of a directory.
    pub(super) fn ensure_parent(&self, path: &RelPath, create: bool) -> Step<()> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_root()) else { return Ok(()) };
        match self.row(&parent)? {
            Some(row) if row.kind == VfsKind::Directory => Ok(()),
            Some(_) => Err(FsError::NotADirectory { path: path.to_string() }.into()),
            None if create => self.make_directories(path, &parent),
            None => Err(self.missing(path)?.into()),
        }
    }

    /// Makes a directory and its missing parents; errors are about `asked`.
    pub(super) fn make_directories(&self, asked: &RelPath, path: &RelPath) -> Step<()> {
        let mut made = RelPath::root();
        for name in path.components() {
            made = made.join(name)?;
            match self.row(&made)? {
                Some(row) if row.kind == VfsKind::Directory => {}
                Some(_) => return Err(FsError::NotADirectory { path: asked.to_string() }.into()),
                None => self.edit.insert_directory(made.as_str(), DIRECTORY_MODE)?,
            }
        }
        Ok(())
    }

    /// Stores a file in place of `replaced` or of nothing, unless it is the same already. `mode`: `None` keeps the present one.
    pub(super) fn put_file(
        &self,
        path: &RelPath,
        replaced: Option<&VfsRow>,
        mode: Option<u32>,
        data: &Data,
    ) -> Step<bool> {
        let mode = mode.or(replaced.map(|row| row.mode)).unwrap_or(FILE_MODE);
        let tx = self.edit.tx();
        if replaced.is_some_and(|row| row.kind == VfsKind::File && row.hash == Some(data.hash) && row.mode == mode) {
            if let Source::Upload(upload) = data.source {
                tx.vfs_drop_upload(upload)?;
            }
            return Ok(false);
        }
        self.limits.check_file(path, data.size)?;
        let agent = &self.space().agent_id;
        let content = match &data.source {
            Source::Upload(upload) => VfsContent::Stored(tx.vfs_finish_upload(agent, *upload, &data.hash)?),
            Source::Bytes(bytes) if bytes.len() > VFS_INLINE_MAX => {
                VfsContent::Stored(tx.vfs_store_content(agent, &data.hash, bytes, now_ms())?)
            }
            Source::Bytes(bytes) => VfsContent::Inline(bytes),
        };
        if let Some(row) = replaced {
            self.edit.end(row)?;
        }
        self.edit.insert_file(path.as_str(), &VfsFile { mode, size: data.size, hash: &data.hash, content })?;
        Ok(true)
    }

    /// Ends a version and puts one like `like` in its place.
    pub(super) fn replace_like(&self, row: &VfsRow, like: &VfsRow) -> Step<()> {
        self.edit.end(row)?;
        Ok(self.edit.insert_like(like, &row.path, like.mode)?)
    }

    /// Changes permission bits; false if they are the same.
    pub(super) fn set_mode(&self, row: &VfsRow, mode: u32) -> Step<bool> {
        let mode = match row.kind {
            VfsKind::File => file_mode(mode),
            VfsKind::Directory => directory_mode(mode),
        };
        if row.mode == mode {
            return Ok(false);
        }
        self.edit.change_mode(row, mode)?;
        Ok(true)
    }
}
