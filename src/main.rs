//! The `openclaw` program: hands its arguments to the library and returns the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    openclaw::cli::main(std::env::args_os())
}
