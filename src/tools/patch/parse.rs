//! From text to [`Patch`].

use super::error::shown;
use super::wrapper::unwrap;
use super::{Action, Chunk, ChunkLine, Patch, PatchError, Section};

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File:";
const DELETE: &str = "*** Delete File:";
const UPDATE: &str = "*** Update File:";
const MOVE: &str = "*** Move to:";
const END_OF_FILE: &str = "*** End of File";
/// Where the reference implementation would run; there is one place here.
const ENVIRONMENT: &str = "*** Environment ID:";

const A_SECTION: &str =
    "A section begins with '*** Add File: <path>', '*** Update File: <path>' or '*** Delete File: <path>'";
const A_LINE: &str = "A line of an update begins with a space, '+', '-' or '@@'";

/// Parses a patch. Blank lines between sections and white space around markers do not matter.
pub fn parse(text: &str) -> Result<Patch, PatchError> {
    let (before, text) = unwrap(text);
    // What is before a line feed belongs to the line ending; files keep their own.
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let (first, last) = (lines.first().copied().unwrap_or_default(), lines.last().copied().unwrap_or_default());
    if first.trim() != BEGIN {
        return Err(PatchError::NoBegin { found: shown(first) });
    }
    if lines.len() < 2 || last.trim() != END {
        return Err(PatchError::NoEnd { found: shown(last) });
    }
    let mut parser = Parser { lines: &lines[..lines.len() - 1], at: 1, before };
    if parser.peek().is_some_and(|line| line.trim().starts_with(ENVIRONMENT)) {
        parser.at += 1;
    }
    let mut sections = Vec::new();
    while let Some(section) = parser.section()? {
        sections.push(section);
    }
    if sections.is_empty() { Err(PatchError::Empty) } else { Ok(Patch { sections }) }
}

struct Parser<'a> {
    lines: &'a [&'a str],
    at: usize,
    /// Lines before the patch itself.
    before: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    /// Number of the current line, from 1.
    fn number(&self) -> usize {
        self.before + self.at + 1
    }

    fn unexpected(&self, line: &str, expected: &'static str) -> PatchError {
        PatchError::Line { line: self.number(), found: shown(line), expected }
    }

    /// A marker's argument, if the line is that marker.
    fn argument(&self, line: &'a str, marker: &str) -> Option<Result<&'a str, PatchError>> {
        let argument = line.trim().strip_prefix(marker)?.trim();
        Some(if argument.is_empty() {
            Err(PatchError::Section { line: self.number(), what: format!("{marker} names no file") })
        } else {
            Ok(argument)
        })
    }

    fn section(&mut self) -> Result<Option<Section>, PatchError> {
        while self.peek().is_some_and(|line| line.trim().is_empty()) {
            self.at += 1;
        }
        let Some(header) = self.peek() else { return Ok(None) };
        let line = self.number();
        let (path, action) = if let Some(path) = self.argument(header, ADD) {
            self.at += 1;
            (path?, self.added()?)
        } else if let Some(path) = self.argument(header, DELETE) {
            self.at += 1;
            (path?, Action::Delete)
        } else if let Some(path) = self.argument(header, UPDATE) {
            self.at += 1;
            let path = path?;
            (path, self.update(path, line)?)
        } else {
            return Err(self.unexpected(header, A_SECTION));
        };
        Ok(Some(Section { path: path.to_owned(), line, action }))
    }

    fn added(&mut self) -> Result<Action, PatchError> {
        let mut content = String::new();
        while let Some(text) = self.peek().and_then(|line| line.strip_prefix('+')) {
            content.push_str(text);
            content.push('\n');
            self.at += 1;
        }
        match self.peek() {
            Some(line) if !line.trim().is_empty() && !line.trim_start().starts_with("*** ") => {
                Err(self.unexpected(line, "Every line of an added file begins with '+'"))
            }
            _ => {
                let next = self.lines[self.at..].iter().find(|line| !line.trim().is_empty());
                match next {
                    // A blank line inside of the content, most likely: adding the file without it would be a guess.
                    Some(line) if line.starts_with('+') => {
                        Err(self.unexpected("", "Every line of an added file begins with '+', empty ones too"))
                    }
                    _ => Ok(Action::Add { content }),
                }
            }
        }
    }

    fn update(&mut self, path: &str, line: usize) -> Result<Action, PatchError> {
        let mut move_to = None;
        if let Some(target) = self.peek().and_then(|next| self.argument(next, MOVE)) {
            move_to = Some(target?.to_owned());
            self.at += 1;
        }
        let mut chunks: Vec<Chunk> = Vec::new();
        while let Some(chunk) = self.chunk(chunks.is_empty())? {
            chunks.push(chunk);
        }
        if chunks.is_empty() && move_to.is_none() {
            let what = format!("the update of {} changes nothing. Give lines that begin with '-' or '+'", shown(path));
            return Err(PatchError::Section { line, what });
        }
        Ok(Action::Update { move_to, chunks })
    }

    fn chunk(&mut self, first: bool) -> Result<Option<Chunk>, PatchError> {
        let mut chunk = Chunk { line: self.number(), ..Chunk::default() };
        let mut headers = 0;
        // Blank lines before an `@@` line or the next section are no content.
        let content = self.lines[self.at..].iter().position(|line| !line.trim().is_empty());
        match content.map(|skipped| (skipped, self.lines[self.at + skipped])) {
            None => {
                self.at = self.lines.len();
                return Ok(None);
            }
            Some((skipped, line)) if line.starts_with("***") || line.starts_with("@@") => self.at += skipped,
            Some((skipped, line)) if skipped > 0 && is_padded_section(line) => self.at += skipped,
            Some(_) => {}
        }
        while let Some(context) = self.peek().and_then(|line| line.strip_prefix("@@")) {
            headers += 1;
            self.at += 1;
            let context = context.trim_end();
            if is_numbered(context) {
                chunk.numbered = true;
            } else if !context.trim().is_empty() {
                // One space belongs to the marker.
                chunk.contexts.push(context.strip_prefix(' ').unwrap_or(context).to_owned());
            }
        }
        let Some(line) = self.peek() else { return unfinished(headers, chunk.line) };
        if line.starts_with("***") && line.trim_end() != END_OF_FILE || headers == 0 && is_padded_section(line) {
            return unfinished(headers, chunk.line);
        }
        if headers == 0 && !first {
            return Err(self.unexpected(line, "Each further chunk of a file begins with an '@@' line"));
        }
        while let Some(line) = self.peek() {
            if line.trim_end() == END_OF_FILE {
                chunk.end_of_file = true;
                self.at += 1;
                break;
            }
            if line.starts_with("***") || line.starts_with("@@") {
                break;
            }
            chunk.lines.push(match (line.get(..1), line.get(1..)) {
                (Some(" "), Some(text)) => ChunkLine::Keep(text.to_owned()),
                (Some("-"), Some(text)) => ChunkLine::Remove(text.to_owned()),
                (Some("+"), Some(text)) => ChunkLine::Add(text.to_owned()),
                // Models drop the space of an empty line.
                _ if line.is_empty() => ChunkLine::Keep(String::new()),
                _ => return Err(self.unexpected(line, A_LINE)),
            });
            self.at += 1;
        }
        if chunk.lines.is_empty() {
            let what = "the chunk has no lines. Give the lines to change after the '@@' line".to_owned();
            return Err(PatchError::Section { line: chunk.line, what });
        }
        Ok(Some(chunk))
    }
}

/// No chunk follows; an `@@` line alone is none.
fn unfinished(headers: usize, line: usize) -> Result<Option<Chunk>, PatchError> {
    if headers == 0 {
        return Ok(None);
    }
    let what = "the chunk has no lines. Give the lines to change after the '@@' line".to_owned();
    Err(PatchError::Section { line, what })
}

/// A section's first line with white space before it. Inside of a chunk that would be a line of the file.
fn is_padded_section(line: &str) -> bool {
    let trimmed = line.trim_start();
    trimmed.len() < line.len() && [ADD, DELETE, UPDATE].iter().any(|marker| trimmed.starts_with(marker))
}

/// ` -12,3 +12,4 @@ fn main()`: what unified diffs have there.
fn is_numbered(context: &str) -> bool {
    let mut words = context.split_whitespace();
    let is_range = |word: Option<&str>, sign: char| {
        word.and_then(|word| word.strip_prefix(sign)).is_some_and(|range| {
            !range.is_empty() && range.chars().all(|character| character.is_ascii_digit() || character == ',')
        })
    };
    is_range(words.next(), '-') && is_range(words.next(), '+') && words.next().is_none_or(|word| word == "@@")
}
