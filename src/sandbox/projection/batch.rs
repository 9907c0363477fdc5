//! Many small records to a frame, so that a tree of small files costs few system calls.

use std::io::{self, Read, Write};

use super::wire::{self, Entry, PIECE};
use crate::sandbox::frames::{FrameKind, write_frame};

/// Reads until `buffer` is full or the content ends.
pub(super) fn fill(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Collects records of one kind and sends them when there are enough, or another kind comes.
pub(super) struct Batch<W> {
    writer: W,
    kind: FrameKind,
    buffer: Vec<u8>,
}

impl<W: Write> Batch<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer, kind: FrameKind::Entry, buffer: Vec::with_capacity(PIECE) }
    }

    /// Sends what was collected.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            write_frame(&mut self.writer, self.kind, &self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Adds a record of about `length` bytes.
    pub(super) fn record(&mut self, kind: FrameKind, length: usize, put: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        if kind != self.kind || self.buffer.len() + length > PIECE {
            self.flush()?;
            self.kind = kind;
        }
        put(&mut self.buffer);
        Ok(())
    }

    /// Adds a directory, or a file with the content that belongs into its record.
    pub(super) fn entry(&mut self, kind: FrameKind, entry: &Entry<'_>, content: &[u8]) -> io::Result<()> {
        self.record(kind, 16 + entry.path.len() + content.len(), |buffer| {
            wire::put_entry(buffer, entry);
            buffer.extend_from_slice(content);
        })
    }

    /// Sends a piece of the file whose record came last.
    pub(super) fn piece(&mut self, kind: FrameKind, piece: &[u8]) -> io::Result<()> {
        self.flush()?;
        write_frame(&mut self.writer, kind, piece)
    }

    /// Sends the last frame.
    pub(super) fn finish(mut self, kind: FrameKind, payload: &impl serde::Serialize) -> io::Result<()> {
        self.flush()?;
        write_frame(&mut self.writer, kind, &serde_json::to_vec(payload)?)?;
        self.writer.flush()
    }
}
