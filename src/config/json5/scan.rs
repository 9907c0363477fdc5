//! Characters, white space and comments.

/// Whether JSON5 ends a line here: `\n`, `\r`, U+2028, U+2029.
pub(crate) fn is_line_terminator(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// White space of JSON5: the ASCII ones, no-break space, byte order mark and Unicode's space separators.
fn is_space(character: char) -> bool {
    is_line_terminator(character)
        || matches!(
            character,
            '\t' | '\u{b}' | '\u{c}' | ' ' | '\u{a0}' | '\u{feff}' | '\u{1680}' | '\u{2000}'
                ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
        )
}

/// Position after white space and comments from `at`; `Err` with the start of a block comment that never ends.
pub(crate) fn skip_trivia(text: &str, at: usize) -> Result<usize, usize> {
    skip(text, at, false)
}

/// Like [`skip_trivia`] but stops in front of the line's end. A block comment that spans lines is passed.
pub(crate) fn skip_trivia_on_line(text: &str, at: usize) -> usize {
    skip(text, at, true).unwrap_or(at)
}

fn skip(text: &str, mut at: usize, stop_at_line_end: bool) -> Result<usize, usize> {
    loop {
        let rest = &text[at..];
        let Some(character) = rest.chars().next() else { return Ok(at) };
        if is_space(character) {
            if stop_at_line_end && is_line_terminator(character) {
                return Ok(at);
            }
            at += character.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find(is_line_terminator).unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            at += comment.find("*/").map(|length| length + 4).ok_or(at)?;
        } else {
            return Ok(at);
        }
    }
}

/// Whether a character may start an unquoted key.
pub(super) fn starts_identifier(character: char) -> bool {
    character == '$' || character == '_' || character.is_alphabetic()
}

/// Whether a character may continue an unquoted key.
pub(super) fn continues_identifier(character: char) -> bool {
    starts_identifier(character) || character.is_numeric() || matches!(character, '\u{200c}' | '\u{200d}')
}

/// Whether a key needs no quotes. Only ASCII is said to need none: what other readers hold for a letter may differ.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii() && starts_identifier(first))
        && characters.all(|character| character.is_ascii() && continues_identifier(character))
}
