//! Large files in pieces: nothing is visible until the last piece is there, and then the whole file is.

use ring::digest::{Context, SHA256};

use super::VirtualAgentFs;
use super::access::Step;
use super::limits::file_mode;
use super::tree::{Data, Source};
use super::writing::writable;
use crate::core::now_ms;
use crate::fs::{FsError, RelPath, WriteOptions, Written};
use crate::state::{ReadTx, VFS_CHUNK, VFS_INLINE_MAX, VfsHash};

/// How long an upload waits for its next piece.
const PATIENCE_MS: i64 = 60 * 60 * 1000;

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadProgress {
    /// Names the upload.
    pub id: i64,
    /// Bytes it has; the next piece begins there.
    pub size: u64,
}

impl VirtualAgentFs {
    /// Begins an upload for a file at `path`. It is dropped when nothing is added to it for an hour.
    pub fn begin_upload(&self, path: &RelPath) -> Result<UploadProgress, FsError> {
        self.limits.check_path(path)?;
        let agent = self.agent().clone();
        self.writing(path, move |tx| {
            let at = now_ms();
            tx.vfs_drop_stale_uploads(&agent, at - PATIENCE_MS)?;
            Ok(UploadProgress { id: tx.vfs_begin_upload(&agent, at)?, size: 0 })
        })
    }

    /// Adds a piece that begins at `offset`, which must be the end of what is there.
    pub fn extend_upload(
        &self,
        path: &RelPath,
        upload: i64,
        offset: u64,
        bytes: Vec<u8>,
    ) -> Result<UploadProgress, FsError> {
        let (agent, limits, path) = (self.agent().clone(), self.limits, path.clone());
        self.writing(&path.clone(), move |tx| {
            let size = upload_size(tx, &agent, upload)?;
            if size != offset {
                let why = format!("the upload has {size} bytes, and this piece begins at {offset}");
                let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
                return Err(FsError::Io { path: path.to_string(), source }.into());
            }
            let added = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let grown = size.saturating_add(added);
            limits.check_file(&path, grown)?;
            let would_be =
                tx.vfs_totals(&agent)?.bytes.saturating_add(tx.vfs_upload_bytes(&agent)?).saturating_add(added);
            if would_be > limits.max_bytes {
                let (path, max) = (path.to_string(), limits.max_bytes);
                return Err(FsError::Quota { path, would_be, max, unit: "bytes of virtual files" }.into());
            }
            tx.vfs_extend_upload(upload, size, &bytes, now_ms())?;
            Ok(UploadProgress { id: upload, size: grown })
        })
    }

    /// Makes the upload the file at `path`.
    pub fn finish_upload(
        &self,
        path: &RelPath,
        upload: i64,
        mode: Option<u32>,
        options: &WriteOptions,
    ) -> Result<Written, FsError> {
        self.limits.check_path(path)?;
        let (size, hash, small) = self.reading(path, |tx| {
            let size = upload_size(tx, self.agent(), upload)?;
            let (hash, small) = digest(tx, upload, size)?;
            Ok((size, hash, small))
        })?;
        let is_small = small.is_some();
        let data = Data { source: small.map_or(Source::Upload(upload), Source::Bytes), size, hash };
        let (path, options) = (path.clone(), *options);
        self.editing(&path.clone(), move |tree| {
            let tx = tree.edit.tx();
            if upload_size(tx, &tree.space().agent_id, upload)? != size {
                let source = std::io::Error::other("another piece was added while the upload was finished");
                return Err(FsError::Io { path: path.to_string(), source }.into());
            }
            let replaced = writable(tree, &path, options)?;
            tree.put_file(&path, replaced.as_ref(), mode.map(file_mode), &data)?;
            if is_small {
                tx.vfs_drop_upload(upload)?;
            }
            Ok(Written { created: replaced.is_none(), bytes: size })
        })
    }

    /// Gives an upload up.
    pub fn drop_upload(&self, upload: i64) -> Result<(), FsError> {
        let agent = self.agent().clone();
        self.writing(&RelPath::root(), move |tx| {
            upload_size(tx, &agent, upload)?;
            Ok(tx.vfs_drop_upload(upload)?)
        })
    }
}

fn upload_size(tx: &ReadTx<'_>, agent: &crate::core::AgentId, upload: i64) -> Step<u64> {
    match tx.vfs_upload_size(agent, upload)? {
        Some(size) => Ok(size),
        None => Err(FsError::NotFound { path: format!("upload {upload}") }.into()),
    }
}

/// The hash of an upload, and its bytes if they belong into the row.
fn digest(tx: &ReadTx<'_>, upload: i64, size: u64) -> Step<(VfsHash, Option<Vec<u8>>)> {
    let mut context = Context::new(&SHA256);
    let mut small = usize::try_from(size).ok().filter(|size| *size <= VFS_INLINE_MAX).map(Vec::with_capacity);
    let mut offset = 0_u64;
    while offset < size {
        let bytes = tx.vfs_content_bytes(upload, offset, VFS_CHUNK)?;
        if bytes.is_empty() {
            return Err(FsError::NotFound { path: format!("upload {upload}") }.into());
        }
        context.update(&bytes);
        if let Some(small) = &mut small {
            small.extend_from_slice(&bytes);
        }
        offset += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }
    let mut hash = VfsHash::default();
    hash.copy_from_slice(context.finish().as_ref());
    Ok((hash, small))
}
