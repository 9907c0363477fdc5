//! `openclaw sandbox`.

mod explain;
mod probe;
mod run;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::core::{Error, ErrorKind, Result};
use crate::sandbox::{Backend, SandboxLevel};

/// Flags of `sandbox`.
#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
enum SandboxCommand {
    /// What decides what an agent's tools and commands may do.
    Explain(explain::ExplainArgs),
    /// Try out each means of confinement: what it guarantees, and what a command in it could do.
    Probe(probe::ProbeArgs),
    /// Run a command in a sandbox; its exit code is passed on.
    Run(run::RunArgs),
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: SandboxArgs) -> Outcome {
    match args.command {
        SandboxCommand::Explain(args) => explain::run(context, &args),
        SandboxCommand::Probe(args) => probe::run(context, &args),
        SandboxCommand::Run(args) => run::run(context, args),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot start the runtime").source(error))
}

fn parse_level(text: &str) -> std::result::Result<SandboxLevel, String> {
    SandboxLevel::parse(text)
        .ok_or_else(|| format!("the levels are {}", SandboxLevel::ALL.map(SandboxLevel::as_str).join(", ")))
}

fn parse_backend(text: &str) -> std::result::Result<Backend, String> {
    Backend::parse(text).ok_or_else(|| format!("the backends are {}", Backend::ALL.map(Backend::as_str).join(", ")))
}
