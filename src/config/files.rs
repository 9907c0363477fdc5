//! Reading small text files with a bound.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

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
