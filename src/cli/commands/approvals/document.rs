//! `openclaw approvals get` and `set`.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::place;
use crate::cli::client::ConnectArgs;
use crate::cli::commands::files;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::config;
use crate::core::limits::MAX_CONFIG_BYTES;

/// Flags of `approvals get`.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Flags of `approvals set`.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// JSON5 file {version: 1, defaults, agents}; - is stdin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Refuse if what is there has another hash (the one of `approvals get`).
    #[arg(long, value_name = "HASH")]
    base_hash: Option<String>,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Prints the rules.
pub(super) fn get(context: &Context, args: &GetArgs) -> Outcome {
    let snapshot = place::get(context, &args.connect)?;
    context.out.data(&snapshot, "", || format!("{:#}", snapshot["file"]))
}

/// Replaces them.
pub(super) fn set(context: &Context, args: &SetArgs) -> Outcome {
    let text = if args.file.as_os_str() == "-" {
        files::stdin_text(MAX_CONFIG_BYTES, "exec approvals")?
    } else {
        files::read_text(&args.file, &context.load.cwd, MAX_CONFIG_BYTES, "exec approvals")?
    };
    let file: Value = config::parse_json5(&text)?;
    let base = match &args.base_hash {
        Some(hash) => Some(hash.clone()),
        None => {
            let present = place::get(context, &args.connect)?;
            present["hash"].as_str().filter(|_| present["exists"] == true).map(str::to_owned)
        }
    };
    let snapshot = place::set(context, &args.connect, &file, base.as_deref())?;
    context.out.done(snapshot, "the exec approvals are replaced")
}
