//! `sandbox.*`: what confines the commands of agents.

use serde_json::{Value, json};

use super::services::blocking;
use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::core::{AgentId, Error, Result};
use crate::runtime::explain::Subject;
use crate::sandbox::{Backend, SandboxLevel};

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[
    Method {
        name: "sandbox.explain",
        summary: "What decides what an agent's tools may do: level, guarantees, workspace, protected files, limits, tools",
        params: &[
            Param::optional(
                "agentId",
                Type::Key,
                "the agent; without it the one of the session, else the default agent",
            ),
            Param::optional("sessionKey", Type::Key, "the agent of this conversation"),
        ],
        result: || {
            object_schema(
                &[
                    ("agentId", "string"),
                    ("filesystemMode", "string"),
                    ("works", "boolean"),
                    ("level", "string"),
                    ("guarantees", "array"),
                    ("workspace", "object"),
                    ("mounts", "array"),
                    ("protected", "object"),
                    ("private", "array"),
                    ("network", "boolean"),
                    ("limits", "object"),
                    ("environment", "array"),
                    ("timeoutSeconds", "integer"),
                    ("tools", "object"),
                    ("notes", "array"),
                ],
                &[("backend", "string"), ("problem", "string"), ("remedy", "string")],
            )
        },
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(explain(call)),
    },
    Method {
        name: "sandbox.probe",
        summary: "Tries out the means of confinement on the gateway's machine: what each guarantees, and what a command could do",
        params: &[
            Param::optional("level", Type::OneOf(&["none", "relaxed", "strict"]), "for this level; strict without it"),
            Param::optional(
                "backend",
                Type::OneOf(&["namespaces", "bubblewrap", "landlock", "seatbelt", "jobobject", "plain"]),
                "only this one; without it all that this system has",
            ),
        ],
        result: || object_schema(&[("level", "string"), ("probes", "array")], &[]),
        scope: Scope::Read,
        lifetime: Lifetime::WhileConnected,
        handler: |call| Box::pin(probe(call)),
    },
];

async fn explain(call: Call) -> Result<Value> {
    let (_, agent) = call.services.key(call.args.text("sessionKey"), call.args.text("agentId"))?;
    let runtime = call.services.runtime.clone();
    let config = runtime.config();
    let posture = subject(&config, &agent, runtime.paths())?.posture(runtime.sandbox()).await;
    blocking(move || subject(&config, &agent, runtime.paths())?.explain(&posture)).await
}

fn subject<'s>(
    config: &'s crate::config::LoadedConfig,
    agent: &AgentId,
    paths: &'s crate::state::StatePaths,
) -> Result<Subject<'s>> {
    let agent = config.view.agent(agent).ok_or_else(|| Error::not_found(format!("no agent {agent}")))?;
    Ok(Subject { config, agent, paths })
}

async fn probe(call: Call) -> Result<Value> {
    let level = call.args.text("level").and_then(SandboxLevel::parse).unwrap_or(SandboxLevel::Strict);
    let only = call.args.text("backend").and_then(Backend::parse);
    let sandbox = call.services.runtime.sandbox();
    let mut probes = Vec::new();
    for backend in Backend::of_this_system().iter().copied().filter(|backend| only.is_none_or(|only| only == *backend))
    {
        probes.push(sandbox.probe(level, Some(backend)).await);
    }
    if let (true, Some(only)) = (probes.is_empty(), only) {
        probes.push(sandbox.probe(level, Some(only)).await);
    }
    Ok(json!({"level": level, "probes": probes}))
}
