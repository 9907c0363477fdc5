//! Line 5: what a model may call.
//!
//! A [`ToolSet`] holds the tools of a run and is the only caller of [`Tool::call`]: it checks arguments against the tool's schema, isolates
//! panics, honours cancellation and bounds what the model gets back. Tools reach files only through [`AgentFilesystem`].
//!
//! | file | job |
//! |---|---|
//! | `set`, `filter` | [`ToolSet`]; `tools.allow` / `tools.deny` |
//! | `arguments` | validation, with leniency for habits models bring from other harnesses |
//! | `support` | blocking work, failures, output bounds shared by the tools |
//! | `read` `write` `edit` `ls` `find` `grep` | one tool each |
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
//! let context = ToolContext {
//!     files: AgentFilesystem { workspace: Some(Arc::new(workspace)) },
//!     cancel: tokio_util::sync::CancellationToken::new(),
//!     run_id: "run".into(),
//!     images: false,
//! };
//! let tools = ToolSet::builtin(&[], &["edit".to_owned()]);
//! tools.call(&context, "write", json!({"path": "notes.txt", "content": "remember the milk"})).await;
//! let read = tools.call(&context, "read", json!({"path": "notes.txt"})).await;
//! assert!(plain_text(&read.content).contains("remember the milk"));
//! let outside = tools.call(&context, "read", json!({"path": "../../etc/passwd"})).await;
//! assert!(outside.is_error);
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::core::RunId;
use crate::fs::HostCapabilityFs;
use crate::providers::ToolSpec;
use crate::session::message::ContentBlock;

mod arguments;
mod diff;
mod edit;
mod filter;
mod find;
mod grep;
mod ignore_rules;
mod image;
mod lines;
mod ls;
mod read;
mod replace;
mod set;
mod support;
mod write;

#[cfg(test)]
mod tests;

pub use set::ToolSet;

/// Where a run's file effects may land.
#[derive(Clone)]
pub struct AgentFilesystem {
    /// The agent's workspace on the host; `None` when the run has no host access.
    pub workspace: Option<Arc<HostCapabilityFs>>,
}

/// What a tool gets besides its arguments.
#[derive(Clone)]
pub struct ToolContext {
    /// File capabilities.
    pub files: AgentFilesystem,
    /// Ends when the run is aborted.
    pub cancel: CancellationToken,
    /// The run.
    pub run_id: RunId,
    /// The model can see images.
    pub images: bool,
}

/// What a tool gives back.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolOutput {
    /// For the model; bounded by `limits::MAX_TOOL_RESULT_BYTES` per text block.
    pub content: Vec<ContentBlock>,
    /// The tool did not do what was asked; `content` says why and what to do.
    pub is_error: bool,
    /// For clients: paths, counts, truncation.
    pub details: Option<Value>,
}

impl ToolOutput {
    /// A success with text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![ContentBlock::text(text)], is_error: false, details: None }
    }

    /// A failure with text.
    pub fn error(text: impl Into<String>) -> Self {
        Self { content: vec![ContentBlock::text(text)], is_error: true, details: None }
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
