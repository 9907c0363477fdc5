//! OpenClaw's event payloads (`shared/protocol/PROTOCOL.md` §4).

use std::sync::Arc;

use serde_json::{Value, json};

use super::frame::EventFrame;
use crate::core::{ErrorKind, ProviderErrorClass, now_ms};
use crate::runtime::{RunEvent, RunEventBody, RunOutcome, RunStatus};

/// The notifications of one run event, in the order in which they are sent.
///
/// `chat` deltas carry only `deltaText`; the whole text comes once, as `message` of the final state.
pub(crate) fn run_event(event: &RunEvent) -> Vec<Arc<EventFrame>> {
    match &event.body {
        RunEventBody::Text { delta } => vec![agent_delta(event, ASSISTANT, delta), chat_delta(event, delta)],
        RunEventBody::Thinking { delta } => vec![agent_delta(event, THINKING, delta)],
        RunEventBody::ToolProgress { .. } => vec![command_output(event)],
        RunEventBody::Ended { outcome } => vec![agent(event), chat_end(event, outcome)],
        RunEventBody::Started
        | RunEventBody::Model { .. }
        | RunEventBody::ToolStart { .. }
        | RunEventBody::ToolEnd { .. }
        | RunEventBody::Usage { .. } => vec![agent(event)],
    }
}

/// Stream of a reply's text.
const ASSISTANT: &str = "assistant";
/// Stream of a model's reasoning.
const THINKING: &str = "thinking";
/// Stream of what a running tool says.
const COMMAND_OUTPUT: &str = "command_output";

/// The `agent` event of one run event: `{runId, sessionKey, sessionId, agentId, stream, data, seq, ts}`.
pub(crate) fn agent_payload(event: &RunEvent) -> Value {
    let (stream, data) = agent_data(&event.body, event.ts);
    let mut params = base(event);
    params["stream"] = stream.into();
    params["data"] = data;
    params["seq"] = event.seq.into();
    params["ts"] = event.ts.into();
    params
}

/// `stream` and `data`.
fn agent_data(body: &RunEventBody, ts: i64) -> (&'static str, Value) {
    match body {
        RunEventBody::Started => ("lifecycle", json!({"phase": "start", "startedAt": ts})),
        RunEventBody::Model { provider, model } => {
            ("lifecycle", json!({"phase": "model", "provider": provider, "model": model}))
        }
        RunEventBody::Text { delta } => (ASSISTANT, json!({"delta": delta})),
        RunEventBody::Thinking { delta } => (THINKING, json!({"delta": delta})),
        RunEventBody::ToolStart { tool_call_id, name, arguments } => {
            ("tool", json!({"phase": "start", "name": name, "toolCallId": tool_call_id, "args": arguments}))
        }
        RunEventBody::ToolProgress { tool_call_id, name, stream, text } => {
            (COMMAND_OUTPUT, with_output(progress_data(tool_call_id, name, stream), text))
        }
        RunEventBody::ToolEnd { tool_call_id, name, is_error, content, details, duration_ms } => {
            let mut result = json!({"content": content});
            if let Some(details) = details {
                result["details"] = details.clone();
            }
            let data = json!({
                "phase": "result", "name": name, "toolCallId": tool_call_id, "isError": is_error,
                "durationMs": duration_ms, "result": result,
            });
            ("tool", data)
        }
        RunEventBody::Usage { usage } => {
            let data = json!({
                "inputTokens": usage.input, "outputTokens": usage.output, "totalTokens": usage.total_tokens,
                "usage": usage,
            });
            ("usage", data)
        }
        RunEventBody::Ended { outcome } => ("lifecycle", end_data(outcome)),
    }
}

fn base(event: &RunEvent) -> Value {
    json!({
        "runId": event.run_id, "sessionKey": event.session_key, "sessionId": event.session_id, "agentId": event.agent_id,
    })
}

fn numbering(event: &RunEvent) -> Value {
    json!({"seq": event.seq, "ts": event.ts})
}

fn agent(event: &RunEvent) -> Arc<EventFrame> {
    EventFrame::new("agent", &agent_payload(event))
}

/// [`agent_payload`] of a text, in a form that can be joined with the next one.
fn agent_delta(event: &RunEvent, stream: &str, delta: &str) -> Arc<EventFrame> {
    let mut before = base(event);
    before["stream"] = stream.into();
    let run = format!("{} {stream}", event.run_id);
    EventFrame::delta("agent", &run, &before, Some(("data", &json!({}))), "delta", delta, &numbering(event))
}

/// [`agent_payload`] of a tool's live output, in a form that can be joined with the next one.
fn command_output(event: &RunEvent) -> Arc<EventFrame> {
    let RunEventBody::ToolProgress { tool_call_id, name, stream, text } = &event.body else { return agent(event) };
    let mut before = base(event);
    before["stream"] = COMMAND_OUTPUT.into();
    let run = format!("{} {tool_call_id} {stream}", event.run_id);
    let data = progress_data(tool_call_id, name, stream);
    EventFrame::delta("agent", &run, &before, Some(("data", &data)), "output", text, &numbering(event))
}

fn progress_data(tool_call_id: &str, name: &str, stream: &str) -> Value {
    json!({"phase": "delta", "name": name, "toolCallId": tool_call_id, "source": stream})
}

fn with_output(mut data: Value, text: &str) -> Value {
    data["output"] = text.into();
    data
}

fn chat_delta(event: &RunEvent, delta: &str) -> Arc<EventFrame> {
    let mut before = base(event);
    before["state"] = "delta".into();
    EventFrame::delta("chat", event.run_id.as_str(), &before, None, "deltaText", delta, &numbering(event))
}

fn end_data(outcome: &RunOutcome) -> Value {
    let mut data = json!({
        "phase": "end", "startedAt": outcome.started_at, "endedAt": outcome.ended_at,
        "provider": outcome.provider, "model": outcome.model, "stopReason": outcome.stop_reason,
    });
    match outcome.status.as_str() {
        "ok" => {}
        "aborted" => {
            data["aborted"] = true.into();
            data["status"] = "cancelled".into();
            data["stopReason"] = "rpc".into();
        }
        _ => {
            data["phase"] = "error".into();
            data["error"] = error_message(outcome).into();
        }
    }
    data
}

fn chat_end(event: &RunEvent, outcome: &RunOutcome) -> Arc<EventFrame> {
    let mut params = base(event);
    params["seq"] = event.seq.into();
    params["ts"] = event.ts.into();
    match outcome.status.as_str() {
        "ok" => {
            params["state"] = "final".into();
            params["stopReason"] = json!(outcome.stop_reason);
            params["usage"] = json!(outcome.usage);
        }
        "aborted" => {
            params["state"] = "aborted".into();
            params["stopReason"] = "rpc".into();
        }
        _ => {
            params["state"] = "error".into();
            params["errorMessage"] = error_message(outcome).into();
            params["errorKind"] = error_kind(outcome).into();
            if let Some(detail) = &outcome.error {
                params["errorDetail"] = detail.clone();
            }
        }
    }
    if !outcome.text.is_empty() {
        params["message"] = json!({
            "role": "assistant", "content": [{"type": "text", "text": outcome.text}], "timestamp": outcome.ended_at,
            "provider": outcome.provider, "model": outcome.model, "usage": outcome.usage,
            "stopReason": outcome.stop_reason,
        });
    }
    EventFrame::new("chat", &params)
}

/// A sentence for people about a run that did not end well.
pub(crate) fn error_message(outcome: &RunOutcome) -> String {
    let error = outcome.error.as_ref();
    let message = error.and_then(|error| error.get("message").or(Some(error))).and_then(Value::as_str);
    match message {
        Some(message) => message.to_owned(),
        None if outcome.status == RunStatus::Interrupted => {
            "the gateway stopped while this run was in progress".to_owned()
        }
        None => format!("the run ended with status {}", outcome.status.as_str()),
    }
}

/// OpenClaw's `errorKind`.
fn error_kind(outcome: &RunOutcome) -> &'static str {
    let text =
        |key| outcome.error.as_ref().and_then(|error| error.get(key)).and_then(Value::as_str).unwrap_or_default();
    let is = |known: ProviderErrorClass| text("class") == known.as_str();
    if outcome.stop_reason == Some(crate::session::StopReason::Refusal) {
        "refusal"
    } else if is(ProviderErrorClass::Timeout) || text("code") == ErrorKind::Timeout.as_str() {
        "timeout"
    } else if is(ProviderErrorClass::RateLimit) || is(ProviderErrorClass::Overloaded) {
        "rate_limit"
    } else if is(ProviderErrorClass::ContextOverflow) {
        "context_length"
    } else {
        "unknown"
    }
}

/// `tick`.
pub(crate) fn tick() -> Arc<EventFrame> {
    EventFrame::new("tick", &json!({"ts": now_ms()}))
}
