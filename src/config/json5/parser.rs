//! Text to tree.

use super::node::{Kind, Member, Node, Number, Span};
use super::scan::{continues_identifier, skip_trivia, starts_identifier};
use super::{number, string};
use crate::config::path::{Segment, render};
use crate::core::limits::MAX_JSON_DEPTH;

/// Why and where a text is no JSON5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// Byte position.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) why: String,
    /// Key path of the value that was being read.
    pub(crate) key: String,
}

/// A parsed text.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The root.
    pub(crate) root: Node,
    /// Keys that stand twice in one object: path and place of the later one.
    pub(crate) duplicates: Vec<(String, Span)>,
    /// `Infinity` and `NaN`: path and place.
    pub(crate) not_finite: Vec<(String, Span)>,
}

/// Parses one value with white space and comments around it; `file` is written into every span.
pub(crate) fn parse(text: &str, file: usize) -> Result<Parsed, SyntaxError> {
    let mut parser =
        Parser { text, file, at: 0, path: Vec::new(), depth: 0, duplicates: Vec::new(), not_finite: Vec::new() };
    parser.trivia()?;
    if parser.at == text.len() {
        return Err(parser.error("the text is empty; a value was expected"));
    }
    let root = parser.value()?;
    parser.trivia()?;
    if parser.at < text.len() {
        let found = parser.found();
        return Err(parser.error(format!("found {found} after the end of the value")));
    }
    Ok(Parsed { root, duplicates: parser.duplicates, not_finite: parser.not_finite })
}

struct Parser<'t> {
    text: &'t str,
    file: usize,
    at: usize,
    path: Vec<Segment>,
    depth: usize,
    duplicates: Vec<(String, Span)>,
    not_finite: Vec<(String, Span)>,
}

impl Parser<'_> {
    fn error(&self, why: impl Into<String>) -> SyntaxError {
        self.error_at(self.at, why)
    }

    fn error_at(&self, at: usize, why: impl Into<String>) -> SyntaxError {
        SyntaxError { at, why: why.into(), key: render(&self.path) }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn span(&self, start: usize) -> Span {
        Span { file: self.file, start, end: self.at }
    }

    fn trivia(&mut self) -> Result<(), SyntaxError> {
        match skip_trivia(self.text, self.at) {
            Ok(at) => {
                self.at = at;
                Ok(())
            }
            Err(at) => Err(self.error_at(at, "the comment that starts here is never closed")),
        }
    }

    fn found(&self) -> String {
        let rest = &self.text[self.at..];
        match rest.chars().next() {
            None => "the end of the file".into(),
            Some(first) if continues_identifier(first) => {
                let word: String =
                    rest.chars().take_while(|&character| continues_identifier(character)).take(24).collect();
                format!("`{word}`")
            }
            Some(first) if first.is_control() => format!("the character U+{:04X}", u32::from(first)),
            Some(first) => format!("`{first}`"),
        }
    }

    fn value(&mut self) -> Result<Node, SyntaxError> {
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => self.nested(Self::object)?,
            Some('[') => self.nested(Self::array)?,
            Some('"' | '\'') => Kind::String(self.string()?),
            Some('0'..='9' | '+' | '-' | '.') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node { span: self.span(start), kind })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Kind, SyntaxError>) -> Result<Kind, SyntaxError> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(self.error(format!("more than {MAX_JSON_DEPTH} levels of nesting are not read")));
        }
        self.depth += 1;
        let kind = read(self);
        self.depth -= 1;
        kind
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        match string::read(&self.text[self.at..]) {
            Ok((length, text)) => {
                self.at += length;
                Ok(text)
            }
            Err(broken) => Err(self.error_at(self.at + broken.at, broken.why)),
        }
    }

    fn number(&mut self) -> Result<Kind, SyntaxError> {
        let start = self.at;
        let (length, number) = number::read(&self.text[self.at..]).map_err(|why| self.error(why))?;
        self.at += length;
        if number == Number::NotFinite {
            self.not_finite.push((render(&self.path), self.span(start)));
        }
        Ok(Kind::Number(number))
    }

    fn word(&mut self) -> Result<Kind, SyntaxError> {
        let rest = &self.text[self.at..];
        let length = rest.find(|character| !continues_identifier(character)).unwrap_or(rest.len());
        let kind = match &rest[..length] {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "Infinity" | "NaN" => return self.number(),
            "" => {
                let found = self.found();
                return Err(self.error(format!("found {found} where a value was expected")));
            }
            _ => {
                let found = self.found();
                return Err(self.error(format!("found {found} where a value was expected; texts need quotes")));
            }
        };
        self.at += length;
        Ok(kind)
    }

    fn array(&mut self) -> Result<Kind, SyntaxError> {
        let open = self.at;
        self.at += 1;
        let mut elements = Vec::new();
        loop {
            self.trivia()?;
            if self.peek() == Some(']') {
                break;
            }
            self.end_of_file(open, "list", ']')?;
            self.path.push(Segment::Index(elements.len()));
            let element = self.value()?;
            elements.push(element);
            self.trivia()?;
            let more = self.comma(open, "list", ']')?;
            self.path.pop();
            if !more {
                break;
            }
        }
        self.at += 1;
        Ok(Kind::Array(elements))
    }

    fn object(&mut self) -> Result<Kind, SyntaxError> {
        let open = self.at;
        self.at += 1;
        let mut members: Vec<Member> = Vec::new();
        let mut names = std::collections::HashSet::new();
        loop {
            self.trivia()?;
            if self.peek() == Some('}') {
                break;
            }
            self.end_of_file(open, "object", '}')?;
            let key_start = self.at;
            let key = self.key()?;
            let key_span = self.span(key_start);
            self.path.push(Segment::Key(key.clone()));
            if !names.insert(key.clone()) {
                self.duplicates.push((render(&self.path), key_span));
            }
            self.trivia()?;
            if self.peek() != Some(':') {
                let found = self.found();
                return Err(self.error(format!("found {found} where the `:` after the key was expected")));
            }
            self.at += 1;
            self.trivia()?;
            let value = self.value()?;
            members.push(Member { key, key_span, value });
            self.trivia()?;
            let more = self.comma(open, "object", '}')?;
            self.path.pop();
            if !more {
                break;
            }
        }
        self.at += 1;
        Ok(Kind::Object(members))
    }

    fn end_of_file(&self, open: usize, what: &str, close: char) -> Result<(), SyntaxError> {
        if self.at < self.text.len() {
            return Ok(());
        }
        let line = super::super::position::Position::of(self.text, open).line;
        Err(self.error(format!("the file ends inside the {what} opened in line {line}; its `{close}` is missing")))
    }

    /// Passes a comma; `false` if the closing bracket stands there instead.
    fn comma(&mut self, open: usize, what: &str, close: char) -> Result<bool, SyntaxError> {
        match self.peek() {
            Some(',') => {
                self.at += 1;
                Ok(true)
            }
            Some(character) if character == close => Ok(false),
            _ => {
                self.end_of_file(open, what, close)?;
                let found = self.found();
                Err(self.error(format!("found {found} where `,` or `{close}` was expected")))
            }
        }
    }

    fn key(&mut self) -> Result<String, SyntaxError> {
        match self.peek() {
            Some('"' | '\'') => self.string(),
            Some(first) if starts_identifier(first) || first == '\\' => self.identifier(),
            _ => {
                let found = self.found();
                Err(self.error(format!("found {found} where a key was expected")))
            }
        }
    }

    /// An unquoted key, with the `\uXXXX` escapes ECMAScript allows in names.
    fn identifier(&mut self) -> Result<String, SyntaxError> {
        let mut name = String::new();
        while let Some(character) = self.peek() {
            let (character, length) = if character == '\\' {
                let digits =
                    self.text.get(self.at + 2..self.at + 6).filter(|_| self.text[self.at + 1..].starts_with('u'));
                let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)); // dropped: any fault of the escape is reported below
                (code.ok_or_else(|| self.error("a key may only have escapes of the form `\\u0041`"))?, 6)
            } else {
                (character, character.len_utf8())
            };
            let allowed = if name.is_empty() { starts_identifier(character) } else { continues_identifier(character) };
            if !allowed {
                break;
            }
            name.push(character);
            self.at += length;
        }
        if name.is_empty() { Err(self.error("this key needs quotes")) } else { Ok(name) }
    }
}
