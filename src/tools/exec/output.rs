//! What a command has written: its beginning and its end for the model, all of it up to a bound for the log, each piece as text for those
//! who watch.

use super::text::{Decoder, without_nul};
use crate::sandbox::{Captured, Stream};
use crate::tools::process::OutputLog;
use crate::tools::{ProgressSink, ToolProgress};

/// Bytes kept from the start of the output.
const HEAD: usize = 20 * 1024;
/// Bytes kept from its end; with the head below what a tool may return.
const TAIL: usize = 28 * 1024;
/// Most bytes that are kept for the log of an output that was cut.
pub(super) const MAX_LOG: usize = 8 * 1024 * 1024;

/// Both outputs in the order in which they arrived.
pub(super) struct Output {
    captured: Captured,
    decoders: [Decoder; 2],
    progress: ProgressSink,
    log: Option<Vec<u8>>,
    session: Option<OutputLog>,
}

impl Output {
    /// Tells `progress` of each piece. With `keep_log` the raw bytes are kept, up to [`MAX_LOG`]; with `may_stay` what a background session
    /// would have to show.
    pub(super) fn new(progress: ProgressSink, keep_log: bool, may_stay: bool) -> Self {
        Self {
            captured: Captured::new(HEAD, TAIL),
            decoders: <[Decoder; 2]>::default(),
            progress,
            log: keep_log.then(Vec::new),
            session: may_stay.then(OutputLog::default),
        }
    }

    /// Takes a piece.
    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        self.captured.push(stream, bytes);
        if let Some(log) = &mut self.log {
            let room = MAX_LOG - log.len();
            log.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        if let Some(session) = &mut self.session {
            session.push(stream, bytes);
        }
        let (index, stream) = match stream {
            Stream::Stdout => (0, "stdout"),
            Stream::Stderr => (1, "stderr"),
        };
        let text = self.decoders[index].decode(bytes);
        if !text.is_empty() {
            (self.progress)(ToolProgress { stream, text });
        }
    }

    /// What the model sees: everything, or head and tail with a mark between them; and whether bytes in it were no text.
    pub(super) fn text(&self) -> (String, bool) {
        let text = self.captured.text();
        let lossy = text.lossy || text.text.contains('\0');
        (without_nul(text.text), lossy)
    }

    /// Whether [`Self::text`] is not everything.
    pub(super) fn is_cut(&self) -> bool {
        self.captured.truncated()
    }

    /// Bytes of one of the outputs.
    pub(super) fn total(&self, stream: Stream) -> u64 {
        self.captured.total(stream)
    }

    /// The kept bytes, when the text was cut and they were asked for.
    pub(super) fn take_log(&mut self) -> Option<Vec<u8>> {
        self.log.take().filter(|_| self.is_cut())
    }

    /// What a background session starts with.
    pub(super) fn into_session(self) -> OutputLog {
        self.session.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::tools::support::SOFT_LIMIT;

    fn quiet() -> ProgressSink {
        Arc::new(|_| {})
    }

    #[test]
    fn watchers_get_each_piece_as_text_with_its_escapes() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let mut output = Output::new(
            Arc::new(move |progress: ToolProgress| {
                sink.lock().unwrap().push(format!("{}:{}", progress.stream, progress.text))
            }),
            false,
            false,
        );
        output.push(Stream::Stdout, b"\xe2\x82");
        output.push(Stream::Stderr, b"\x1b[31mwarning ");
        output.push(Stream::Stdout, b"\xac");
        assert_eq!(*seen.lock().unwrap(), ["stderr:\u{1b}[31mwarning ", "stdout:\u{20ac}"]);
        assert_eq!(output.text(), ("\u{1b}[31mwarning \u{20ac}".to_owned(), false));
        output.push(Stream::Stdout, b"\0");
        assert!(output.text().1 && output.text().0.ends_with('\u{2400}'));
        assert_eq!((output.total(Stream::Stdout), output.total(Stream::Stderr)), (4, 13));
    }

    #[test]
    fn a_flood_keeps_its_ends_and_a_bounded_log() {
        let mut output = Output::new(quiet(), true, false);
        output.push(Stream::Stdout, b"the start\n");
        let line = "y\n".repeat(4096);
        for _ in 0..2000 {
            output.push(Stream::Stdout, line.as_bytes());
        }
        output.push(Stream::Stderr, b"the end");
        let (text, _) = output.text();
        assert!(text.starts_with("the start\ny\n") && text.ends_with("y\nthe end"), "{}", text.len());
        assert!(output.is_cut() && text.len() < SOFT_LIMIT, "{}", text.len());
        assert_eq!(output.take_log().unwrap().len(), MAX_LOG);
    }

    #[test]
    fn short_outputs_have_no_log() {
        let mut output = Output::new(quiet(), true, true);
        output.push(Stream::Stdout, b"short");
        assert!(!output.is_cut() && output.take_log().is_none());
        assert_eq!(output.into_session().end(), 5);
    }
}
