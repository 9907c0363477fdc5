//! Quoted strings and the escapes in them.

use super::scan::is_line_terminator;

/// A string that could not be read: where (relative to the opening quote) and why.
pub(super) struct Broken {
    /// Bytes from the opening quote.
    pub(super) at: usize,
    /// Why.
    pub(super) why: String,
}

/// Reads the string whose opening quote starts `rest`: its length in bytes, both quotes included, and its text.
pub(super) fn read(rest: &str) -> Result<(usize, String), Broken> {
    let mut characters = rest.char_indices().peekable();
    let Some((_, quote)) = characters.next() else { return Err(broken(0, "a string was expected")) };
    let mut text = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => return Ok((at + character.len_utf8(), text)),
            '\\' => {
                let Some((_, escaped)) = characters.next() else { break };
                match escaped {
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{c}'),
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'v' => text.push('\u{b}'),
                    '0' if !characters.peek().is_some_and(|(_, next)| next.is_ascii_digit()) => text.push('\0'),
                    '0'..='9' => return Err(broken(at, "a backslash must not stand before a digit")),
                    'x' => text.push(char::from(u8::try_from(hex(&mut characters, at, 2)?).unwrap_or(b'?'))),
                    'u' => text.push(unicode(&mut characters, at)?),
                    '\r' => drop(characters.next_if(|(_, next)| *next == '\n')),
                    _ if is_line_terminator(escaped) => {}
                    other => text.push(other),
                }
            }
            '\n' | '\r' => return Err(broken(0, "the string that starts here is not closed on its line")),
            other => text.push(other),
        }
    }
    Err(broken(0, "the string that starts here is never closed"))
}

type Characters<'t> = std::iter::Peekable<std::str::CharIndices<'t>>;

fn broken(at: usize, why: &str) -> Broken {
    Broken { at, why: why.into() }
}

fn hex(characters: &mut Characters<'_>, at: usize, digits: usize) -> Result<u32, Broken> {
    let mut value = 0;
    for _ in 0..digits {
        let digit = characters.next().and_then(|(_, character)| character.to_digit(16));
        value =
            value * 16 + digit.ok_or_else(|| broken(at, &format!("this escape needs {digits} hexadecimal digits")))?;
    }
    Ok(value)
}

fn unicode(characters: &mut Characters<'_>, at: usize) -> Result<char, Broken> {
    let first = hex(characters, at, 4)?;
    let code = if (0xD800..0xDC00).contains(&first) {
        let follows = characters.next().is_some_and(|(_, character)| character == '\\')
            && characters.next().is_some_and(|(_, character)| character == 'u');
        let second = if follows { hex(characters, at, 4)? } else { 0 };
        if !(0xDC00..0xE000).contains(&second) {
            return Err(broken(at, "this escape is one half of a character; the other half is missing"));
        }
        0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
    } else {
        first
    };
    char::from_u32(code).ok_or_else(|| broken(at, "this escape names no character"))
}
