//! The tools of a run, by name.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;

use super::support::{Failure, bound};
use super::{Tool, ToolContext, ToolOutput, apply_patch, arguments, edit, filter, find, grep, ls, read, write};
use crate::providers::ToolSpec;

/// How long an aborted run waits for a change that has begun, so that its result is known. Tests have no two seconds to wait.
const GRACE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 2000 });

/// The tools of a run, by name.
#[derive(Clone)]
pub struct ToolSet {
    tools: Arc<[Arc<dyn Tool>]>,
    specs: Arc<[ToolSpec]>,
}

impl ToolSet {
    /// The built-in tools, filtered by `tools.allow`/`tools.deny` (names, `group:fs`, `*`). An empty allow list allows all; deny wins.
    pub fn builtin(allow: &[String], deny: &[String]) -> Self {
        let all: [Arc<dyn Tool>; 7] = [
            Arc::new(read::Read::default()),
            Arc::new(write::Write::default()),
            Arc::new(edit::Edit::default()),
            Arc::new(ls::Ls::default()),
            Arc::new(find::Find::default()),
            Arc::new(grep::Grep::default()),
            Arc::new(apply_patch::ApplyPatch::default()),
        ];
        Self::from_tools(all.into_iter().filter(|tool| filter::permits(&tool.spec().name, allow, deny)).collect())
    }

    /// A set of any tools, in this order.
    pub fn from_tools(tools: Vec<Arc<dyn Tool>>) -> Self {
        let specs = tools.iter().map(|tool| tool.spec().clone()).collect();
        Self { tools: tools.into(), specs }
    }

    /// Specs in a fixed order (prompt caches depend on it).
    pub fn specs(&self) -> Arc<[ToolSpec]> {
        Arc::clone(&self.specs)
    }

    /// Finds, validates arguments, runs; unknown tool, bad arguments, panic and cancellation become error outputs.
    ///
    /// After cancellation a reading tool is left at once (its thread ends at its next check); a changing tool that has begun is given two
    /// seconds, so that what it did is reported.
    pub async fn call(&self, context: &ToolContext, name: &str, arguments: Value) -> ToolOutput {
        let Some(tool) = self.find(name) else {
            let names = self.specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "none" } else { &names };
            return bound(ToolOutput::error(format!("There is no tool {name:?} here. Available: {names}.")));
        };
        let arguments = match arguments::validate(tool.spec(), arguments) {
            Ok(arguments) => arguments,
            Err(problem) => return bound(ToolOutput::error(problem)),
        };
        if context.cancel.is_cancelled() {
            return Failure::cancelled().into();
        }
        // A tool that panics has no state of its own that later calls could see half-changed.
        let mut work = std::pin::pin!(AssertUnwindSafe(tool.call(context, arguments)).catch_unwind());
        let result = tokio::select! {
            biased;
            result = &mut work => result,
            () = context.cancel.cancelled() => {
                if tool.parallel() {
                    return Failure::cancelled().into();
                }
                match tokio::time::timeout(GRACE, work).await {
                    Ok(result) => result,
                    Err(_) => return ToolOutput::error("Cancelled while it was changing files; the change may still be completed."),
                }
            }
        };
        match result {
            Ok(output) => bound(output),
            Err(panic) => {
                let reason = panic
                    .downcast_ref::<&str>()
                    .copied()
                    .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                tracing::error!(tool = name, run = %context.call.run_id, reason, "a tool panicked");
                ToolOutput::error(format!("The tool {name} broke because of a fault in openclaw. Try another way."))
            }
        }
    }

    /// Whether that tool may run beside others.
    pub fn parallel(&self, name: &str) -> bool {
        self.find(name).is_some_and(|tool| tool.parallel())
    }

    fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.iter().find(|tool| tool.spec().name == name)
    }
}
