//! The sandbox's side, coming back: finds what the command has changed and sends it.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, Mode, OFlags, openat};

use super::baseline::{Baseline, Hash, Hasher, Record, Stat, hash};
use super::batch::{Batch, fill};
use super::dirs::Dirs;
use super::walk::{Candidate, Found, make_usable, walk};
use super::wire::{self, Counts, Entry, EntryKind, PIECE};
use crate::sandbox::frames::FrameKind;

/// Why a scan ends early.
enum Stop {
    /// The gateway is gone.
    Gone(io::Error),
    /// Nothing may be brought back, for this reason.
    Refused(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

/// Sends what is different below `root` from what `receive` wrote, and `END`. Every process that could write there must be dead. What
/// makes it impossible to bring anything back is told in `END`; an error means that `control` could not be written to.
pub fn scan(root: BorrowedFd<'_>, baseline: &Baseline, control: &mut impl Write) -> io::Result<Counts> {
    let mut scan = Scan {
        dirs: Dirs::new(root),
        baseline,
        batch: Batch::new(control),
        counts: Counts::default(),
        buffer: vec![0; PIECE],
    };
    match walk(root, baseline).map_err(Stop::Refused).and_then(|found| scan.send(&found)) {
        Ok(()) => {}
        Err(Stop::Gone(error)) => return Err(error),
        Err(Stop::Refused(why)) => scan.counts.failed = Some(why),
    }
    let Scan { batch, counts, .. } = scan;
    batch.finish(FrameKind::End, &counts)?;
    Ok(counts)
}

struct Scan<'a, W> {
    dirs: Dirs<'a>,
    baseline: &'a Baseline,
    batch: Batch<W>,
    counts: Counts,
    buffer: Vec<u8>,
}

fn refused(path: &str) -> impl Fn(io::Error) -> Stop {
    move |error| Stop::Refused(format!("{path:?} could not be read: {error}"))
}

fn moved(path: &str) -> Stop {
    Stop::Refused(format!("{path:?} changed while it was read, although every process of the command had ended"))
}

impl<W: Write> Scan<'_, W> {
    fn send(&mut self, found: &Found) -> Result<(), Stop> {
        self.check_bytes(found.certain_bytes)?;
        for path in &found.deleted {
            let put = |buffer: &mut Vec<u8>| wire::put_path(buffer, path.as_bytes());
            self.batch.record(FrameKind::Delete, path.len() + 2, put)?;
            self.counts.deleted += 1;
        }
        for (path, reason) in &found.rejected {
            self.batch.record(FrameKind::Reject, path.len() + 3, |buffer| {
                buffer.push(*reason as u8);
                wire::put_path(buffer, path);
            })?;
        }
        self.counts.rejected = found.rejected_total;
        for candidate in &found.candidates {
            match candidate.kind {
                EntryKind::Directory => {
                    self.counts.directories += 1;
                    self.batch.entry(FrameKind::Change, &entry(candidate), &[])?;
                }
                EntryKind::File => self.file(candidate)?,
            }
        }
        Ok(())
    }

    fn check_bytes(&self, more: u64) -> Result<(), Stop> {
        let most = self.baseline.limits.bytes;
        if self.counts.bytes.saturating_add(more) > most {
            return Err(Stop::Refused(format!("the files that changed have more than {most} bytes together")));
        }
        Ok(())
    }

    fn file(&mut self, candidate: &Candidate) -> Result<(), Stop> {
        let Candidate { path, stat, .. } = candidate;
        self.check_bytes(stat.size)?;
        let (file, opened) = self.open(candidate)?;
        let before = match self.baseline.records.get(path) {
            Some((_, Record::File { stat: before, hash }))
                if before.size == stat.size && before.permissions() == stat.permissions() =>
            {
                Some(hash)
            }
            _ => None,
        };
        let sent = if wire::is_inline(stat.size) {
            self.small(candidate, file, before)?
        } else {
            self.large(candidate, file, &opened, before)?
        };
        if sent {
            self.counts.files += 1;
            self.counts.bytes += stat.size;
        }
        Ok(())
    }

    /// Opens a file that the walk has seen, and makes sure that it is that one. Never blocks: a FIFO is opened without waiting for its writer.
    fn open(&mut self, candidate: &Candidate) -> Result<(File, Stat), Stop> {
        let Candidate { path, stat, .. } = candidate;
        let (directory, name) = self.dirs.parent(path).map_err(refused(path))?;
        if stat.mode & 0o400 == 0 {
            make_usable(directory, name, stat).map_err(refused(path))?;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = openat(directory, name, flags, Mode::empty()).map_err(|error| refused(path)(error.into()))?;
        let opened = Stat::open(&file).map_err(refused(path))?;
        let same = opened.file_type() == FileType::RegularFile
            && (opened.device, opened.ino, opened.size) == (stat.device, stat.ino, stat.size);
        if same { Ok((File::from(file), opened)) } else { Err(moved(path)) }
    }

    /// Reads all of a file, compares, and sends it in its record. `false` = it is as it was.
    fn small(&mut self, candidate: &Candidate, mut file: File, before: Option<&Hash>) -> Result<bool, Stop> {
        let Candidate { path, stat, .. } = candidate;
        let size = usize::try_from(stat.size).unwrap_or(usize::MAX);
        // One byte more than there should be: a single read shows that the file ends where it should.
        let mut filled = 0;
        while filled <= size {
            match file.read(&mut self.buffer[filled..=size]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(refused(path)(error)),
            }
            if filled == size {
                break;
            }
        }
        if filled != size {
            return Err(moved(path));
        }
        let content = &self.buffer[..size];
        if before.is_some_and(|before| *before == hash(content)) {
            return Ok(false);
        }
        self.batch.entry(FrameKind::Change, &entry(candidate), content)?;
        Ok(true)
    }

    /// Sends a file in pieces, after comparing it when there is something to compare with. `false` = it is as it was.
    fn large(
        &mut self,
        candidate: &Candidate,
        mut file: File,
        opened: &Stat,
        before: Option<&Hash>,
    ) -> Result<bool, Stop> {
        let Candidate { path, stat, .. } = candidate;
        if let Some(before) = before {
            let mut hasher = Hasher::new();
            loop {
                let count = fill(&mut file, &mut self.buffer).map_err(refused(path))?;
                hasher.update(&self.buffer[..count]);
                if count < self.buffer.len() {
                    break;
                }
            }
            if hasher.finish() == *before {
                return Ok(false);
            }
            file.rewind().map_err(refused(path))?;
        }
        self.batch.entry(FrameKind::Change, &entry(candidate), &[])?;
        let mut left = stat.size;
        while left > 0 {
            let length = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let count = fill(&mut file, &mut self.buffer[..length]).map_err(refused(path))?;
            if count == 0 {
                return Err(moved(path));
            }
            self.batch.piece(FrameKind::ChangeData, &self.buffer[..count])?;
            left -= count as u64;
        }
        let after = Stat::open(&file).map_err(refused(path))?;
        if (after.size, after.ctime, after.mtime) != (opened.size, opened.ctime, opened.mtime) {
            return Err(moved(path));
        }
        Ok(true)
    }
}

fn entry(candidate: &Candidate) -> Entry<'_> {
    let size = if candidate.kind == EntryKind::File { candidate.stat.size } else { 0 };
    Entry { path: candidate.path.as_bytes(), kind: candidate.kind, mode: candidate.stat.permissions(), size }
}
