//! `openclaw sessions`.

mod delete;
mod export;
mod list;
mod lookup;
mod show;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::error::Outcome;

/// Flags of `sessions`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SessionsArgs {
    #[command(subcommand)]
    command: Option<SessionsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Debug, Subcommand)]
enum SessionsCommand {
    /// List conversations, newest first (what `openclaw sessions` alone does).
    List(list::ListArgs),
    /// Print one conversation.
    Show(show::ShowArgs),
    /// Write one conversation out, whole.
    Export(export::ExportArgs),
    /// Delete one conversation.
    Delete(delete::DeleteArgs),
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: SessionsArgs) -> Outcome {
    match args.command.unwrap_or(SessionsCommand::List(args.list)) {
        SessionsCommand::List(args) => list::run(context, &args),
        SessionsCommand::Show(args) => show::run(context, &args),
        SessionsCommand::Export(args) => export::run(context, &args),
        SessionsCommand::Delete(args) => delete::run(context, &args),
    }
}
