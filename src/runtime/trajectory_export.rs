//! A stored trajectory as OpenClaw's `*.trajectory.jsonl` (`openclaw-trajectory`, schema version 1): every line with its
//! envelope, the system prompt and the tools in full, and the conversation before the run, read from its transcript.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::artifacts::TEXTS;
use super::trajectory::{TRAJECTORY, message_json};
use crate::core::{Error, ErrorKind, Result};
use crate::session::projection::SessionState;
use crate::state::{ArtifactEntry, ReadTx};

/// The content of an artifact as a file: a trajectory in OpenClaw's form, everything else as it is.
pub fn content(tx: &ReadTx<'_>, entry: &ArtifactEntry) -> Result<Vec<u8>> {
    let Some(blob) = &entry.artifact.blob else {
        return Err(Error::not_found(format!("the artifact {} has no content here", entry.artifact.artifact_id)));
    };
    if entry.artifact.kind != TRAJECTORY {
        return Ok(blob.clone());
    }
    let unreadable =
        |error: serde_json::Error| Error::new(ErrorKind::State, "the stored trajectory cannot be read").source(error);
    let mut lines = String::new();
    for (seq, line) in (1_u64..).zip(blob.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())) {
        let line: Value = serde_json::from_slice(line).map_err(unreadable)?;
        lines.push_str(&expanded(tx, entry, seq, line)?.to_string());
        lines.push('\n');
    }
    Ok(lines.into_bytes())
}

fn expanded(tx: &ReadTx<'_>, entry: &ArtifactEntry, seq: u64, mut line: Value) -> Result<Value> {
    let kind = line["type"].take();
    let ts = line["ts"].as_i64().and_then(|ms| Timestamp::from_millisecond(ms).ok()).map(|time| time.to_string()); // dropped: a time out of range is left out
    let mut data = line["data"].take();
    if kind == "context.compiled" {
        for (hash, name) in [("systemPromptHash", "systemPrompt"), ("toolsHash", "tools")] {
            if let Some(hash) = data[hash].as_str() {
                data[name] = tx.kv_get(TEXTS, hash)?.unwrap_or_default();
            }
        }
        data["messages"] = history(tx, entry, &data)?.into();
    }
    Ok(json!({
        "traceSchema": "openclaw-trajectory", "schemaVersion": 1, "traceId": entry.session_id, "source": "runtime",
        "type": kind, "ts": ts, "seq": seq, "sourceSeq": seq, "sessionId": entry.session_id,
        "sessionKey": entry.session_key, "runId": entry.run_id, "workspaceDir": entry.artifact.metadata["workspaceDir"],
        "provider": line["provider"], "modelId": line["modelId"], "modelApi": line["modelApi"], "data": data,
    }))
}

/// What the model was sent of the conversation before the run's own message. Empty when the transcript is gone.
fn history(tx: &ReadTx<'_>, entry: &ArtifactEntry, data: &Value) -> Result<Vec<Value>> {
    let (Some(session), Some(leaf)) = (&entry.session_id, data["transcriptLeafId"].as_str()) else {
        return Ok(Vec::new());
    };
    let mut state = SessionState::default();
    let mut found = false;
    tx.each_event(&entry.agent_id, session, |stored| {
        found |= stored.event.id.as_str() == leaf;
        state.apply(stored.event);
        !found
    })?;
    let mut messages: Vec<Value> =
        if found { state.context().iter().map(|message| message_json(message)).collect() } else { Vec::new() };
    // The last one is the run's own, which its first step has.
    messages.pop();
    Ok(messages)
}
