//! `openclaw config unset`.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::config::{self, Edit};

use super::report;

/// Flags of `config unset`.
#[derive(Debug, Args)]
pub(crate) struct UnsetArgs {
    /// Path like channels.telegram.
    #[arg(value_name = "PATH")]
    path: String,
    /// Check and show the change, write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Removes a value.
pub(crate) fn run(context: &Context, args: &UnsetArgs) -> Outcome {
    let edit = config::edit(&context.load, &[Edit::Unset { path: args.path.clone() }], None, args.dry_run)?;
    report::outcome(context, &edit)
}
