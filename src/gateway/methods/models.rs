//! `models.*`.

use serde_json::{Value, json};

use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::providers::ModelInfo;

/// This namespace's part of the table.
pub(super) static METHODS: &[Method] = &[Method {
    name: "models.list",
    summary: "The models agents can use, and whether a key for each is at hand",
    params: &[
        Param::optional(
            "view",
            Type::OneOf(&["default", "configured", "all", "provider-config"]),
            "configured: only those ready for use; otherwise all",
        ),
        Param::optional("includeDetails", Type::Boolean, "also wire API, output limit and prices"),
        Param::optional("agentId", Type::Key, "whose default model to mark"),
        Param::optional("sessionKey", Type::Key, "accepted for OpenClaw's clients; every session has the same models"),
        Param::optional("preparedOnly", Type::Boolean, "accepted for OpenClaw's clients; models need no preparation"),
    ],
    result: || object_schema(&[("models", "array"), ("defaultModel", "string")], &[]),
    scope: Scope::Read,
    lifetime: Lifetime::WhileConnected,
    handler: |call| Box::pin(std::future::ready(Ok(list(&call)))),
}];

fn list(call: &Call) -> Value {
    let runtime = &call.services.runtime;
    let registry = runtime.providers();
    let agent = call.args.agent();
    let config = runtime.config();
    let chosen = config.view.agents.iter().find(|known| match &agent {
        Some(agent) => known.id == *agent,
        None => known.is_default,
    });
    let configured = chosen.and_then(|agent| agent.model.as_deref());
    // dropped: an agent whose model does not resolve uses the default; its own turns report the reason
    let default =
        configured.and_then(|reference| registry.resolve(reference).ok()).unwrap_or_else(|| registry.default_model());
    let default = default.info.reference();
    let ready_only = call.args.text("view") == Some("configured");
    let details = call.args.flag("includeDetails") == Some(true);
    let models: Vec<Value> = registry
        .models()
        .iter()
        .filter(|model| !ready_only || model.available)
        .map(|model| describe(model, &default, details))
        .collect();
    json!({"models": models, "defaultModel": default})
}

fn describe(model: &ModelInfo, default: &str, details: bool) -> Value {
    let levels: &[&str] = if model.reasoning { &["off", "minimal", "low", "medium", "high"] } else { &["off"] };
    let levels: Vec<Value> = levels.iter().map(|level| json!({"id": level, "label": level})).collect();
    let mut row = json!({
        "id": model.id, "name": model.name, "provider": model.provider, "contextWindow": model.context_window,
        "reasoning": model.reasoning, "input": model.input, "thinkingLevels": levels, "thinkingDefault": "off",
        "available": model.available, "local": model.local, "default": model.reference() == default,
    });
    if details {
        row["api"] = json!(model.api);
        row["maxTokens"] = json!(model.max_tokens);
        row["cost"] = json!(model.cost);
    }
    row
}
