//! `process`: the background sessions of commands that `exec` has left running.
//!
//! | file | job |
//! |---|---|
//! | `registry` | all sessions of the gateway, their bounds, their rows, their end |
//! | `session` | one session: whose, what, how it ended |
//! | `log` | its output, as far as it is kept, by position |
//! | `actions` | what the tool's actions do to a session |

mod actions;
mod log;
mod registry;
mod session;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::support::{Failure, spec};
use super::{Tool, ToolContext, ToolOutput};
use crate::core::FilesystemMode;
use crate::providers::ToolSpec;

pub(crate) use log::OutputLog;
pub use registry::{ProcessPlace, ProcessRegistry};
pub use session::{NewProcess, ProcessControl, ProcessEnd, ProcessOwner, ProcessSession};

/// Said instead of doing anything in mode `vfs-only`, by this tool and by `exec` with `background`.
pub(super) const NO_BACKGROUND: &str = "Background commands are not possible in the file system mode vfs-only: a command there \
    sees a copy of the virtual files, which are stored when it ends. Run it in the foreground.";

/// The tool.
pub(super) struct Process {
    spec: ToolSpec,
}

impl Default for Process {
    fn default() -> Self {
        let actions = actions::NAMES;
        let properties = json!({
            "action": { "type": "string", "enum": actions, "description": actions.join(", ") },
            "sessionId": { "type": "string" },
            "data": { "type": "string", "description": "write: text for standard input; signal: its name" },
            "offset": { "type": "integer", "description": "poll: position; log: first line" },
            "limit": { "type": "integer", "description": "log: lines" },
            "timeoutMs": { "type": "integer", "description": "poll: wait for news" },
        });
        let description =
            "Watch and steer commands that exec left in the background. poll gives new output and the state.";
        Self { spec: spec("process", description, properties, &["action"]) }
    }
}

impl Tool for Process {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move { call(context, arguments).await.unwrap_or_else(ToolOutput::from) })
    }

    fn parallel(&self) -> bool {
        false
    }
}

async fn call(context: &ToolContext, arguments: Value) -> Result<ToolOutput, Failure> {
    if context.files.mode == FilesystemMode::VfsOnly {
        return Err(Failure::new(NO_BACKGROUND));
    }
    let Some(exec) = &context.exec else {
        return Err(Failure::new("This run has no commands, and so no background sessions."));
    };
    let owner = ProcessOwner { agent: context.call.agent_id.clone(), session: context.call.session_key.clone() };
    actions::run(exec.processes(), &owner, arguments, &context.cancel).await
}
