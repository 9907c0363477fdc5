//! The `openclaw` program: hands its arguments to the library and returns the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match openclaw::sandbox::role(&args) {
        Some(code) => code,
        None => openclaw::cli::main(args),
    }
}
