//! How a run ended, in the shape of OpenClaw's final `agent` response.

use serde_json::{Value, json};

use crate::core::SessionId;
use crate::runtime::{RunOutcome, RunStatus};

/// `{runId, status, startedAt, endedAt, stopReason, result, error?}`.
pub(super) fn outcome_json(outcome: &RunOutcome, session: Option<&SessionId>) -> Value {
    let payloads = if outcome.text.is_empty() { json!([]) } else { json!([{"text": outcome.text, "mediaUrl": null}]) };
    let mut answer = json!({
        "runId": outcome.run_id,
        "status": outcome.status,
        "startedAt": outcome.started_at,
        "endedAt": outcome.ended_at,
        "stopReason": outcome.stop_reason,
        "result": {
            "payloads": payloads,
            "meta": {
                "durationMs": outcome.ended_at.saturating_sub(outcome.started_at).max(0),
                "aborted": outcome.status == RunStatus::Aborted,
                "steps": outcome.steps,
                "toolCalls": outcome.tool_calls,
                "agentMeta": {
                    "sessionId": session,
                    "provider": outcome.provider,
                    "model": outcome.model,
                    "usage": outcome.usage,
                },
            },
        },
    });
    if outcome.status != RunStatus::Ok {
        let message = crate::gateway::events::error_message(outcome);
        answer["error"] = match &outcome.error {
            Some(error) if error.is_object() => error.clone(),
            _ => json!({"message": message}),
        };
        answer["summary"] = message.into();
    }
    answer
}
