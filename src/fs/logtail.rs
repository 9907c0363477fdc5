//! Reading the end of the log, or what came after an earlier read (`logs.tail`).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use serde::Serialize;

use super::FsError;

/// Bytes read in one call, whatever is asked for.
const MAX_WINDOW: u64 = 4 * 1024 * 1024;

/// A piece of a log; field names on the wire are OpenClaw's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogTail {
    /// The log's path.
    pub file: String,
    /// Give this back to get what comes next: the byte after the last complete line.
    pub cursor: u64,
    /// Bytes in the file.
    pub size: u64,
    /// Complete lines without their line feeds, oldest first; invalid UTF-8 is replaced.
    pub lines: Vec<String>,
    /// Lines before these were left out because of a bound.
    pub truncated: bool,
    /// The cursor did not fit (the log was rotated, or more than `max_bytes` came since): these lines do not follow the earlier ones.
    pub reset: bool,
    /// Bytes between the cursor and these lines that were left out; without a cursor, bytes before them.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped_bytes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Reads at most `limit_lines` lines out of at most `max_bytes` bytes (4 MiB at most). With a cursor, what came after it; without, the end of the log.
/// A log that does not exist yet is empty. A last line without its line feed is still being written and is left for the next call.
pub fn tail(path: &Path, cursor: Option<u64>, limit_lines: usize, max_bytes: u64) -> Result<LogTail, FsError> {
    let failed = |error| FsError::from_io(path.display().to_string(), error);
    let mut result = LogTail { file: path.display().to_string(), ..LogTail::default() };
    // Non-blocking, so that a named pipe in the log's place does not hang the caller.
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            result.reset = cursor.is_some_and(|cursor| cursor > 0);
            return Ok(result);
        }
        Err(error) => return Err(failed(error)),
    };
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(FsError::NotAFile { path: path.display().to_string(), what: "a directory, pipe or device" });
    }
    result.size = meta.len();
    let earliest = result.size.saturating_sub(max_bytes.min(MAX_WINDOW));
    let (asked, start) = match cursor {
        Some(cursor) if cursor > result.size => {
            result.reset = true;
            (0, earliest)
        }
        Some(cursor) if cursor < earliest => {
            result.reset = true;
            (cursor, earliest)
        }
        Some(cursor) => (cursor, cursor),
        None => (0, earliest),
    };
    let (data, at_line_start) = read_window(&mut file, start, result.size).map_err(failed)?;

    let mut first = 0;
    if !at_line_start {
        // The window begins inside a line. Without a line feed in it, the next call looks again from its end.
        first = data.iter().position(|&byte| byte == b'\n').map_or(data.len(), |position| position + 1);
    }
    let end = data[first..].iter().rposition(|&byte| byte == b'\n').map_or(first, |position| first + position + 1);
    let complete: Vec<&[u8]> = data[first..end].split_inclusive(|&byte| byte == b'\n').collect();
    let dropped = complete.len().saturating_sub(limit_lines);
    first += complete[..dropped].iter().map(|line| line.len()).sum::<usize>();

    result.lines = complete[dropped..]
        .iter()
        .map(|line| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
        })
        .collect();
    result.cursor = start + offset(end);
    result.skipped_bytes = (start + offset(first)).saturating_sub(asked);
    result.truncated = result.skipped_bytes > 0;
    Ok(result)
}

fn offset(position: usize) -> u64 {
    u64::try_from(position).unwrap_or(u64::MAX)
}

/// The bytes from `start` to `end`, and whether a line begins at `start`.
fn read_window(file: &mut File, start: u64, end: u64) -> io::Result<(Vec<u8>, bool)> {
    let before = start.saturating_sub(1);
    file.seek(SeekFrom::Start(before))?;
    let mut data = Vec::new();
    file.take(end - before).read_to_end(&mut data)?;
    if start == 0 || data.is_empty() {
        return Ok((data, true));
    }
    let at_line_start = data.remove(0) == b'\n';
    Ok((data, at_line_start))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn log(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn the_end_without_a_cursor_then_what_follows() {
        let (_dir, path) = log("one\ntwo\nthree\npart");
        let first = tail(&path, None, 2, 1000).unwrap();
        assert_eq!(first.lines, ["two", "three"]);
        assert_eq!((first.cursor, first.size, first.truncated, first.reset), (14, 18, true, false));
        std::fs::write(&path, "one\ntwo\nthree\npartial\nfour\n").unwrap();
        let second = tail(&path, Some(first.cursor), 10, 1000).unwrap();
        assert_eq!(second.lines, ["partial", "four"]);
        assert!(!second.truncated && !second.reset);
        let third = tail(&path, Some(second.cursor), 10, 1000).unwrap();
        assert_eq!((third.lines.len(), third.cursor), (0, second.cursor));
    }

    #[test]
    fn a_cursor_that_does_not_fit_starts_over() {
        let (_dir, path) = log("one\ntwo\n");
        let beyond = tail(&path, Some(500), 10, 1000).unwrap();
        assert_eq!((beyond.reset, beyond.lines.len(), beyond.cursor), (true, 2, 8));
        let behind = tail(&path, Some(0), 10, 5).unwrap();
        assert_eq!(
            (behind.reset, behind.truncated, behind.lines, behind.skipped_bytes),
            (true, true, vec!["two".to_owned()], 4)
        );
    }

    #[test]
    fn a_log_that_does_not_exist_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let none = tail(&dir.path().join("none"), None, 10, 10).unwrap();
        assert_eq!((none.size, none.cursor, none.reset), (0, 0, false));
        assert!(tail(&dir.path().join("none"), Some(3), 10, 10).unwrap().reset);
    }

    #[test]
    fn a_line_longer_than_the_window_is_passed_over() {
        let (_dir, path) = log(&format!("{}\nshort\n", "x".repeat(100)));
        let mut cursor = 0;
        let mut seen = Vec::new();
        for _ in 0..20 {
            let part = tail(&path, Some(cursor), 10, 30).unwrap();
            cursor = part.cursor;
            seen.extend(part.lines);
        }
        assert_eq!(seen, ["short"]);
    }

    #[test]
    fn wire_names() {
        let (_dir, path) = log("a\n");
        let mut value = serde_json::to_value(tail(&path, None, 10, 10).unwrap()).unwrap();
        value["file"] = "x.log".into();
        insta::assert_snapshot!(value, @r#"{"file":"x.log","cursor":2,"size":2,"lines":["a"],"truncated":false,"reset":false}"#);
    }

    proptest! {
        #[test]
        fn following_a_growing_log_gives_each_complete_line_once(lines in prop::collection::vec("[a-zé]{0,9}", 1..12), step in 1usize..7) {
            let whole: String = lines.iter().fold(String::new(), |text, line| text + line + "\n");
            let (_dir, path) = log("");
            let (mut cursor, mut seen, mut written) = (0, Vec::new(), 0);
            // Appended to, as a log is: file systems flush a file that is truncated and written again.
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            let bytes = whole.as_bytes();
            for end in (0..bytes.len()).step_by(step).chain([bytes.len()]) {
                file.write_all(&bytes[written..end]).unwrap();
                written = end;
                let part = tail(&path, Some(cursor), 1000, 10_000).unwrap();
                prop_assert!(!part.reset && !part.truncated);
                cursor = part.cursor;
                seen.extend(part.lines);
            }
            prop_assert_eq!(seen, lines);
        }
    }
}
