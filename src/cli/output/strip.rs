//! Live output of commands as plain lines: colours, cursor moves and titles are for the terminal of the command, not for ours.

use super::text::clean;

/// Removes escape sequences (ECMA-48) from text that comes in pieces; what is left is safe for a terminal.
#[derive(Debug, Default)]
pub(crate) struct Strip {
    place: Place,
    after_return: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// In a control sequence, up to its final byte.
    Control,
    /// In a string (title, hyperlink), up to BEL or ESC `\`.
    Sequence,
    /// After an ESC in such a string.
    SequenceEscape,
}

impl Strip {
    /// The plain text of the next piece. A carriage return ends a line, so that a progress bar becomes lines.
    pub(crate) fn feed(&mut self, piece: &str) -> String {
        let mut plain = String::with_capacity(piece.len());
        for character in piece.chars() {
            if std::mem::take(&mut self.after_return) && character == '\n' {
                continue;
            }
            self.place = match (self.place, character) {
                // After ESC also the intermediate bytes of a two-character sequence.
                (Place::Text | Place::Escape | Place::Control, '\u{1b}') | (Place::Escape, ' '..='/') => Place::Escape,
                (Place::Text, '\u{9b}') | (Place::Escape, '[') | (Place::Control, ' '..='?') => Place::Control,
                (Place::Text, '\u{90}' | '\u{9d}' | '\u{9e}' | '\u{9f}')
                | (Place::Escape, ']' | 'P' | 'X' | '^' | '_') => Place::Sequence,
                (Place::Text, '\r') => {
                    plain.push('\n');
                    self.after_return = true;
                    Place::Text
                }
                // Backspace and bell leave nothing to see.
                (Place::Text, character) if !matches!(character, '\u{7}' | '\u{8}') => {
                    plain.push(character);
                    Place::Text
                }
                (Place::Sequence, '\u{1b}') => Place::SequenceEscape,
                (Place::Sequence, character) if !matches!(character, '\u{7}' | '\u{9c}' | '\n') => Place::Sequence,
                (Place::SequenceEscape, character) if character != '\\' => Place::Sequence,
                _ => Place::Text,
            };
        }
        clean(&plain)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strip(pieces: &[&str]) -> String {
        let mut strip = Strip::default();
        pieces.iter().map(|piece| strip.feed(piece)).collect()
    }

    #[test]
    fn colours_titles_and_links_leave_their_text() {
        assert_eq!(strip(&["\u{1b}[1;31mred\u{1b}[0m plain"]), "red plain");
        assert_eq!(strip(&["\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\b"]), "alinkb");
        assert_eq!(strip(&["a\u{1b}[2J\u{1b}(Bb\u{9b}31mc"]), "abc");
    }

    #[test]
    fn sequences_may_be_cut_anywhere() {
        assert_eq!(strip(&["a\u{1b}", "[3", "1mb\r", "\nc"]), "ab\nc");
    }

    #[test]
    fn a_progress_bar_becomes_lines() {
        assert_eq!(strip(&["10%\r20%\r\ndone\n"]), "10%\n20%\ndone\n");
    }

    #[test]
    fn an_endless_title_ends_with_its_line() {
        assert_eq!(strip(&["\u{1b}]0;never closed\nshown"]), "shown");
    }

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_is_left(pieces in proptest::collection::vec(any::<String>(), 0..4)) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let plain = strip(&pieces);
            prop_assert!(!plain.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t')));
        }

        #[test]
        fn the_cut_does_not_matter(text in "[a\u{1b}\\[\\]0;m\u{7}\r\n\\\\]{0,24}", at in 0usize..24) {
            let at = text.floor_char_boundary(at.min(text.len()));
            prop_assert_eq!(strip(&[&text[..at], &text[at..]]), strip(&[&text]));
        }
    }
}
