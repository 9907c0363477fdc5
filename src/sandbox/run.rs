//! A command from its start to its end in one call.

use tokio_util::sync::CancellationToken;

use super::child::ChildEvent;
use super::error::SandboxError;
use super::exit::{Exit, Stream};
use super::output::Captured;
use super::projection::{ChangeSet, Projection};
use super::report::SandboxReport;
use super::runner::Sandbox;
use super::spec::{CommandSpec, SandboxSpec};

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote.
    pub output: Captured,
    /// What held.
    pub report: SandboxReport,
    /// What it changed in the files that were projected.
    pub changes: Option<ChangeSet>,
}

impl Sandbox {
    /// Runs a command to its end. `on_output` sees every byte as it comes, and should not take long. `cancel` kills the command; before its start
    /// that is an error, afterwards an [`Exit`] that says so.
    pub async fn run(
        &self,
        spec: &SandboxSpec,
        command: CommandSpec,
        projection: Option<Projection>,
        mut on_output: impl FnMut(Stream, &[u8]) + Send,
        cancel: &CancellationToken,
    ) -> Result<Finished, SandboxError> {
        let started = cancel.run_until_cancelled(self.start(spec, command, projection)).await;
        let mut child = started.unwrap_or_else(|| {
            Err(SandboxError::Setup {
                stage: "start".into(),
                message: "it was cancelled before the command ran".into(),
            })
        })?;
        let handle = child.handle();
        let mut output = Captured::default();
        let mut exit = None;
        let mut changes = None;
        let mut told = false;
        loop {
            let event = tokio::select! {
                event = child.event() => event,
                () = cancel.cancelled(), if !told => {
                    told = true;
                    handle.kill();
                    continue;
                }
            };
            match event {
                Some(ChildEvent::Output { stream, bytes }) => {
                    on_output(stream, &bytes);
                    output.push(stream, &bytes);
                }
                Some(ChildEvent::Exited(how)) => exit = Some(how),
                Some(ChildEvent::Changes(set)) => changes = Some(set),
                Some(ChildEvent::Failed(error)) => return Err(error),
                None => break,
            }
        }
        let exit = exit.ok_or_else(|| SandboxError::Supervisor { message: "its end was not told".into() })?;
        Ok(Finished { exit, output, report: child.report().clone(), changes })
    }
}
