//! Incremental parser for server-sent events (WHATWG HTML, section 9.2.6 "Interpreting an event stream").
//!
//! Bytes may be cut anywhere, also inside a character or between CR and LF: a line is decoded only when it is complete,
//! and line ends are ASCII.

/// One dispatched event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field; empty means `message`.
    pub event: String,
    /// The `data` lines joined by line feeds.
    pub data: String,
    /// The last event id seen so far, if any.
    pub id: Option<String>,
}

/// One event is larger than the parser allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("one event of the stream is larger than {limit} bytes")]
pub struct EventTooLarge {
    /// The bound, in bytes.
    pub limit: usize,
}

/// The parser. Feed it with [`SseParser::push`].
#[derive(Debug)]
pub struct SseParser {
    limit: usize,
    line: Vec<u8>,
    first_line: bool,
    after_cr: bool,
    data: String,
    has_data: bool,
    event: String,
    id: Option<String>,
    retry_ms: Option<u64>,
}

impl SseParser {
    /// A parser that refuses events of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            first_line: true,
            after_cr: false,
            data: String::new(),
            has_data: false,
            event: String::new(),
            id: None,
            retry_ms: None,
        }
    }

    /// Takes the next bytes and appends the events they complete to `out`.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<SseEvent>) -> Result<(), EventTooLarge> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (head, rest) = bytes.split_at(end);
            if self.line.is_empty() {
                self.take_line(head, out)?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                self.take_line(&line, out)?;
                line.clear();
                self.line = line;
            }
            bytes = match rest {
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [b'\r', b'\n', tail @ ..] | [_, tail @ ..] => tail,
                [] => &[],
            };
        }
        self.line.extend_from_slice(bytes);
        self.check(self.line.len())
    }

    /// The event that the end of the stream cut off before its empty line, if it had data.
    ///
    /// The specification discards it; servers that forget the last empty line make it worth a look.
    pub fn finish(&mut self) -> Option<SseEvent> {
        let mut out = Vec::new();
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() && self.take_line(&line, &mut out).is_err() {
            return None;
        }
        self.dispatch(&mut out);
        out.pop()
    }

    /// The reconnection time the server asked for, in milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    fn check(&self, more: usize) -> Result<(), EventTooLarge> {
        if self.data.len() + more > self.limit { Err(EventTooLarge { limit: self.limit }) } else { Ok(()) }
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<SseEvent>) -> Result<(), EventTooLarge> {
        self.check(line.len())?;
        let line = if std::mem::take(&mut self.first_line) {
            line.strip_prefix(b"\xEF\xBB\xBF".as_slice()).unwrap_or(line)
        } else {
            line
        };
        if line.is_empty() {
            self.dispatch(out);
            return Ok(());
        }
        let text = String::from_utf8_lossy(line);
        let (field, value) = match text.split_once(':') {
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => (text.as_ref(), ""),
        };
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                // dropped: a number too large for milliseconds in 64 bits says nothing useful
                self.retry_ms = value.parse().ok();
            }
            // A comment (empty field name) or a field the specification does not know.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, out: &mut Vec<SseEvent>) {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            out.push(SseEvent { event, data, id: self.id.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let mut parser = SseParser::new(1 << 20);
        let mut out = Vec::new();
        for chunk in chunks {
            parser.push(chunk, &mut out).expect("within the limit");
        }
        out
    }

    fn data(events: &[SseEvent]) -> Vec<&str> {
        events.iter().map(|event| event.data.as_str()).collect()
    }

    #[test]
    fn the_three_line_ends_mean_the_same() {
        let text = "event: a\ndata: 1\ndata: 2\n\n: comment\ndata:3\n\n";
        let lf = parse(&[text.as_bytes()]);
        assert_eq!(data(&lf), ["1\n2", "3"]);
        assert_eq!(lf[0].event, "a");
        assert_eq!(lf[1].event, "");
        assert_eq!(parse(&[text.replace('\n', "\r\n").as_bytes()]), lf);
        assert_eq!(parse(&[text.replace('\n', "\r").as_bytes()]), lf);
    }

    #[test]
    fn fields_follow_the_specification() {
        let events = parse(&[
            "\u{feff}data\n\ndata: \n\ndata:  two spaces\nid: 7\n\nevent: lonely\n\nid: a\0b\nfoo: bar\ndata: x\n\n"
                .as_bytes(),
        ]);
        assert_eq!(data(&events), ["", "", " two spaces", "x"]);
        assert_eq!(events[0].id, None);
        assert_eq!(events[3].id.as_deref(), Some("7"), "an id with NUL is ignored and the last one stays");
        assert_eq!(events[3].event, "", "an event without data does not leak its name into the next one");
        let mut parser = SseParser::new(100);
        parser.push(b"retry: 1500\nretry: 1x\n", &mut Vec::new()).expect("small");
        assert_eq!(parser.retry_ms(), Some(1500));
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = SseParser::new(64);
        let mut out = Vec::new();
        assert_eq!(parser.push(&[b'x'; 65], &mut out), Err(EventTooLarge { limit: 64 }));
        let mut parser = SseParser::new(64);
        let refused = (0..20).any(|_| parser.push(b"data: 0123456789\n", &mut out).is_err());
        assert!(refused && out.is_empty());
    }

    #[test]
    fn the_end_of_the_stream_gives_up_the_unfinished_event() {
        let mut parser = SseParser::new(64);
        let mut out = Vec::new();
        parser.push(b"data: a\n\ndata: [DONE]", &mut out).expect("small");
        assert_eq!(data(&out), ["a"]);
        assert_eq!(parser.finish().map(|event| event.data), Some("[DONE]".into()));
        assert_eq!(parser.finish(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_split_gives_the_same_events(
            lines in prop::collection::vec(
                prop_oneof![
                    Just(String::new()),
                    "(data|event|id|retry|:)?:? ?[a-zé€😀0-9 :]{0,12}",
                ],
                0..20,
            ),
            ends in prop::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\r")], 20),
        ) {
            let text: String = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
            let bytes = text.as_bytes();
            let whole = parse(&[bytes]);
            for cut in 0..=bytes.len() {
                prop_assert_eq!(&parse(&[&bytes[..cut], &bytes[cut..]]), &whole);
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&parse(&single), &whole);
        }
    }
}
