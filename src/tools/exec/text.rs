//! Bytes of a command, piece by piece, as text.

/// Turns pieces of bytes of one stream into text. A character that is cut at the end of a piece waits for the next one.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    /// The text of the next piece. Bytes that are not UTF-8 become U+FFFD; see [`without_nul`].
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> String {
        let joined: Vec<u8>;
        let bytes = if self.pending.is_empty() {
            bytes
        } else {
            joined = [self.pending.as_slice(), bytes].concat();
            self.pending.clear();
            &joined
        };
        let mut text = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            let may_be_completed =
                chunks.peek().is_none() && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if may_be_completed {
                self.pending = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        without_nul(text)
    }
}

/// NUL as U+2400: databases, model servers and clients stumble over the character itself.
pub(crate) fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{2400}") } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_survive_cuts_and_other_bytes_are_marked() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(b"a\xe2\x82"), "a");
        assert_eq!(decoder.decode(b"\xacb"), "\u{20ac}b");
        assert_eq!(decoder.decode(b"x\xff\0\x1b[31m"), "x\u{fffd}\u{2400}\u{1b}[31m");
        assert_eq!(decoder.decode(b"\xf0\x9f"), "");
        assert_eq!(decoder.decode(b"!"), "\u{fffd}!");
    }

    proptest! {
        #[test]
        fn text_in_pieces_is_the_text_at_once(text in "[^\\x00]{0,200}", cuts in proptest::collection::vec(1_usize..5, 0..80)) {
            let mut decoder = Decoder::default();
            let (mut rest, mut joined) = (text.as_bytes(), String::new());
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                joined.push_str(&decoder.decode(piece));
                rest = after;
            }
            joined.push_str(&decoder.decode(rest));
            prop_assert_eq!(joined, text);
        }
    }
}
