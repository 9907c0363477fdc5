//! Open directories from a root down to the one in use, so that every system call names one component only.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};

/// How every directory is opened: for reading its names, and never through a link.
pub(super) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Keeps the directories of the last path open: neighbours in a tree share most of them.
pub(super) struct Dirs<'root> {
    root: BorrowedFd<'root>,
    open: Vec<(String, OwnedFd)>,
}

impl<'root> Dirs<'root> {
    pub(super) fn new(root: BorrowedFd<'root>) -> Self {
        Self { root, open: Vec::new() }
    }

    /// The open directory that holds `path`, and the name of `path` in it.
    pub(super) fn parent<'path>(&mut self, path: &'path str) -> io::Result<(BorrowedFd<'_>, &'path str)> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut names = above.split('/').filter(|name| !name.is_empty()).peekable();
        let mut shared = 0;
        while let (Some((open, _)), Some(name)) = (self.open.get(shared), names.peek())
            && open == name
        {
            names.next();
            shared += 1;
        }
        self.open.truncate(shared);
        for name in names {
            let directory = openat(self.deepest(), name, DIRECTORY, Mode::empty())?;
            self.open.push((name.to_owned(), directory));
        }
        Ok((self.deepest(), name))
    }

    fn deepest(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(self.root, |(_, directory)| directory.as_fd())
    }
}
