//! Trajectories: what the model was sent and answered in each step of a run, kept as one artifact.
//!
//! Off unless asked for (`diagnostics.trajectory`, `OPENCLAW_TRAJECTORY=1`, or with the message). `Recorder` is a host around
//! the real one, so a run without a trajectory pays nothing. Each step adds only the messages that are new; the system prompt
//! and the tools are stored once, by their hash; what came before the run is in the transcript. Secrets are masked by their form.
//! `trajectory_export` puts it all together again as OpenClaw's `*.trajectory.jsonl`.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use serde_json::{Map, Value, json};

use super::artifacts::{artifact_id, sha256};
use super::host::{RunHost, Step};
use super::prepared::PreparedAgentRun;
use super::types::{RunEventBody, RunOutcome, RunStatus};
use crate::core::{Error, ErrorKind, Result, ToolCallId, redact};
use crate::providers::{ModelInfo, ModelRequest, ModelStream, ProviderError};
use crate::secrets::Environment;
use crate::session::event::{AgentResponse, EventBody};
use crate::session::message::ChatMessage;
use crate::state::Artifact;
use crate::tools::ToolOutput;

/// Kind of the artifact.
pub const TRAJECTORY: &str = "trajectory";
/// The environment variable that overrides `diagnostics.trajectory`.
pub const VARIABLE: &str = "OPENCLAW_TRAJECTORY";

/// Bytes of one run's trajectory; later steps are counted and left out.
const MAX_BYTES: usize = 1024 * 1024;
/// Bytes of one text in it.
const MAX_TEXT: usize = 32 * 1024;

/// Whether runs keep one when the message does not say.
pub(super) fn by_default(configured: bool, env: &Environment) -> Result<bool> {
    match env.get(VARIABLE).map(str::trim) {
        None => Ok(configured),
        Some("1" | "true" | "on") => Ok(true),
        Some("0" | "false" | "off") => Ok(false),
        Some(other) => Err(Error::new(ErrorKind::Config, format!("{VARIABLE} is {other:?}"))
            .hint(format!("{VARIABLE}=1 keeps what models are sent and answer, {VARIABLE}=0 does not"))),
    }
}

/// A host that writes down what passes through it.
pub(super) struct Recorder<'h> {
    host: &'h dyn RunHost,
    prepared: &'h PreparedAgentRun,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    lines: Vec<String>,
    bytes: usize,
    left_out: usize,
    texts: Vec<(String, Value)>,
    /// What earlier steps have.
    before: Sent,
    /// With this step.
    sent: Sent,
    step: u32,
    called: Option<Called>,
    tools: Vec<Value>,
    model: Option<ModelInfo>,
}

/// What the model has been sent: so many messages, and a digest chained over prompt, tools and messages, so that runs that
/// were sent the same have the same one.
#[derive(Default, Clone)]
struct Sent {
    messages: usize,
    digest: String,
}

/// A model call under way.
struct Called {
    at: Instant,
    /// Milliseconds until the first piece of the answer.
    first: Arc<OnceLock<u64>>,
}

impl<'h> Recorder<'h> {
    /// Around a host, for one run.
    pub(super) fn new(host: &'h dyn RunHost, prepared: &'h PreparedAgentRun) -> Self {
        Self { host, prepared, record: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, attempt: usize, request: &ModelRequest) -> Arc<OnceLock<u64>> {
        let mut record = self.lock();
        let now = self.host.now();
        record.model = self.host.candidate(attempt);
        if record.lines.is_empty() {
            record.begin(self.prepared, request, now);
        }
        // Without an answer in between, another candidate is asked the same again.
        if record.called.is_none() {
            record.step += 1;
            record.before = record.sent.clone();
        }
        let known = record.before.messages.min(request.messages.len());
        let added: Vec<Value> = request.messages[known..].iter().map(|message| message_json(message)).collect();
        let digest = sha256(format!("{}\n{}", record.before.digest, json!(added)).as_bytes());
        let data = json!({
            "step": record.step, "attempt": attempt, "requestDigest": digest, "messages": added,
            "thinkLevel": request.thinking,
        });
        record.line("prompt.submitted", now, data);
        record.sent = Sent { messages: request.messages.len(), digest };
        let first = Arc::new(OnceLock::new());
        record.called = Some(Called { at: Instant::now(), first: Arc::clone(&first) });
        first
    }

    /// What a step of the transcript says about the record.
    fn note(&self, step: &mut Step) {
        let mut record = self.lock();
        let now = self.host.now();
        for event in &step.events {
            if let EventBody::AgentResponse(answer) = &event.body {
                record.answered(answer, now);
            }
        }
        if let Some(outcome) = &step.outcome {
            record.end(outcome, now);
            step.staged.artifacts.push(record.artifact(self.prepared, now));
            step.staged.texts.append(&mut record.texts);
        }
    }
}

impl RunHost for Recorder<'_> {
    fn model(&self, attempt: usize, request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>> {
        let first = self.asked(attempt, &request);
        let began = Instant::now();
        async move {
            let stream = self.host.model(attempt, request).await?;
            let timed = stream.inspect(move |_piece| {
                first.get_or_init(|| millis(began));
            });
            Ok(Box::pin(timed) as ModelStream)
        }
        .boxed()
    }

    fn candidate(&self, attempt: usize) -> Option<ModelInfo> {
        self.host.candidate(attempt)
    }

    fn tool<'a>(&'a self, id: &'a ToolCallId, name: &'a str, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        async move {
            let began = Instant::now();
            let output = self.host.tool(id, name, arguments).await;
            let spent = millis(began);
            self.lock().tools.push(json!({
                "toolName": name, "toolCallId": id, "isError": output.is_error, "durationMs": spent,
            }));
            output
        }
        .boxed()
    }

    fn tool_is_parallel(&self, name: &str) -> bool {
        self.host.tool_is_parallel(name)
    }

    fn commit(&self, mut step: Step) -> BoxFuture<'_, Result<()>> {
        self.note(&mut step);
        self.host.commit(step)
    }

    fn emit(&self, body: RunEventBody) {
        self.host.emit(body);
    }

    fn now(&self) -> i64 {
        self.host.now()
    }
}

impl Record {
    fn begin(&mut self, prepared: &PreparedAgentRun, request: &ModelRequest, now: i64) {
        let system = self.keep(json!(redact::text(&request.system)));
        let tools = self.keep(json!(*request.tools));
        // The message of the run is the last one.
        let history = request.messages.len().saturating_sub(1);
        self.sent = Sent { messages: history, digest: sha256(format!("{system}\n{tools}").as_bytes()) };
        self.line(
            "session.started",
            now,
            json!({
                "trigger": "user", "agentId": prepared.agent_id, "messageChannel": prepared.channel,
                "workspaceDir": prepared.workspace, "filesystemMode": prepared.filesystem_mode,
                "toolCount": request.tools.len(),
            }),
        );
        self.line(
            "trace.metadata",
            now,
            json!({
                "harness": {
                    "type": "openclaw", "name": "openclaw", "version": env!("CARGO_PKG_VERSION"),
                    "os": {"platform": std::env::consts::OS, "arch": std::env::consts::ARCH},
                },
                "model": {"thinkLevel": request.thinking},
                "runtime": {"timeoutMs": prepared.timeout_ms, "maxSteps": prepared.max_steps},
            }),
        );
        self.line(
            "context.compiled",
            now,
            json!({
                "systemPromptHash": system, "toolsHash": tools, "transcriptLeafId": prepared.message_event_id,
                "historyMessages": history,
            }),
        );
    }

    fn answered(&mut self, answer: &AgentResponse, now: i64) {
        let called = self.called.take();
        let (first, duration) =
            called.map_or((None, None), |called| (called.first.get().copied(), Some(millis(called.at))));
        let data = json!({
            "step": self.step,
            "durationMs": duration,
            "firstOutputMs": first,
            "usage": answer.usage,
            "stopReason": answer.stop_reason,
            "responseId": answer.response_id,
            "content": readable(&json!(answer.content)),
            "error": answer.error.as_deref().map(redact::text),
        });
        self.line("model.completed", now, without_nulls(data));
    }

    fn end(&mut self, outcome: &RunOutcome, now: i64) {
        let status = match outcome.status {
            RunStatus::Ok => "success",
            other => other.as_str(),
        };
        let (aborted, tools) = (outcome.status == RunStatus::Aborted, std::mem::take(&mut self.tools));
        // The last two lines are always there.
        self.bytes = 0;
        let data = json!({
            "finalStatus": status, "aborted": aborted, "usage": outcome.usage, "modelCalls": outcome.steps,
            "toolMetas": tools, "leftOut": (self.left_out > 0).then_some(self.left_out),
        });
        self.line("trace.artifacts", now, without_nulls(data));
        let error = outcome.error.as_ref().map(readable);
        self.line("session.ended", now, without_nulls(json!({"status": status, "aborted": aborted, "error": error})));
    }

    fn artifact(&self, prepared: &PreparedAgentRun, now: i64) -> Artifact {
        let blob = self.lines.concat().into_bytes();
        let metadata = json!({
            "mimeType": "application/x-ndjson", "title": "trajectory", "sizeBytes": blob.len(),
            "steps": self.step, "workspaceDir": prepared.workspace,
        });
        Artifact {
            artifact_id: artifact_id(&prepared.run_id, TRAJECTORY),
            kind: TRAJECTORY.to_owned(),
            metadata,
            blob: Some(blob),
            created_at: now,
        }
    }

    fn line(&mut self, kind: &str, ts: i64, data: Value) {
        let model = self.model.as_ref();
        let mut line = json!({
            "type": kind, "ts": ts, "provider": model.map(|model| &model.provider), "modelId": model.map(|model| &model.id),
            "modelApi": model.map(|model| &model.api),
        });
        line["data"] = data;
        let line = format!("{}\n", without_nulls(line));
        if self.bytes + line.len() > MAX_BYTES {
            self.left_out += 1;
        } else {
            self.bytes += line.len();
            self.lines.push(line);
        }
    }

    /// Stores a value once; its hash.
    fn keep(&mut self, value: Value) -> String {
        let hash = sha256(value.to_string().as_bytes());
        self.texts.push((hash.clone(), value));
        hash
    }
}

/// A message in OpenClaw's shape, without secrets and large texts.
pub(super) fn message_json(message: &ChatMessage) -> Value {
    let (mut json, content) = match message {
        ChatMessage::User { content } => (json!({"role": "user"}), content),
        ChatMessage::Assistant { content, provider, model } => {
            (without_nulls(json!({"role": "assistant", "provider": provider, "model": model})), content)
        }
        ChatMessage::ToolResult { tool_call_id, tool_name, content, is_error } => (
            json!({"role": "toolResult", "toolCallId": tool_call_id, "toolName": tool_name, "isError": is_error}),
            content,
        ),
    };
    json["content"] = readable(&json!(content));
    json
}

/// The value without secrets and large texts; images by their size.
fn readable(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let shown = text.floor_char_boundary(MAX_TEXT);
            let masked = redact::text(&text[..shown]);
            if shown == text.len() {
                masked.into()
            } else {
                format!("{masked}\n[{} more bytes]", text.len() - shown).into()
            }
        }
        Value::Array(items) => items.iter().map(readable).collect(),
        Value::Object(members) if members.get("type").is_some_and(|kind| kind == "image") => {
            let mut image: Map<String, Value> = members.clone();
            if let Some(Value::String(data)) = image.remove("data") {
                image.insert("base64Bytes".to_owned(), data.len().into());
                image.insert("base64Sha256".to_owned(), sha256(data.as_bytes()).into());
            }
            Value::Object(image)
        }
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), readable(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn without_nulls(mut object: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.retain(|_, value| !value.is_null());
    }
    object
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn secrets_images_and_long_texts_are_not_copied() {
        let key = format!("sk-{}", "a1".repeat(20));
        let shown = readable(&json!([
            {"type": "text", "text": format!("use {key} now")},
            {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"},
            "é".repeat(MAX_TEXT),
        ]));
        let text = shown.to_string();
        assert!(!text.contains(&key) && text.contains(redact::MASK), "{}", &text[..200]);
        assert_eq!((&shown[1]["mimeType"], shown[1].get("data")), (&json!("image/png"), None));
        assert!(text.len() < MAX_TEXT + 1024 && text.contains(&format!("[{MAX_TEXT} more bytes]")));
    }

    #[test]
    fn a_long_run_keeps_its_beginning_and_its_end() {
        let mut record = Record::default();
        for step in 0..100 {
            record.line("prompt.submitted", step, json!({"text": "x".repeat(MAX_BYTES / 10)}));
        }
        record.end(&RunOutcome::of("r".into(), 0), 5);
        let blob = record.lines.concat();
        assert!(blob.len() <= MAX_BYTES + 4096, "{}", blob.len());
        let last: Vec<Value> =
            blob.lines().rev().take(2).map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(last[0]["type"], "session.ended");
        assert_eq!(last[1]["data"]["leftOut"], record.left_out);
        assert!(record.left_out > 80);
    }

    #[test]
    fn the_environment_decides_over_the_configuration() {
        let env = |value: &str| Environment { vars: BTreeMap::from([(VARIABLE.to_owned(), value.to_owned())]) };
        assert!(by_default(true, &Environment::default()).expect("fine"));
        assert!(by_default(false, &env("1")).expect("fine"));
        assert!(!by_default(true, &env("off")).expect("fine"));
        assert_eq!(by_default(true, &env("maybe")).expect_err("unknown").kind(), ErrorKind::Config);
    }
}
