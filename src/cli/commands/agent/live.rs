//! Live output of running tools: dimmed and indented on stderr, so that the reply on stdout stays the reply.

use std::collections::HashMap;

use crate::cli::output::{Meaning, Output, Strip, say_part};

/// What stands before each line.
const INDENT: &str = "  ";

/// The live output of a turn's calls.
pub(super) struct LiveOutput {
    out: Output,
    streams: HashMap<String, Strip>,
    in_line: bool,
}

impl LiveOutput {
    pub(super) fn new(out: Output) -> Self {
        Self { out, streams: HashMap::new(), in_line: false }
    }

    /// More output of a call.
    pub(super) fn show(&mut self, call: &str, stream: &str, text: &str) {
        let plain = self.streams.entry(format!("{call} {stream}")).or_default().feed(text);
        say_part(&self.lines(&plain));
    }

    /// Ends a line that was begun, so that the next thing starts on one of its own.
    pub(super) fn end_line(&mut self) {
        if std::mem::take(&mut self.in_line) {
            say_part("\n");
        }
    }

    /// A call has ended.
    pub(super) fn end(&mut self, call: &str) {
        self.end_line();
        self.streams.retain(|name, _| name.split(' ').next() != Some(call));
    }

    fn lines(&mut self, plain: &str) -> String {
        let mut shown = String::new();
        for line in plain.split_inclusive('\n') {
            let text = line.trim_end_matches('\n');
            if !text.is_empty() {
                if !self.in_line {
                    shown.push_str(INDENT);
                }
                shown.push_str(&self.out.paint_err(Meaning::Dim, text));
            }
            self.in_line = !line.ends_with('\n');
            if !self.in_line {
                shown.push('\n');
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Format;

    #[test]
    fn lines_are_indented_once_however_they_come() {
        let mut live = LiveOutput::new(Output::plain(Format::Text));
        assert_eq!(live.lines("one\ntw"), "  one\n  tw");
        assert_eq!(live.lines("o\n\nthree"), "o\n\n  three");
        assert!(live.in_line);
    }
}
