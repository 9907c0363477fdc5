//! Changing conversations.

use serde_json::{Map, Value, json};

use crate::core::{Error, Result};
use crate::gateway::methods::services::Services;
use crate::gateway::methods::spec::{Call, Param, Type};
use crate::state::SessionEntry;

/// Properties `sessions.patch` may change.
const PROPERTIES: [&str; 6] = ["label", "model", "thinkingLevel", "archived", "pinned", "unread"];

/// Parameters of `sessions.patch`.
pub(super) const PATCH_PARAMS: &[Param] = &[
    super::KEY,
    super::AGENT,
    Param::optional("label", Type::AnyOf(&[Type::Text(200), Type::Null]), "a name for people; null removes it"),
    Param::optional(
        "model",
        Type::AnyOf(&[Type::Key, Type::Null]),
        "provider/model or alias; null returns to the default",
    ),
    Param::optional(
        "thinkingLevel",
        Type::AnyOf(&[
            Type::OneOf(&["off", "minimal", "low", "medium", "high", "xhigh", "adaptive", "max"]),
            Type::Null,
        ]),
        "how much the model reasons; null returns to the default",
    ),
    Param::optional("archived", Type::AnyOf(&[Type::Boolean, Type::Null]), "out of the list"),
    Param::optional("pinned", Type::AnyOf(&[Type::Boolean, Type::Null]), "clients show it before others"),
    Param::optional("unread", Type::AnyOf(&[Type::Boolean, Type::Null]), "marked as not read"),
];

pub(super) async fn patch(call: Call) -> Result<Value> {
    let (key, agent) = call.services.key(call.args.text("key"), call.args.text("agentId"))?;
    let changes: Map<String, Value> = PROPERTIES
        .iter()
        .filter_map(|name| call.args.get(name).map(|value| ((*name).to_owned(), value.clone())))
        .collect();
    if changes.is_empty() {
        return Err(Error::user("sessions.patch: nothing to change was given")
            .hint(format!("give at least one of {}", PROPERTIES.join(", "))));
    }
    let entry = call.services.runtime.patch_session(&key, &agent, &changes).await?;
    let mut answer = changed(&call.services, &entry);
    answer["key"] = json!(key);
    answer["path"] = json!(call.services.runtime.paths().database());
    Ok(answer)
}

pub(super) async fn reset(call: Call) -> Result<Value> {
    let (key, agent) = call.services.key(call.args.text("key"), call.args.text("agentId"))?;
    let reason = call.args.text("reason").unwrap_or("reset");
    let entry = call.services.runtime.reset_session(&key, &agent, reason).await?;
    let mut answer = changed(&call.services, &entry);
    answer["key"] = json!(key);
    Ok(answer)
}

pub(super) async fn delete(call: Call) -> Result<Value> {
    let (key, agent) = call.services.key(call.args.text("key"), call.args.text("agentId"))?;
    let transcript = call.args.flag("deleteTranscript").unwrap_or(true);
    let deleted = call.services.runtime.delete_session(&key, &agent, transcript).await?;
    Ok(json!({"ok": true, "key": key, "deleted": deleted, "archived": []}))
}

/// `{ok, entry, resolved}`; `resolved` is the model the next turn uses.
fn changed(services: &Services, entry: &SessionEntry) -> Value {
    let registry = services.runtime.providers();
    let chosen = entry.model_override.as_deref().map(|reference| registry.resolve(reference));
    let model = match chosen {
        Some(Ok(model)) => model.info,
        // dropped: the entry itself shows an override that no longer resolves
        Some(Err(_)) | None => registry.default_model().info,
    };
    json!({"ok": true, "entry": entry, "resolved": {"modelProvider": model.provider, "model": model.id}})
}
