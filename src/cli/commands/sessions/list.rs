//! `openclaw sessions list`: straight from the database, read-only.

use std::str::FromStr;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Cell, Column, Meaning, Table, absolute, count, relative};
use crate::cli::suggest;
use crate::core::{AgentId, Error, Result, now_ms};
use crate::state::{SessionEntry, SessionPage, SessionQuery};

/// Fewest characters of a session id shown.
const SHORT_ID: usize = 8;

/// Flags of `sessions list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those used within the last MINUTES.
    #[arg(long, value_name = "MINUTES")]
    active: Option<u32>,
    /// Only of this agent [default: the default agent].
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Of every agent.
    #[arg(long, conflicts_with = "agent")]
    all_agents: bool,
    /// Most sessions to show, or "all".
    #[arg(long, value_name = "COUNT", default_value = "100")]
    limit: Limit,
    /// Only those whose key, label or title contains TEXT.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Times in UTC instead of "3m ago".
    #[arg(long)]
    utc: bool,
}

/// A count, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit(usize);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(usize::MAX)),
            digits => match digits.parse() {
                Ok(number) if number > 0 => Ok(Self(number)),
                _ => Err("a number above 0, or \"all\"".to_owned()),
            },
        }
    }
}

/// Lists conversations.
pub(crate) fn run(context: &Context, args: &ListArgs) -> Outcome {
    let agent = chosen_agent(context, args)?;
    let now = now_ms();
    let page = read(context, args, agent.as_ref(), now)?;
    let rows: Vec<Value> = page.entries.iter().map(|entry| row(entry, now)).collect::<Result<_>>()?;
    let value = json!({
        "path": context.paths.database(), "count": rows.len(), "totalCount": page.total,
        "agentId": agent, "activeMinutes": args.active, "hasMore": page.total > rows.len(), "sessions": rows,
    });
    if context.out.is_text() && page.entries.is_empty() {
        context.out.note("no sessions yet: openclaw agent -m \"hello\" starts one");
        return Ok(());
    }
    context.out.data(&value, "sessions", || table(context, &page.entries, now, args.utc))?;
    if context.out.is_text() && page.total > page.entries.len() {
        context.out.note(&format!("{} more: --limit all", page.total - page.entries.len()));
    }
    Ok(())
}

/// The agent whose sessions are wanted; `None` = every agent.
fn chosen_agent(context: &Context, args: &ListArgs) -> Result<Option<AgentId>> {
    if args.all_agents {
        return Ok(None);
    }
    let Ok(config) = context.config() else {
        // dropped: sessions stay readable with a broken configuration; doctor and status report it
        return Ok(args.agent.as_deref().map(AgentId::from));
    };
    let agents = &config.view.agents;
    match &args.agent {
        None => Ok(agents.iter().find(|agent| agent.is_default).or(agents.first()).map(|agent| agent.id.clone())),
        Some(wanted) if agents.iter().any(|agent| agent.id.as_str() == wanted) => {
            Ok(Some(AgentId::from(wanted.as_str())))
        }
        Some(wanted) => Err(Error::not_found(format!("no agent named '{wanted}'"))
            .why("the configuration does not name it")
            .hint(suggest::hint(wanted, agents.iter().map(|agent| agent.id.as_str()), "openclaw agents list"))),
    }
}

fn read(context: &Context, args: &ListArgs, agent: Option<&AgentId>, now: i64) -> Result<SessionPage> {
    let Some(store) = context.store()? else { return Ok(SessionPage { entries: Vec::new(), total: 0 }) };
    let query = SessionQuery {
        agent_id: agent.cloned(),
        agents: None,
        search: args.search.clone(),
        updated_after: args.active.map(|minutes| now - i64::from(minutes) * 60_000),
        archived: None,
        limit: args.limit.0,
        offset: 0,
    };
    store.read_blocking(|read| read.sessions(&query))
}

/// The entry as JSON with the fields that are columns in the database.
pub(super) fn row(entry: &SessionEntry, now: i64) -> Result<Value> {
    let mut row = Map::new();
    row.insert("key".into(), entry.key.as_str().into());
    row.insert("agentId".into(), entry.agent_id.as_str().into());
    row.insert("ageMs".into(), now.saturating_sub(entry.updated_at).into());
    match serde_json::to_value(entry) {
        Ok(Value::Object(fields)) => row.extend(fields),
        Ok(_) => {}
        Err(error) => return Err(Error::internal("a session entry cannot be written as JSON").source(error)),
    }
    Ok(Value::Object(row))
}

fn table(context: &Context, entries: &[SessionEntry], now: i64, utc: bool) -> String {
    let mut table = Table::new([
        Column::new("KEY").id(),
        Column::new("ID").optional(1),
        Column::new("UPDATED"),
        Column::new("STATUS").optional(4),
        Column::new("TOKENS").right().optional(3),
        Column::new("MODEL").id().optional(5),
        Column::new("TITLE").text().optional(2),
    ]);
    let short = unique_prefix(entries);
    for entry in entries {
        let status = entry.status.as_deref().unwrap_or("-");
        let meaning = match status {
            "running" => Meaning::Accent,
            "error" | "killed" => Meaning::Error,
            _ => Meaning::Dim,
        };
        let id = entry.session_id.as_str();
        let updated = if utc { absolute(entry.updated_at, true) } else { relative(now, entry.updated_at) };
        table.row([
            Cell::new(entry.key.as_str()),
            Cell::new(id.chars().take(short).collect::<String>()).full(id).meaning(Meaning::Dim),
            Cell::new(updated).full(absolute(entry.updated_at, true)),
            Cell::new(status).meaning(meaning),
            Cell::new(count(entry.usage.total_tokens)).full(entry.usage.total_tokens.to_string()),
            Cell::new(entry.model.as_deref().unwrap_or("-")),
            Cell::new(entry.label.as_deref().or(entry.derived_title.as_deref()).unwrap_or_default()),
        ]);
    }
    context.out.table(&table)
}

/// Fewest characters by which the ids shown can be told apart.
fn unique_prefix(entries: &[SessionEntry]) -> usize {
    let mut ids: Vec<&str> = entries.iter().map(|entry| entry.session_id.as_str()).collect();
    ids.sort_unstable();
    ids.windows(2)
        .filter_map(|pair| match pair {
            [left, right] if left != right => {
                Some(left.chars().zip(right.chars()).take_while(|(a, b)| a == b).count() + 1)
            }
            _ => None,
        })
        .max()
        .unwrap_or(0)
        .max(SHORT_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> SessionEntry {
        serde_json::from_value(json!({ "sessionId": id, "updatedAt": 5 })).expect("an entry")
    }

    #[test]
    fn limits_are_numbers_or_all() {
        assert_eq!("all".parse(), Ok(Limit(usize::MAX)));
        assert_eq!("7".parse(), Ok(Limit(7)));
        assert!("0".parse::<Limit>().is_err() && "x".parse::<Limit>().is_err());
    }

    #[test]
    fn short_ids_can_be_told_apart() {
        assert_eq!(unique_prefix(&[]), SHORT_ID);
        assert_eq!(unique_prefix(&[entry("0197aaaa-1111"), entry("0197aaaa-1122")]), 12);
        assert_eq!(unique_prefix(&[entry("a"), entry("a")]), SHORT_ID);
    }

    #[test]
    fn rows_carry_key_agent_and_age() {
        let mut entry = entry("0197");
        entry.key = "agent:main:main".into();
        entry.agent_id = "main".into();
        let row = row(&entry, 12).expect("JSON");
        assert_eq!((row["key"].as_str(), row["agentId"].as_str()), (Some("agent:main:main"), Some("main")));
        assert_eq!((row["ageMs"].as_i64(), row["sessionId"].as_str()), (Some(7), Some("0197")));
    }
}
