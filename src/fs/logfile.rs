//! The log: one JSON object a line, appended, rotated by size.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::fcntl::OFlag;

use super::FsError;

/// How the log grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// A line that would make the file larger than this many bytes goes into a fresh file.
    pub max_bytes: u64,
    /// Files kept in all, the current one included; at least 1. Older ones are `<name>.1` (the youngest) to `<name>.<keep - 1>`.
    pub keep: u32,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { max_bytes: 10 * 1024 * 1024, keep: 5 }
    }
}

/// An open log. Appending takes a lock and one `write` into the page cache; nothing is synchronised to the disk.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    options: LogOptions,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    file: File,
    size: u64,
}

impl LogFile {
    /// Opens or creates the log (mode 0600) and its directory (mode 0700 if it has to be made).
    ///
    /// [`FsError::NotAFile`] for devices and pipes: rotation and `logs.tail` need a regular file.
    pub fn open(path: &Path, options: LogOptions) -> Result<Self, FsError> {
        let failed = |error| FsError::from_io(path.display().to_string(), error);
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        }
        let file = open_append(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(FsError::NotAFile { path: path.display().to_string(), what: "a pipe or device" });
        }
        let current = Mutex::new(Current { file, size: meta.len() });
        Ok(Self { path: path.to_path_buf(), options, current })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one line. Line breaks inside become the two characters `\n`, so that a line stays a line.
    ///
    /// When the file cannot be rotated the line is still written to it, and the error says why it is growing.
    pub fn append(&self, line: &str) -> io::Result<()> {
        let mut text = String::with_capacity(line.len() + 1);
        for (position, part) in line.trim_end_matches(['\n', '\r']).split(['\n', '\r']).enumerate() {
            if position > 0 {
                text.push_str("\\n");
            }
            text.push_str(part);
        }
        text.push('\n');
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        // A thread that panicked while it held the lock leaves at worst a short line behind.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rotated = Ok(());
        if current.size > 0 && current.size.saturating_add(bytes) > self.options.max_bytes {
            match self.rotate(&current) {
                Ok(next) => *current = next,
                Err(error) => rotated = Err(error),
            }
        }
        current.file.write_all(text.as_bytes())?;
        current.size = current.size.saturating_add(bytes);
        rotated
    }

    fn rotate(&self, current: &Current) -> io::Result<Current> {
        let ours = current.file.metadata()?;
        // Another process with the same log may have rotated already; then its file is the one to continue.
        let replaced =
            std::fs::metadata(&self.path).map_or(true, |at| at.ino() != ours.ino() || at.dev() != ours.dev());
        if !replaced {
            self.shift()?;
        }
        let file = open_append(&self.path)?;
        let size = file.metadata()?.len();
        Ok(Current { file, size })
    }

    /// Renames each file to the next number; the oldest is overwritten.
    fn shift(&self) -> io::Result<()> {
        if self.options.keep <= 1 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.options.keep - 1).rev() {
            match std::fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

fn open_append(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn is_private_and_keeps_one_line_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/openclaw.log");
        let log = LogFile::open(&path, LogOptions::default()).unwrap();
        log.append("{\"a\":1}\n").unwrap();
        log.append("two\r\nparts").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(lines(&path), ["{\"a\":1}", "two\\n\\nparts"]);
        let again = LogFile::open(&path, LogOptions::default()).unwrap();
        again.append("three").unwrap();
        assert_eq!(lines(&path).len(), 3);
    }

    #[test]
    fn rotation_keeps_the_youngest_files_and_loses_no_line_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let log = LogFile::open(&path, LogOptions { max_bytes: 20, keep: 3 }).unwrap();
        for number in 0..9 {
            log.append(&format!("line-{number}-x")).unwrap();
        }
        assert_eq!(lines(&path), ["line-8-x"]);
        assert_eq!(lines(&dir.path().join("x.log.1")), ["line-6-x", "line-7-x"]);
        assert_eq!(lines(&dir.path().join("x.log.2")), ["line-4-x", "line-5-x"]);
        assert!(!dir.path().join("x.log.3").exists());
    }

    #[test]
    fn threads_do_not_mix_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = LogFile::open(&dir.path().join("x.log"), LogOptions { max_bytes: 4000, keep: 100 }).unwrap();
        std::thread::scope(|scope| {
            for letter in ["a", "b", "c", "d"] {
                let log = &log;
                scope.spawn(move || (0..100).for_each(|_| log.append(&letter.repeat(50)).unwrap()));
            }
        });
        let all: Vec<String> =
            std::fs::read_dir(dir.path()).unwrap().flat_map(|entry| lines(&entry.unwrap().path())).collect();
        assert_eq!(all.len(), 400);
        assert!(all.iter().all(|line| line.len() == 50 && line.bytes().all(|byte| byte == line.as_bytes()[0])));
    }

    #[test]
    fn two_writers_of_one_log_agree_about_the_current_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let options = LogOptions { max_bytes: 20, keep: 3 };
        let (one, two) = (LogFile::open(&path, options).unwrap(), LogFile::open(&path, options).unwrap());
        one.append("0123456789").unwrap();
        one.append("rotated-by-one").unwrap();
        two.append("ten-bytes-").unwrap();
        two.append("9876543210").unwrap();
        assert_eq!(lines(&path), ["rotated-by-one", "9876543210"]);
        assert_eq!(lines(&dir.path().join("x.log.1")), ["0123456789", "ten-bytes-"]);
        assert!(!dir.path().join("x.log.2").exists());
    }

    #[test]
    fn a_device_is_refused() {
        assert!(matches!(LogFile::open(Path::new("/dev/null"), LogOptions::default()), Err(FsError::NotAFile { .. })));
    }
}
