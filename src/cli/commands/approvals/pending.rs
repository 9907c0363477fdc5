//! `openclaw approvals pending` and `resolve`.

use clap::Args;
use serde_json::{Value, json};

use super::place::{REVIEWER, ask, needs_gateway};
use crate::cli::client::ConnectArgs;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Table, duration, one_line};
use crate::core::now_ms;
use crate::runtime::approvals::Answer;

/// Characters of a command in the table.
const MAX_COMMAND: usize = 200;

/// Flags of `approvals pending`.
#[derive(Debug, Args)]
pub(crate) struct PendingArgs {
    /// Only of this agent.
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Flags of `approvals resolve`.
#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// Id of the approval, or the beginning of it.
    #[arg(value_name = "ID")]
    id: String,
    /// allow-once, allow-always or deny.
    #[arg(value_name = "DECISION", value_parser = parse_answer)]
    decision: Answer,
    /// Days an allow-always holds [default: tools.exec.grantExpiryDays].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=3650))]
    expires_days: Option<u64>,
    #[command(flatten)]
    connect: ConnectArgs,
}

fn parse_answer(text: &str) -> Result<Answer, String> {
    Answer::parse(text).ok_or_else(|| "the decisions are allow-once, allow-always and deny".to_owned())
}

/// Lists what waits.
pub(super) fn list(context: &Context, args: &PendingArgs) -> Outcome {
    // Without a gateway nobody waits.
    let answer = ask(context, &args.connect, "exec.approval.list", &json!({}), || Ok(json!([])))?;
    let rows: Vec<Value> = answer
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| args.agent.as_deref().is_none_or(|agent| row["agentId"] == agent))
        .cloned()
        .collect();
    context.out.data(&json!({"count": rows.len(), "approvals": rows}), "approvals", || {
        if rows.is_empty() { "nothing waits for a decision".to_owned() } else { table(context, &rows) }
    })?;
    if context.out.is_text() && !rows.is_empty() {
        context.out.note("decide with: openclaw approvals resolve ID allow-once|allow-always|deny");
    }
    Ok(())
}

fn table(context: &Context, rows: &[Value]) -> String {
    let mut table = Table::new([
        Column::new("ID").id(),
        Column::new("AGENT"),
        Column::new("EXPIRES").right().optional(2),
        Column::new("COMMAND").text(),
        Column::new("WHY").text().optional(1),
    ]);
    let now = now_ms();
    for row in rows {
        let left = row["expiresAtMs"].as_i64().unwrap_or(now).saturating_sub(now).max(0);
        let text = |value: &Value| one_line(value.as_str().unwrap_or("-"), MAX_COMMAND);
        table.row([
            Cell::new(text(&row["id"])),
            Cell::new(text(&row["agentId"])),
            Cell::new(format!("in {}", duration(left.unsigned_abs()))),
            Cell::new(text(&row["request"]["command"])),
            Cell::new(text(&row["request"]["warningText"])),
        ]);
    }
    context.out.table(&table)
}

/// Decides one.
pub(super) fn resolve(context: &Context, args: &ResolveArgs) -> Outcome {
    let mut params = json!({"id": args.id, "decision": args.decision.as_str(), "reviewer": REVIEWER});
    if let Some(days) = args.expires_days {
        params["grantExpiresInDays"] = days.into();
    }
    let answer = ask(context, &args.connect, "exec.approval.resolve", &params, || Err(needs_gateway()))?;
    let approval = &answer["approval"];
    let command = one_line(approval["request"]["command"].as_str().unwrap_or_default(), MAX_COMMAND);
    let fields = json!({"id": approval["id"], "decision": approval["decision"], "approval": approval});
    context.out.done(fields, &format!("{}: {command}", args.decision.as_str()))
}
