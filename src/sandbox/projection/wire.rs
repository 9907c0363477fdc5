//! The payloads of the frames of a projection. Numbers are little-endian.
//!
//! | frame | payload |
//! |---|---|
//! | `ENTRY`, `CHANGE` | records: kind `u8` (1 directory, 2 file), mode `u16`, length of the path `u16`, path; a file's size `u64` and, up to [`INLINE`] bytes, its content |
//! | `DATA`, `CHANGE_DATA` | the next 1 to [`PIECE`] bytes of the file whose record ended the frame before them |
//! | `DELETE` | records: length `u16`, path |
//! | `REJECT` | records: reason `u8`, length `u16`, path as raw bytes |
//! | `PROJECTED` | JSON [`Projected`](ProjectedPayload) |
//! | `END` | JSON [`Counts`] |

use serde::{Deserialize, Serialize};

use super::change::RejectReason;
use super::limits::ProjectionLimits;

/// A file up to this size is in its record; the content of a larger one follows in pieces.
pub(super) const INLINE: usize = 128 * 1024;
/// The longest piece.
pub(super) const PIECE: usize = 256 * 1024;

const DIRECTORY: u8 = 1;
const FILE: u8 = 2;

/// Whether the content of a file of that size is in its record.
pub(super) fn is_inline(size: u64) -> bool {
    size <= INLINE as u64
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// One file or directory, without content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Bytes of a path; unchecked.
    pub path: &'a [u8],
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Bytes; 0 for a directory.
    pub size: u64,
}

/// What `PROJECTED` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProjectedPayload {
    /// Files and directories that were sent.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bounds for the way back.
    pub limits: ProjectionLimits,
}

/// What `END` says: how much was sent, so that a stream with a hole is told from a whole one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Directories that are new or changed.
    pub directories: u64,
    /// Files that are new or changed.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Paths that are gone.
    pub deleted: u64,
    /// Paths that were not brought back as they were; not all of them need be listed.
    pub rejected: u64,
    /// Why nothing may be brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// What is wrong with a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    #[error("a record ends in its middle")]
    Short,
    #[error("there is no record in a frame")]
    Empty,
    #[error("a record is of an unknown kind")]
    Kind,
    #[error("a record gives mode bits beyond 0777")]
    Mode,
    #[error("something follows the record of a large file in its frame")]
    Trailing,
}

/// Takes a payload apart.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn path(&mut self) -> Result<&'a [u8], WireError> {
        let length = u16::from_le_bytes(self.array()?);
        self.take(usize::from(length))
    }
}

/// One record after the other, `read` from a payload that must hold at least one.
fn records<'a, T>(
    payload: &'a [u8],
    mut read: impl FnMut(&mut Cursor<'a>) -> Result<T, WireError>,
) -> impl Iterator<Item = Result<T, WireError>> {
    let mut cursor = Cursor(payload);
    let mut first = true;
    std::iter::from_fn(move || {
        if cursor.0.is_empty() {
            return std::mem::take(&mut first).then_some(Err(WireError::Empty));
        }
        first = false;
        let record = read(&mut cursor);
        if record.is_err() {
            cursor.0 = &[];
        }
        Some(record)
    })
}

/// The records of an `ENTRY` or `CHANGE` frame, with the content of those files that have it in their record.
pub(super) fn entries(payload: &[u8]) -> impl Iterator<Item = Result<(Entry<'_>, Option<&[u8]>), WireError>> {
    records(payload, |cursor| {
        let [kind] = cursor.array()?;
        let mode = u32::from(u16::from_le_bytes(cursor.array()?));
        if mode & !0o777 != 0 {
            return Err(WireError::Mode);
        }
        let path = cursor.path()?;
        match kind {
            DIRECTORY => Ok((Entry { path, kind: EntryKind::Directory, mode, size: 0 }, None)),
            FILE => {
                let size = u64::from_le_bytes(cursor.array()?);
                let entry = Entry { path, kind: EntryKind::File, mode, size };
                match usize::try_from(size) {
                    Ok(length) if length <= INLINE => Ok((entry, Some(cursor.take(length)?))),
                    _ if cursor.0.is_empty() => Ok((entry, None)),
                    _ => Err(WireError::Trailing),
                }
            }
            _ => Err(WireError::Kind),
        }
    })
}

/// The records of a `DELETE` frame.
pub(super) fn deletions(payload: &[u8]) -> impl Iterator<Item = Result<&[u8], WireError>> {
    records(payload, Cursor::path)
}

/// The records of a `REJECT` frame.
pub(super) fn rejections(payload: &[u8]) -> impl Iterator<Item = Result<(RejectReason, &[u8]), WireError>> {
    records(payload, |cursor| {
        let [number] = cursor.array()?;
        let reason = RejectReason::from_number(number).ok_or(WireError::Kind)?;
        Ok((reason, cursor.path()?))
    })
}

/// Puts a path behind its length. Paths are checked before: what is longer than a length can say is cut, and will be refused.
pub(super) fn put_path(buffer: &mut Vec<u8>, path: &[u8]) {
    let length = u16::try_from(path.len()).unwrap_or(u16::MAX);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&path[..usize::from(length)]);
}

/// Puts a record without its content.
pub(super) fn put_entry(buffer: &mut Vec<u8>, entry: &Entry<'_>) {
    let mode = u16::try_from(entry.mode & 0o777).unwrap_or_default();
    buffer.push(match entry.kind {
        EntryKind::Directory => DIRECTORY,
        EntryKind::File => FILE,
    });
    buffer.extend_from_slice(&mode.to_le_bytes());
    put_path(buffer, entry.path);
    if entry.kind == EntryKind::File {
        buffer.extend_from_slice(&entry.size.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_and_broken_ones_are_told_apart() {
        let mut buffer = Vec::new();
        let directory = Entry { path: b"d", kind: EntryKind::Directory, mode: 0o750, size: 0 };
        let small = Entry { path: b"d/s", kind: EntryKind::File, mode: 0o4644, size: 2 };
        let large = Entry { path: b"d/l", kind: EntryKind::File, mode: 0o600, size: INLINE as u64 + 1 };
        put_entry(&mut buffer, &directory);
        put_entry(&mut buffer, &small);
        buffer.extend_from_slice(b"hi");
        put_entry(&mut buffer, &large);
        let read: Vec<_> = entries(&buffer).collect::<Result<_, _>>().unwrap();
        let stripped = Entry { mode: 0o644, ..small };
        assert_eq!(read, [(directory, None), (stripped, Some(b"hi".as_slice())), (large, None)]);

        let fails = |bytes: &[u8]| entries(bytes).find_map(Result::err);
        assert_eq!(fails(&buffer), None);
        assert_eq!(fails(&[]), Some(WireError::Empty));
        assert_eq!(fails(&[7, 0, 0, 0, 0]), Some(WireError::Kind));
        assert_eq!(fails(&[1, 0, 8, 0, 0]), Some(WireError::Mode));
        buffer.push(0);
        assert_eq!(fails(&buffer), Some(WireError::Trailing));
        for cut in 1..buffer.len() - 1 {
            let whole = [5 + 1, 5 + 1 + 5 + 3 + 8 + 2].contains(&cut);
            assert_eq!(fails(&buffer[..cut]), (!whole).then_some(WireError::Short), "{cut}");
        }
        assert_eq!(rejections(&[99, 0, 0]).next(), Some(Err(WireError::Kind)));
        assert_eq!(deletions(&[3, 0, b'a']).next(), Some(Err(WireError::Short)));
    }
}
