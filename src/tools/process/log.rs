//! What a background session has written, as far as it is kept: text with positions that count from its beginning.

use crate::sandbox::Stream;
use crate::tools::exec::Decoder;

/// Text kept of one session, in bytes: its end.
const KEPT: usize = 512 * 1024;
/// How far the text may grow before its beginning is cut off; cutting moves all of it.
const GROWN: usize = 2 * KEPT;

/// The kept text of one session.
#[derive(Debug, Default)]
pub(crate) struct OutputLog {
    text: String,
    /// Position of the first kept byte.
    start: u64,
    decoders: [Decoder; 2],
}

/// A part of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The text.
    pub(super) text: String,
    /// Bytes between what was asked for and the first byte of `text` that are not kept any more.
    pub(super) lost: u64,
    /// Position after `text`.
    pub(super) next: u64,
    /// There is more after it.
    pub(super) more: bool,
}

impl OutputLog {
    /// Adds a piece of one of the two outputs.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let decoder = &mut self.decoders[usize::from(stream == Stream::Stderr)];
        self.text.push_str(&decoder.decode(bytes));
        if self.text.len() > GROWN {
            let cut = self.text.ceil_char_boundary(self.text.len() - KEPT);
            self.text.drain(..cut);
            self.start += to_u64(cut);
        }
    }

    /// Position after all that was written.
    pub(crate) fn end(&self) -> u64 {
        self.start + to_u64(self.text.len())
    }

    /// At most `max` bytes from `position` on.
    pub(super) fn from(&self, position: u64, max: usize) -> Part {
        let lost = self.start.saturating_sub(position);
        let skip = usize::try_from(position.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.text.len());
        let skip = self.text.floor_char_boundary(skip);
        let rest = &self.text[skip..];
        let text = &rest[..rest.floor_char_boundary(max.max(4))];
        Part {
            text: text.to_owned(),
            lost,
            next: self.start + to_u64(skip + text.len()),
            more: text.len() < rest.len(),
        }
    }

    /// `limit` kept lines from line `first` on (from 1, of those that are kept); without `first` the last ones. And how many are kept.
    pub(super) fn lines(&self, first: Option<usize>, limit: usize) -> (String, usize, usize) {
        let total = self.text.lines().count();
        let first = first.unwrap_or_else(|| total.saturating_sub(limit) + 1).max(1);
        let lines: Vec<&str> = self.text.lines().skip(first - 1).take(limit).collect();
        (lines.join("\n"), first, total)
    }

    /// Whether the beginning is not kept any more.
    pub(super) fn is_cut(&self) -> bool {
        self.start > 0
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_everything_once() {
        let mut log = OutputLog::default();
        log.push(Stream::Stdout, "abc\u{e9}".as_bytes());
        let first = log.from(0, 4);
        assert_eq!(first, Part { text: "abc".into(), lost: 0, next: 3, more: true });
        let second = log.from(first.next, 100);
        assert_eq!(second, Part { text: "\u{e9}".into(), lost: 0, next: 5, more: false });
        log.push(Stream::Stderr, b"!");
        assert_eq!(log.from(second.next, 100).text, "!");
        assert_eq!(log.from(99, 100), Part { text: String::new(), lost: 0, next: 6, more: false });
    }

    #[test]
    fn old_text_is_dropped_and_that_is_said() {
        let mut log = OutputLog::default();
        let written = 10 * KEPT;
        for _ in 0..written / 1024 {
            log.push(Stream::Stdout, &[b'x'; 1024]);
        }
        assert!(log.text.len() <= GROWN && log.text.len() >= KEPT && log.is_cut());
        assert_eq!(log.end(), to_u64(written));
        let part = log.from(100, 10);
        assert_eq!((part.lost, part.text.len(), part.next), (log.start - 100, 10, log.start + 10));
    }

    #[test]
    fn lines_from_either_end() {
        let mut log = OutputLog::default();
        log.push(Stream::Stdout, b"1\n2\n3\n4\n");
        assert_eq!(log.lines(None, 2), ("3\n4".into(), 3, 4));
        assert_eq!(log.lines(Some(2), 2), ("2\n3".into(), 2, 4));
        assert_eq!(log.lines(Some(9), 2), (String::new(), 9, 4));
    }
}
