//! `openclaw artifacts list` and `show`.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Meaning, Table, absolute, bytes, relative};
use crate::core::now_ms;
use crate::runtime::artifacts::summary;
use crate::state::{ArtifactEntry, ArtifactQuery};

/// Flags of `artifacts list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this agent.
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Only of this conversation (its whole key).
    #[arg(long, value_name = "KEY")]
    session_key: Option<String>,
    /// Only of this run.
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Only media, or only trajectory.
    #[arg(long, value_name = "KIND", value_enum, hide_possible_values = true)]
    kind: Option<Kind>,
    /// Most artifacts.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Media,
    Trajectory,
}

/// Flags of `artifacts show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Artifact id, or the beginning of one.
    #[arg(value_name = "ID")]
    id: String,
}

/// Lists artifacts.
pub(super) fn run(context: &Context, args: &ListArgs) -> Outcome {
    let query = ArtifactQuery {
        agent: args.agent.as_deref().map(Into::into),
        run: args.run.as_deref().map(Into::into),
        session_key: args.session_key.as_deref().map(Into::into),
        kind: args.kind.map(|kind| match kind {
            Kind::Media => "media".to_owned(),
            Kind::Trajectory => "trajectory".to_owned(),
        }),
        limit: args.limit,
    };
    let found = match context.store()? {
        Some(store) => store.read_blocking(|tx| tx.artifact_list(&query))?,
        None => Vec::new(),
    };
    let value = json!({ "artifacts": found.iter().map(summary).collect::<Vec<_>>() });
    context
        .out
        .data(&value, "artifacts", || if found.is_empty() { "no artifacts".to_owned() } else { table(context, &found) })
}

fn table(context: &Context, found: &[ArtifactEntry]) -> String {
    let mut table = Table::new([
        Column::new("ID").id(),
        Column::new("KIND"),
        Column::new("SIZE").right(),
        Column::new("MADE").optional(2),
        Column::new("TITLE").text().optional(1),
        Column::new("SESSION").optional(3),
    ]);
    let now = now_ms();
    for entry in found {
        let (artifact, metadata) = (&entry.artifact, &entry.artifact.metadata);
        let size = entry.bytes.unwrap_or_default();
        table.row([
            Cell::new(artifact.artifact_id.as_str()),
            Cell::new(artifact.kind.as_str()).meaning(Meaning::Dim),
            Cell::new(bytes(size)).full(size.to_string()),
            Cell::new(relative(now, artifact.created_at)).full(absolute(artifact.created_at, true)),
            Cell::new(metadata["path"].as_str().or(metadata["title"].as_str()).unwrap_or_default()),
            Cell::new(entry.session_key.as_ref().map_or("-", |key| key.as_str())),
        ]);
    }
    context.out.table(&table)
}

/// Prints what is known about one.
pub(super) fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let (_store, entry) = super::find(context, &args.id)?;
    context.out.object(&json!({ "artifact": summary(&entry), "metadata": entry.artifact.metadata }))
}
