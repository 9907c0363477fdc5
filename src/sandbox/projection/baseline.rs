//! What was brought in, and whether a file is still that.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, statx};

use super::limits::ProjectionLimits;

/// Kernels before 6.13 stamp files by a clock that ticks every 1 to 10 ms: within one tick a change leaves no trace in the times.
const TICK_NS: i128 = 10_000_000;

/// SHA-256 of a content.
pub(super) type Hash = [u8; SHA256_OUTPUT_LEN];

/// Hashes a content piece by piece.
pub(super) struct Hasher(Context);

impl Hasher {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub(super) fn finish(self) -> Hash {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(self.0.finish().as_ref());
        hash
    }
}

/// The hash of a content at hand.
pub(super) fn hash(content: &[u8]) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update(content);
    hasher.finish()
}

/// What the kernel says of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) device: (u32, u32),
    pub(super) ino: u64,
    pub(super) links: u32,
    /// Type and permission bits.
    pub(super) mode: u32,
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) ctime: i128,
    pub(super) mtime: i128,
    pub(super) atime: i128,
}

impl Stat {
    /// Of a name in an open directory, not following a link.
    pub(super) fn at(directory: impl AsFd, name: impl rustix::path::Arg) -> io::Result<Self> {
        Ok(Self::of(&statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)?))
    }

    /// Of something open.
    pub(super) fn open(file: impl AsFd) -> io::Result<Self> {
        Ok(Self::of(&statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?))
    }

    fn of(stat: &Statx) -> Self {
        let time =
            |time: rustix::fs::StatxTimestamp| i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
        Self {
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            ino: stat.stx_ino,
            links: stat.stx_nlink,
            mode: u32::from(stat.stx_mode),
            size: stat.stx_size,
            ctime: time(stat.stx_ctime),
            mtime: time(stat.stx_mtime),
            atime: time(stat.stx_atime),
        }
    }

    pub(super) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }

    /// Permission bits without the special ones.
    pub(super) fn permissions(&self) -> u32 {
        self.mode & 0o777
    }
}

/// A file or directory as it was brought in.
#[derive(Debug)]
pub(super) enum Record {
    Directory { mode: u32 },
    File { stat: Stat, hash: Hash },
}

/// What `receive` has written, for `scan` to compare with.
#[derive(Debug)]
pub struct Baseline {
    pub(super) limits: ProjectionLimits,
    /// By path; the number counts from 0.
    pub(super) records: BTreeMap<String, (usize, Record)>,
    /// When the projection ended, in nanoseconds since 1970.
    pub(super) ended: i128,
    /// Whether reading a file leaves no access time.
    pub(super) no_access_times: bool,
}

/// The present, in nanoseconds since 1970.
pub(super) fn present() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
}

impl Baseline {
    /// Whether `stat` proves that the content of `before` is untouched.
    pub(super) fn is_untouched(&self, before: &Stat, stat: &Stat) -> bool {
        let same = (before.ino, before.mode, before.size, before.ctime, before.mtime, before.atime)
            == (stat.ino, stat.mode, stat.size, stat.ctime, stat.mtime, stat.atime);
        same && before.ctime < self.ended - TICK_NS && !self.no_access_times
    }
}
