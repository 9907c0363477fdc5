//! One call of `exec`, from its arguments to its result.

use std::sync::Arc;

use serde_json::{Value, json};

use super::background;
use super::context::{ExecContext, ExecFiles};
use super::output::{MAX_LOG, Output};
use super::prepare::{Guard, Prepared, policy, prepare};
use super::projected::{Copy, Stored};
use super::request::{Request, asks_for_background};
use super::{decision, ending, scratch_log};
use crate::core::FilesystemMode;
use crate::sandbox::projection::ChangeSet;
use crate::sandbox::{ChildEvent, Exit, SandboxError, SandboxReport, SandboxedChild, Stream};
use crate::tools::process::{NO_BACKGROUND, ProcessOwner, ProcessPlace};
use crate::tools::support::{Failure, human_size, with_notes};
use crate::tools::{ToolContext, ToolOutput};

/// See the module.
pub(super) async fn call(context: &ToolContext, arguments: Value) -> Result<ToolOutput, Failure> {
    let Some(exec) = &context.exec else { return Err(Failure::new("This run has no commands.")) };
    let profile = exec.profile()?;
    let is_virtual = matches!(exec.files, ExecFiles::Virtual(_)) || context.files.mode == FilesystemMode::VfsOnly;
    if is_virtual && asks_for_background(&arguments) {
        return Err(Failure::new(NO_BACKGROUND));
    }
    let mut request = Request::parse(arguments, &exec.tools.exec, shell(), !is_virtual)?;
    let place = reserve(context, exec, &mut request)?;
    let prepared = prepare(exec, profile, &request).await?;
    decision::decide(context, exec, profile, &request, &prepared).await?;
    let (spec, guard) = policy(exec, profile).await?;
    let (projection, copy) = match &exec.files {
        ExecFiles::Virtual(files) => {
            let (projection, copy) = Copy::of(files, &spec);
            (Some(projection), Some(copy))
        }
        ExecFiles::Host(_) => (None, None),
    };
    // Dropping the future ends what it has begun.
    let child = tokio::select! {
        biased;
        () = context.cancel.cancelled() => return Err(Failure::cancelled()),
        started = exec.sandbox.start(&spec, prepared.command.clone(), projection) => started?,
    };
    let mut report = child.report().clone();
    report.notes.extend(guard.as_ref().and_then(Guard::remark));
    let output = Output::new(Arc::clone(&context.progress), context.files.scratch.is_some(), place.is_some());
    let call = Call { context, request: &request, prepared: &prepared, guard: guard.as_ref() };
    match follow(context, &request, child, output).await {
        Followed::Ended { exit, changes, output } => call.finish(report, exit, changes, copy, output).await,
        Followed::Failed { error, output } => Ok(call.failed(report, &error, copy.is_some(), &output)),
        Followed::Stays { child, output } => {
            let details = details(&prepared, &report, &output);
            let stay = background::Stay { request, prepared, guard, report, child, output, place, details };
            stay.go_on(exec, owner(context)).await
        }
    }
}

/// The shell that runs command lines: what models write is mostly for bash.
fn shell() -> &'static str {
    let is_there = nix::unistd::access("/bin/bash", nix::unistd::AccessFlags::X_OK).is_ok();
    if is_there { "/bin/bash" } else { "/bin/sh" }
}

/// A place among the background sessions for a command that may become one. Without a place a command that only may is kept in front.
fn reserve(context: &ToolContext, exec: &ExecContext, request: &mut Request) -> Result<Option<ProcessPlace>, Failure> {
    if request.patience.is_none() {
        return Ok(None);
    }
    match exec.processes().reserve(&owner(context)) {
        Ok(place) => Ok(Some(place)),
        Err(why) if request.asked_to_stay => Err(Failure::new(format!("The command was not run: {why}."))),
        Err(_) => {
            request.patience = None;
            Ok(None)
        }
    }
}

pub(super) fn owner(context: &ToolContext) -> ProcessOwner {
    ProcessOwner { agent: context.call.agent_id.clone(), session: context.call.session_key.clone() }
}

/// Where a command is when the call has waited for it.
enum Followed {
    Ended { exit: Exit, changes: Option<ChangeSet>, output: Output },
    Failed { error: SandboxError, output: Output },
    Stays { child: SandboxedChild, output: Output },
}

/// Reads what a command writes until it has ended, or the patience is over. An abort of the run kills it, and its end is still waited for,
/// so that what happened is known.
async fn follow(context: &ToolContext, request: &Request, mut child: SandboxedChild, mut output: Output) -> Followed {
    let handle = child.handle();
    let deadline = request.patience.map(|patience| tokio::time::Instant::now() + patience);
    let (mut exit, mut changes, mut was_cancelled) = (None, None, false);
    loop {
        let patience = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = context.cancel.cancelled(), if !was_cancelled => {
                was_cancelled = true;
                handle.kill();
            }
            event = child.event() => match event {
                Some(ChildEvent::Output { stream, bytes }) => output.push(stream, &bytes),
                Some(ChildEvent::Exited(ended)) => exit = Some(ended),
                Some(ChildEvent::Changes(set)) => changes = Some(set),
                Some(ChildEvent::Failed(error)) => return Followed::Failed { error, output },
                None => break,
            },
            () = patience, if exit.is_none() && !was_cancelled => return Followed::Stays { child, output },
        }
    }
    match exit {
        Some(exit) => {
            let exit = Exit { killed: exit.killed || was_cancelled, ..exit };
            Followed::Ended { exit, changes, output }
        }
        None => {
            let message = "it ended without saying how the command had ended".to_owned();
            Followed::Failed { error: SandboxError::Supervisor { message }, output }
        }
    }
}

/// What the result is made of besides the outcome.
struct Call<'a> {
    context: &'a ToolContext,
    request: &'a Request,
    prepared: &'a Prepared,
    guard: Option<&'a Guard>,
}

impl Call<'_> {
    async fn finish(
        &self,
        mut report: SandboxReport,
        exit: Exit,
        changes: Option<ChangeSet>,
        copy: Option<Copy>,
        mut output: Output,
    ) -> Result<ToolOutput, Failure> {
        if let Some(guard) = self.guard {
            report.tampered = guard.tampered().await;
        }
        let mut notes = Vec::new();
        if output.text().1 {
            notes.push("bytes that are not text are shown as \u{fffd}, NUL as \u{2400}".to_owned());
        }
        let log = self.store_log(&mut output, &mut notes).await;
        let stored = self.bring_back(&exit, changes, copy, &mut notes).await;
        notes.extend(report.tampered.iter().map(|what| format!("warning: protected: {what}")));
        notes.push(ending::line(&exit, self.request.timeout()));
        let mut details = self.details(&report, &output);
        merge(&mut details, ending::details(&exit));
        if let Some(path) = log {
            details["log"] = path.into();
        }
        if let Some(stored) = &stored {
            details["files"] = stored.details();
        }
        Ok(ToolOutput {
            is_error: !exit.success() || exit.killed || exit.timed_out,
            details: Some(details),
            sandbox: Some(report),
            ..ToolOutput::text(with_notes(shown(&output), &notes))
        })
    }

    /// Stores what a command did to its copy of the virtual files, unless it was stopped.
    async fn bring_back(
        &self,
        exit: &Exit,
        changes: Option<ChangeSet>,
        copy: Option<Copy>,
        notes: &mut Vec<String>,
    ) -> Option<Stored> {
        let copy = copy?;
        if exit.killed {
            notes.push("the virtual files are as they were: the command was stopped".to_owned());
            return None;
        }
        let Some(changes) = changes else {
            notes.push("the virtual files are as they were: what the command did did not arrive whole".to_owned());
            return None;
        };
        match copy.bring_back(changes, self.context.call.run_id.clone()).await {
            Ok(stored) => {
                notes.extend(stored.notes());
                Some(stored)
            }
            Err(failure) => {
                notes.push(failure.text().to_owned());
                None
            }
        }
    }

    /// Keeps an output that was cut where the model can look at it.
    async fn store_log(&self, output: &mut Output, notes: &mut Vec<String>) -> Option<String> {
        if !output.is_cut() {
            return None;
        }
        let total = output.total(Stream::Stdout) + output.total(Stream::Stderr);
        let size = human_size(total);
        let (Some(log), Some(scratch)) = (output.take_log(), &self.context.files.scratch) else {
            notes.push(format!("the output of {size} was cut; write it to a file to see all of it"));
            return None;
        };
        let kept =
            if total > u64::try_from(MAX_LOG).unwrap_or(u64::MAX) { "the first 8 MB are" } else { "all of it is" };
        match scratch_log::store(scratch, &self.context.call.tool_call_id, log).await {
            Ok(path) => {
                notes.push(format!("the output of {size} was cut; {kept} in {path}"));
                Some(path)
            }
            Err(failure) => {
                notes.push(format!("the output of {size} was cut, and could not be kept: {}", failure.text()));
                None
            }
        }
    }

    /// A command whose sandbox broke.
    fn failed(&self, report: SandboxReport, error: &SandboxError, is_virtual: bool, output: &Output) -> ToolOutput {
        let what = if is_virtual {
            "the virtual files are as they were"
        } else {
            "what the command had done until then is not known"
        };
        let note = format!("{error}; {what}, and nothing of it is running any more");
        let details = self.details(&report, output);
        ToolOutput {
            is_error: true,
            details: Some(details),
            sandbox: Some(report),
            ..ToolOutput::text(with_notes(shown(output), &[note]))
        }
    }

    fn details(&self, report: &SandboxReport, output: &Output) -> Value {
        details(self.prepared, report, output)
    }
}

/// What clients are told of every command.
pub(super) fn details(prepared: &Prepared, report: &SandboxReport, output: &Output) -> Value {
    json!({
        "cwd": prepared.cwd.to_string_lossy(),
        "level": report.level,
        "backend": report.backend,
        "truncated": output.is_cut(),
        "lossy": output.text().1,
        "stdoutBytes": output.total(Stream::Stdout),
        "stderrBytes": output.total(Stream::Stderr),
    })
}

pub(super) fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// The output, ready for remarks behind it.
pub(super) fn shown(output: &Output) -> String {
    let mut text = output.text().0;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
