//! `openclaw gateway`.

mod banner;
mod call;
mod options;
mod run;
mod status;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::error::Outcome;

/// Flags of `gateway`; without a subcommand it runs the gateway.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct GatewayArgs {
    #[command(subcommand)]
    command: Option<GatewayCommand>,
    #[command(flatten)]
    run: options::RunArgs,
}

#[derive(Debug, Subcommand)]
enum GatewayCommand {
    /// Run the gateway in this terminal (what `openclaw gateway` alone does).
    Run(options::RunArgs),
    /// Whether the gateway runs, where, and since when.
    Status(status::StatusArgs),
    /// Call a method and print its result.
    Call(call::CallArgs),
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: GatewayArgs) -> Outcome {
    match args.command.unwrap_or(GatewayCommand::Run(args.run)) {
        GatewayCommand::Run(args) => run::run(context, &args),
        GatewayCommand::Status(args) => status::run(context, &args),
        GatewayCommand::Call(args) => call::run(context, &args),
    }
}
