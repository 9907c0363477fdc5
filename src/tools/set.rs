//! The tools of a run, by name.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::policy::{ToolPolicy, fingerprint};
use super::support::{Failure, bound};
use super::{
    ApprovalDecision, ApprovalRequest, Tool, ToolContext, ToolOutput, apply_patch, arguments, edit, exec, find, grep,
    ls, policy, process, read, write,
};
use crate::config::ToolSettings;
use crate::providers::ToolSpec;

/// How long an aborted run waits for a change that has begun, so that its result is known. Tests have no two seconds to wait.
const GRACE: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 2000 });

/// The tools of a run, by name.
#[derive(Clone)]
pub struct ToolSet {
    tools: Arc<[Arc<dyn Tool>]>,
    specs: Arc<[ToolSpec]>,
    policy: Arc<ToolPolicy>,
}

impl ToolSet {
    /// The built-in tools, filtered by `tools.allow`/`tools.deny` (names, `group:fs`, `*`). An empty allow list allows all; deny wins.
    pub fn builtin(allow: &[String], deny: &[String]) -> Self {
        Self::for_policy(ToolPolicy::of(&ToolSettings::default(), allow, deny))
    }

    /// The built-in tools that a policy permits.
    pub fn for_policy(policy: ToolPolicy) -> Self {
        let all: [Arc<dyn Tool>; 9] = [
            Arc::new(read::Read::default()),
            Arc::new(write::Write::default()),
            Arc::new(edit::Edit::default()),
            Arc::new(ls::Ls::default()),
            Arc::new(find::Find::default()),
            Arc::new(grep::Grep::default()),
            Arc::new(apply_patch::ApplyPatch::default()),
            Arc::new(exec::Exec::default()),
            Arc::new(process::Process::default()),
        ];
        let permitted = all.into_iter().filter(|tool| policy.permits(&tool.spec().name)).collect();
        Self { policy: Arc::new(policy), ..Self::from_tools(permitted) }
    }

    /// A set of any tools, in this order.
    pub fn from_tools(tools: Vec<Arc<dyn Tool>>) -> Self {
        let specs = tools.iter().map(|tool| tool.spec().clone()).collect();
        Self { tools: tools.into(), specs, policy: Arc::default() }
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
        // Rules are about the tool, whatever name it was called by.
        let name = tool.spec().name.as_str();
        let arguments = match arguments::validate(tool.spec(), arguments) {
            Ok(arguments) => arguments,
            Err(problem) => return bound(ToolOutput::error(problem)),
        };
        if context.cancel.is_cancelled() {
            return Failure::cancelled().into();
        }
        if let Err(reason) = self.ask(context, name, &arguments).await {
            return bound(ToolOutput::error(reason));
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

    /// Asks a person if the policy says so. `exec` asks for itself, because it knows what exactly will run.
    async fn ask(&self, context: &ToolContext, name: &str, arguments: &Value) -> Result<(), String> {
        if name == "exec" || !self.policy.asks(name) {
            return Ok(());
        }
        let binding = json!({"tool": name, "arguments": arguments, "filesystem": context.files.mode});
        let question = ApprovalRequest {
            kind: "tool",
            tool: name.to_owned(),
            summary: format!("{name} {arguments}"),
            reason: format!("every call of {name} needs an approval here (tools.ask)"),
            fingerprint: fingerprint(&binding),
            binding,
            may_stand: true,
            allow_unanswered: false,
        };
        let decision = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err("Cancelled before it was approved.".to_owned()),
            decision = context.approver.decide(&context.call, question) => decision,
        };
        match decision {
            ApprovalDecision::Allowed { .. } => Ok(()),
            ApprovalDecision::Denied { reason } => Err(format!("The tool was not run: {reason}")),
        }
    }

    /// Whether that tool may run beside others.
    pub fn parallel(&self, name: &str) -> bool {
        self.find(name).is_some_and(|tool| tool.parallel())
    }

    fn find(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        let by_name = |name: &str| self.tools.iter().find(|tool| tool.spec().name == name);
        by_name(name).or_else(|| by_name(policy::tool_name(name)))
    }
}
