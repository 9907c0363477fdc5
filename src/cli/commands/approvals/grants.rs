//! `openclaw approvals grants` and `revoke`.

use clap::Args;
use serde_json::{Value, json};

use super::place;
use crate::cli::client::ConnectArgs;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Table, absolute, one_line};

/// Flags of `approvals grants`.
#[derive(Debug, Args)]
pub(crate) struct GrantsArgs {
    /// Only of this agent.
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Flags of `approvals revoke`.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// Id of the grant.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Lists the standing grants.
pub(super) fn list(context: &Context, args: &GrantsArgs) -> Outcome {
    let answer = place::grants(context, &args.connect)?;
    let rows: Vec<Value> = answer["grants"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| args.agent.as_deref().is_none_or(|agent| row["agentId"] == agent))
        .cloned()
        .collect();
    context.out.data(&json!({"count": rows.len(), "grants": rows}), "grants", || {
        if rows.is_empty() { "no grant stands".to_owned() } else { table(context, &rows) }
    })
}

fn table(context: &Context, rows: &[Value]) -> String {
    let mut table = Table::new([
        Column::new("ID").id(),
        Column::new("AGENT"),
        Column::new("UNTIL").optional(2),
        Column::new("COMMAND").text(),
        Column::new("DIRECTORY").id().optional(1),
    ]);
    for row in rows {
        let text = |value: &Value| one_line(value.as_str().unwrap_or("-"), 200);
        let until = row["expiresAtMs"].as_i64().map_or_else(|| "-".to_owned(), |at| absolute(at, false));
        table.row([
            Cell::new(text(&row["grantId"])),
            Cell::new(text(&row["agentId"])),
            Cell::new(until),
            Cell::new(text(&row["command"])),
            Cell::new(text(&row["cwd"])),
        ]);
    }
    context.out.table(&table)
}

/// Takes one back.
pub(super) fn revoke(context: &Context, args: &RevokeArgs) -> Outcome {
    let answer = place::revoke(context, &args.connect, &args.id)?;
    context.out.done(answer, &format!("revoked {}; the same call asks again", args.id))
}
