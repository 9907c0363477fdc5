//! `.env` files: `NAME=value`, `export NAME=value`, quotes, comments.

use std::collections::BTreeMap;

/// What a `.env` text says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dotenv {
    /// Variables; of two assignments the last wins.
    pub(super) vars: BTreeMap<String, String>,
    /// Lines (from 1) that are no assignment.
    pub(super) bad_lines: Vec<usize>,
}

/// Parses the text. Double quotes know `\n \r \t \\ \"` and may span lines, single quotes and backticks are taken as they
/// are and may span lines, an unquoted value ends at ` #` and is trimmed. Nothing is expanded.
pub(super) fn parse(text: &str) -> Dotenv {
    let mut result = Dotenv::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rest = text;
    while !rest.is_empty() {
        let number = text[..text.len() - rest.len()].matches('\n').count() + 1;
        let end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let line = rest[..end].trim();
        if line.is_empty() || line.starts_with('#') {
            rest = &rest[end..];
            continue;
        }
        if let Some((name, value, length)) = assignment(rest) {
            result.vars.insert(name, value);
            rest = &rest[length..];
            let tail = rest.find('\n').map_or(rest.len(), |at| at + 1);
            rest = &rest[tail..];
        } else {
            result.bad_lines.push(number);
            rest = &rest[end..];
        }
    }
    result
}

/// Name, value and how many bytes they took.
fn assignment(text: &str) -> Option<(String, String, usize)> {
    let line_end = text.find('\n').unwrap_or(text.len());
    let equals = text[..line_end].find('=')?;
    let name = text[..equals].trim();
    let name = name.strip_prefix("export").filter(|tail| tail.starts_with([' ', '\t'])).map_or(name, str::trim);
    let valid = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    if !valid {
        return None;
    }
    let after = &text[equals + 1..];
    let skipped = after.len() - after.trim_start_matches([' ', '\t']).len();
    let start = equals + 1 + skipped;
    let value = &text[start..];
    if let Some(quote) = value.chars().next().filter(|character| matches!(character, '"' | '\'' | '`'))
        && let Some((inner, length)) = quoted(value, quote)
    {
        return Some((name.to_owned(), inner, start + length));
    }
    let plain = text[start.min(line_end)..line_end].trim_end();
    let plain = if plain.starts_with('#') {
        ""
    } else {
        plain.find(" #").or_else(|| plain.find("\t#")).map_or(plain, |at| &plain[..at])
    };
    Some((name.to_owned(), plain.trim().to_owned(), line_end))
}

fn quoted(value: &str, quote: char) -> Option<(String, usize)> {
    let mut inner = String::new();
    let mut characters = value.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => return Some((inner, at + 1)),
            '\\' if quote == '"' => match characters.next()?.1 {
                'n' => inner.push('\n'),
                'r' => inner.push('\r'),
                't' => inner.push('\t'),
                other @ ('\\' | '"' | '$') => inner.push(other),
                other => inner.extend(['\\', other]),
            },
            other => inner.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_forms() {
        let text = "# comment\n\nA=1\nexport B = two words  # note\nC=\"x\\ny # kept\" # note\nD='raw \\n $E'\nE=\nF=a#b\r\nG=\"two\nlines\"\nH=`tick`\nA=2\nURL=postgres://u:p@h/db?x=1\n";
        let parsed = parse(text);
        let get = |name: &str| parsed.vars.get(name).map(String::as_str);
        assert_eq!(get("A"), Some("2"));
        assert_eq!(get("B"), Some("two words"));
        assert_eq!(get("C"), Some("x\ny # kept"));
        assert_eq!(get("D"), Some("raw \\n $E"));
        assert_eq!(get("E"), Some(""));
        assert_eq!(get("F"), Some("a#b"));
        assert_eq!(get("G"), Some("two\nlines"));
        assert_eq!(get("H"), Some("tick"));
        assert_eq!(get("URL"), Some("postgres://u:p@h/db?x=1"));
        assert_eq!(parsed.bad_lines, Vec::<usize>::new());
    }

    #[test]
    fn names_bad_lines_and_reads_on() {
        let parsed = parse("A=1\nthis is prose\n9X=1\nB=\"never closed\nC=3");
        assert_eq!(parsed.bad_lines, vec![2, 3]);
        assert_eq!(parsed.vars.get("B").map(String::as_str), Some("\"never closed"));
        assert_eq!(parsed.vars.get("C").map(String::as_str), Some("3"));
    }
}
