//! The sandbox's side, going in: writes the tree below an open directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, OFlags, StatVfsMountFlags, chmodat, fchmod, fstatvfs, mkdirat, openat};

use super::baseline::{Baseline, Hasher, Record, Stat, hash, present};
use super::dirs::Dirs;
use super::limits::ProjectionLimits;
use super::path::check_path;
use super::wire::{self, Entry, EntryKind, ProjectedPayload};
use crate::sandbox::frames::{Frame, FrameKind, read_frame};

/// A directory is made with these, whatever its mode, so that what is below can be written.
const OWNER: u32 = 0o700;

fn invalid(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the projection is malformed: {what}"))
}

/// Says which path a failure is about.
fn at(path: &str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{path:?} could not be written: {error}"))
}

/// Reads `ENTRY` and `DATA` frames up to `PROJECTED` and not a byte further, and makes those files and directories below `root`, an empty
/// directory open for reading. After an error the tree is not whole, and no command may be started in it.
pub fn receive(control: &mut impl Read, root: BorrowedFd<'_>) -> io::Result<Baseline> {
    let mut receiver =
        Receiver { dirs: Dirs::new(root), records: BTreeMap::new(), directories: Vec::new(), open: None, bytes: 0 };
    loop {
        let frame = read_frame(control)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        match (frame.kind, receiver.open.take()) {
            (FrameKind::Entry, None) => receiver.entries(&frame.payload)?,
            (FrameKind::Data, Some(open)) => receiver.data(open, &frame.payload)?,
            (FrameKind::Projected, None) => return receiver.finish(&frame, root),
            (kind, _) => return Err(invalid(format_args!("a frame {kind:?} came where it does not belong"))),
        }
    }
}

/// A large file of which the content is still coming.
struct Open {
    path: String,
    file: File,
    mode: u32,
    left: u64,
    hasher: Hasher,
}

struct Receiver<'root> {
    dirs: Dirs<'root>,
    records: BTreeMap<String, (usize, Record)>,
    /// Directories whose mode must be set when everything is written, in the order they came.
    directories: Vec<(String, u32)>,
    open: Option<Open>,
    bytes: u64,
}

impl Receiver<'_> {
    fn entries(&mut self, payload: &[u8]) -> io::Result<()> {
        for record in wire::entries(payload) {
            let (entry, content) = record.map_err(invalid)?;
            let path = check_path(entry.path, usize::MAX).map_err(invalid)?;
            self.entry(path, &entry, content).map_err(at(path))?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, entry: &Entry<'_>, content: Option<&[u8]>) -> io::Result<()> {
        let (directory, name) = self.dirs.parent(path)?;
        if entry.kind == EntryKind::Directory {
            mkdirat(directory, name, Mode::from_raw_mode(entry.mode | OWNER))?;
            self.directories.push((path.to_owned(), entry.mode));
            self.add(path.to_owned(), Record::Directory { mode: entry.mode });
            return Ok(());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(directory, name, flags, Mode::from_raw_mode(entry.mode))?);
        self.bytes += entry.size;
        let Some(content) = content else {
            let (path, hasher) = (path.to_owned(), Hasher::new());
            self.open = Some(Open { path, file, mode: entry.mode, left: entry.size, hasher });
            return Ok(());
        };
        if !content.is_empty() {
            file.write_all(content)?;
        }
        let stat = settle(&file, entry.mode)?;
        self.add(path.to_owned(), Record::File { stat, hash: hash(content) });
        Ok(())
    }

    fn data(&mut self, mut open: Open, piece: &[u8]) -> io::Result<()> {
        let left = open.left.checked_sub(piece.len() as u64).filter(|_| !piece.is_empty());
        open.left = left.ok_or_else(|| invalid("a piece that is empty or too long"))?;
        open.file.write_all(piece).map_err(at(&open.path))?;
        open.hasher.update(piece);
        if open.left == 0 {
            let stat = settle(&open.file, open.mode).map_err(at(&open.path))?;
            self.add(open.path, Record::File { stat, hash: open.hasher.finish() });
        } else {
            self.open = Some(open);
        }
        Ok(())
    }

    fn add(&mut self, path: String, record: Record) {
        let number = self.records.len();
        self.records.insert(path, (number, record));
    }

    fn finish(mut self, frame: &Frame, root: BorrowedFd<'_>) -> io::Result<Baseline> {
        let said: ProjectedPayload = frame.json()?;
        if (said.entries, said.bytes) != (self.records.len() as u64, self.bytes) {
            return Err(invalid(format_args!(
                "{said:?} was announced, {} and {} came",
                self.records.len(),
                self.bytes
            )));
        }
        // Deepest first: a directory that its owner may not search hides what is below.
        for (path, mode) in std::mem::take(&mut self.directories).iter().rev() {
            let (directory, name) = self.dirs.parent(path).map_err(at(path))?;
            if Stat::at(directory, name).map_err(at(path))?.permissions() != *mode {
                chmodat(directory, name, Mode::from_raw_mode(*mode), rustix::fs::AtFlags::empty())
                    .map_err(|error| at(path)(error.into()))?;
            }
        }
        let limits: ProjectionLimits = said.limits;
        let no_access_times = fstatvfs(root)?.f_flag.contains(StatVfsMountFlags::NOATIME);
        Ok(Baseline { limits, records: self.records, ended: present(), no_access_times })
    }
}

/// Gives a written file exactly its mode, whatever the process's umask is, and says what the kernel has of it.
fn settle(file: &File, mode: u32) -> io::Result<Stat> {
    let stat = Stat::open(file)?;
    if stat.permissions() == mode {
        return Ok(stat);
    }
    fchmod(file, Mode::from_raw_mode(mode))?;
    Stat::open(file)
}
