//! `openclaw approvals`: what waits for a decision, decisions, standing grants, and who may run what without being asked.

mod allowlist;
mod document;
mod grants;
mod pending;
mod place;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::error::Outcome;

/// Flags of `approvals`.
#[derive(Debug, Args)]
pub(crate) struct ApprovalsArgs {
    #[command(subcommand)]
    command: ApprovalsCommand,
}

#[derive(Debug, Subcommand)]
enum ApprovalsCommand {
    /// List what waits for a decision.
    Pending(pending::PendingArgs),
    /// Decide one: allow-once, allow-always or deny.
    Resolve(pending::ResolveArgs),
    /// Print the rules and allow lists.
    Get(document::GetArgs),
    /// Replace the rules and allow lists with a file.
    Set(document::SetArgs),
    /// List what allow-always decisions allow.
    Grants(grants::GrantsArgs),
    /// Take a standing grant back.
    Revoke(grants::RevokeArgs),
    /// List, add and remove programs that need no approval.
    Allowlist(allowlist::AllowlistArgs),
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: ApprovalsArgs) -> Outcome {
    match args.command {
        ApprovalsCommand::Pending(args) => pending::list(context, &args),
        ApprovalsCommand::Resolve(args) => pending::resolve(context, &args),
        ApprovalsCommand::Get(args) => document::get(context, &args),
        ApprovalsCommand::Set(args) => document::set(context, &args),
        ApprovalsCommand::Grants(args) => grants::list(context, &args),
        ApprovalsCommand::Revoke(args) => grants::revoke(context, &args),
        ApprovalsCommand::Allowlist(args) => allowlist::run(context, args),
    }
}
