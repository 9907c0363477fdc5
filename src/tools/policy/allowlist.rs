//! Whether an allow-list entry covers a program with its arguments.

use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;
use regex::Regex;

use super::document::AllowEntry;
use super::shell::Word;
use crate::fs::Program;

/// What makes an entry unusable.
pub(super) fn check(entry: &AllowEntry) -> Result<(), String> {
    let pattern = entry.pattern.trim();
    if pattern.is_empty() {
        return Err("the pattern is empty".to_owned());
    }
    if !is_name(pattern) && !pattern.starts_with('/') && !pattern.starts_with("~/") && !pattern.starts_with("**/") {
        return Err(format!("the pattern {pattern:?} is neither a name nor an absolute path"));
    }
    glob(pattern, None).map_err(|error| format!("the pattern {pattern:?} cannot be used: {error}"))?;
    if let Some(arguments) = &entry.arg_pattern {
        whole(arguments).map_err(|error| format!("the argPattern {arguments:?} cannot be used: {error}"))?;
    }
    Ok(())
}

/// Whether the entry covers this program, found by `typed`, with these arguments. What cannot be understood covers nothing.
pub(super) fn covers(
    entry: &AllowEntry,
    typed: &str,
    program: &Program,
    arguments: &[Word],
    home: Option<&Path>,
) -> bool {
    check(entry).is_ok()
        && covers_program(entry.pattern.trim(), typed, program, home)
        && entry.arg_pattern.as_deref().is_none_or(|pattern| covers_arguments(pattern, arguments))
}

fn covers_program(pattern: &str, typed: &str, program: &Program, home: Option<&Path>) -> bool {
    if is_name(pattern) {
        // A bare name stands for what `PATH` finds: `./git` is not `git`.
        return !typed.contains('/') && glob(pattern, None).is_ok_and(|glob| glob.is_match(typed));
    }
    let plain =
        |path: &PathBuf| path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    glob(pattern, home)
        .is_ok_and(|glob| [&program.found, &program.real].into_iter().any(|path| plain(path) && glob.is_match(path)))
}

fn is_name(pattern: &str) -> bool {
    !pattern.contains('/') && !pattern.starts_with('~')
}

fn glob(pattern: &str, home: Option<&Path>) -> Result<globset::GlobMatcher, globset::Error> {
    let expanded = match (pattern.strip_prefix("~/"), home.and_then(Path::to_str)) {
        (Some(rest), Some(home)) => format!("{}/{rest}", globset::escape(home.trim_end_matches('/'))),
        _ => pattern.to_owned(),
    };
    GlobBuilder::new(&expanded).literal_separator(true).build().map(|glob| glob.compile_matcher())
}

/// The expression for the whole text.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    // Compiled alone first: `a)|(b` would otherwise become two expressions.
    Regex::new(pattern)?;
    Regex::new(&format!(r"\A(?:{pattern})\z"))
}

/// Arguments with spaces in them, and those that the shell will replace, could pass for others: they match no expression.
fn covers_arguments(pattern: &str, arguments: &[Word]) -> bool {
    if arguments.iter().any(|word| word.expands || word.text.is_empty() || word.text.contains(char::is_whitespace)) {
        return false;
    }
    let text = arguments.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    whole(pattern).is_ok_and(|expression| expression.is_match(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(pattern: &str, arg_pattern: Option<&str>, typed: &str, paths: (&str, &str), arguments: &[&str]) -> bool {
        let entry = AllowEntry {
            pattern: pattern.to_owned(),
            arg_pattern: arg_pattern.map(str::to_owned),
            ..AllowEntry::default()
        };
        let program = Program { found: paths.0.into(), real: paths.1.into() };
        let words: Vec<_> = arguments.iter().map(|text| Word { text: (*text).to_owned(), ..Word::default() }).collect();
        covers(&entry, typed, &program, &words, Some(Path::new("/home/a")))
    }

    #[test]
    fn patterns_are_for_paths_or_names() {
        let git = ("/usr/bin/git", "/usr/bin/git");
        for pattern in ["/usr/bin/git", "git", "/usr/bin/*", "**/git", "/usr/**/git", "g?t"] {
            assert!(covered(pattern, None, "git", git, &["status"]), "{pattern}");
        }
        for pattern in ["/usr/bin/gi", "/usr/*", "gitk", "*/git", "", "bin/git", "/usr/bin/git status", "~/git"] {
            assert!(!covered(pattern, None, "git", git, &["status"]), "{pattern}");
        }
        assert!(covered("~/bin/*", None, "~/bin/x", ("/home/a/bin/x", "/home/a/bin/x"), &[]));
        assert!(!covered("~/bin/*", None, "x", ("/home/b/bin/x", "/home/b/bin/x"), &[]));
        assert!(covered("/bin/ls", None, "ls", ("/bin/ls", "/usr/bin/ls"), &[]));
        assert!(!covered("git", None, "./git", ("/w/git", "/w/git"), &[]), "a name is found through PATH only");
        assert!(!covered("/opt/**", None, "x", ("/opt/../bin/sh", "/bin/sh"), &[]));
    }

    #[test]
    fn argument_patterns_match_everything_or_nothing() {
        let git = ("/usr/bin/git", "/usr/bin/git");
        let arguments = |pattern: &str, arguments: &[&str]| covered("git", Some(pattern), "git", git, arguments);
        assert!(arguments("status( -s)?", &["status"]) && arguments("status( -s)?", &["status", "-s"]));
        assert!(!arguments("status", &["status", "-s"]) && !arguments("tatus", &["status"]));
        assert!(!arguments("a)|(.*", &["x"]), "an expression cannot leave its group");
        assert!(!arguments("push .*", &["push a"]), "one argument is not two");
        assert!(!arguments("(?m)^status$", &["push\nstatus"]));
        assert!(arguments("", &[]));
    }
}
