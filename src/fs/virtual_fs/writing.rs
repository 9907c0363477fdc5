//! Write, append, make directories, remove, rename. Parents are made where a method says so.

use super::VirtualAgentFs;
use super::access::Step;
use super::limits::file_mode;
use super::node::{Moment, kind};
use super::tree::{Data, Tree, find_file};
use crate::fs::{FsError, RelPath, WriteOptions, Written};
use crate::state::{VfsAt, VfsKind, VfsRow};

/// How often an append starts again when somebody else changes the file meanwhile. After that it makes the others wait.
const TRIES: usize = 4;

/// What a rename may do.
#[derive(Debug, Clone, Copy, Default)]
pub struct RenameOptions {
    /// Replace a file by a file, or an empty directory by a directory.
    pub replace: bool,
    /// Make missing directories on the way to the target.
    pub create_parents: bool,
}

impl VirtualAgentFs {
    /// Replaces or creates a file. `mode`: `None` keeps the present one, 0644 for another file.
    pub fn write(
        &self,
        path: &RelPath,
        bytes: Vec<u8>,
        mode: Option<u32>,
        options: &WriteOptions,
    ) -> Result<Written, FsError> {
        self.check_writable(path)?;
        let (data, path, options) = (Data::new(bytes), path.clone(), *options);
        self.limits.check_file(&path, data.size)?;
        self.editing(&path.clone(), move |tree| {
            let replaced = writable(tree, &path, options)?;
            tree.put_file(&path, replaced.as_ref(), mode.map(file_mode), &data)?;
            Ok(Written { created: replaced.is_none(), bytes: data.size })
        })
    }

    /// Adds bytes at the end of a file, which is made if it is missing. How many bytes the file has then is in the result.
    ///
    /// The whole content is stored anew: the one without the addition stays in the history.
    pub fn append(&self, path: &RelPath, bytes: &[u8], options: &WriteOptions) -> Result<Written, FsError> {
        self.check_writable(path)?;
        for _ in 0..TRIES {
            let found = match self.read_range(path, &Moment::Now, 0, self.limits.max_file_bytes) {
                Ok((bytes, node)) => Some((bytes, node.revision, node.size)),
                Err(FsError::NotFound { .. }) => None,
                Err(error) => return Err(error),
            };
            let (mut content, seen, size) = found.map_or((Vec::new(), None, 0), |(b, r, s)| (b, Some(r), s));
            let added = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            self.limits.check_file(path, size.saturating_add(added))?;
            content.extend_from_slice(bytes);
            let (data, path, options) = (Data::new(content), path.clone(), *options);
            let written = self.editing(&path.clone(), move |tree| {
                let replaced = writable(tree, &path, options)?;
                if replaced.as_ref().map(|row| row.revision) != seen {
                    return Ok(None);
                }
                tree.put_file(&path, replaced.as_ref(), None, &data)?;
                Ok(Some(Written { created: replaced.is_none(), bytes: data.size }))
            })?;
            if let Some(written) = written {
                return Ok(written);
            }
        }
        // Reading and hashing in the transaction holds up all other writers, but nobody can come in between.
        let (added, path, options) = (bytes.to_vec(), path.clone(), *options);
        self.editing(&path.clone(), move |tree| {
            let replaced = writable(tree, &path, options)?;
            let size = replaced.as_ref().map_or(0, |row| row.size);
            tree.limits.check_file(&path, size.saturating_add(u64::try_from(added.len()).unwrap_or(u64::MAX)))?;
            let mut content = match &replaced {
                Some(row) => tree.edit.tx().vfs_bytes(row, 0, usize::try_from(size).unwrap_or(usize::MAX))?,
                None => Vec::new(),
            };
            content.extend_from_slice(&added);
            let data = Data::new(content);
            tree.put_file(&path, replaced.as_ref(), None, &data)?;
            Ok(Written { created: replaced.is_none(), bytes: data.size })
        })
    }

    /// Changes the permission bits of a file or directory.
    pub fn set_mode(&self, path: &RelPath, mode: u32) -> Result<(), FsError> {
        self.check_writable(path)?;
        let path = path.clone();
        self.editing(&path.clone(), move |tree| {
            let Some(row) = tree.find(&path)? else { return Ok(()) };
            tree.set_mode(&row, mode)?;
            Ok(())
        })
    }

    /// Makes a directory and its missing parents. An existing directory is fine.
    pub fn make_directory(&self, path: &RelPath) -> Result<(), FsError> {
        self.limits.check_path(path)?;
        let path = path.clone();
        self.editing(&path.clone(), move |tree| tree.make_directories(&path, &path))
    }

    /// Removes a file; never a directory.
    pub fn remove(&self, path: &RelPath) -> Result<(), FsError> {
        self.limits.check_path(path)?;
        let path = path.clone();
        self.editing(&path.clone(), move |tree| {
            let row = find_file(tree.edit.tx(), tree.space(), &path, VfsAt::Now)?;
            Ok(tree.edit.end(&row)?)
        })
    }

    /// Removes a file, or a directory with everything below it. How many files and directories that were.
    pub fn remove_tree(&self, path: &RelPath) -> Result<usize, FsError> {
        self.check_writable(path)?;
        let path = path.clone();
        self.editing(&path.clone(), move |tree| {
            let Some(top) = tree.find(&path)? else { return Ok(0) };
            let below = if top.kind == VfsKind::Directory { tree.subtree(&path)? } else { Vec::new() };
            for row in below.iter().chain([&top]) {
                tree.edit.end(row)?;
            }
            Ok(below.len() + 1)
        })
    }

    /// Gives a file, or a directory with everything below it, another path. In one step, whatever its size.
    pub fn rename(&self, from: &RelPath, to: &RelPath, options: RenameOptions) -> Result<(), FsError> {
        self.check_writable(from)?;
        self.check_writable(to)?;
        let (from, to) = (from.clone(), to.clone());
        self.editing(&to.clone(), move |tree| rename(tree, &from, &to, options))
    }

    /// Deletes everything in the namespace with its history and snapshots: for the end of a run. How many files and directories
    /// there were.
    pub fn clear_namespace(&self) -> Result<usize, FsError> {
        let space = std::sync::Arc::clone(&self.space);
        self.writing(&RelPath::root(), move |tx| Ok(tx.vfs_clear(&space)?))
    }

    /// Refuses paths that may not be changed, and the root, which cannot be anything but a directory.
    fn check_writable(&self, path: &RelPath) -> Result<(), FsError> {
        if path.is_root() {
            return Err(FsError::NotAFile { path: path.to_string(), what: "the workspace directory" });
        }
        self.limits.check_path(path)
    }
}

/// The file that a write would replace, if there is one; its parents are there or made.
pub(super) fn writable(tree: &Tree<'_, '_>, path: &RelPath, options: WriteOptions) -> Step<Option<VfsRow>> {
    let replaced = tree.row(path)?;
    match &replaced {
        Some(row) if row.kind == VfsKind::Directory => {
            return Err(FsError::NotAFile { path: path.to_string(), what: "a directory" }.into());
        }
        Some(_) if options.must_not_exist => return Err(FsError::Exists { path: path.to_string() }.into()),
        Some(_) => {}
        None if options.must_exist => return Err(tree.missing(path)?.into()),
        None => tree.ensure_parent(path, options.create_parents)?,
    }
    Ok(replaced)
}

/// What is wrong is found in the order of rename(2): the ways to both, what is there, what would become of it.
fn rename(tree: &Tree<'_, '_>, from: &RelPath, to: &RelPath, options: RenameOptions) -> Step<()> {
    tree.ensure_parent(from, false)?;
    tree.ensure_parent(to, options.create_parents)?;
    let Some(source) = tree.find(from)? else { return Ok(()) };
    if from == to {
        return Ok(());
    }
    let (target, path) = (tree.row(to)?, to.to_string());
    if target.is_some() && !options.replace {
        return Err(FsError::Exists { path }.into());
    }
    if to.is_within(from) {
        let why = "a directory cannot be moved into itself";
        return Err(FsError::InvalidPath { path, why }.into());
    }
    if let Some(target) = target {
        match (source.kind, target.kind) {
            _ if from.is_within(to) => return Err(FsError::NotEmpty { path }.into()),
            (VfsKind::File, VfsKind::Directory) => {
                return Err(FsError::NotAFile { path, what: "a directory" }.into());
            }
            (VfsKind::Directory, VfsKind::File) => return Err(FsError::NotADirectory { path }.into()),
            (VfsKind::Directory, VfsKind::Directory) if tree.has_children(to)? => {
                return Err(FsError::NotEmpty { path }.into());
            }
            _ => tree.edit.end(&target)?,
        }
    }
    let below = if source.kind == VfsKind::Directory { tree.subtree(from)? } else { Vec::new() };
    for row in [&source].into_iter().chain(&below) {
        let rest = row.path.strip_prefix(from.as_str()).unwrap_or_default();
        let path = RelPath::parse(&format!("{to}{rest}"))?;
        tree.limits.check_kind(&path, kind(row.kind))?;
        tree.edit.insert_like(row, path.as_str(), row.mode)?;
        tree.edit.end(row)?;
    }
    Ok(())
}
