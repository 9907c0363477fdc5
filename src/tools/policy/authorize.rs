//! From a command to the word that it may start: decide, ask, and look again whether it is still the same command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::binding::{Binding, environment_digest, path_text};
use super::decide::{Decision, Place, decide, programs};
use super::settings::ExecPolicy;
use crate::config::ToolSettings;
use crate::fs::{find_program, identify};
use crate::sandbox::SandboxLevel;
use crate::tools::{ApprovalDecision, ApprovalRequest, ToolContext};

/// How often a person is asked again because a program changed while they thought about it.
const TRIES: usize = 3;
/// Longest command shown to a person, in characters.
const MAX_SUMMARY: usize = 4_000;

/// A command that is about to start.
#[derive(Debug, Clone)]
pub struct ExecRequest {
    /// The tool.
    pub tool: String,
    /// A line of shell.
    pub command: String,
    /// The shell that will read it, with its options: `["/bin/sh", "-c"]`.
    pub shell: Vec<String>,
    /// Absolute directory it starts in.
    pub cwd: PathBuf,
    /// Its whole environment, without what differs from run to run. `PATH` decides which programs it means.
    pub env: Vec<(OsString, OsString)>,
    /// How it will be confined.
    pub level: SandboxLevel,
    /// Directories whose files the agent can change: workspace, writable mounts, temporary directories.
    pub writable: Vec<PathBuf>,
}

/// The word that it may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorized {
    /// By settings or the allow list.
    ByPolicy,
    /// By a person.
    ByApproval {
        /// Who.
        by: String,
        /// By an earlier `allow-always`.
        standing: bool,
    },
}

/// Decides, and asks if need be. The error is for the model. An approval holds only while command, directory, environment and programs are
/// what was shown: if one of them changed meanwhile, the question is put again.
pub async fn authorize(
    context: &ToolContext,
    settings: &ToolSettings,
    request: &ExecRequest,
) -> Result<Authorized, String> {
    let document = context.approver.approvals().await.map_err(|error| {
        tracing::error!(%error, "the exec approvals could not be read");
        "Commands cannot be allowed right now: the approvals could not be read.".to_owned()
    })?;
    let policy = ExecPolicy::new(settings, &document, context.call.agent_id.as_str(), request.level);
    for _ in 0..TRIES {
        let (reason, may_stand, allow_unanswered) = match look(policy.clone(), request.clone(), judge).await? {
            Decision::Allow { used } => {
                context.approver.used(&context.call, &used, &request.command);
                return Ok(Authorized::ByPolicy);
            }
            Decision::Deny { reason } => return Err(reason),
            Decision::Ask { reason, may_stand, allow_unanswered } => (reason, may_stand, allow_unanswered),
        };
        let binding = look(policy.clone(), request.clone(), bind).await?;
        let question = ApprovalRequest {
            kind: "exec",
            tool: request.tool.clone(),
            summary: visible(&request.command),
            reason,
            binding: binding.to_value(),
            fingerprint: binding.fingerprint(),
            may_stand,
            allow_unanswered,
        };
        let decision = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err("Cancelled before it was approved.".to_owned()),
            decision = context.approver.decide(&context.call, question) => decision,
        };
        match decision {
            ApprovalDecision::Denied { reason } => return Err(format!("The command was not run: {reason}")),
            ApprovalDecision::Allowed { by, standing } => {
                if look(policy.clone(), request.clone(), bind).await? == binding {
                    return Ok(Authorized::ByApproval { by, standing });
                }
                tracing::warn!(run = %context.call.run_id, "a program of a command changed while its approval was waited for");
            }
        }
    }
    Err("The command was not run: a program that it names changes all the time, so no approval holds for it."
        .to_owned())
}

/// Runs what looks at files off the async threads.
async fn look<T: Send + 'static>(
    policy: ExecPolicy,
    request: ExecRequest,
    work: fn(&ExecPolicy, &ExecRequest, &Place<'_>) -> T,
) -> Result<T, String> {
    let job = move || {
        let directories: Vec<PathBuf> =
            variable(&request, "PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
        let find = |name: &str| find_program(name, &request.cwd, &directories);
        let home = variable(&request, "HOME").map(PathBuf::from);
        work(&policy, &request, &Place { find: &find, writable: &request.writable, home: home.as_deref() })
    };
    tokio::task::spawn_blocking(job).await.map_err(|error| {
        tracing::error!(%error, "a command could not be looked at");
        "The command was not run because of a fault in openclaw.".to_owned()
    })
}

fn variable<'r>(request: &'r ExecRequest, name: &str) -> Option<&'r OsString> {
    request.env.iter().find(|(key, _)| key.to_str() == Some(name)).map(|(_, value)| value)
}

fn judge(policy: &ExecPolicy, request: &ExecRequest, place: &Place<'_>) -> Decision {
    decide(policy, place, &request.command)
}

fn bind(_policy: &ExecPolicy, request: &ExecRequest, place: &Place<'_>) -> Binding {
    let mut argv = request.shell.clone();
    argv.push(request.command.clone());
    let shell = request.shell.first().map(|shell| Path::new(shell).to_owned());
    let found = programs(place, &request.command);
    Binding {
        argv,
        cwd: path_text(&request.cwd),
        executables: shell.iter().chain(&found).filter_map(|path| identify(path)).collect(),
        environment: environment_digest(&request.env),
        sandbox: request.level,
    }
}

/// The command as a person is shown it: nothing in it moves the cursor or hides.
fn visible(command: &str) -> String {
    let shown: String = command
        .chars()
        .take(MAX_SUMMARY)
        .flat_map(|character| -> Box<dyn Iterator<Item = char>> {
            if super::shell::is_deceptive(character) {
                Box::new(character.escape_unicode())
            } else {
                Box::new(std::iter::once(character))
            }
        })
        .collect();
    let left = command.chars().count().saturating_sub(MAX_SUMMARY);
    if left > 0 { format!("{shown} … ({left} more characters)") } else { shown }
}
