//! `health`, `status`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::{Value, json};

use super::rows;
use super::services::{Services, blocking};
use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::core::{Result, now_ms};
use crate::gateway::lock::lock;
use crate::runtime::explain::Posture;
use crate::state::{SessionEntry, SessionQuery};

/// Sessions shown as recent.
const RECENT: usize = 5;

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    Method {
        name: "health",
        summary: "Whether the gateway is well, with its agents and recent conversations",
        params: &[Param::optional("probe", Type::Boolean, "also check the database")],
        result: || {
            object_schema(
                &[
                    ("ok", "boolean"),
                    ("ts", "integer"),
                    ("durationMs", "integer"),
                    ("defaultAgentId", "string"),
                    ("agents", "array"),
                    ("sessions", "object"),
                    ("channels", "object"),
                    ("channelOrder", "array"),
                    ("channelLabels", "object"),
                    ("plugins", "object"),
                    ("heartbeatSeconds", "integer"),
                ],
                &[("state", "object"), ("sandbox", "array")],
            )
        },
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(health(call)),
    },
    Method {
        name: "status",
        summary: "Version, uptime, load, models, conversations and database of the gateway",
        params: &[Param::optional(
            "includeChannelSummary",
            Type::Boolean,
            "accepted for OpenClaw's clients; there are no channels",
        )],
        result: || {
            object_schema(
                &[
                    ("runtimeVersion", "string"),
                    ("pid", "integer"),
                    ("bootId", "string"),
                    ("startedAt", "integer"),
                    ("uptimeMs", "integer"),
                    ("processMemory", "object"),
                    ("gateway", "object"),
                    ("runs", "object"),
                    ("sessions", "object"),
                    ("state", "object"),
                    ("config", "object"),
                    ("log", "object"),
                    ("sandbox", "array"),
                ],
                &[],
            )
        },
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(status(call)),
    },
];

async fn health(call: Call) -> Result<Value> {
    let begin = Instant::now();
    let services = &call.services;
    let config = services.runtime.config();
    let sessions = recent_sessions(services).await?;
    let agents: Vec<Value> =
        config.view.agents.iter().map(|agent| json!({"agentId": agent.id, "isDefault": agent.is_default})).collect();
    let default = config.view.agents.iter().find(|agent| agent.is_default).or(config.view.agents.first());
    let mut answer = json!({
        "ok": !services.vitals.is_draining(),
        "ts": now_ms(),
        "durationMs": 0,
        "defaultAgentId": default.map(|agent| &agent.id),
        "agents": agents,
        "sessions": *sessions,
        // OpenClaw's clients look into these without asking whether they are there.
        "channels": {}, "channelOrder": [], "channelLabels": {},
        "plugins": {"loaded": [], "errors": [], "unavailable": []},
        "heartbeatSeconds": 0,
    });
    let postures = services.runtime.sandbox_postures();
    if !postures.is_empty() {
        answer["sandbox"] = postures.iter().map(Posture::to_json).collect();
    }
    if call.args.flag("probe") == Some(true) {
        let store = services.runtime.store().clone();
        answer["state"] = json!(blocking(move || store.health()).await?);
    }
    answer["durationMs"] = elapsed_ms(begin).into();
    Ok(answer)
}

async fn status(call: Call) -> Result<Value> {
    let services = &call.services;
    let (runtime, vitals, hub) = (&services.runtime, &services.vitals, &services.hub);
    let store = runtime.store().clone();
    let (state, memory) = blocking(move || Ok((store.health()?, crate::fs::resident_bytes()))).await?;
    let query = SessionQuery { limit: RECENT, ..SessionQuery::default() };
    let page = services.read(move |tx| tx.sessions(&query)).await?;
    let now = now_ms();
    let recent: Vec<Value> = page
        .entries
        .iter()
        .map(|entry| {
            let mut row = rows::session_row(runtime, entry, &entry.key, &entry.agent_id);
            row["age"] = (now - entry.updated_at).max(0).into();
            row
        })
        .collect();
    let config = runtime.config();
    Ok(json!({
        "runtimeVersion": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "bootId": vitals.boot_id,
        "startedAt": vitals.started_at,
        "uptimeMs": vitals.uptime_ms(),
        "processMemory": {"rssBytes": memory},
        "gateway": {
            "bind": vitals.address.ip().to_string(),
            "port": vitals.address.port(),
            "auth": vitals.auth_mode,
            "draining": vitals.is_draining(),
            "connections": {
                "open": vitals.connections.load(Ordering::Relaxed), "webSockets": hub.len(), "webSocketsTotal": hub.total(),
            },
            "calls": {
                "total": vitals.calls.load(Ordering::Relaxed), "failed": vitals.failed_calls.load(Ordering::Relaxed),
            },
        },
        "runs": {"active": runtime.active_run_count(), "maxConcurrent": config.view.max_concurrent},
        "sessions": {
            "paths": [runtime.paths().database()], "count": page.total, "defaults": rows::defaults(runtime), "recent": recent,
        },
        "state": state,
        "config": {
            "path": config.path, "exists": config.exists, "hash": config.hash, "warnings": config.warnings.len(),
        },
        "log": {"file": services.options.log_file},
        "sandbox": runtime.sandbox_postures().iter().map(Posture::to_json).collect::<Vec<_>>(),
    }))
}

/// `{path, count, recent}`, read again only when a session changed since.
async fn recent_sessions(services: &Services) -> Result<Arc<Value>> {
    let changes = services.hub.session_changes();
    if let Some((read_at, sessions)) = &*lock(&services.health_sessions)
        && *read_at == changes
    {
        return Ok(Arc::clone(sessions));
    }
    let query = SessionQuery { limit: RECENT, ..SessionQuery::default() };
    let page = services.read(move |tx| tx.sessions(&query)).await?;
    let recent =
        |entry: &SessionEntry| json!({"key": entry.key, "agentId": entry.agent_id, "updatedAt": entry.updated_at});
    let sessions = Arc::new(json!({
        "path": services.runtime.paths().database(),
        "count": page.total,
        "recent": page.entries.iter().map(recent).collect::<Vec<_>>(),
    }));
    *lock(&services.health_sessions) = Some((changes, Arc::clone(&sessions)));
    Ok(sessions)
}

fn elapsed_ms(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
