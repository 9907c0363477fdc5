//! `models.*`.

use serde_json::{Value, json};

use super::spec::{Call, Lifetime, Method, Param, Scope, Type, object_schema};
use crate::core::Result;
use crate::providers::ThinkingLevel;

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
        Param::optional("agentId", Type::Key, "whose default model to mark; without it the default agent's"),
        Param::optional("sessionKey", Type::Key, "the same, by a conversation of the agent"),
        Param::optional("preparedOnly", Type::Boolean, "accepted for OpenClaw's clients; models need no preparation"),
    ],
    result: || object_schema(&[("models", "array"), ("defaultModel", "string"), ("accountSelection", "object")], &[]),
    scope: Scope::Read,
    lifetime: Lifetime::WhileConnected,
    handler: |call| Box::pin(std::future::ready(list(&call))),
}];

fn list(call: &Call) -> Result<Value> {
    let runtime = &call.services.runtime;
    let registry = runtime.providers();
    let (_, agent) = call.services.key(call.args.text("sessionKey"), call.args.text("agentId"))?;
    let config = runtime.config();
    let agent = config.view.agent(&agent);
    let configured = agent.and_then(|agent| agent.model.as_deref());
    // dropped: an agent whose model does not resolve uses the default; its own turns report the reason
    let default =
        configured.and_then(|reference| registry.resolve(reference).ok()).unwrap_or_else(|| registry.default_model());
    let default = default.info.reference();
    let thinking = agent.and_then(|agent| agent.thinking.as_deref()).and_then(ThinkingLevel::parse).unwrap_or_default();
    let ready_only = call.args.text("view") == Some("configured");
    let known = if call.args.flag("includeDetails") == Some(true) { registry.models() } else { Vec::new() };
    let models: Vec<Value> = registry
        .models_json(Some(&default), thinking)
        .into_iter()
        .filter(|row| !ready_only || row["available"] == true)
        .map(|mut row| {
            row["default"] = row.get("tags").is_some().into();
            if let Some(model) = known.iter().find(|model| row["provider"] == model.provider && row["id"] == model.id) {
                row["api"] = json!(model.api);
                row["maxTokens"] = json!(model.max_tokens);
                row["cost"] = json!(model.cost);
            }
            row
        })
        .collect();
    let account = json!({"kind": "automatic", "label": "Automatic"});
    Ok(json!({"models": models, "defaultModel": default, "accountSelection": account}))
}
