//! What the agent loop needs from the process around it.
//!
//! The loop knows nothing of keys, sockets, databases or directories: each is behind one of these calls. Commands,
//! virtual files, approvals and artifacts reach a run as tools, through [`RunHost::tool`].

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::artifacts::Staged;
use super::types::{RunEventBody, RunOutcome};
use crate::core::{Result, ToolCallId};
use crate::providers::{ModelInfo, ModelRequest, ModelStream, ProviderError};
use crate::session::{Event, Usage};
use crate::tools::ToolOutput;

/// One billed model call.
#[derive(Debug, Clone, PartialEq)]
pub struct Billed {
    /// Provider id.
    pub provider: String,
    /// Model id.
    pub model: String,
    /// Tokens and cost.
    pub usage: Usage,
    /// Milliseconds from request to last byte.
    pub duration_ms: u64,
}

/// What one step of the loop adds to the transcript: one transaction.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Events in order, already chained by `parent_id`.
    pub events: Vec<Event>,
    /// The model call of this step.
    pub billed: Option<Billed>,
    /// Set on the last step: the run's terminal state is written in the same transaction.
    pub outcome: Option<RunOutcome>,
    /// What the step leaves behind besides events.
    pub staged: Staged,
}

/// The process around a run.
pub trait RunHost: Send + Sync {
    /// Starts a model call on the `attempt`-th candidate model. `request.model` is filled in by the host.
    fn model(&self, attempt: usize, request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>>;

    /// The `attempt`-th candidate model; `None` when there are no more.
    fn candidate(&self, attempt: usize) -> Option<ModelInfo>;

    /// Runs a tool under the run's policy.
    fn tool<'a>(&'a self, id: &'a ToolCallId, name: &'a str, arguments: Value) -> BoxFuture<'a, ToolOutput>;

    /// Whether calls of this tool may run beside others.
    fn tool_is_parallel(&self, name: &str) -> bool;

    /// Makes a step durable; resolves after COMMIT.
    fn commit(&self, step: Step) -> BoxFuture<'_, Result<()>>;

    /// Tells subscribers; never waits.
    fn emit(&self, body: RunEventBody);

    /// Unix milliseconds.
    fn now(&self) -> i64;
}
