//! The gateway's side, going in.

use std::io::{self, Read, Write};

use super::batch::{Batch, fill};
use super::limits::ProjectionLimits;
use super::manifest::Projected;
use super::path::{check_path, parent};
use super::wire::{self, Entry, EntryKind, PIECE, ProjectedPayload};
use crate::sandbox::frames::FrameKind;

/// Mode of a directory that was named only as a part of a path.
const PARENT_MODE: u32 = 0o755;

type Source = Box<dyn FnOnce(&mut ProjectionWriter<'_>) -> io::Result<()> + Send>;

/// A tree to bring into a sandbox, and the bounds of what comes back.
pub struct Projection {
    source: Source,
    limits: ProjectionLimits,
}

impl Projection {
    /// `source` writes the tree; it may block, and runs on a thread of its own.
    pub fn new(
        limits: ProjectionLimits,
        source: impl FnOnce(&mut ProjectionWriter<'_>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        Self { source: Box::new(source), limits }
    }

    /// The bounds.
    pub fn limits(&self) -> &ProjectionLimits {
        &self.limits
    }

    /// Writes the frames `ENTRY`, `DATA` and `PROJECTED` to `control`. Blocks. After an error the connection must be closed: the supervisor
    /// waits for the rest.
    pub fn send(self, control: &mut dyn Write) -> io::Result<Projected> {
        let mut writer = ProjectionWriter {
            batch: Batch::new(control),
            limits: &self.limits,
            projected: Projected::default(),
            entries: 0,
            bytes: 0,
        };
        (self.source)(&mut writer)?;
        writer.finish()
    }
}

impl std::fmt::Debug for Projection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Projection").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Takes files and directories, each path once, a directory before what is in it. Directories that are not named are made.
pub struct ProjectionWriter<'a> {
    batch: Batch<&'a mut dyn Write>,
    limits: &'a ProjectionLimits,
    projected: Projected,
    entries: u64,
    bytes: u64,
}

fn refused(path: &str, why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{path:?} cannot be projected: {why}"))
}

impl ProjectionWriter<'_> {
    /// Adds a directory.
    pub fn dir(&mut self, path: &str, mode: u32) -> io::Result<()> {
        self.admit(path, EntryKind::Directory)?;
        self.put(path, EntryKind::Directory, mode, 0, &[])
    }

    /// Adds a file of which the content is at hand.
    pub fn file_bytes(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.file(path, mode, content.len() as u64, &mut &content[..])
    }

    /// Adds a file. `content` must give exactly `size` bytes.
    pub fn file(&mut self, path: &str, mode: u32, size: u64, content: &mut dyn Read) -> io::Result<()> {
        if size > self.limits.file_bytes {
            return Err(refused(path, format_args!("it has {size} bytes, the most is {}", self.limits.file_bytes)));
        }
        self.admit(path, EntryKind::File)?;
        self.bytes += size;
        let mut left = size;
        if wire::is_inline(size) {
            let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            Read::take(&mut *content, size).read_to_end(&mut whole)?;
            left -= whole.len() as u64;
            if left == 0 {
                self.put(path, EntryKind::File, mode, size, &whole)?;
            }
        } else {
            self.put(path, EntryKind::File, mode, size, &[])?;
            let mut piece = vec![0; PIECE];
            while left > 0 {
                let length = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
                let count = fill(content, &mut piece[..length])?;
                if count == 0 {
                    break;
                }
                self.batch.piece(FrameKind::Data, &piece[..count])?;
                left -= count as u64;
            }
        }
        if left > 0 || fill(content, &mut [0])? != 0 {
            return Err(refused(path, "its content does not have the length that was given"));
        }
        Ok(())
    }

    /// Checks a path and makes the directories above it.
    fn admit(&mut self, path: &str, kind: EntryKind) -> io::Result<()> {
        check_path(path.as_bytes(), self.limits.depth).map_err(|problem| refused(path, problem))?;
        if let Some(parent) = parent(path)
            && !self.projected.is_directory(parent)
        {
            if self.projected.contains(parent) {
                return Err(refused(path, format_args!("{parent:?} is a file")));
            }
            self.dir(parent, PARENT_MODE)?;
        }
        if self.projected.contains(path) {
            return Err(refused(path, "it was named before, or something below it was"));
        }
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(refused(
                path,
                format_args!("there are more than {} files and directories", self.limits.entries),
            ));
        }
        self.projected.insert(path.to_owned(), kind);
        Ok(())
    }

    fn put(&mut self, path: &str, kind: EntryKind, mode: u32, size: u64, content: &[u8]) -> io::Result<()> {
        self.batch.entry(FrameKind::Entry, &Entry { path: path.as_bytes(), kind, mode, size }, content)
    }

    fn finish(self) -> io::Result<Projected> {
        let payload = ProjectedPayload { entries: self.entries, bytes: self.bytes, limits: self.limits.clone() };
        self.batch.finish(FrameKind::Projected, &payload)?;
        Ok(self.projected)
    }
}
