//! A command that goes on behind its call: it becomes a session of `process`, and a task of its own reads what it writes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::context::ExecContext;
use super::output::Output;
use super::prepare::{Guard, Prepared};
use super::request::Request;
use super::run::shown;
use crate::core::now_ms;
use crate::sandbox::{ChildEvent, ChildHandle, SandboxReport, SandboxedChild};
use crate::tools::ToolOutput;
use crate::tools::process::{
    NewProcess, ProcessControl, ProcessEnd, ProcessOwner, ProcessPlace, ProcessRegistry, ProcessSession,
};
use crate::tools::support::{Failure, with_notes};

/// A command that outlived the patience of its call.
pub(super) struct Stay {
    pub(super) request: Request,
    pub(super) prepared: Prepared,
    pub(super) guard: Option<Guard>,
    pub(super) report: SandboxReport,
    pub(super) child: SandboxedChild,
    pub(super) output: Output,
    pub(super) place: Option<ProcessPlace>,
    /// What clients are told of it.
    pub(super) details: Value,
}

impl Stay {
    /// Enters it among the sessions; the result tells the model its name.
    pub(super) async fn go_on(self, exec: &ExecContext, owner: ProcessOwner) -> Result<ToolOutput, Failure> {
        let Self { request, prepared, guard, report, child, output, place, mut details } = self;
        let text = shown(&output);
        let new = NewProcess {
            owner,
            command: request.command.clone(),
            cwd: prepared.cwd.to_string_lossy().into_owned(),
            started_at: now_ms(),
            timeout: request.timeout(),
            report: report.clone(),
            control: Arc::new(child.handle()),
            log: output.into_session(),
        };
        let registry = exec.processes().clone();
        // What the result shows is not news any more.
        let session = registry.enter(new).await.map_err(|error| {
            Failure::new(format!("The command was ended: it could not be recorded as a background session: {error}."))
        })?;
        details["status"] = "running".into();
        details["sessionId"] = session.id().into();
        let note = format!("running in the background as {}; see process", session.id());
        let kept = Duration::from_millis(exec.tools.exec.cleanup_ms);
        tokio::spawn(watch(child, session, registry, guard, kept, place));
        Ok(ToolOutput { details: Some(details), sandbox: Some(report), ..ToolOutput::text(with_notes(text, &[note])) })
    }
}

/// Reads what a background command writes, to its end.
async fn watch(
    mut child: SandboxedChild,
    session: Arc<ProcessSession>,
    registry: ProcessRegistry,
    guard: Option<Guard>,
    kept: Duration,
    place: Option<ProcessPlace>,
) {
    let mut end = None;
    while let Some(event) = child.event().await {
        match event {
            ChildEvent::Output { stream, bytes } => session.output(stream, &bytes),
            ChildEvent::Exited(exit) => end = Some(ProcessEnd::Exited(exit)),
            ChildEvent::Failed(error) => end = Some(ProcessEnd::Failed(error.to_string())),
            // Only commands on virtual files have changes to bring back, and those are never left behind.
            ChildEvent::Changes(_) => {}
        }
    }
    drop(child);
    if let Some(guard) = guard {
        session.set_tampered(guard.tampered().await);
    }
    let end = end.unwrap_or_else(|| ProcessEnd::Failed("it ended without saying how".to_owned()));
    registry.end(&session, end, kept).await;
    drop(place);
}

impl ProcessControl for ChildHandle {
    fn write(&self, data: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.write_stdin(data))
    }

    fn close(&self) -> io::Result<()> {
        self.close_stdin()
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        ChildHandle::signal(self, signal)
    }

    fn kill(&self) {
        ChildHandle::kill(self);
    }
}
