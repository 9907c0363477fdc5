//! Files a person names on the command line: read whole, written whole, through the capability file system.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::core::{Error, ErrorKind, Result};
use crate::fs::{HostCapabilityFs, OpenedFile, RelPath};

/// The text of a file, at most `max` bytes; `-` is stdin. `what` names it in errors.
pub(super) fn read_text(path: &Path, cwd: &Path, max: u64, what: &str) -> Result<String> {
    if path == Path::new("-") {
        return stdin_text(max, what);
    }
    let missing = |error: std::io::Error| {
        Error::not_found(format!("cannot read the {what} from {}", path.display()))
            .why(error.to_string())
            .hint("check the path and its permissions")
    };
    // Links are followed here, once, because the person named the file; the read below is then rooted.
    let real = cwd.join(path).canonicalize().map_err(missing)?;
    let (directory, name) = split(&real)?;
    let bytes = HostCapabilityFs::open(directory)?.read(&name, max)?;
    utf8(bytes, what)
}

/// A file that a person named, open for reading.
pub(super) fn open_file(path: &Path, cwd: &Path) -> Result<OpenedFile> {
    let real = cwd.join(path).canonicalize().map_err(|error| {
        Error::not_found(format!("cannot read {}", path.display()))
            .why(error.to_string())
            .hint("check the path and its permissions")
    })?;
    let (directory, name) = split(&real)?;
    Ok(HostCapabilityFs::open(directory)?.open_for_read(&name)?)
}

/// The text on stdin, at most `max` bytes.
pub(super) fn stdin_text(max: u64, what: &str) -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(max + 1).read_to_end(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::User, format!("cannot read the {what} from stdin")).hint("pipe the text in").source(error)
    })?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(Error::new(ErrorKind::TooLarge, format!("the {what} on stdin is larger than {max} bytes"))
            .hint("send less at once"));
    }
    utf8(bytes, what)
}

/// Writes a file whole, replacing what was there.
pub(super) fn write_text(path: &Path, cwd: &Path, text: &str) -> Result<PathBuf> {
    write_bytes(path, cwd, text.as_bytes())
}

/// Writes a file whole, replacing what was there.
pub(super) fn write_bytes(path: &Path, cwd: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let path = cwd.join(path);
    let (directory, name) = split(&path)?;
    HostCapabilityFs::open(directory)?.write(&name, bytes, false)?;
    Ok(path)
}

/// Makes a directory with its parents.
pub(super) fn make_directory(path: &Path) -> Result<()> {
    let nearest = path.ancestors().find(|ancestor| ancestor.is_dir());
    let Some(nearest) = nearest.filter(|nearest| *nearest != path) else { return Ok(()) };
    let rest = path.strip_prefix(nearest).unwrap_or(path);
    let rest = rest.to_str().ok_or_else(|| not_text(path))?;
    HostCapabilityFs::open(nearest)?.mkdirs(&RelPath::parse(rest)?)?;
    Ok(())
}

fn split(path: &Path) -> Result<(&Path, RelPath)> {
    let name = path.file_name().ok_or_else(|| Error::user(format!("{} names no file", path.display())))?;
    let name = name.to_str().ok_or_else(|| not_text(path))?;
    Ok((path.parent().unwrap_or(Path::new("/")), RelPath::parse(name)?))
}

fn not_text(path: &Path) -> Error {
    Error::user(format!("the path {} is not UTF-8", path.display())).hint("use a path of plain text")
}

fn utf8(bytes: Vec<u8>, what: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        Error::user(format!("the {what} is not UTF-8 text"))
            .why(format!("the byte at offset {} is not valid", error.utf8_error().valid_up_to()))
            .hint("convert it first, for example with iconv")
    })
}
