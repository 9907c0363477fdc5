//! Line 10: the command line. Arguments in, text or JSON out, an exit code at the end.
//!
//! Data goes to stdout, talk to stderr. Every command takes `--json` (one object) and ends with one of the exit
//! codes of [`crate::core::ErrorKind::exit_code`]. One command is one file below `commands`.

mod args;
mod client;
mod commands;
mod context;
mod entry;
mod error;
mod logging;
mod output;
mod signals;
mod suggest;

pub use entry::main;
