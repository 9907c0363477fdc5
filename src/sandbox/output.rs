//! The output of a command in bounded memory: its beginning, its end, and how much there was.
//!
//! Bytes of both streams are kept in the order of their arrival. When there are more than fit, the middle is forgotten. Nothing is decoded
//! before [`Captured::text`], so what is kept is exact.

use std::collections::VecDeque;

use super::exit::Stream;

/// Bytes in a row from one stream.
type Run = (Stream, usize);

/// Bytes with a mark of where each came from.
#[derive(Debug, Clone, Default)]
struct Tape {
    bytes: VecDeque<u8>,
    runs: VecDeque<Run>,
}

impl Tape {
    fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.bytes.extend(bytes);
        match self.runs.back_mut() {
            Some((last, length)) if *last == stream => *length += bytes.len(),
            _ => self.runs.push_back((stream, bytes.len())),
        }
    }

    /// Forgets that many bytes at the front.
    fn drop_front(&mut self, mut count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
        while let Some((_, length)) = self.runs.front_mut() {
            if *length > count {
                *length -= count;
                break;
            }
            count -= *length;
            self.runs.pop_front();
        }
    }

    fn pieces(&self) -> impl Iterator<Item = (Stream, Vec<u8>)> {
        let mut at = 0;
        self.runs.iter().map(move |(stream, length)| {
            let piece = self.bytes.range(at..at + length).copied().collect();
            at += length;
            (*stream, piece)
        })
    }
}

/// What a command wrote: the first bytes, the last bytes, and the count of all.
#[derive(Debug, Clone)]
pub struct Captured {
    head: Tape,
    tail: Tape,
    head_limit: usize,
    tail_limit: usize,
    stdout: u64,
    stderr: u64,
}

impl Default for Captured {
    /// 64 KiB of each end.
    fn default() -> Self {
        Self::new(64 * 1024, 64 * 1024)
    }
}

impl Captured {
    /// Keeps that many bytes of the beginning and of the end.
    pub fn new(head_limit: usize, tail_limit: usize) -> Self {
        Self { head: Tape::default(), tail: Tape::default(), head_limit, tail_limit, stdout: 0, stderr: 0 }
    }

    /// Adds what a stream wrote.
    pub fn push(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout += bytes.len() as u64,
            Stream::Stderr => self.stderr += bytes.len() as u64,
        }
        let room = self.head_limit - self.head.bytes.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.push(stream, head);
        let kept = &rest[rest.len() - rest.len().min(self.tail_limit)..];
        let surplus = (self.tail.bytes.len() + kept.len()).saturating_sub(self.tail_limit);
        self.tail.drop_front(surplus);
        self.tail.push(stream, kept);
    }

    /// How many bytes a stream wrote.
    pub fn total(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        }
    }

    /// How many bytes of both streams were forgotten, from the middle.
    pub fn omitted(&self) -> u64 {
        self.stdout + self.stderr - (self.head.bytes.len() + self.tail.bytes.len()) as u64
    }

    /// Whether something was forgotten.
    pub fn truncated(&self) -> bool {
        self.omitted() > 0
    }

    /// What is kept of one stream: before the gap, and behind it. Without a gap the parts belong together.
    pub fn bytes(&self, stream: Stream) -> (Vec<u8>, Vec<u8>) {
        let of = |tape: &Tape| tape.pieces().filter(|(from, _)| *from == stream).flat_map(|(_, bytes)| bytes).collect();
        (of(&self.head), of(&self.tail))
    }

    /// All that is kept as text, in the order of arrival; a line tells of the gap.
    pub fn text(&self) -> Text {
        self.decode(None)
    }

    /// What is kept of one stream as text.
    pub fn text_of(&self, stream: Stream) -> Text {
        self.decode(Some(stream))
    }

    fn decode(&self, only: Option<Stream>) -> Text {
        let mut decoder = Decoder::default();
        let wanted = |(stream, _): &(Stream, Vec<u8>)| only.is_none_or(|only| only == *stream);
        for (stream, bytes) in self.head.pieces().filter(wanted) {
            decoder.add(stream, &bytes);
        }
        let omitted = self.omitted();
        if omitted > 0 {
            decoder.gap(omitted);
        }
        for (stream, bytes) in self.tail.pieces().filter(wanted) {
            decoder.add(stream, &bytes);
        }
        decoder.finish()
    }
}

/// Output as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The text. What was no UTF-8 is U+FFFD.
    pub text: String,
    /// Whether something was no UTF-8.
    pub lossy: bool,
}

/// Turns the pieces of two streams into text. A character whose bytes arrived in two pieces stays one, even when the other stream wrote
/// between them.
#[derive(Default)]
struct Decoder {
    out: Text,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// The next bytes of that stream may begin within a character: its beginning was forgotten.
    cut: [bool; 2],
}

impl Decoder {
    fn add(&mut self, stream: Stream, bytes: &[u8]) {
        let (open, cut) = match stream {
            Stream::Stdout => (&mut self.stdout, &mut self.cut[0]),
            Stream::Stderr => (&mut self.stderr, &mut self.cut[1]),
        };
        let mut bytes = bytes;
        if std::mem::take(cut) {
            let begin = bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
            bytes = &bytes[begin..];
        }
        open.extend_from_slice(bytes);
        let whole = open.len() - unfinished(open);
        let rest = open.split_off(whole);
        let text = String::from_utf8_lossy(open);
        self.out.lossy |= matches!(text, std::borrow::Cow::Owned(_));
        self.out.text.push_str(&text);
        *open = rest;
    }

    /// Something is missing here. Characters that it cuts in two are left out.
    fn gap(&mut self, omitted: u64) {
        self.stdout.clear();
        self.stderr.clear();
        self.cut = [true, true];
        if !self.out.text.is_empty() && !self.out.text.ends_with('\n') {
            self.out.text.push('\n');
        }
        self.out.text.extend(["[… ", &omitted.to_string(), " bytes omitted …]\n"]);
    }

    fn finish(mut self) -> Text {
        for rest in [&self.stdout, &self.stderr] {
            if !rest.is_empty() {
                self.out.text.push(char::REPLACEMENT_CHARACTER);
                self.out.lossy = true;
            }
        }
        self.out
    }
}

/// How many bytes at the end are the beginning of a character whose rest has not come.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let tail = &bytes[bytes.len() - back..];
        match std::str::from_utf8(tail) {
            Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => return back,
            _ => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream() -> impl Strategy<Value = Stream> {
        prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)]
    }

    #[test]
    fn the_middle_is_forgotten_and_counted() {
        let mut captured = Captured::new(4, 4);
        captured.push(Stream::Stdout, b"abc");
        assert_eq!(captured.text().text, "abc");
        captured.push(Stream::Stderr, b"defgh");
        assert!(!captured.truncated());
        assert_eq!(captured.text().text, "abcdefgh");
        captured.push(Stream::Stdout, b"ij");
        assert_eq!(captured.omitted(), 2);
        assert_eq!(captured.text().text, "abcd\n[… 2 bytes omitted …]\nghij");
        assert_eq!(captured.bytes(Stream::Stdout), (b"abc".to_vec(), b"ij".to_vec()));
        assert_eq!(captured.bytes(Stream::Stderr), (b"d".to_vec(), b"gh".to_vec()));
        assert_eq!((captured.total(Stream::Stdout), captured.total(Stream::Stderr)), (5, 5));
    }

    #[test]
    fn characters_are_not_torn_by_pieces_streams_or_the_gap() {
        let mut captured = Captured::default();
        captured.push(Stream::Stdout, &[0xc3]);
        captured.push(Stream::Stderr, b"!");
        captured.push(Stream::Stdout, &[0xa4]);
        assert_eq!(captured.text(), Text { text: "!ä".into(), lossy: false });
        let mut cut = Captured::new(2, 2);
        cut.push(Stream::Stdout, "aäöüb".as_bytes());
        assert_eq!(cut.text(), Text { text: "a\n[… 4 bytes omitted …]\nb".into(), lossy: false });
        let mut broken = Captured::default();
        broken.push(Stream::Stdout, &[b'x', 0xff, 0, 0xc3]);
        assert_eq!(broken.text(), Text { text: "x\u{fffd}\0\u{fffd}".into(), lossy: true });
        assert_eq!(broken.bytes(Stream::Stdout).0, vec![b'x', 0xff, 0, 0xc3]);
    }

    proptest! {
        #[test]
        fn beginning_and_end_are_exact(
            pieces in proptest::collection::vec((stream(), proptest::collection::vec(any::<u8>(), 0..40)), 0..20),
            head in 0_usize..60,
            tail in 0_usize..60,
        ) {
            let mut captured = Captured::new(head, tail);
            let mut all: Vec<(Stream, u8)> = Vec::new();
            for (stream, bytes) in &pieces {
                captured.push(*stream, bytes);
                all.extend(bytes.iter().map(|byte| (*stream, *byte)));
            }
            let kept_head = &all[..head.min(all.len())];
            let rest = &all[kept_head.len()..];
            let kept_tail = &rest[rest.len() - tail.min(rest.len())..];
            for stream in [Stream::Stdout, Stream::Stderr] {
                let of = |list: &[(Stream, u8)]| -> Vec<u8> {
                    list.iter().filter(|(from, _)| *from == stream).map(|(_, byte)| *byte).collect()
                };
                prop_assert_eq!(captured.bytes(stream), (of(kept_head), of(kept_tail)));
                prop_assert_eq!(captured.total(stream), of(&all).len() as u64);
            }
            prop_assert_eq!(captured.omitted(), (all.len() - kept_head.len() - kept_tail.len()) as u64);
            prop_assert!(captured.head.bytes.len() <= head && captured.tail.bytes.len() <= tail);
        }

        #[test]
        fn text_in_pieces_is_the_text(text in "\\PC{0,60}", cut in 1_usize..5) {
            let mut captured = Captured::default();
            for piece in text.as_bytes().chunks(cut) {
                captured.push(Stream::Stdout, piece);
            }
            prop_assert_eq!(captured.text(), Text { text, lossy: false });
        }
    }
}
