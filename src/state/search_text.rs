//! Text as the full-text index sees it, what people type to find it, and what they are shown. Pure.

use std::borrow::Cow;

/// Characters of an excerpt before the match.
const BEFORE: usize = 40;
/// Characters of an excerpt in all.
const EXCERPT: usize = 160;

/// Puts spaces around characters of scripts written without spaces, so that each is a word of its own; a query for
/// several of them becomes a phrase.
pub(super) fn separate(text: &str) -> Cow<'_, str> {
    if !text.chars().any(stands_alone) {
        return Cow::Borrowed(text);
    }
    let mut separated = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        if stands_alone(character) {
            separated.extend([' ', character, ' ']);
        } else {
            separated.push(character);
        }
    }
    Cow::Owned(separated)
}

/// Kana, Han and Hangul syllables.
fn stands_alone(character: char) -> bool {
    matches!(u32::from(character),
        0x3040..=0x30FF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF
        | 0x2_0000..=0x3_FFFF)
}

/// A parsed query.
#[derive(Debug, PartialEq)]
pub(super) struct Search {
    terms: Vec<Term>,
}

#[derive(Debug, PartialEq)]
struct Term {
    text: String,
    /// The word may go on.
    prefix: bool,
}

impl Search {
    /// Everything that is not a quote is text: no input is a syntax error.
    pub(super) fn parse(query: &str) -> Self {
        let mut terms = Vec::new();
        let mut parts = query.split('"').enumerate().peekable();
        while let Some((index, part)) = parts.next() {
            let quoted = index % 2 == 1;
            let words: Vec<&str> = if quoted { vec![part.trim()] } else { part.split_whitespace().collect() };
            let last = parts.peek().is_none();
            let count = words.len();
            for (word, text) in words.into_iter().enumerate() {
                if text.chars().any(char::is_alphanumeric) {
                    let prefix = last && !quoted && word + 1 == count && !query.ends_with(char::is_whitespace);
                    terms.push(Term { text: text.to_owned(), prefix });
                }
            }
        }
        Self { terms }
    }

    /// The query in FTS5's language; `None` if it has no words.
    pub(super) fn expression(&self) -> Option<String> {
        let terms: Vec<String> = self
            .terms
            .iter()
            .map(|term| {
                let words = separate(&term.text).replace('\0', " ");
                format!("\"{words}\"{}", if term.prefix { "*" } else { "" })
            })
            .collect();
        (!terms.is_empty()).then(|| terms.join(" AND "))
    }

    /// The part of `text` around the first match, on one line.
    pub(super) fn excerpt(&self, text: &str) -> String {
        let characters: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let lower: Vec<char> = characters.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
        let at = self
            .terms
            .iter()
            .filter_map(|term| {
                let needle: Vec<char> = term.text.chars().flat_map(char::to_lowercase).collect();
                lower.windows(needle.len().max(1)).position(|window| window == needle)
            })
            .min()
            .unwrap_or(0);
        let start = if at <= BEFORE || characters.len() <= EXCERPT { 0 } else { at - BEFORE };
        let end = (start + EXCERPT).min(characters.len());
        let middle: String = characters[start..end].iter().collect();
        let words: Vec<&str> = middle.split_whitespace().collect();
        format!(
            "{}{}{}",
            if start > 0 { "…" } else { "" },
            words.join(" "),
            if end < characters.len() { "…" } else { "" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(query: &str) -> Option<String> {
        Search::parse(query).expression()
    }

    #[test]
    fn words_phrases_and_beginnings() {
        assert_eq!(expression("red fis").as_deref(), Some(r#""red" AND "fis"*"#));
        assert_eq!(expression("red fish ").as_deref(), Some(r#""red" AND "fish""#));
        assert_eq!(expression(r#""red fish" bl"#).as_deref(), Some(r#""red fish" AND "bl"*"#));
        assert_eq!(expression("世界").as_deref(), Some(r#"" 世  界 "*"#));
        assert_eq!(expression("  \" - \" * "), None);
    }

    #[test]
    fn an_excerpt_shows_the_match() {
        let text = format!("{} the Needle\nis here {}", "hay ".repeat(60), "straw ".repeat(60));
        let excerpt = Search::parse("needle").excerpt(&text);
        assert!(excerpt.contains("the Needle is here"), "{excerpt}");
        assert!(excerpt.starts_with('…') && excerpt.ends_with('…'), "{excerpt}");
        assert_eq!(Search::parse("x").excerpt("short"), "short");
        assert_eq!(Search::parse("needle").excerpt(""), "");
    }
}
