//! What is there after the command: every name is looked at once, and no file is opened.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Mode, RawDir, chmodat, fchmod, openat};

use super::baseline::{Baseline, Record, Stat};
use super::change::RejectReason;
use super::dirs::DIRECTORY;
use super::path::MAX_PATH;
use super::wire::EntryKind;

/// Bytes of names that are read from a directory at a time.
const NAMES: usize = 32 * 1024;

/// A file or directory that is new or may have changed.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) path: String,
    pub(super) kind: EntryKind,
    pub(super) stat: Stat,
}

/// What a walk has found, a directory always before what is in it.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    pub(super) deleted: Vec<String>,
    pub(super) rejected: Vec<(Vec<u8>, RejectReason)>,
    pub(super) rejected_total: u64,
    /// Bytes of the files that are surely new or changed, as far as that is known without reading them.
    pub(super) certain_bytes: u64,
}

struct Walk<'a> {
    baseline: &'a Baseline,
    device: (u32, u32),
    entries: u64,
    /// By the number of a record: whether it is to be kept.
    kept: Vec<bool>,
    found: Found,
}

/// Walks the tree below `root`. Everything but the caller must be dead. An error says why nothing can be brought back.
pub(super) fn walk(root: BorrowedFd<'_>, baseline: &Baseline) -> Result<Found, String> {
    let stat = Stat::open(root).map_err(|error| format!("the root could not be looked at: {error}"))?;
    if stat.mode & 0o700 != 0o700 {
        fchmod(root, Mode::from_raw_mode(stat.permissions() | 0o700))
            .map_err(|error| format!("the root could not be made readable: {error}"))?;
    }
    let mut walk = Walk {
        baseline,
        device: stat.device,
        entries: 0,
        kept: vec![false; baseline.records.len()],
        found: Found::default(),
    };
    // The caller's descriptor may stand anywhere in the directory, and is the caller's.
    let start = openat(root, c".", DIRECTORY, Mode::empty()).map_err(|error| failed("the root", error))?;
    walk.directory(start.as_fd(), &mut String::new(), 0)?;
    let Walk { kept, mut found, .. } = walk;
    let gone = baseline.records.iter().filter(|(_, (number, _))| !kept[*number]);
    found.deleted = gone.map(|(path, _)| path.clone()).collect();
    Ok(found)
}

fn failed(path: &str, error: impl std::fmt::Display) -> String {
    format!("{path:?} could not be read: {error}")
}

impl Walk<'_> {
    fn directory(&mut self, directory: BorrowedFd<'_>, path: &mut String, depth: usize) -> Result<(), String> {
        for name in self.names(directory, path)? {
            self.entry(directory, &name, path, depth + 1)?;
        }
        Ok(())
    }

    /// The names in a directory, as long as there are not too many in all.
    fn names(&mut self, directory: BorrowedFd<'_>, path: &str) -> Result<Vec<CString>, String> {
        let mut names = Vec::new();
        let mut buffer = Vec::with_capacity(NAMES);
        let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|error| failed(path, error))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            if self.entries > self.baseline.limits.entries {
                return Err(format!("there are more than {} files and directories", self.baseline.limits.entries));
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    fn entry(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CString,
        path: &mut String,
        depth: usize,
    ) -> Result<(), String> {
        use RejectReason as R;
        let above = path.len();
        let Ok(text) = name.to_str() else {
            let whole =
                if above == 0 { name.to_bytes().to_vec() } else { [path.as_bytes(), b"/", name.to_bytes()].concat() };
            self.reject(&whole, R::NotUtf8);
            return Ok(());
        };
        if above > 0 {
            path.push('/');
        }
        path.push_str(text);
        let stat = Stat::at(directory, name).map_err(|error| failed(path, error))?;
        let reason = match stat.file_type() {
            _ if path.len() > MAX_PATH => Some(R::PathTooLong),
            _ if depth > self.baseline.limits.depth => Some(R::TooDeep),
            _ if stat.device != self.device => Some(R::OtherFileSystem),
            FileType::RegularFile if stat.size > self.baseline.limits.file_bytes => Some(R::TooLarge),
            FileType::RegularFile | FileType::Directory => None,
            FileType::Symlink => Some(R::SymbolicLink),
            FileType::Fifo => Some(R::Fifo),
            FileType::Socket => Some(R::Socket),
            FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => Some(R::Device),
        };
        if let Some(reason) = reason {
            self.reject(path.as_bytes(), reason);
            self.keep_below(path);
        } else {
            if stat.mode & 0o7000 != 0 {
                self.reject(path.as_bytes(), R::SpecialBits);
            }
            if stat.file_type() == FileType::Directory {
                self.found_directory(directory, name, path, &stat, depth)?;
            } else {
                self.found_file(path, stat);
            }
        }
        path.truncate(above);
        Ok(())
    }

    fn found_directory(
        &mut self,
        above: BorrowedFd<'_>,
        name: &CString,
        path: &mut String,
        stat: &Stat,
        depth: usize,
    ) -> Result<(), String> {
        let before = match self.baseline.records.get(path.as_str()) {
            Some((number, Record::Directory { mode })) => {
                self.kept[*number] = true;
                Some(*mode)
            }
            _ => None,
        };
        if before != Some(stat.permissions()) {
            self.found.candidates.push(Candidate { path: path.clone(), kind: EntryKind::Directory, stat: *stat });
        }
        if stat.mode & 0o700 != 0o700 {
            make_usable(above, name, stat).map_err(|error| failed(path, error))?;
        }
        let open = openat(above, name, DIRECTORY, Mode::empty()).map_err(|error| failed(path, error))?;
        self.directory(open.as_fd(), path, depth)
    }

    fn found_file(&mut self, path: &str, stat: Stat) {
        if stat.links > 1 {
            self.reject(path.as_bytes(), RejectReason::HardLink);
        }
        let mut same_size = false;
        if let Some((number, Record::File { stat: before, .. })) = self.baseline.records.get(path) {
            self.kept[*number] = true;
            if self.baseline.is_untouched(before, &stat) {
                return;
            }
            same_size = before.size == stat.size;
        }
        if !same_size {
            self.found.certain_bytes = self.found.certain_bytes.saturating_add(stat.size);
        }
        self.found.candidates.push(Candidate { path: path.to_owned(), kind: EntryKind::File, stat });
    }

    fn reject(&mut self, path: &[u8], reason: RejectReason) {
        self.found.rejected_total += 1;
        if self.found.rejected.len() < self.baseline.limits.rejects {
            self.found.rejected.push((path[..path.len().min(MAX_PATH)].to_vec(), reason));
        }
    }

    /// What the tree had where something cannot be brought back stays there.
    fn keep_below(&mut self, path: &str) {
        let Some((number, _)) = self.baseline.records.get(path) else { return };
        self.kept[*number] = true;
        let below = format!("{path}/");
        let records = self.baseline.records.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
        for (_, (number, _)) in records {
            self.kept[*number] = true;
        }
    }
}

/// Gives the owner all rights again. The name is a file or directory, as `stat` says, and there is nobody left who could swap it for a link.
pub(super) fn make_usable(directory: BorrowedFd<'_>, name: impl rustix::path::Arg, stat: &Stat) -> io::Result<()> {
    Ok(chmodat(directory, name, Mode::from_raw_mode(stat.permissions() | 0o700), AtFlags::empty())?)
}
