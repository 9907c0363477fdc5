//! Parse, run, exit code.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use super::args::Cli;
use super::commands;
use super::context::Context;
use super::error::{self, Stop};
use super::output::{Format, Output};

/// Exit code of an interrupted command (128 + SIGINT).
const INTERRUPTED: u8 = 130;

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
    let json = args.iter().any(|arg| arg == "--json" || arg == "--jsonl");
    let output = Output::plain(if json { Format::Json } else { Format::Text });
    finish(Err(error::from_usage(problem).into()), Some(&output))
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
        Stop::Interrupted => ExitCode::from(INTERRUPTED),
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
