//! Looking at conversations.

use serde_json::{Value, json};

use crate::core::{AgentId, Error, Result, SessionKey, now_ms};
use crate::gateway::methods::rows;
use crate::gateway::methods::services::Services;
use crate::gateway::methods::spec::{Call, Param, Type, object_schema};
use crate::session::key::parse_agent_id;
use crate::state::{SessionEntry, SessionQuery};

/// Rows of a page when the caller names no number.
const DEFAULT_LIMIT: usize = 100;

/// Parameters of `sessions.list` and `sessions.subscribe`.
pub(super) const PARAMS: &[Param] = &[
    Param::optional("limit", Type::Integer(1, 1000), "rows of this page; 100 without it"),
    Param::optional("offset", Type::Integer(0, i64::MAX), "rows to skip"),
    Param::optional("search", Type::Text(256), "only rows whose key, title, label or preview has this text"),
    Param::optional("agentId", Type::Key, "only this agent's"),
    Param::optional("activeMinutes", Type::Integer(1, 5_256_000), "only those used within so many minutes"),
    Param::optional(
        "archived",
        Type::AnyOf(&[Type::Boolean, Type::OneOf(&["include", "exclude", "only", "all", "true", "false"])]),
        "archived ones: exclude (the default), include, only",
    ),
    Param::optional("includeDerivedTitles", Type::Boolean, "false leaves derivedTitle out"),
    Param::optional("includeLastMessage", Type::Boolean, "false leaves lastMessagePreview out"),
    Param::optional("includeGlobal", Type::Boolean, "accepted for OpenClaw's clients; there are no global sessions"),
    Param::optional("includeUnknown", Type::Boolean, "accepted for OpenClaw's clients; there are no unknown sessions"),
    Param::optional("configuredAgentsOnly", Type::Boolean, "only agents named in the configuration"),
    Param::optional("ownerFirst", Type::Boolean, "accepted for OpenClaw's clients; there is one owner"),
    Param::optional("sortBy", Type::OneOf(&["updatedAt", "updated"]), "the only order there is"),
];

/// Result of `sessions.list`.
pub(super) fn schema() -> Value {
    object_schema(
        &[
            ("ts", "integer"),
            ("path", "string"),
            ("count", "integer"),
            ("totalCount", "integer"),
            ("limitApplied", "integer"),
            ("hasMore", "boolean"),
            ("owners", "array"),
            ("defaults", "object"),
            ("sessions", "array"),
        ],
        &[("nextOffset", "any")],
    )
}

pub(super) async fn list(call: Call) -> Result<Value> {
    page(&call).await
}

/// A page of rows.
pub(super) async fn page(call: &Call) -> Result<Value> {
    let args = &call.args;
    let limit = args.count("limit").unwrap_or(DEFAULT_LIMIT);
    let offset = args.count("offset").unwrap_or(0);
    let now = now_ms();
    let config = call.services.runtime.config();
    let configured = || config.view.agents.iter().map(|agent| agent.id.clone()).collect();
    let query = SessionQuery {
        agent_id: args.text("agentId").map(parse_agent_id).transpose()?,
        agents: (args.flag("configuredAgentsOnly") == Some(true)).then(configured),
        search: args.text("search").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned),
        updated_after: args.integer("activeMinutes").map(|minutes| now - minutes * 60_000),
        archived: archived(args.get("archived")),
        limit,
        offset,
    };
    let page = call.services.read(move |tx| tx.sessions(&query)).await?;
    let services = &call.services;
    let hidden: Vec<&str> = [("includeDerivedTitles", "derivedTitle"), ("includeLastMessage", "lastMessagePreview")]
        .iter()
        .filter(|(flag, _)| args.flag(flag) == Some(false))
        .map(|(_, member)| *member)
        .collect();
    let read = page.entries.len();
    let sessions: Vec<Value> = page
        .entries
        .iter()
        .map(|entry| {
            let mut row = rows::session_row(&services.runtime, entry, &entry.key, &entry.agent_id);
            if let Some(members) = row.as_object_mut() {
                members.retain(|name, _| !hidden.contains(&name.as_str()));
            }
            row
        })
        .collect();
    let next = offset + read;
    let has_more = read > 0 && next < page.total;
    Ok(json!({
        "ts": now,
        "path": services.runtime.paths().database(),
        "count": sessions.len(),
        "totalCount": page.total,
        "limitApplied": limit,
        "nextOffset": has_more.then_some(next),
        "hasMore": has_more,
        "owners": [],
        "defaults": rows::defaults(&services.runtime),
        "sessions": sessions,
    }))
}

fn archived(value: Option<&Value>) -> Option<bool> {
    match value {
        Some(Value::Bool(only)) => Some(*only),
        Some(Value::String(word)) => match word.as_str() {
            "include" | "all" => None,
            "only" | "true" => Some(true),
            _ => Some(false),
        },
        _ => Some(false),
    }
}

pub(super) async fn describe(call: Call) -> Result<Value> {
    let (key, agent) = call.services.key(call.args.text("key"), call.args.text("agentId"))?;
    let entry = entry(&call.services, &key, &agent).await?;
    Ok(json!({"session": rows::session_row(&call.services.runtime, &entry, &key, &agent)}))
}

/// The entry of a key, or `NotFound`.
pub(super) async fn entry(services: &Services, key: &SessionKey, agent: &AgentId) -> Result<SessionEntry> {
    let (read_key, read_agent) = (key.clone(), agent.clone());
    services.read(move |tx| tx.session(&read_agent, &read_key)).await?.ok_or_else(|| {
        Error::not_found(format!("there is no session {:?}", key.as_str()))
            .hint("sessions.list shows those there are; a message to the key makes it")
    })
}
