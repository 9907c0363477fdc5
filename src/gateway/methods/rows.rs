//! Session rows and the defaults beside them, as OpenClaw's clients read them.

use serde_json::{Value, json};

use crate::core::{AgentId, SessionKey, now_ms};
use crate::runtime::Runtime;
use crate::state::SessionEntry;

/// One row of `sessions.list`, `sessions.describe`, `chat.history` and `sessions.changed`.
///
/// `totalTokens` is the size of the last prompt and `contextTokens` the model's window, so that their ratio says how
/// full the conversation is; `inputTokens` and `outputTokens` are sums over the session's life.
pub(crate) fn session_row(runtime: &Runtime, entry: &SessionEntry, key: &SessionKey, agent: &AgentId) -> Value {
    let runs = runtime.active_runs(key);
    let window = chosen_model(entry).and_then(|reference| context_window(runtime, &reference));
    row(entry, key, agent, &runtime.config().view.main_key, &json!(runs), window)
}

fn row(
    entry: &SessionEntry,
    key: &SessionKey,
    agent: &AgentId,
    main_key: &str,
    runs: &Value,
    window: Option<u64>,
) -> Value {
    let rest = key.as_str().strip_prefix("agent:").and_then(|rest| rest.split_once(':')).map_or("", |(_, rest)| rest);
    let is_main = rest == main_key;
    let classification = match rest.split(':').next().unwrap_or_default() {
        _ if is_main => "main",
        "explicit" => "explicit",
        "cron" => "cron",
        _ => "direct",
    };
    let kind = if rest.split(':').any(|part| part == "group" || part == "channel") { "group" } else { "direct" };
    let mut row = json!({
        "key": key,
        "kind": kind,
        "classification": classification,
        "agentId": agent,
        "sessionId": entry.session_id,
        "isMain": is_main,
        "createdAt": entry.created_at,
        "updatedAt": entry.updated_at,
        "lastInteractionAt": entry.updated_at,
        "archived": entry.archived,
        "pinned": entry.pinned,
        "unread": entry.unread,
        "hasActiveRun": runs.as_array().is_some_and(|runs| !runs.is_empty()),
        "activeRunIds": runs,
        "inputTokens": entry.usage.input,
        "outputTokens": entry.usage.output,
        "totalTokens": entry.context_tokens,
        "totalTokensFresh": entry.context_tokens > 0,
        "estimatedCostUsd": entry.usage.cost.total,
        "modelOverrideSource": entry.model_override.as_ref().map(|_| "user"),
        "snapshotAt": now_ms(),
    });
    let runtime_ms = match (entry.started_at, entry.ended_at) {
        (Some(start), Some(end)) if end >= start => Some(end - start),
        _ => None,
    };
    let optional = [
        ("label", json!(entry.label)),
        ("displayName", json!(entry.label)),
        ("derivedTitle", json!(entry.derived_title)),
        ("lastMessagePreview", json!(entry.last_message_preview)),
        ("channel", json!(entry.channel)),
        ("status", json!(entry.status)),
        ("startedAt", json!(entry.started_at)),
        ("endedAt", json!(entry.ended_at)),
        ("runtimeMs", json!(runtime_ms)),
        ("lastRunId", json!(entry.last_run_id)),
        ("modelProvider", json!(entry.model_provider)),
        ("model", json!(entry.model)),
        ("modelOverride", json!(entry.model_override)),
        ("thinkingLevel", json!(entry.thinking_level)),
        ("contextTokens", json!(window)),
    ];
    for (name, value) in optional {
        if !value.is_null() {
            row[name] = value;
        }
    }
    row
}

/// `provider/model` that a session's next turn would use, as far as the entry says.
fn chosen_model(entry: &SessionEntry) -> Option<String> {
    entry.model_override.clone().or_else(|| {
        let (provider, model) = (entry.model_provider.as_ref()?, entry.model.as_ref()?);
        Some(format!("{provider}/{model}"))
    })
}

fn context_window(runtime: &Runtime, reference: &str) -> Option<u64> {
    // dropped: a session may name a model that is no longer configured; its row then has no window
    runtime.providers().resolve(reference).ok().map(|model| model.info.context_window)
}

/// `{modelProvider, model, contextTokens}` of a turn in a session that chose nothing.
pub(super) fn defaults(runtime: &Runtime) -> Value {
    let model = runtime.providers().default_model().info;
    json!({"modelProvider": model.provider, "model": model.id, "contextTokens": model.context_window})
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::from_value;

    #[test]
    fn a_row_has_what_clients_need_and_no_empty_members() {
        let entry: SessionEntry =
            from_value(json!({"sessionId": "s1", "createdAt": 5, "updatedAt": 9, "startedAt": 5, "endedAt": 8}))
                .unwrap();
        let make = |key: &str, runs: Value| row(&entry, &key.into(), &"main".into(), "main", &runs, Some(1000));
        let main = make("agent:main:main", json!(["r1"]));
        assert_eq!(main["classification"], "main");
        assert_eq!(
            (&main["isMain"], &main["hasActiveRun"], &main["runtimeMs"]),
            (&json!(true), &json!(true), &json!(3))
        );
        assert_eq!(main["contextTokens"], 1000);
        assert!(main.get("label").is_none());
        assert_eq!(make("agent:main:explicit:x", json!([]))["classification"], "explicit");
        assert_eq!(make("agent:main:telegram:group:7", json!([]))["kind"], "group");
        assert_eq!(make("agent:main:main", json!([]))["hasActiveRun"], false);
    }
}
