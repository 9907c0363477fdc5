//! awk and sed: little languages in an argument. An entry covers them while the program is one that only prints.

use super::Arguments;

pub(super) fn objection(name: &str, arguments: &Arguments<'_>) -> Option<&'static str> {
    let harmless = match name {
        "awk" | "gawk" | "mawk" | "nawk" | "original-awk" => awk(arguments),
        "sed" | "gsed" => sed(arguments),
        _ => return None,
    };
    (!harmless).then_some("is given a program that may run commands or write files")
}

/// One program text without anything that opens files or commands, `-F` and `-v` before it.
fn awk(arguments: &Arguments<'_>) -> bool {
    let mut texts = arguments.texts();
    let program = loop {
        match texts.next() {
            None => return false,
            Some("-F" | "-v") => {
                texts.next();
            }
            Some(text) if text.starts_with("-F") || (text.starts_with("-v") && text.len() > 2) => {}
            Some(text) if text.starts_with('-') => return false,
            Some(text) => break text,
        }
    };
    let lower = program.to_ascii_lowercase();
    !["system", "getline", "|", ">", "@", "<", "load", "include", "printf -"].iter().any(|part| lower.contains(part))
        && !expands(arguments, program)
        // Options are read behind the program too by some.
        && !texts.any(|text| text.starts_with("--") || text.starts_with("-f") || text.starts_with("-e") || text.starts_with("-i"))
}

/// Options that only change how lines are read, and scripts of plain commands.
fn sed(arguments: &Arguments<'_>) -> bool {
    let mut texts = arguments.texts().peekable();
    let mut scripts = Vec::new();
    let mut positional = Vec::new();
    while let Some(text) = texts.next() {
        if let Some(long) = text.strip_prefix("--") {
            match long.split_once('=') {
                Some(("expression", script)) => scripts.push(script),
                None if matches!(
                    long,
                    "quiet"
                        | "silent"
                        | "regexp-extended"
                        | "null-data"
                        | "separate"
                        | "posix"
                        | "sandbox"
                        | "in-place"
                ) => {}
                _ => return false,
            }
        } else if let Some(group) = text.strip_prefix('-').filter(|group| !group.is_empty()) {
            // `e` takes the rest of the group or the next argument; `i` takes the rest as the ending of a copy.
            let before = group.find(['e', 'i']).unwrap_or(group.len());
            if !group[..before].chars().all(|letter| matches!(letter, 'n' | 'E' | 'r' | 's' | 'u' | 'z')) {
                return false;
            }
            match group[before..].strip_prefix('e') {
                Some("") => match texts.next() {
                    Some(script) => scripts.push(script),
                    None => return false,
                },
                Some(script) => scripts.push(script),
                None if group[before..].starts_with('i') && group[before + 1..].contains(['/', '*']) => return false,
                None => {}
            }
        } else {
            positional.push(text);
        }
    }
    if scripts.is_empty() {
        match positional.first() {
            Some(script) => scripts.push(script),
            None => return false,
        }
    }
    scripts.into_iter().all(|script| !expands(arguments, script) && Script { rest: script }.is_plain())
}

/// Whether the shell may put a file's name in place of this text.
fn expands(arguments: &Arguments<'_>, text: &str) -> bool {
    arguments.words.iter().any(|word| word.expands && word.text.contains(text))
}

/// The rest of a sed script.
struct Script<'s> {
    rest: &'s str,
}

impl Script<'_> {
    fn is_plain(mut self) -> bool {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', ';', '\n']);
            if self.rest.is_empty() {
                return true;
            }
            if !self.addresses() || !self.command() {
                return false;
            }
            self.rest = self.rest.trim_start_matches([' ', '\t']);
            if !self.rest.is_empty() && !self.rest.starts_with([';', '\n']) {
                return false;
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(first)
    }

    fn addresses(&mut self) -> bool {
        if self.address() && self.rest.starts_with(',') {
            self.rest = &self.rest[1..];
            if !self.address() {
                return false;
            }
        }
        self.rest = self.rest.trim_start_matches([' ', '\t', '!']);
        true
    }

    /// A number, `$` or `/expression/`; false if there is none.
    fn address(&mut self) -> bool {
        let digits = self.rest.trim_start_matches(|character: char| character.is_ascii_digit());
        if digits.len() < self.rest.len() {
            self.rest = digits;
            return true;
        }
        if let Some(rest) = self.rest.strip_prefix('$') {
            self.rest = rest;
            return true;
        }
        if let Some(rest) = self.rest.strip_prefix('/') {
            self.rest = rest;
            return self.section('/');
        }
        false
    }

    fn command(&mut self) -> bool {
        match self.next() {
            Some('p' | 'P' | 'd' | 'D' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | 'q' | '=' | 'l') => true,
            Some(command @ ('s' | 'y')) => {
                let delimiter = match self.next() {
                    Some(delimiter)
                        if !delimiter.is_alphanumeric() && !matches!(delimiter, '\\' | '\n' | ' ' | ';') =>
                    {
                        delimiter
                    }
                    _ => return false,
                };
                if !self.section(delimiter) || !self.section(delimiter) {
                    return false;
                }
                if command == 's' {
                    self.rest =
                        self.rest.trim_start_matches(|flag: char| flag.is_ascii_digit() || "gpiI".contains(flag));
                }
                true
            }
            _ => false,
        }
    }

    /// Up to the delimiter, which is taken too. Seds differ about a delimiter inside of brackets, so there must not be any left open.
    fn section(&mut self, delimiter: char) -> bool {
        let mut brackets = 0_i32;
        while let Some(character) = self.next() {
            match character {
                '\\' => {
                    if self.next().is_none() {
                        return false;
                    }
                }
                _ if character == delimiter => return brackets == 0,
                '\n' => return false,
                '[' => brackets += 1,
                ']' => brackets = (brackets - 1).max(0),
                _ => {}
            }
        }
        false
    }
}
