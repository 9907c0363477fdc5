//! `openclaw artifacts`: images and trajectories that runs left behind.

mod export;
mod list;

use clap::{Args, Subcommand};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::core::{Error, Result};
use crate::state::{ArtifactEntry, ArtifactQuery, Store};

/// Artifacts looked at for the beginning of an id.
const CANDIDATES: usize = 10_000;

/// Flags of `artifacts`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Trajectories (what a model was sent and answered) are kept with openclaw agent --trajectory,\n\
        OPENCLAW_TRAJECTORY=1, or diagnostics.trajectory in the configuration."
)]
pub(crate) struct ArtifactsArgs {
    #[command(subcommand)]
    command: Option<ArtifactsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Debug, Subcommand)]
enum ArtifactsCommand {
    /// List artifacts, newest first (what `openclaw artifacts` alone does).
    List(list::ListArgs),
    /// What is known about one artifact.
    Show(list::ShowArgs),
    /// Write the content of one artifact out: an image, or a trajectory as JSON lines.
    Export(export::ExportArgs),
}

/// Runs a subcommand.
pub(crate) fn run(context: &Context, args: ArtifactsArgs) -> Outcome {
    match args.command.unwrap_or(ArtifactsCommand::List(args.list)) {
        ArtifactsCommand::List(args) => list::run(context, &args),
        ArtifactsCommand::Show(args) => list::show(context, &args),
        ArtifactsCommand::Export(args) => export::run(context, &args),
    }
}

/// The artifact with this id, or the only one whose id begins so.
fn find(context: &Context, wanted: &str) -> Result<(Store, ArtifactEntry)> {
    let unknown = || Error::not_found(format!("no artifact named '{wanted}'")).hint("openclaw artifacts lists them");
    let Some(store) = context.store()? else { return Err(unknown()) };
    if let Some(entry) = store.read_blocking(|tx| tx.artifact(wanted))? {
        return Ok((store, entry));
    }
    let query = ArtifactQuery { limit: CANDIDATES, ..ArtifactQuery::default() };
    let mut ids: Vec<String> = store
        .read_blocking(|tx| tx.artifact_list(&query))?
        .into_iter()
        .map(|entry| entry.artifact.artifact_id)
        .filter(|id| id.starts_with(wanted))
        .collect();
    match ids.pop() {
        Some(id) if ids.is_empty() => {
            let entry = store.read_blocking(|tx| tx.artifact(&id))?.ok_or_else(unknown)?;
            Ok((store, entry))
        }
        Some(_) => Err(Error::user(format!("'{wanted}' fits several artifacts")).hint("type more of it")),
        None => Err(unknown()),
    }
}
