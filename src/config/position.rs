//! Byte positions to the lines and columns people count in.

use super::json5::is_line_terminator;

/// A place in a text, both numbers from 1. Columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Line.
    pub(crate) line: usize,
    /// Column.
    pub(crate) column: usize,
}

impl Position {
    /// The place of a byte; the end of the text for a byte behind it.
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before = &text[..text.floor_char_boundary(byte)];
        let mut position = Self { line: 1, column: 1 };
        let mut previous = ' ';
        for character in before.chars() {
            if is_line_terminator(character) {
                if !(previous == '\r' && character == '\n') {
                    position.line += 1;
                }
                position.column = 1;
            } else {
                position.column += 1;
            }
            previous = character;
        }
        position
    }
}
