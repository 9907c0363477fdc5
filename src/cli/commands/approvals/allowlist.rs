//! `openclaw approvals allowlist`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::place;
use crate::cli::client::ConnectArgs;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Table, one_line};
use crate::core::{Error, Result};

/// Flags of `approvals allowlist`.
#[derive(Debug, Args)]
pub(crate) struct AllowlistArgs {
    #[command(subcommand)]
    command: AllowlistCommand,
}

#[derive(Debug, Subcommand)]
enum AllowlistCommand {
    /// List the programs that need no approval.
    List(ListArgs),
    /// Add a program.
    Add(ChangeArgs),
    /// Remove a program.
    Remove(ChangeArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only of this agent.
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, Args)]
struct ChangeArgs {
    /// Path of a program with *, ** and ~, or a bare name that PATH finds.
    #[arg(value_name = "PATTERN")]
    pattern: String,
    /// Only with these arguments: a regular expression for all of them.
    #[arg(long, value_name = "REGEX")]
    args: Option<String>,
    /// For this agent; * is every agent [default: *].
    #[arg(long, value_name = "ID", default_value = "*", hide_default_value = true)]
    agent: String,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs a subcommand.
pub(super) fn run(context: &Context, args: AllowlistArgs) -> Outcome {
    match args.command {
        AllowlistCommand::List(args) => list(context, &args),
        AllowlistCommand::Add(args) => change(context, &args, true),
        AllowlistCommand::Remove(args) => change(context, &args, false),
    }
}

fn list(context: &Context, args: &ListArgs) -> Outcome {
    let snapshot = place::get(context, &args.connect)?;
    let mut rows = Vec::new();
    for (agent, rules) in snapshot["file"]["agents"].as_object().into_iter().flatten() {
        if args.agent.as_deref().is_some_and(|wanted| wanted != agent) {
            continue;
        }
        for entry in rules["allowlist"].as_array().into_iter().flatten() {
            let mut row = entry.clone();
            row["agentId"] = agent.as_str().into();
            rows.push(row);
        }
    }
    context.out.data(&json!({"count": rows.len(), "entries": rows}), "entries", || {
        if rows.is_empty() { "the allow list is empty".to_owned() } else { table(context, &rows) }
    })
}

fn table(context: &Context, rows: &[Value]) -> String {
    let mut table = Table::new([
        Column::new("AGENT"),
        Column::new("PROGRAM").id(),
        Column::new("ARGUMENTS").id(),
        Column::new("LAST USE").text().optional(1),
    ]);
    for row in rows {
        let text = |key: &str| one_line(row[key].as_str().unwrap_or("-"), 200);
        table.row([
            Cell::new(text("agentId")),
            Cell::new(text("pattern")),
            Cell::new(text("argPattern")),
            Cell::new(text("lastUsedCommand")),
        ]);
    }
    context.out.table(&table)
}

fn change(context: &Context, args: &ChangeArgs, add: bool) -> Outcome {
    let snapshot = place::get(context, &args.connect)?;
    let mut file = snapshot["file"].clone();
    let changed = if add { insert(&mut file, args)? } else { remove(&mut file, args)? };
    if changed {
        let base = snapshot["hash"].as_str().filter(|_| snapshot["exists"] == true);
        place::set(context, &args.connect, &file, base)?;
    }
    let fields = json!({"pattern": args.pattern, "argPattern": args.args, "agentId": args.agent, "changed": changed});
    let text = match (add, changed) {
        (true, true) => format!("{} needs no approval any more", args.pattern),
        (true, false) => format!("{} is on the list already", args.pattern),
        (false, _) => format!("{} is off the list", args.pattern),
    };
    context.out.done(fields, &text)
}

fn entries<'f>(file: &'f mut Value, agent: &str) -> Result<&'f mut Vec<Value>> {
    let list = &mut file["agents"][agent]["allowlist"];
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut().ok_or_else(|| Error::internal("the allow list of the exec approvals is no list"))
}

fn is_meant(entry: &Value, args: &ChangeArgs) -> bool {
    entry["pattern"] == args.pattern.as_str() && entry["argPattern"].as_str() == args.args.as_deref()
}

fn insert(file: &mut Value, args: &ChangeArgs) -> Result<bool> {
    let entries = entries(file, &args.agent)?;
    if entries.iter().any(|entry| is_meant(entry, args)) {
        return Ok(false);
    }
    let mut entry = json!({"pattern": args.pattern});
    if let Some(arguments) = &args.args {
        entry["argPattern"] = arguments.as_str().into();
    }
    entries.push(entry);
    Ok(true)
}

fn remove(file: &mut Value, args: &ChangeArgs) -> Result<bool> {
    let entries = entries(file, &args.agent)?;
    let before = entries.len();
    entries.retain(|entry| !is_meant(entry, args));
    if entries.len() == before {
        return Err(Error::not_found(format!("{} is not on the list of agent {}", args.pattern, args.agent))
            .hint("openclaw approvals allowlist list"));
    }
    Ok(true)
}
