//! The gateway's side, coming back. Everything that arrives was written in a sandbox and is taken for an attack.

use std::collections::HashSet;
use std::io::Read;

use super::change::{Change, ChangeSet, Rejected};
use super::limits::ProjectionLimits;
use super::manifest::Projected;
use super::path::{MAX_PATH, PathProblem, check_path};
use super::wire::{self, Counts, Entry, EntryKind, PIECE, WireError};
use crate::sandbox::frames::{Frame, FrameKind, read_frame};

/// Longest message of a supervisor that is passed on, in characters.
const MESSAGE: usize = 500;

/// Why no change is brought back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// The sandbox refused: a bound was passed, or the tree could not be read.
    #[error("the files of the sandbox were not brought back: {0}")]
    Refused(String),
    /// A bound was passed that the supervisor should have obeyed.
    #[error("the changes of a sandbox pass the bound of {limit} {what}")]
    Limit {
        /// What is bounded.
        what: &'static str,
        /// How far.
        limit: u64,
    },
    /// A path that names nothing below the root.
    #[error("the changes of a sandbox name the path {path:?}: {problem}")]
    Path {
        /// The path, cut, with what is not UTF-8 replaced.
        path: String,
        /// What is wrong with it.
        problem: PathProblem,
    },
    /// Changes that do not fit together, or not to what was projected.
    #[error("the changes of a sandbox contradict themselves at {path:?}: {why}")]
    Conflict {
        /// Where.
        path: String,
        /// How.
        why: &'static str,
    },
    /// Not the frames that were agreed on.
    #[error("the changes of a sandbox are malformed: {0}")]
    Malformed(String),
    /// The connection ended before the changes did.
    #[error("the changes of a sandbox are not whole: the connection ended before their end")]
    Cut,
}

impl From<WireError> for SyncError {
    fn from(error: WireError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<SyncError> for crate::sandbox::SandboxError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Refused(_) => Self::Projection { message: error.to_string() },
            other => Self::Supervisor { message: other.to_string() },
        }
    }
}

/// A file of which the content is still coming.
struct Open {
    path: String,
    mode: u32,
    size: u64,
    data: Vec<u8>,
}

/// Puts a [`ChangeSet`] together, or fails. After an error, or when it is dropped before the end, there are no changes.
pub struct ChangeDecoder {
    limits: ProjectionLimits,
    projected: Projected,
    changes: Vec<Change>,
    deleted: HashSet<String>,
    written: HashSet<String>,
    rejected: Vec<Rejected>,
    open: Option<Open>,
    counts: Counts,
}

impl ChangeDecoder {
    /// `projected` is what [`super::Projection::send`] gave.
    pub fn new(limits: ProjectionLimits, projected: Projected) -> Self {
        Self {
            limits,
            projected,
            changes: Vec::new(),
            deleted: HashSet::new(),
            written: HashSet::new(),
            rejected: Vec::new(),
            open: None,
            counts: Counts::default(),
        }
    }

    /// Whether frames of that kind are for [`ChangeDecoder::frame`].
    pub fn takes(kind: FrameKind) -> bool {
        use FrameKind as K;
        matches!(kind, K::Change | K::ChangeData | K::Delete | K::Reject | K::End)
    }

    /// Takes the next frame. The changes come with the last one; no frame may be given after that, or after an error.
    pub fn frame(&mut self, frame: &Frame) -> Result<Option<ChangeSet>, SyncError> {
        match (frame.kind, self.open.take()) {
            (FrameKind::End, open) => return self.end(&frame.payload, open.is_some()).map(Some),
            (FrameKind::ChangeData, Some(open)) => self.data(open, &frame.payload)?,
            (FrameKind::ChangeData, None) => return Err(malformed("content comes without a file")),
            (kind, Some(_)) => return Err(malformed(format_args!("a frame {kind:?} comes in the middle of a file"))),
            (FrameKind::Change, None) => self.change(&frame.payload)?,
            (FrameKind::Delete, None) => self.delete(&frame.payload)?,
            (FrameKind::Reject, None) => self.reject(&frame.payload)?,
            (kind, None) => return Err(malformed(format_args!("a frame {kind:?} comes among changes"))),
        }
        Ok(None)
    }

    fn path(&self, bytes: &[u8]) -> Result<String, SyncError> {
        match check_path(bytes, self.limits.depth) {
            Ok(path) => Ok(path.to_owned()),
            Err(problem) => Err(SyncError::Path { path: shown(bytes), problem }),
        }
    }

    fn delete(&mut self, payload: &[u8]) -> Result<(), SyncError> {
        for path in wire::deletions(payload) {
            let path = self.path(path?)?;
            if !self.projected.contains(&path) {
                return Err(SyncError::Conflict { path, why: "what was never there is deleted" });
            }
            if !self.deleted.insert(path.clone()) {
                return Err(SyncError::Conflict { path, why: "it is deleted twice" });
            }
            self.counts.deleted += 1;
        }
        Ok(())
    }

    fn reject(&mut self, payload: &[u8]) -> Result<(), SyncError> {
        for rejection in wire::rejections(payload) {
            let (reason, path) = rejection?;
            if self.rejected.len() >= self.limits.rejects {
                return Err(SyncError::Limit { what: "rejected paths", limit: self.limits.rejects as u64 });
            }
            if path.len() > MAX_PATH {
                return Err(SyncError::Path { path: shown(path), problem: PathProblem::TooLong });
            }
            self.rejected.push(Rejected { path: String::from_utf8_lossy(path).into_owned(), reason });
        }
        Ok(())
    }

    fn change(&mut self, payload: &[u8]) -> Result<(), SyncError> {
        for record in wire::entries(payload) {
            let (Entry { path, kind, mode, size }, content) = record?;
            let path = self.path(path)?;
            if !self.written.insert(path.clone()) {
                return Err(SyncError::Conflict { path, why: "it is written twice" });
            }
            if self.written.len() as u64 > self.limits.entries {
                return Err(SyncError::Limit { what: "files and directories", limit: self.limits.entries });
            }
            if kind == EntryKind::Directory {
                self.counts.directories += 1;
                self.changes.push(Change::Directory { path, mode });
                continue;
            }
            if size > self.limits.file_bytes {
                return Err(SyncError::Limit { what: "bytes in one file", limit: self.limits.file_bytes });
            }
            self.counts.files += 1;
            self.counts.bytes = self.counts.bytes.saturating_add(size);
            if self.counts.bytes > self.limits.bytes {
                return Err(SyncError::Limit { what: "bytes of changed files", limit: self.limits.bytes });
            }
            match content {
                Some(content) => self.changes.push(Change::File { path, mode, data: content.to_vec() }),
                None => self.open = Some(Open { path, mode, size, data: Vec::new() }),
            }
        }
        Ok(())
    }

    fn data(&mut self, mut open: Open, piece: &[u8]) -> Result<(), SyncError> {
        if piece.is_empty() || piece.len() > PIECE {
            return Err(malformed(format_args!("a piece of {} bytes", piece.len())));
        }
        if open.data.len() as u64 + piece.len() as u64 > open.size {
            return Err(SyncError::Conflict { path: open.path, why: "it is longer than was announced" });
        }
        open.data.extend_from_slice(piece);
        if open.data.len() as u64 == open.size {
            self.changes.push(Change::File { path: open.path, mode: open.mode, data: open.data });
        } else {
            self.open = Some(open);
        }
        Ok(())
    }

    fn end(&mut self, payload: &[u8], in_a_file: bool) -> Result<ChangeSet, SyncError> {
        let said: Counts = serde_json::from_slice(payload).map_err(|error| malformed(format_args!("END: {error}")))?;
        if let Some(why) = said.failed {
            return Err(SyncError::Refused(why.chars().take(MESSAGE).collect()));
        }
        if in_a_file {
            return Err(malformed("the end comes in the middle of a file"));
        }
        // Not all rejected paths need be listed, but as many as may be.
        let listed = self.rejected.len() as u64;
        self.counts.rejected = said.rejected;
        if said != self.counts || listed != said.rejected.min(self.limits.rejects as u64) {
            let came = Counts { rejected: listed, ..self.counts.clone() };
            return Err(malformed(format_args!("{said:?} was announced, {came:?} came")));
        }
        let mut changes: Vec<Change> =
            std::mem::take(&mut self.deleted).into_iter().map(|path| Change::Delete { path }).collect();
        changes.sort_unstable_by(|one, other| other.path().cmp(one.path()));
        let mut written = std::mem::take(&mut self.changes);
        written.sort_unstable_by(|one, other| one.path().cmp(other.path()));
        changes.append(&mut written);
        if let Err(path) = self.projected.check(&changes) {
            return Err(SyncError::Conflict {
                path,
                why: "it does not lie in a directory, or changes its kind unsaid",
            });
        }
        Ok(ChangeSet { changes, rejected: std::mem::take(&mut self.rejected), rejected_total: self.counts.rejected })
    }
}

impl std::fmt::Debug for ChangeDecoder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ChangeDecoder").field("counts", &self.counts).finish_non_exhaustive()
    }
}

fn malformed(what: impl std::fmt::Display) -> SyncError {
    SyncError::Malformed(what.to_string())
}

/// The first bytes of a path, for an error message.
fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(&path[..path.len().min(200)]).into_owned()
}

/// Reads frames until the changes are whole.
pub fn decode_stream(
    reader: &mut impl Read,
    limits: ProjectionLimits,
    projected: Projected,
) -> Result<ChangeSet, SyncError> {
    let mut decoder = ChangeDecoder::new(limits, projected);
    loop {
        let frame = match read_frame(reader) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err(SyncError::Cut),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(SyncError::Cut),
            Err(error) => return Err(malformed(error)),
        };
        if let Some(changes) = decoder.frame(&frame)? {
            return Ok(changes);
        }
    }
}
