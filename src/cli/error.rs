//! How a command stops early, and how its error reads: what happened, why, what to do.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue};
use serde_json::{Value, json};

use crate::core::{Error, ErrorKind};

use super::args::Cli;
use super::signals::Signal;

/// Why a command ends before its normal end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Error(Error),
    /// The reader of stdout is gone (`| head`); nothing more to say.
    PipeClosed,
    /// Everything was said; only the exit code remains.
    Code(u8),
    /// A signal asked for the end.
    Signal(Signal),
}

/// Result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::PipeClosed;
        }
        Self::Error(
            Error::new(ErrorKind::State, "cannot write the output")
                .hint("check that the place stdout goes to has space and can be written")
                .source(error),
        )
    }
}

impl From<crate::fs::FsError> for Stop {
    fn from(error: crate::fs::FsError) -> Self {
        Self::Error(error.into())
    }
}

/// `error:`, `  why:`, `  fix:`; always these three lines, whatever the error carries.
pub(crate) fn three_parts(error: &Error) -> String {
    let why = error.reason().unwrap_or_else(|| default_why(error.kind()).to_owned());
    let fix = error.fix().map_or_else(|| default_fix(error.kind()), ToOwned::to_owned);
    format!(
        "error: {}\n  why: {}\n  fix: {}",
        indent(error.message(), "       "),
        indent(&why, "       "),
        indent(&fix, "       ")
    )
}

/// `{"ok":false,"error":{…}}`.
pub(crate) fn error_object(error: &Error) -> Value {
    let mut object = error.to_json();
    if let Value::Object(fields) = &mut object {
        fields.entry("hint").or_insert_with(|| default_fix(error.kind()).into());
    }
    json!({ "ok": false, "error": object })
}

/// Later lines of a part line up below its first.
fn indent(text: &str, by: &str) -> String {
    let mut lines = text.trim_end().lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        out.push('\n');
        out.push_str(by);
        out.push_str(line);
    }
    out
}

/// The reason that a kind alone implies.
fn default_why(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::User => "the input cannot be used as it is",
        ErrorKind::NotFound => "nothing has that name",
        ErrorKind::MethodNotFound => "the gateway has no such method",
        ErrorKind::Config => "the configuration is not valid",
        ErrorKind::Auth => "the gateway did not accept the credentials",
        ErrorKind::Policy => "a policy forbids it",
        ErrorKind::Provider(_) => "the model provider did not answer as it should",
        ErrorKind::Sandbox => "a guarantee of the sandbox is missing",
        ErrorKind::State => "the state directory or its database cannot be used",
        ErrorKind::Unreachable => "nothing answers there",
        ErrorKind::Timeout => "no answer came in time",
        ErrorKind::Cancelled => "it was stopped",
        ErrorKind::Conflict => "it is in use, or it changed in the meantime",
        ErrorKind::TooLarge => "it is larger than the limit",
        ErrorKind::Unavailable => "it cannot be done at this moment",
        ErrorKind::Internal => "this is a mistake in openclaw itself",
    }
}

/// The next step that a kind alone implies.
fn default_fix(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::User => "openclaw --help",
        ErrorKind::NotFound => "check the name; the list commands show what there is",
        ErrorKind::MethodNotFound => "openclaw gateway call rpc.discover",
        ErrorKind::Config => "openclaw config validate",
        ErrorKind::Auth => "pass --token, or set OPENCLAW_GATEWAY_TOKEN",
        ErrorKind::Policy | ErrorKind::Sandbox => "openclaw config get tools",
        ErrorKind::Provider(_) => "openclaw models list",
        ErrorKind::State => "openclaw doctor",
        ErrorKind::Unreachable => "openclaw gateway run",
        ErrorKind::Timeout => "try again, with a larger --timeout if it needs longer",
        ErrorKind::Cancelled => "run the command again",
        ErrorKind::Conflict | ErrorKind::Unavailable => "try again in a moment",
        ErrorKind::TooLarge => "send less at once",
        ErrorKind::Internal => "openclaw logs shows more; please report it with those lines",
    }
    .to_owned()
}

/// The product's error for what clap found wrong with these arguments.
pub(crate) fn from_usage(problem: &clap::Error, args: &[OsString]) -> Error {
    if problem.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::user("a command is missing")
            .why(format!("there are {}", subcommands(args).join(", ")))
            .hint(help_command(args));
    }
    let text = problem.render().to_string();
    let mut message = String::new();
    let mut tips = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with("Usage:") || line.starts_with("For more information") {
            continue;
        }
        if let Some(tip) = line.strip_prefix("tip: ") {
            tips.push(tip.to_owned());
        } else if message.is_empty() {
            message.push_str(line.strip_prefix("error: ").unwrap_or(line));
        } else if line.starts_with('[') {
            tips.push(line.trim_matches(['[', ']']).to_owned());
        } else if tips.is_empty() {
            // Writing to a String cannot fail.
            write!(message, " {line}").unwrap_or_default();
        }
    }
    let usage = text.lines().map(str::trim).find_map(|line| line.strip_prefix("Usage: "));
    let near = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue]
        .into_iter()
        .find_map(|kind| suggestion(problem.get(kind)?));
    if let Some(near) = near {
        return Error::user(message).why(usage_reason(problem.kind())).hint(format!("did you mean '{near}'?"));
    }
    let why = if tips.is_empty() { usage_reason(problem.kind()).to_owned() } else { tips.join("; ") };
    Error::user(message)
        .why(why)
        .hint(usage.map_or_else(|| help_command(args), |usage| format!("{usage}   (see --help)")))
}

/// The command that the arguments begin to name, as far as they name one.
fn meant(args: &[OsString]) -> (clap::Command, Vec<String>) {
    let mut command = Cli::command();
    let mut path = vec![command.get_name().to_owned()];
    for word in args.iter().skip(1).filter_map(|arg| arg.to_str()) {
        if let Some(next) = command.find_subcommand(word) {
            path.push(next.get_name().to_owned());
            command = next.clone();
        }
    }
    (command, path)
}

/// `openclaw config set --help`.
fn help_command(args: &[OsString]) -> String {
    format!("{} --help", meant(args).1.join(" "))
}

fn subcommands(args: &[OsString]) -> Vec<String> {
    meant(args).0.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// The first of clap's suggestions.
fn suggestion(value: &ContextValue) -> Option<&str> {
    match value {
        ContextValue::String(text) => Some(text),
        ContextValue::Strings(texts) => texts.first().map(String::as_str),
        _ => None,
    }
}

/// Why clap refuses, where its message does not say it.
fn usage_reason(kind: clap::error::ErrorKind) -> &'static str {
    use clap::error::ErrorKind as Clap;
    match kind {
        Clap::MissingRequiredArgument | Clap::MissingSubcommand => "the command needs it",
        Clap::ArgumentConflict => "only one of them can be meant",
        Clap::InvalidValue | Clap::ValueValidation => "the value is not of the expected form",
        Clap::InvalidUtf8 => "arguments are UTF-8 text",
        _ => "the command does not know it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn usage_text(args: &[&str]) -> String {
        let problem = Cli::try_parse_from(args).expect_err("these arguments are wrong");
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        three_parts(&from_usage(&problem, &args))
    }

    #[test]
    fn every_error_has_three_parts() {
        let full = Error::new(ErrorKind::Unreachable, "cannot reach the gateway at ws://127.0.0.1:18789")
            .why("connection refused")
            .hint("openclaw gateway run");
        insta::assert_snapshot!(three_parts(&full), @r"
        error: cannot reach the gateway at ws://127.0.0.1:18789
          why: connection refused
          fix: openclaw gateway run
        ");
        let bare = Error::not_found("no session named 'x'");
        insta::assert_snapshot!(three_parts(&bare), @r"
        error: no session named 'x'
          why: nothing has that name
          fix: check the name; the list commands show what there is
        ");
    }

    #[test]
    fn later_lines_line_up() {
        let error = Error::user("first\nsecond").why("a\nb").hint("c");
        insta::assert_snapshot!(three_parts(&error), @r"
        error: first
               second
          why: a
               b
          fix: c
        ");
    }

    #[test]
    fn json_error_always_has_code_message_and_hint() {
        let value = error_object(&Error::internal("oops"));
        assert_eq!(value["ok"], false);
        assert_eq!(value["error"]["code"], "internal");
        assert_eq!(value["error"]["message"], "oops");
        assert!(value["error"]["hint"].is_string());
    }

    #[test]
    fn a_mistyped_command_is_answered_with_the_near_one() {
        insta::assert_snapshot!(usage_text(&["openclaw", "statu"]), @"
        error: unrecognized subcommand 'statu'
          why: the command does not know it
          fix: did you mean 'status'?
        ");
        insta::assert_snapshot!(usage_text(&["openclaw", "status", "--jsno"]), @"
        error: unexpected argument '--jsno' found
          why: the command does not know it
          fix: did you mean '--json'?
        ");
    }

    #[test]
    fn a_missing_argument_is_named() {
        insta::assert_snapshot!(usage_text(&["openclaw", "gateway", "call"]), @"
        error: the following required arguments were not provided: <METHOD>
          why: the command needs it
          fix: openclaw gateway call <METHOD>   (see --help)
        ");
    }

    #[test]
    fn a_wrong_value_lists_the_right_ones() {
        insta::assert_snapshot!(usage_text(&["openclaw", "sessions", "export", "k", "--format", "xml"]), @"
        error: invalid value 'xml' for '--format <FORMAT>'
          why: possible values: jsonl, json, markdown
          fix: openclaw sessions export --help
        ");
    }

    #[test]
    fn a_missing_command_is_answered_with_those_there_are() {
        insta::assert_snapshot!(usage_text(&["openclaw", "config"]), @"
        error: a command is missing
          why: there are file, get, set, unset, patch, validate, schema
          fix: openclaw config --help
        ");
    }

    #[test]
    fn a_closed_pipe_is_not_an_error() {
        assert!(matches!(Stop::from(io::Error::from(io::ErrorKind::BrokenPipe)), Stop::PipeClosed));
        assert!(matches!(Stop::from(io::Error::from(io::ErrorKind::StorageFull)), Stop::Error(_)));
    }
}
