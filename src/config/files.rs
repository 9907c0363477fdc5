//! Reading small text files with a bound.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

/// The file's text; `None` if there is no such file. An error if it is no regular file, too large or no UTF-8.
pub(super) fn read_text(path: &Path, max_bytes: u64) -> Result<Option<String>> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = match OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    read_open(file, max_bytes).map(Some)
}

/// Opens a file below a directory without following a link on the way.
pub(super) fn open_below(root: &Path, below: &Path) -> Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let mut current = OwnedFd::from(File::open(root)?);
    let mut names = below.iter().peekable();
    while let Some(name) = names.next() {
        let last = names.peek().is_none();
        let wanted = if last { flags } else { flags | OFlag::O_DIRECTORY };
        current = openat(&current, name, wanted, Mode::empty())?;
    }
    Ok(File::from(current))
}

/// The text of an open file, under the same conditions.
pub(super) fn read_open(file: File, max_bytes: u64) -> Result<String> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Error::other("it is not a regular file"));
    }
    let mut text = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut text)?;
    if text.len() as u64 > max_bytes {
        return Err(Error::other(format!("it is larger than {max_bytes} bytes")));
    }
    String::from_utf8(text).map_err(|error| {
        Error::new(ErrorKind::InvalidData, format!("it is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_on_the_way_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(root.join("sub/file"), "inside").unwrap();
        std::fs::write(dir.path().join("file"), "outside").unwrap();
        symlink(dir.path(), root.join("link")).unwrap();
        symlink("sub/file", root.join("leaf")).unwrap();
        let open = |name: &str| open_below(&root, Path::new(name)).and_then(|file| read_open(file, 99));
        assert_eq!(open("sub/file").unwrap(), "inside");
        assert_eq!(std::fs::read_to_string(root.join("link/file")).unwrap(), "outside", "control");
        for name in ["link/file", "leaf", "none", "sub/file/x", "sub"] {
            assert!(open(name).is_err(), "{name}");
        }
    }
}
