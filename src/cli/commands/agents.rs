//! `openclaw agents`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Table};
use crate::config::{AgentConfig, LoadedConfig};
use crate::core::Result;
use crate::state::{SessionQuery, StatePaths};

/// Flags of `agents`.
#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    #[command(subcommand)]
    command: Option<AgentsCommand>,
}

#[derive(Debug, Subcommand)]
enum AgentsCommand {
    /// List the configured agents (what `openclaw agents` alone does).
    List,
}

/// Lists the agents.
pub(crate) fn run(context: &Context, args: AgentsArgs) -> Outcome {
    match args.command.unwrap_or(AgentsCommand::List) {
        AgentsCommand::List => list(context),
    }
}

fn list(context: &Context) -> Outcome {
    let config = context.config()?;
    let counts = session_counts(context, &config)?;
    let agents: Vec<Value> = config
        .view
        .agents
        .iter()
        .map(|agent| {
            json!({
                "id": agent.id,
                "name": agent.name,
                "isDefault": agent.is_default,
                "workspace": workspace(agent, &context.paths),
                "model": agent.model,
                "fallbacks": agent.fallbacks,
                "thinkingDefault": agent.thinking,
                "sessions": counts.get(agent.id.as_str()),
            })
        })
        .collect();
    context.out.data(&json!({ "agents": agents }), "agents", || table(context, &agents))
}

fn table(context: &Context, agents: &[Value]) -> String {
    let mut table = Table::new([
        Column::new("AGENT"),
        Column::new("NAME").text().optional(3),
        Column::new("DEFAULT").optional(2),
        Column::new("MODEL").id(),
        Column::new("SESSIONS").right().optional(1),
        Column::new("WORKSPACE").id().optional(4),
    ]);
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    for agent in agents {
        table.row([
            Cell::new(text(&agent["id"])),
            Cell::new(text(&agent["name"])),
            Cell::new(if agent["isDefault"] == true { "yes" } else { "" }),
            Cell::new(agent["model"].as_str().unwrap_or("(first available)")),
            Cell::new(agent["sessions"].as_u64().unwrap_or(0).to_string()),
            Cell::new(text(&agent["workspace"])),
        ]);
    }
    context.out.table(&table)
}

/// How many conversations each agent has; none without a database.
fn session_counts(context: &Context, config: &LoadedConfig) -> Result<BTreeMap<String, usize>> {
    let Some(store) = context.store()? else { return Ok(BTreeMap::new()) };
    let ids: Vec<_> = config.view.agents.iter().map(|agent| agent.id.clone()).collect();
    store.read_blocking(|read| {
        ids.iter()
            .map(|id| {
                let query = SessionQuery { agent_id: Some(id.clone()), limit: 1, ..SessionQuery::default() };
                Ok((id.to_string(), read.sessions(&query)?.total))
            })
            .collect()
    })
}

/// An agent's workspace directory.
pub(super) fn workspace(agent: &AgentConfig, paths: &StatePaths) -> std::path::PathBuf {
    match &agent.workspace {
        Some(path) => path.clone(),
        None if agent.is_default => paths.default_workspace(),
        None => paths.root.join(format!("workspace-{}", agent.id)),
    }
}
