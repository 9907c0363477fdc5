//! What tools leave behind besides text, staged in `tool_artifacts`: rows with a manifest and the bytes, by run.
//!
//! Artifacts are written in the transaction of the step that made them ([`super::host::Step`]), so a transcript never speaks of
//! one that is not there. They go with their conversation, or when they are older than `tools.artifacts.retentionDays`; old
//! ones are looked for after a run has ended, at most once an hour.

use std::sync::atomic::{AtomicI64, Ordering};

use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::service::Runtime;
use crate::core::{Result, RunId, ToolCallId, now_ms};
use crate::session::message::{ContentBlock, KnownBlock};
use crate::state::{Artifact, ArtifactEntry};
use crate::tools::ToolOutput;

/// Kind of an image that a tool returned.
pub const MEDIA: &str = "media";
/// Scope in `kv` of texts that artifacts refer to by their hash.
pub(super) const TEXTS: &str = "artifact.texts";

/// Least time between two looks for old artifacts.
const PRUNE_EVERY_MS: i64 = 3_600_000;
/// Artifacts deleted in one transaction.
const PRUNE_BATCH: usize = 200;
const DAY_MS: i64 = 24 * 3_600_000;

/// What a step stages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Staged {
    /// For `tool_artifacts`.
    pub artifacts: Vec<Artifact>,
    /// Texts by their hash, stored once however many artifacts name them.
    pub texts: Vec<(String, Value)>,
}

/// When old artifacts were looked for last.
#[derive(Debug, Default)]
pub(super) struct Pruned(AtomicI64);

/// The images of a result. The same image in the same run is one artifact.
pub(super) fn media(run: &RunId, call: &ToolCallId, tool: &str, output: &ToolOutput) -> Vec<Artifact> {
    let details = output.details.as_ref();
    let source = details.and_then(|details| details.get("path")).and_then(Value::as_str);
    let images = output.content.iter().filter_map(|block| match block {
        ContentBlock::Known(KnownBlock::Image { data, mime_type, .. }) => Some((data, mime_type)),
        _ => None,
    });
    images
        .filter_map(|(data, mime_type)| {
            // dropped: what is no base64 is no image; the transcript has it as it came
            let bytes = BASE64.decode(data.as_bytes()).ok()?;
            let hash = sha256(&bytes);
            let mut metadata = json!({
                "mimeType": mime_type, "sizeBytes": bytes.len(), "sha256": hash, "tool": tool, "toolCallId": call,
            });
            if let Some(path) = source {
                metadata["path"] = path.into();
                metadata["title"] = path.rsplit('/').next().unwrap_or(path).into();
            }
            Some(Artifact {
                artifact_id: artifact_id(run, &hash),
                kind: MEDIA.to_owned(),
                metadata,
                blob: Some(bytes),
                created_at: now_ms(),
            })
        })
        .collect()
}

/// What clients see of an artifact, in OpenClaw's shape.
pub fn summary(entry: &ArtifactEntry) -> Value {
    let (artifact, metadata) = (&entry.artifact, &entry.artifact.metadata);
    let mime = metadata["mimeType"].as_str().unwrap_or("application/octet-stream");
    let is_image = artifact.kind == MEDIA && mime.starts_with("image/");
    json!({
        "id": artifact.artifact_id,
        "type": if is_image { "image" } else { artifact.kind.as_str() },
        "title": metadata["title"].as_str().unwrap_or(&artifact.kind),
        "mimeType": mime,
        "sizeBytes": entry.bytes,
        "agentId": entry.agent_id,
        "runId": entry.run_id,
        "sessionKey": entry.session_key,
        "sessionId": entry.session_id,
        "createdAt": artifact.created_at,
        "source": metadata.get("tool").or_else(|| metadata.get("path")),
        "download": {"mode": if entry.bytes.is_some() { "bytes" } else { "unsupported" }},
    })
}

/// The same for the same content in the same run, and unique otherwise.
pub(super) fn artifact_id(run: &RunId, content: &str) -> String {
    let hash = sha256(format!("{run}\0{content}").as_bytes());
    format!("art-{}", hash.get(..32).unwrap_or(&hash))
}

/// Lower-case hexadecimal SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

impl Runtime {
    /// After a run: deletes what is too old, if nobody did within the last hour. Needs a tokio runtime.
    pub(super) fn prune_artifacts_soon(&self) {
        let days = self.config().view.artifact_days;
        let (now, last) = (now_ms(), &self.shared.pruned.0);
        let before = last.load(Ordering::Relaxed);
        let is_due = days > 0 && now.saturating_sub(before) >= PRUNE_EVERY_MS;
        if !is_due || last.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let runtime = self.clone();
        self.shared.chores.spawn(async move {
            match runtime.prune_artifacts(now.saturating_sub(DAY_MS.saturating_mul(days))).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "old artifacts were deleted"),
                Err(error) => tracing::warn!(%error, "old artifacts could not be deleted"),
            }
        });
    }

    /// Deletes what was made before that time, in batches so that runs can write in between.
    async fn prune_artifacts(&self, before: i64) -> Result<usize> {
        let mut total = 0;
        loop {
            let deleted = self.shared.store.write(move |tx| tx.prune_artifacts(before, PRUNE_BATCH)).await?;
            total += deleted;
            if deleted < PRUNE_BATCH {
                // A day later than the artifacts that name them: their time of use is kept to the day.
                self.shared.store.write(move |tx| tx.kv_prune(TEXTS, before - DAY_MS)).await?;
                return Ok(total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_become_artifacts_with_a_manifest() {
        let (run, call) = (RunId::from("r"), ToolCallId::from("c"));
        let mut output = ToolOutput::text("an image").with_details(json!({"path": "pics/cat.png"}));
        output.content.push(ContentBlock::image("aGVsbG8=", "image/png"));
        output.content.push(ContentBlock::image("not base64", "image/png"));
        let staged = media(&run, &call, "read", &output);
        assert_eq!(staged.len(), 1);
        assert_eq!(staged[0].blob.as_deref(), Some(&b"hello"[..]));
        assert_eq!(
            staged[0].metadata,
            json!({
                "mimeType": "image/png", "sizeBytes": 5, "tool": "read", "toolCallId": "c", "path": "pics/cat.png", "title": "cat.png",
                "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            })
        );
        let again = media(&run, &"d".into(), "read", &output);
        assert_eq!(again[0].artifact_id, staged[0].artifact_id, "the same content");
        let elsewhere = media(&"other".into(), &call, "read", &output);
        assert_ne!(elsewhere[0].artifact_id, staged[0].artifact_id, "another run");
    }
}
