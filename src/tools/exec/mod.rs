//! `exec`: a command in a sandbox.
//!
//! ```text
//! arguments ─ request ─ prepare (directory, environment) ─ decision ─ policy (protected files) ─ sandbox
//!                                                                                                  │ events
//!                        result ─ ending, output, log, stored files, tampering ─ run::follow ──────┤
//!                                                                                 background ──────┘ when it goes on
//! ```
//! A command works in the agent's workspace on the host, or on a copy of its virtual files ([`ExecFiles`]). What its level promises holds
//! or it does not start. Its result tells how it ended, and carries the report of what held.
//!
//! | file | job |
//! |---|---|
//! | `context` | [`ExecContext`]: what a run's commands need |
//! | `profile` | settings to policy |
//! | `environment` | variables |
//! | `request` | arguments |
//! | `prepare` | directory, environment and policy of one command; what it must not change |
//! | `decision` | whether it may run |
//! | `run` | one call |
//! | `background` | a command that goes on behind its call |
//! | `projected` | virtual files in and out |
//! | `output`, `text`, `scratch_log` | what it writes: bounded, as text, kept |
//! | `ending` | how it ended, in one line |

mod background;
mod context;
mod decision;
pub(super) mod ending;
mod environment;
mod output;
mod prepare;
mod profile;
mod projected;
mod request;
mod run;
mod scratch_log;
mod text;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Tool, ToolContext, ToolOutput};
use crate::providers::ToolSpec;

pub use context::{ExecContext, ExecFiles};
pub use environment::of_commands as environment;
pub use profile::ExecProfile;
pub(super) use text::Decoder;

/// The tool.
pub(super) struct Exec {
    spec: ToolSpec,
}

impl Default for Exec {
    fn default() -> Self {
        Self { spec: request::tool_spec() }
    }
}

impl Tool for Exec {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, context: &'a ToolContext, arguments: Value) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move { run::call(context, arguments).await.unwrap_or_else(ToolOutput::from) })
    }

    fn parallel(&self) -> bool {
        false
    }
}
