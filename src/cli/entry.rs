//! Parse, run, exit code.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use super::args::Cli;
use super::commands;
use super::context::Context;
use super::error::{self, Stop};
use super::output::{Format, Output, say};
use crate::core::ErrorKind;

/// Runs the program with these arguments (the first is the program's name) and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if let [_, only] = args.as_slice()
        && (only == "--version" || only == "-V")
    {
        return finish(writeln!(std::io::stdout(), "openclaw {}", env!("CARGO_PKG_VERSION")).map_err(Stop::from), None);
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(problem) => return usage(&problem, &args),
    };
    let output = Output::for_process(&cli.globals);
    let context = match Context::from_process(cli.globals, output.clone()) {
        Ok(context) => context,
        Err(problem) => return finish(Err(problem.into()), Some(&output)),
    };
    finish(commands::run(&context, cli.command), Some(&output))
}

/// Help and version go to stdout with exit code 0; everything else is a usage error.
fn usage(problem: &clap::Error, args: &[OsString]) -> ExitCode {
    if !problem.use_stderr() {
        let text = problem.render().to_string();
        return finish(std::io::stdout().write_all(text.as_bytes()).map_err(Stop::from), None);
    }
    let said = |flag: &str| args.iter().any(|arg| arg == flag);
    let format = match (said("--json"), said("--jsonl")) {
        (true, _) => Format::Json,
        (false, true) => Format::JsonLines,
        (false, false) => Format::Text,
    };
    let output = Output::plain(format);
    if output.is_text() && problem.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        say(problem.render().to_string().trim_end());
        return finish(Err(Stop::Code(ErrorKind::User.exit_code())), None);
    }
    finish(Err(error::from_usage(problem, args).into()), Some(&output))
}

/// The exit code of a finished command; reports its error. A closed pipe is a quiet end, because the reader has
/// seen all it wanted.
fn finish(result: Result<(), Stop>, output: Option<&Output>) -> ExitCode {
    let stop = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(stop) => stop,
    };
    match stop {
        Stop::PipeClosed => ExitCode::SUCCESS,
        Stop::Code(code) => ExitCode::from(code),
        Stop::Signal(signal) => ExitCode::from(signal.exit_code()),
        Stop::Error(problem) => {
            let code = problem.kind().exit_code();
            let fallback = Output::plain(Format::Text);
            let output = output.unwrap_or(&fallback);
            match output.error(&problem) {
                // The reader is gone, or stderr is closed: the exit code is all that can still be said.
                Ok(()) | Err(_) => ExitCode::from(code),
            }
        }
    }
}
