//! What a tool is given besides its arguments.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::exec::ExecContext;
use super::policy::{ExecApprovals, Used};
use crate::core::{AgentId, FilesystemMode, Result, RunId, SessionKey, ToolCallId};
use crate::fs::AgentFiles;

/// Where a run's file effects may land.
#[derive(Clone)]
pub struct AgentFilesystem {
    /// How the run's files were chosen.
    pub mode: FilesystemMode,
    /// What relative paths name: the workspace on the host, or the virtual one. `None` when the run has no files.
    pub workspace: Option<Arc<dyn AgentFiles>>,
    /// What `scratch:/…` names: virtual files of the agent that are no part of its workspace. `None` in mode `disk`.
    pub scratch: Option<Arc<dyn AgentFiles>>,
}

impl AgentFilesystem {
    /// A workspace without scratch files.
    pub fn of(workspace: Arc<dyn AgentFiles>) -> Self {
        Self { mode: FilesystemMode::Disk, workspace: Some(workspace), scratch: None }
    }
}

/// Something a person decides about.
#[derive(Debug, Clone)]
pub struct ApprovalRequest {
    /// `exec` or `tool`.
    pub kind: &'static str,
    /// The tool.
    pub tool: String,
    /// What will happen, in one line: the command as it was written.
    pub summary: String,
    /// Why a person is asked: the rule that did not match, the shell that hides what it runs.
    pub reason: String,
    /// What exactly the decision is about: for a command the members of [`super::policy::Binding`], else
    /// `tool` and `arguments`.
    pub binding: Value,
    /// SHA-256 over the canonical `binding`: a decision holds for this and nothing else.
    pub fingerprint: [u8; 32],
    /// Whether `allow-always` may be offered.
    pub may_stand: bool,
    /// Whether it counts as allowed when nobody decides in time.
    pub allow_unanswered: bool,
}

/// What became of an [`ApprovalRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalDecision {
    /// Go on.
    Allowed {
        /// Who: a client's name, or `standing grant`.
        by: String,
        /// By an earlier `allow-always`.
        standing: bool,
    },
    /// Do not.
    Denied {
        /// For the model: who or what decided, and why.
        reason: String,
    },
}

/// Asks people. Implemented by the runtime; a decision is durable before it is returned.
pub trait Approver: Send + Sync {
    /// Waits for a decision; never longer than the configured time.
    fn decide<'a>(&'a self, call: &'a CallIdentity, request: ApprovalRequest) -> BoxFuture<'a, ApprovalDecision>;

    /// What people have written down: lists and rules for commands.
    fn approvals(&self) -> BoxFuture<'_, Result<ExecApprovals>> {
        Box::pin(std::future::ready(Ok(ExecApprovals::default())))
    }

    /// Entries of those lists covered a command that starts now. Never waits.
    fn used(&self, _call: &CallIdentity, _entries: &[Used], _command: &str) {}
}

/// Denies everything: for runs that nobody can be asked about.
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyToAsk;

impl Approver for NobodyToAsk {
    fn decide<'a>(&'a self, _call: &'a CallIdentity, _request: ApprovalRequest) -> BoxFuture<'a, ApprovalDecision> {
        let reason = "this needs an approval, and nobody can be asked here".to_owned();
        Box::pin(std::future::ready(ApprovalDecision::Denied { reason }))
    }
}

/// Who makes a call.
#[derive(Debug, Clone, Default)]
pub struct CallIdentity {
    /// The agent.
    pub agent_id: AgentId,
    /// Its session.
    pub session_key: SessionKey,
    /// The run.
    pub run_id: RunId,
    /// The call within the run.
    pub tool_call_id: ToolCallId,
}

/// More of what a running tool has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolProgress {
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// New text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Tells subscribers; never waits.
pub type ProgressSink = Arc<dyn Fn(ToolProgress) + Send + Sync>;

/// What a tool gets besides its arguments.
#[derive(Clone)]
pub struct ToolContext {
    /// File capabilities.
    pub files: AgentFilesystem,
    /// Ends when the run is aborted.
    pub cancel: CancellationToken,
    /// Who calls.
    pub call: CallIdentity,
    /// The model can see images.
    pub images: bool,
    /// Asks people.
    pub approver: Arc<dyn Approver>,
    /// Live output.
    pub progress: ProgressSink,
    /// Commands. `None` when the run has none.
    pub exec: Option<Arc<ExecContext>>,
}

impl ToolContext {
    /// For a run that has files and nothing else.
    pub fn for_files(files: AgentFilesystem) -> Self {
        Self {
            files,
            cancel: CancellationToken::new(),
            call: CallIdentity::default(),
            images: false,
            approver: Arc::new(NobodyToAsk),
            progress: Arc::new(|_progress| {}),
            exec: None,
        }
    }
}
