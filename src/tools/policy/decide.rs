//! The decision about one command.

use std::path::{Path, PathBuf};

use super::document::AllowEntry;
use super::settings::{Ask, ExecPolicy, Security};
use super::shell::{self, Simple, Word};
use super::{allowlist, carriers, safe_programs};
use crate::fs::Program;

/// What is to happen with a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It may start.
    Allow {
        /// Entries of the allow list that cover it.
        used: Vec<Used>,
    },
    /// A person decides.
    Ask {
        /// Why.
        reason: String,
        /// Whether `allow-always` may be offered: the same text will run the same programs.
        may_stand: bool,
        /// Whether it may start if nobody decides in time.
        allow_unanswered: bool,
    },
    /// It does not start.
    Deny {
        /// Why, for the model.
        reason: String,
    },
}

/// An entry of the allow list that covered a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// [`AllowEntry::pattern`].
    pub pattern: String,
    /// [`AllowEntry::arg_pattern`].
    pub arg_pattern: Option<String>,
    /// The program.
    pub resolved: PathBuf,
}

/// Where a command would run.
pub struct Place<'p> {
    /// The program that a name stands for there.
    pub find: &'p dyn Fn(&str) -> Option<Program>,
    /// Directories whose files agents can change: a program there is whatever the agent made of it.
    pub writable: &'p [PathBuf],
    /// `~` of patterns.
    pub home: Option<&'p Path>,
}

/// Decides. Every command has a decision; one that cannot be read is asked about, or denied where nobody is asked.
pub fn decide(policy: &ExecPolicy, place: &Place<'_>, command: &str) -> Decision {
    let fallback = |listed: bool| match policy.fallback {
        Security::Deny => false,
        Security::Allowlist => listed,
        Security::Full => true,
    };
    match policy.security {
        Security::Deny => {
            let reason = "Commands are switched off here (tools.exec.security is deny).".to_owned();
            return Decision::Deny { reason };
        }
        Security::Full if policy.ask != Ask::Always => return Decision::Allow { used: Vec::new() },
        Security::Full | Security::Allowlist => {}
    }
    match judge(policy, place, command) {
        Err(Miss { reason, .. }) if policy.security == Security::Allowlist && policy.ask == Ask::Off => {
            Decision::Deny {
                reason: format!(
                    "The command is not allowed here: {reason}. Nobody is asked about such commands (tools.exec.ask is off)."
                ),
            }
        }
        Err(Miss { reason, may_stand }) if policy.ask != Ask::Always => {
            Decision::Ask { reason, may_stand, allow_unanswered: fallback(false) }
        }
        // "Always" is said of every command, so nothing can stand.
        verdict if policy.ask == Ask::Always => Decision::Ask {
            reason: match &verdict {
                Err(miss) if policy.security == Security::Allowlist => miss.reason.clone(),
                _ => "every command needs an approval here".to_owned(),
            },
            may_stand: false,
            allow_unanswered: fallback(verdict.is_ok()),
        },
        Ok(used) => Decision::Allow { used },
        Err(Miss { reason, .. }) => Decision::Deny { reason },
    }
}

/// Why the allow list does not cover a command.
struct Miss {
    reason: String,
    may_stand: bool,
}

/// The programs that a line names, for the binding of an approval: those that can be read from it, each once.
pub(super) fn programs(place: &Place<'_>, command: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for simple in shell::read(command).unwrap_or_default() {
        let name = simple.words.first().map_or("", |word| word.text.as_str());
        if let Some(program) = (place.find)(name).map(|program| program.real)
            && !found.contains(&program)
        {
            found.push(program);
        }
    }
    found
}

/// The entries that cover every part of the command.
fn judge(policy: &ExecPolicy, place: &Place<'_>, command: &str) -> Result<Vec<Used>, Miss> {
    let commands = shell::read(command).map_err(|opaque| Miss {
        reason: format!("the command {}, so what it runs cannot be read from it", opaque.0),
        may_stand: false,
    })?;
    let mut used = Vec::new();
    // The first reason is told, but only if every part could stand may the whole stand.
    let mut miss: Option<Miss> = None;
    let mut moved = false;
    for simple in &commands {
        match one(policy, place, simple, moved) {
            Ok(Some(entry)) if used.contains(&entry) => {}
            Ok(entry) => used.extend(entry),
            Err(other) => match &mut miss {
                Some(first) => first.may_stand &= other.may_stand,
                None => miss = Some(other),
            },
        }
        moved |= simple.words[0].text == "cd";
    }
    miss.map_or(Ok(used), Err)
}

/// Builtins that do nothing but print, compare or change the directory of the line itself.
const HARMLESS: &[&str] = &["echo", "printf", "true", "false", ":", "pwd", "test", "[", "cd", "exit"];

/// Words that are no programs to a shell, or not only.
const BUILTINS: &[&str] = &[
    "!",
    ".",
    "[[",
    "]]",
    "alias",
    "autoload",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "export",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "noglob",
    "popd",
    "pushd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "then",
    "time",
    "times",
    "trap",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// The entry that covers one simple command; `None` = it needs none.
fn one(policy: &ExecPolicy, place: &Place<'_>, command: &Simple, moved: bool) -> Result<Option<Used>, Miss> {
    let word = &command.words[0];
    let name = word.text.as_str();
    let unreadable = |why: &str| Miss { reason: format!("`{name}` {why}"), may_stand: false };
    if !is_program_name(word) {
        return Err(unreadable("is no plain name of a program"));
    }
    if HARMLESS.contains(&name) {
        return if is_harmless(name, &command.words[1..]) {
            Ok(None)
        } else {
            Err(unreadable("is used in an unusual way"))
        };
    }
    if BUILTINS.contains(&name) {
        return Err(unreadable("is a part of the shell's language"));
    }
    if name.contains('/') && !name.starts_with('/') && moved {
        return Err(unreadable("is looked for in a directory that the command changes to"));
    }
    let program = (place.find)(name).ok_or_else(|| unreadable("is no program that can be found here"))?;
    if [&program.found, &program.real].iter().any(|path| is_special(path)) {
        return Err(unreadable("names a program through a special file"));
    }
    let base = |path: &Path| path.file_name().map(|base| base.to_string_lossy().into_owned()).unwrap_or_default();
    let (found, real) = (base(&program.found), base(&program.real));
    // A program of many names does what it is called as.
    let names: &[&str] = if is_many_in_one(&real) { &[&found] } else { &[&found, &real] };
    if let Some(why) = carriers::objection(names, command, policy.strict_inline_eval) {
        return Err(unreadable(why));
    }
    let unlisted = |why: &str| Miss { reason: format!("`{name}` {why}"), may_stand: true };
    if place.writable.iter().any(|root| program.found.starts_with(root) || program.real.starts_with(root)) {
        return Err(unlisted("lies where the agent can change it"));
    }
    let arguments = &command.words[1..];
    if safe_programs::covers(&policy.safe_programs, name, &program, arguments) {
        return Ok(None);
    }
    let entry = policy.allowlist.iter().find(|entry| allowlist::covers(entry, name, &program, arguments, place.home));
    entry
        .map(|entry| Some(used(entry, &program)))
        .ok_or_else(|| unlisted("is not on the allow list with these arguments"))
}

fn used(entry: &AllowEntry, program: &Program) -> Used {
    Used { pattern: entry.pattern.clone(), arg_pattern: entry.arg_pattern.clone(), resolved: program.real.clone() }
}

/// Letters, digits and `+-./_@[]:,%^`; no assignment, no pattern, no option.
fn is_program_name(word: &Word) -> bool {
    let text = word.text.as_str();
    // `[` alone is a builtin; as a part of a word it is a pattern.
    (text == "[" || !word.expands)
        && !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|character| character.is_alphanumeric() || "+-./_@:,%![]".contains(character))
}

fn is_harmless(name: &str, arguments: &[Word]) -> bool {
    let texts = || arguments.iter().map(|word| word.text.as_str());
    match name {
        // `printf -v PATH x` sets a variable.
        "printf" => texts().next().is_none_or(|first| !first.starts_with('-')),
        // `test -v 'a[$(id)]'` runs what is in the brackets.
        "test" | "[" => !texts().any(|text| text == "-v" || text.contains(['$', '`'])),
        "exit" => texts().all(|text| text.bytes().all(|byte| byte.is_ascii_digit())),
        "cd" => {
            texts().all(|text| !text.starts_with('-'))
                && arguments.iter().all(|word| !word.expands || word.text.starts_with('~'))
        }
        _ => true,
    }
}

fn is_special(path: &Path) -> bool {
    ["/proc", "/dev", "/sys"].iter().any(|root| path.starts_with(root))
}

fn is_many_in_one(real: &str) -> bool {
    real.starts_with("busybox") || real.starts_with("toybox") || real.starts_with("coreutils")
}
