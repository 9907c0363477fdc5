//! Line 5: what a model may call.
//!
//! A [`ToolSet`] holds the tools of a run and is the only caller of [`Tool::call`]: it checks arguments against the tool's schema, isolates
//! panics, honours cancellation and bounds what the model gets back. Tools reach files only through [`AgentFilesystem`].
//!
//! | file | job |
//! |---|---|
//! | `context` | what a tool is given: files, approvals, progress, who calls |
//! | `set` | [`ToolSet`] |
//! | `policy/` | which tools and commands may run, and when a person is asked |
//! | `arguments` | validation, with leniency for habits models bring from other harnesses |
//! | `exec` `process` | commands in the sandbox; those that go on in the background |
//! | `support`, `scratch` | blocking work, places in the workspace and `scratch:/`, failures, output bounds shared by the tools |
//! | `read` `write` `edit` `ls` `find` `grep` `apply_patch` | one tool each |
//! | [`patch`] | the patch format: parsing, and what it means for files as they are |
//! | `replace`, `diff` | exact text replacement; unified diffs |
//! | `lines`, `image` | bounded line reading; image formats by their first bytes |
//! | `ignore_rules` | `.gitignore` files met on a walk |
//!
//! ```
//! use std::sync::Arc;
//!
//! use openclaw::fs::HostCapabilityFs;
//! use openclaw::session::message::plain_text;
//! use openclaw::tools::{AgentFilesystem, ToolContext, ToolSet};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), openclaw::fs::FsError> {
//! # let directory = tempfile::tempdir().expect("a temporary directory");
//! let workspace = HostCapabilityFs::open(directory.path())?;
//! let context = ToolContext::for_files(AgentFilesystem::of(Arc::new(workspace)));
//! let tools = ToolSet::builtin(&[], &["edit".to_owned()]);
//! tools.call(&context, "write", json!({"path": "notes.txt", "content": "remember the milk"})).await;
//! let read = tools.call(&context, "read", json!({"path": "notes.txt"})).await;
//! assert!(plain_text(&read.content).contains("remember the milk"));
//! let outside = tools.call(&context, "read", json!({"path": "../../etc/passwd"})).await;
//! assert!(outside.is_error);
//! # Ok(())
//! # }
//! ```

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::providers::ToolSpec;
use crate::sandbox::SandboxReport;
use crate::session::message::ContentBlock;

mod apply_patch;
mod arguments;
pub mod context;
mod diff;
mod edit;
pub mod exec;
mod find;
mod grep;
mod ignore_rules;
mod image;
mod lines;
mod ls;
pub mod patch;
pub mod policy;
pub mod process;
mod read;
mod replace;
mod scratch;
mod set;
mod support;
mod write;

#[cfg(test)]
mod tests;

pub use context::{
    AgentFilesystem, ApprovalDecision, ApprovalRequest, Approver, CallIdentity, NobodyToAsk, ProgressSink, ToolContext,
    ToolProgress,
};
pub use exec::{ExecContext, ExecFiles};
pub use process::ProcessRegistry;
pub use set::ToolSet;

/// What a tool gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutput {
    /// For the model; bounded by `limits::MAX_TOOL_RESULT_BYTES` per text block.
    pub content: Vec<ContentBlock>,
    /// The tool did not do what was asked; `content` says why and what to do.
    pub is_error: bool,
    /// For clients: paths, counts, truncation.
    pub details: Option<Value>,
    /// What held while the tool's command ran.
    pub sandbox: Option<SandboxReport>,
}

impl ToolOutput {
    /// A success with text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![ContentBlock::text(text)], is_error: false, details: None, sandbox: None }
    }

    /// A failure with text.
    pub fn error(text: impl Into<String>) -> Self {
        Self { content: vec![ContentBlock::text(text)], is_error: true, details: None, sandbox: None }
    }

    /// The same with details for clients.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

/// One tool.
pub trait Tool: Send + Sync {
    /// Name, description, schema.
    fn spec(&self) -> &ToolSpec;
    /// Runs it. `arguments` is an object that has been checked against the schema's required and known keys.
    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput>;
    /// Whether calls may run at the same time as others of the same step (reads yes, writes no).
    fn parallel(&self) -> bool;
}
