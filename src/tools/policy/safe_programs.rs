//! `tools.exec.safeBins`: programs that need no entry while they only filter what they are given on standard input.

use std::path::Path;

use super::shell::Word;
use crate::fs::Program;

/// Where such a program may lie: nowhere that an agent or a package of a project writes.
const TRUSTED: &[&str] = &["/bin", "/usr/bin"];

/// `(name, positional arguments that are no files, single-letter options that name files)`.
const PROFILES: &[(&str, usize, &str)] = &[
    ("base64", 0, ""),
    ("column", 0, ""),
    ("cut", 0, ""),
    ("expand", 0, ""),
    ("fmt", 0, ""),
    ("fold", 0, ""),
    ("grep", 1, "fdDrR"),
    ("head", 0, ""),
    ("jq", 1, "fL"),
    ("md5sum", 0, "c"),
    ("nl", 0, ""),
    ("od", 0, ""),
    ("paste", 0, ""),
    ("rev", 0, ""),
    ("sha256sum", 0, "c"),
    ("sort", 0, "oTS"),
    ("tac", 0, ""),
    ("tail", 0, "fF"),
    ("tr", 2, ""),
    ("unexpand", 0, ""),
    ("uniq", 0, ""),
    ("wc", 0, ""),
];

/// Whether it is one of the configured safe programs and these arguments keep it to its input.
pub(super) fn covers(configured: &[String], typed: &str, program: &Program, arguments: &[Word]) -> bool {
    let trusted = |path: &Path| {
        path.parent().is_some_and(|parent| TRUSTED.iter().any(|directory| parent == Path::new(directory)))
    };
    if typed.contains('/')
        || !configured.iter().any(|name| name == typed)
        || !trusted(&program.found)
        || !trusted(&program.real)
    {
        return false;
    }
    let Some((_, positional, letters)) = PROFILES.iter().find(|(name, ..)| *name == typed) else {
        return arguments.is_empty();
    };
    let mut left = *positional;
    arguments.iter().all(|word| {
        if word.expands {
            return false;
        }
        if let Some(options) = word.text.strip_prefix('-') {
            let plain = |character: char| character.is_ascii_alphanumeric() || ",.:;_%+-".contains(character);
            let long = options.starts_with('-');
            return !options.is_empty()
                && options != "-"
                && options.chars().all(plain)
                && (long || !options.contains(|letter| letters.contains(letter)));
        }
        // `head -n 5`: a number names no file that matters.
        if !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit()) {
            return true;
        }
        left = match left.checked_sub(1) {
            Some(left) => left,
            None => return false,
        };
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(typed: &str, path: &str, arguments: &[&str]) -> bool {
        let configured = ["head", "grep", "tr", "sort", "mystery"].map(str::to_owned);
        let program = Program { found: path.into(), real: path.into() };
        let words: Vec<_> = arguments.iter().map(|text| Word { text: (*text).to_owned(), ..Word::default() }).collect();
        covers(&configured, typed, &program, &words)
    }

    #[test]
    fn filters_are_safe_and_readers_of_files_are_not() {
        assert!(safe("head", "/usr/bin/head", &["-n", "5"]) && safe("head", "/bin/head", &["-c5", "--quiet"]));
        assert!(safe("tr", "/usr/bin/tr", &["a-z", "A-Z"]) && safe("grep", "/usr/bin/grep", &["-in", "foo.*bar"]));
        assert!(safe("mystery", "/usr/bin/mystery", &[]));
        for (typed, path, arguments) in [
            ("head", "/usr/bin/head", &["/etc/passwd"][..]),
            ("head", "/usr/bin/head", &["secret"]),
            ("head", "/usr/local/bin/head", &[]),
            ("head", "/w/head", &[]),
            ("./head", "/usr/bin/head", &[]),
            ("grep", "/usr/bin/grep", &["-r", "key"]),
            ("grep", "/usr/bin/grep", &["-f", "list"]),
            ("grep", "/usr/bin/grep", &["key", "file"]),
            ("sort", "/usr/bin/sort", &["-oout"]),
            ("sort", "/usr/bin/sort", &["--output=x"]),
            ("sort", "/usr/bin/sort", &["--files0-from=-"]),
            ("mystery", "/usr/bin/mystery", &["-x"]),
            ("wc", "/usr/bin/wc", &[]),
        ] {
            assert!(!safe(typed, path, arguments), "{typed} {arguments:?}");
        }
    }
}
