//! Lines of a file of any size, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

use tokio_util::sync::CancellationToken;

/// One line without its line feed. A carriage return before it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The line, or its beginning if it is longer than the bound.
    pub(super) bytes: Vec<u8>,
    /// Its real length.
    pub(super) length: u64,
    /// It ended with a line feed, not with the end of the file.
    pub(super) terminated: bool,
}

impl Line {
    /// Whether `bytes` is only a part.
    pub(super) fn is_cut(&self) -> bool {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX) < self.length
    }
}

/// Reads lines; keeps at most `max_line` bytes of each, and stops after `budget` bytes or on cancellation.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    max_line: usize,
    budget: u64,
    cancel: CancellationToken,
    stopped: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R, max_line: usize, budget: u64, cancel: CancellationToken) -> Self {
        Self { reader: BufReader::with_capacity(64 * 1024, reader), max_line, budget, cancel, stopped: false }
    }

    /// Whether reading ended before the end of the file.
    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    /// The next line; `None` at the end, or when [`Self::stopped`].
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line { bytes: Vec::new(), length: 0, terminated: false };
        loop {
            if self.budget == 0 || self.cancel.is_cancelled() {
                self.stopped = true;
                return Ok(None);
            }
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            };
            if buffer.is_empty() {
                return Ok((line.length > 0).then_some(line));
            }
            let end = memchr::memchr(b'\n', buffer);
            let part = &buffer[..end.unwrap_or(buffer.len())];
            let room = self.max_line.saturating_sub(line.bytes.len()).min(part.len());
            line.bytes.extend_from_slice(&part[..room]);
            line.length += u64::try_from(part.len()).unwrap_or(u64::MAX);
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            self.budget = self.budget.saturating_sub(u64::try_from(used).unwrap_or(u64::MAX));
            if end.is_some() {
                line.terminated = true;
                return Ok(Some(line));
            }
        }
    }
}

/// The first bytes of a reader, as many as there are up to `max`.
pub(super) fn head(mut reader: impl Read, max: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.by_ref().take(u64::try_from(max).unwrap_or(u64::MAX)).read_to_end(&mut head)?;
    Ok(head)
}

/// Bytes looked at to tell text from other content.
pub(super) const HEAD: usize = 8 * 1024;

/// Text does not contain NUL; nearly every binary format has one near its start.
pub(super) fn is_binary(head: &[u8]) -> bool {
    memchr::memchr(0, head).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(data: &[u8], max_line: usize, budget: u64) -> (Vec<Line>, bool) {
        let mut lines = Lines::new(data, max_line, budget, CancellationToken::new());
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            found.push(line);
        }
        (found, lines.stopped())
    }

    proptest! {
        #[test]
        fn lines_put_together_are_the_file(data in prop::collection::vec(prop::sample::select(b"ab\r\n\xff".to_vec()), 0..200)) {
            let (lines, stopped) = all(&data, 1000, u64::MAX);
            let mut whole = Vec::new();
            for line in &lines {
                prop_assert!(!line.is_cut());
                whole.extend_from_slice(&line.bytes);
                whole.extend(line.terminated.then_some(b'\n'));
            }
            prop_assert_eq!(whole, data);
            prop_assert!(!stopped);
        }
    }

    #[test]
    fn long_lines_and_budgets_are_bounded() {
        let data = [vec![b'x'; 200_000], b"\nnext\n".to_vec()].concat();
        let (lines, _) = all(&data, 10, u64::MAX);
        assert_eq!((lines[0].bytes.len(), lines[0].length, lines[0].is_cut()), (10, 200_000, true));
        assert_eq!(lines[1].bytes, b"next");
        let (lines, stopped) = all(b"a\nb\nc\n", 10, 3);
        assert_eq!((lines.len(), stopped), (2, true));
    }

    #[test]
    fn cancellation_ends_the_reading() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let mut lines = Lines::new(io::repeat(b'x'), 10, u64::MAX, cancel);
        assert_eq!(lines.next_line().unwrap(), None);
        assert!(lines.stopped());
    }
}
