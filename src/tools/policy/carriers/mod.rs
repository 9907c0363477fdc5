//! Programs that run other programs. An allow list that names one of them would allow everything, so it never covers them, or
//! covers them only while their arguments are harmless. The lists are for people's convenience: what is missing here is still inside
//! of the sandbox.

mod flags;
mod git;
mod interpreters;
mod names;
mod scripts;

use super::shell::{Simple, Word};

/// Why an entry for a program does not cover this use of it: completes "`name` …". `names` are those it is known by: as it was found,
/// and behind all links.
pub(super) fn objection(names: &[&str], command: &Simple, strict_inline_eval: bool) -> Option<&'static str> {
    let arguments = Arguments { words: &command.words[1..] };
    // A pattern that becomes `-exec` because a file has that name.
    if arguments.words.iter().any(|word| word.starts_with_glob || (word.expands && word.text.starts_with('-'))) {
        return Some("is given a pattern that file names can turn into options");
    }
    if arguments.texts().eq(["--version"]) {
        return None;
    }
    names.iter().flat_map(|name| [name.to_ascii_lowercase(), stem(name)]).find_map(|name| {
        names::objection(&name)
            .or_else(|| interpreters::objection(&name, &arguments, strict_inline_eval))
            .or_else(|| git::objection(&name, &arguments))
            .or_else(|| scripts::objection(&name, &arguments))
            .or_else(|| flags::objection(&name, &arguments))
            .or_else(|| names_a_shell(&arguments))
    })
}

/// What a program is given.
struct Arguments<'c> {
    words: &'c [Word],
}

impl Arguments<'_> {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|word| word.text.as_str())
    }

    fn first(&self) -> Option<&str> {
        self.texts().next()
    }

    /// One of these words stands alone among the arguments.
    fn has(&self, words: &[&str]) -> bool {
        self.texts().any(|text| words.contains(&text))
    }

    /// One of these long options is given, whole or shortened as getopt allows it.
    fn has_long(&self, options: &[&str]) -> bool {
        self.texts().any(|text| {
            let Some(given) = text.strip_prefix("--") else { return false };
            let given = given.split('=').next().unwrap_or(given);
            !given.is_empty() && options.iter().any(|option| option.starts_with(given))
        })
    }

    /// One of these letters is in a group of short options.
    fn has_short(&self, letters: &str) -> bool {
        self.texts().any(|text| {
            text.strip_prefix('-')
                .is_some_and(|group| !group.starts_with('-') && group.contains(|letter| letters.contains(letter)))
        })
    }
}

/// A program's name without version, cross-compiler prefix and ending: `python3.11` is `python`, `x86_64-linux-gnu-gcc-12` is `gcc`.
fn stem(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let lower = lower.strip_suffix(".exe").unwrap_or(&lower);
    // A dynamic loader runs the program that it is given.
    if lower.starts_with("ld-linux")
        || lower.starts_with("ld-musl")
        || lower.starts_with("ld.so")
        || lower.starts_with("ld64.so")
    {
        return "ld.so".to_owned();
    }
    let trimmed =
        lower.trim_end_matches(|character: char| character.is_ascii_digit() || matches!(character, '.' | '-'));
    let trimmed = if trimmed.is_empty() { lower } else { trimmed };
    for compiler in ["gcc", "g++", "clang", "clang++"] {
        if trimmed.strip_suffix(compiler).is_some_and(|prefix| prefix.ends_with('-')) {
            return compiler.to_owned();
        }
    }
    trimmed.to_owned()
}

/// `wrapper … sh -c …`: some program that is in no list is given a shell or an interpreter to run.
fn names_a_shell(arguments: &Arguments<'_>) -> Option<&'static str> {
    let texts: Vec<&str> = arguments.texts().collect();
    texts
        .windows(2)
        .any(|pair| {
            let name = stem(pair[0].rsplit('/').next().unwrap_or(pair[0]));
            let code = pair[1].strip_prefix('-').is_some_and(|group| group.contains('c') || group.contains('e'));
            (names::is_shell(&name) || interpreters::is_interpreter(&name)) && code
        })
        .then_some("is given a shell or an interpreter to run")
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn versions_and_prefixes_do_not_hide_a_name() {
        for (name, expected) in [
            ("python3.11", "python"),
            ("Python.exe", "python"),
            ("x86_64-linux-gnu-gcc-12", "gcc"),
            ("bash", "bash"),
            ("zsh-5.9", "zsh"),
            ("ld-linux-x86-64.so.2", "ld.so"),
            ("7z", "7z"),
            ("123", "123"),
        ] {
            assert_eq!(stem(name), expected);
        }
    }
}
