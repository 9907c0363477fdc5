//! The reader of shell lines.

use std::iter::Peekable;
use std::str::Chars;

use super::{Input, MAX_BYTES, MAX_COMMANDS, Opaque, Simple, Word};

/// The simple commands of a line, in order.
pub(in super::super) fn read(line: &str) -> Result<Vec<Simple>, Opaque> {
    if line.len() > MAX_BYTES {
        return Err(Opaque("is too long to be read"));
    }
    if line.chars().any(is_deceptive) {
        return Err(Opaque("has control characters or invisible characters"));
    }
    let mut reader = Reader { rest: line.chars().peekable(), commands: Vec::new(), current: Simple::default() };
    reader.line()?;
    if reader.commands.is_empty() {
        return Err(Opaque("is empty"));
    }
    Ok(reader.commands)
}

/// What a person would not see, or would see in another place.
pub(in super::super) fn is_deceptive(character: char) -> bool {
    (character.is_control() && !matches!(character, '\t' | '\n'))
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What joins a command with the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    /// `;` or the end of a line: another may follow.
    End,
    /// `&&`, `||`: another must follow.
    Logic,
    /// `|`: another must follow, and reads from this one.
    Pipe,
}

struct Reader<'l> {
    rest: Peekable<Chars<'l>>,
    commands: Vec<Simple>,
    current: Simple,
}

impl Reader<'_> {
    fn line(&mut self) -> Result<(), Opaque> {
        let mut before = Join::End;
        loop {
            let Some(&next) = self.rest.peek() else { break };
            match next {
                ' ' | '\t' => {
                    self.rest.next();
                }
                '\n' => {
                    self.rest.next();
                    if !self.current.words.is_empty() {
                        self.finish(Join::End, &mut before)?;
                    }
                }
                ';' | '&' | '|' => {
                    let join = self.operator()?;
                    self.finish(join, &mut before)?;
                }
                '(' | ')' => return Err(Opaque("has parentheses")),
                '<' | '>' => self.redirection(false)?,
                _ => self.word_or_redirection()?,
            }
        }
        if !self.current.words.is_empty() {
            self.finish(Join::End, &mut before)?;
        }
        match before {
            Join::End => Ok(()),
            Join::Logic | Join::Pipe => Err(Opaque("is not complete")),
        }
    }

    fn operator(&mut self) -> Result<Join, Opaque> {
        let first = self.rest.next();
        let second = self.rest.peek().copied();
        match (first, second) {
            (Some(';'), Some(';' | '&')) => Err(Opaque("is no simple list of commands")),
            (Some(';'), _) => Ok(Join::End),
            (Some('&'), Some('&')) | (Some('|'), Some('|')) => {
                self.rest.next();
                Ok(Join::Logic)
            }
            (Some('&'), Some('>')) => Err(Opaque("writes a file")),
            (Some('|'), Some('&')) => Err(Opaque("has a pipe that shells read in different ways")),
            (Some('|'), _) => Ok(Join::Pipe),
            _ => Err(Opaque("goes on in the background")),
        }
    }

    /// Ends the command that was being read.
    fn finish(&mut self, join: Join, before: &mut Join) -> Result<(), Opaque> {
        if self.current.words.is_empty() {
            return Err(Opaque("is not complete"));
        }
        if self.commands.len() >= MAX_COMMANDS {
            return Err(Opaque("has too many parts"));
        }
        let mut done = std::mem::take(&mut self.current);
        if *before == Join::Pipe && done.input == Input::Inherited {
            done.input = Input::Pipe;
        }
        self.commands.push(done);
        *before = join;
        Ok(())
    }

    /// A word; or the number of a file descriptor, if digits stand directly before `<` or `>`.
    fn word_or_redirection(&mut self) -> Result<(), Opaque> {
        let (word, plain) = self.word()?;
        let digits = plain && !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
        match self.rest.peek() {
            Some('<' | '>') if digits => self.redirection(true),
            // A continued line with nothing after it.
            _ if plain && word.text.is_empty() => Ok(()),
            _ => {
                self.current.words.push(word);
                Ok(())
            }
        }
    }

    /// One word, and whether it had no quotes or backslashes.
    fn word(&mut self) -> Result<(Word, bool), Opaque> {
        let mut word = Word::default();
        let mut plain = true;
        let mut first = true;
        let mut last_unquoted = None;
        while let Some(&next) = self.rest.peek() {
            let mut unquoted = None;
            match next {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    plain = false;
                    self.rest.next();
                    self.single_quoted(&mut word.text)?;
                }
                '"' => {
                    plain = false;
                    self.rest.next();
                    self.double_quoted(&mut word.text)?;
                }
                '\\' => {
                    self.rest.next();
                    match self.rest.next() {
                        None => return Err(Opaque("ends in a backslash")),
                        // A continued line: the word goes on as if nothing stood there.
                        Some('\n') => continue,
                        Some(character) => word.text.push(character),
                    }
                    plain = false;
                }
                '#' if first => return Err(Opaque("has a comment")),
                '$' => return Err(Opaque("has an expansion (`$`)")),
                '`' => return Err(Opaque("has a command substitution")),
                '{' | '}' => return Err(Opaque("has braces")),
                character if character.is_whitespace() => return Err(Opaque("has unusual spaces")),
                character => {
                    self.rest.next();
                    if matches!(character, '*' | '?' | '[') {
                        word.expands = true;
                        word.starts_with_glob |= first;
                    }
                    if character == '~' && (first || matches!(last_unquoted, Some('=' | ':'))) {
                        word.expands = true;
                    }
                    word.text.push(character);
                    unquoted = Some(character);
                }
            }
            first = false;
            last_unquoted = unquoted;
        }
        Ok((word, plain))
    }

    fn single_quoted(&mut self, text: &mut String) -> Result<(), Opaque> {
        for character in self.rest.by_ref() {
            if character == '\'' {
                return Ok(());
            }
            text.push(character);
        }
        Err(Opaque("has a quote without its end"))
    }

    fn double_quoted(&mut self, text: &mut String) -> Result<(), Opaque> {
        while let Some(character) = self.rest.next() {
            match (character, self.rest.peek()) {
                ('"', _) => return Ok(()),
                // The one place where every shell takes it for itself.
                ('$', Some('"')) => text.push('$'),
                ('$', _) => return Err(Opaque("has an expansion (`$`)")),
                ('`', _) => return Err(Opaque("has a command substitution")),
                ('\\', Some('\n')) => {
                    self.rest.next();
                }
                ('\\', Some(&escaped @ ('$' | '`' | '"' | '\\'))) => {
                    self.rest.next();
                    text.push(escaped);
                }
                _ => text.push(character),
            }
        }
        Err(Opaque("has a quote without its end"))
    }

    /// `<` or `>` and what follows; `numbered` = a descriptor stood before it.
    fn redirection(&mut self, numbered: bool) -> Result<(), Opaque> {
        let direction = self.rest.next();
        let second = self.rest.peek().copied();
        match (direction, second) {
            (Some('<'), Some('<')) => Err(Opaque("has a here-document")),
            (_, Some('(')) => Err(Opaque("has a process substitution")),
            (Some('<'), Some('&' | '>')) => Err(Opaque("opens a descriptor in an unusual way")),
            (Some('<'), _) if numbered => Err(Opaque("opens a descriptor in an unusual way")),
            (Some('<'), _) => {
                let target = self.target()?;
                let device = target.text.starts_with("/dev/") || target.text.starts_with("/proc/");
                if target.expands || (device && target.text != "/dev/null") {
                    return Err(Opaque("reads from an unusual place"));
                }
                self.current.input = Input::File;
                Ok(())
            }
            (_, Some('&')) => {
                self.rest.next();
                let onto_output = matches!(self.rest.next(), Some('1' | '2'));
                let ends = self.rest.peek().is_none_or(|next| matches!(next, ' ' | '\t' | '\n' | ';' | '&' | '|'));
                if onto_output && ends { Ok(()) } else { Err(Opaque("opens a descriptor in an unusual way")) }
            }
            (_, second) => {
                if matches!(second, Some('>' | '|')) {
                    self.rest.next();
                }
                match self.target()? {
                    Word { text, expands: false, .. } if text == "/dev/null" => Ok(()),
                    _ => Err(Opaque("writes a file")),
                }
            }
        }
    }

    /// The word after a redirection.
    fn target(&mut self) -> Result<Word, Opaque> {
        while matches!(self.rest.peek(), Some(' ' | '\t')) {
            self.rest.next();
        }
        let (word, plain) = self.word()?;
        if plain && word.text.is_empty() { Err(Opaque("is not complete")) } else { Ok(word) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<Vec<String>> {
        let commands = read(line).unwrap_or_else(|opaque| panic!("{line:?} {}", opaque.0));
        commands.into_iter().map(|command| command.words.into_iter().map(|word| word.text).collect()).collect()
    }

    #[test]
    fn words_are_what_a_shell_makes_of_them() {
        assert_eq!(texts(r#"a 'b c' "d\"e\\f\g" h\ i ''"#), [["a", "b c", "d\"e\\f\\g", "h i", ""]]);
        assert_eq!(texts("a\\\nb 'c\nd'"), [["ab", "c\nd"]]);
        assert_eq!(texts("'l's -\"l\""), [["ls", "-l"]]);
        assert_eq!(texts(r#"grep "foo$" a#b x!y"#), [["grep", "foo$", "a#b", "x!y"]]);
        assert_eq!(texts("a && b||c;d|e\nf\n\n"), [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]);
        assert_eq!(texts("a 2>&1 >/dev/null 2>>/dev/null < in | b"), [["a"], ["b"]]);
        assert_eq!(texts("a &&\n b"), [["a"], ["b"]]);
        assert_eq!(texts("a \\\n  -b 2\\\n>&1 \\\n"), [["a", "-b"]]);
    }

    #[test]
    fn inputs_are_known() {
        let inputs = |line: &str| read(line).expect("readable").iter().map(|one| one.input).collect::<Vec<_>>();
        assert_eq!(inputs("a | b && c < d | e < f"), [Input::Inherited, Input::Pipe, Input::File, Input::File]);
    }

    #[test]
    fn expansions_of_names_are_marked() {
        let words = read("ls *.rs src/*.rs ~/x a=~ '*' \\* \"~\" b~ \\\n~").expect("readable").remove(0).words;
        let marks: Vec<_> = words.iter().map(|word| (word.expands, word.starts_with_glob)).collect();
        let (none, some, first) = ((false, false), (true, false), (true, true));
        assert_eq!(marks, [none, first, some, some, some, none, none, none, none, some]);
    }
}
