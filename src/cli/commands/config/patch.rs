//! `openclaw config patch`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::files;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::config;
use crate::core::limits;

use super::report;

/// Flags of `config patch`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["file", "stdin"]))]
pub(crate) struct PatchArgs {
    /// Read the JSON5 object from FILE.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read the JSON5 object from stdin.
    #[arg(long)]
    stdin: bool,
    /// Replace what is at PATH instead of merging into it (repeatable).
    #[arg(long, value_name = "PATH")]
    replace_path: Vec<String>,
    /// Check and show the change, write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Merges an object.
pub(crate) fn run(context: &Context, args: &PatchArgs) -> Outcome {
    let raw = match &args.file {
        Some(path) => files::read_text(path, &context.load.cwd, limits::MAX_CONFIG_BYTES, "patch")?,
        None => files::stdin_text(limits::MAX_CONFIG_BYTES, "patch")?,
    };
    let edit = config::patch(&context.load, &raw, &args.replace_path, None, args.dry_run)?;
    report::outcome(context, &edit)
}
