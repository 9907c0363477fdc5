//! `agents.*`.

use serde_json::{Value, json};

use super::spec::{Call, Lifetime, Method, Scope, object_schema};

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[Method {
    name: "agents.list",
    summary: "The agents of the configuration with their models and workspaces",
    params: &[],
    result: || {
        object_schema(
            &[
                ("defaultId", "string"),
                ("mainKey", "string"),
                ("scope", "string"),
                ("ownership", "string"),
                ("selectionRequired", "boolean"),
                ("agents", "array"),
            ],
            &[],
        )
    },
    scope: Scope::Read,
    lifetime: Lifetime::WhileConnected,
    handler: |call| Box::pin(std::future::ready(Ok(list(&call)))),
}];

fn list(call: &Call) -> Value {
    let runtime = &call.services.runtime;
    let config = runtime.config();
    let fallback = runtime.providers().default_model().info.reference();
    let default = config.view.agents.iter().find(|agent| agent.is_default).or(config.view.agents.first());
    let default = default.map(|agent| agent.id.clone()).unwrap_or_default();
    let agents: Vec<Value> = config
        .view
        .agents
        .iter()
        .map(|agent| {
            let workspace = agent.workspace.clone().unwrap_or_else(|| {
                let home = runtime.paths().default_workspace();
                if agent.id == default { home } else { home.with_file_name(format!("workspace-{}", agent.id)) }
            });
            let mut row = json!({
                "id": agent.id, "kind": "agent", "isDefault": agent.id == default, "workspace": workspace,
                "model": {"primary": agent.model.as_deref().unwrap_or(&fallback), "fallbacks": agent.fallbacks},
                "thinkingDefault": agent.thinking.as_deref().unwrap_or("off"),
            });
            if let Some(name) = &agent.name {
                row["name"] = name.as_str().into();
            }
            if agent.identity.as_object().is_some_and(|identity| !identity.is_empty()) {
                row["identity"] = agent.identity.clone();
            }
            row
        })
        .collect();
    json!({
        "defaultId": default, "mainKey": config.view.main_key, "scope": "per-sender", "ownership": "sole",
        "selectionRequired": false, "agents": agents,
    })
}
