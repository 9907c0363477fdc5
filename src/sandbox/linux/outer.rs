//! The role `__sandbox-outer`: takes nothing over from the gateway, makes the new view of the system, and hands over to the supervisor.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use super::setup::{At, StageFailure, StageSetup};
use super::{bwrap, hygiene, limits, namespaces};
use crate::sandbox::Backend;
use crate::sandbox::frames::{FrameKind, read_json, write_json};

/// Reads `STAGE` from the control connection and becomes, or starts, the supervisor. `supervise` is what a supervisor does.
pub fn run(mut control: UnixStream, supervise: fn(UnixStream) -> ExitCode) -> ExitCode {
    match stage(&mut control) {
        Ok(Next::Here) => supervise(control),
        Ok(Next::Ended(code)) => code,
        Err(failure) => {
            // dropped: when the gateway is not there any more nobody is to be told
            drop(write_json(&mut control, FrameKind::Failed, &failure));
            ExitCode::FAILURE
        }
    }
}

/// How it goes on.
enum Next {
    /// This process is the supervisor.
    Here,
    /// There was a supervisor, and it ended so.
    Ended(ExitCode),
}

fn stage(control: &mut UnixStream) -> Result<Next, StageFailure> {
    let setup: StageSetup = read_json(control, FrameKind::Stage).at("read the stage's set-up")?;
    hygiene::die_with(setup.gateway)?;
    hygiene::detach()?;
    hygiene::close_inherited(control)?;
    for group in &setup.cgroups {
        join(group)?;
    }
    limits::per_process(&setup.limits)?;
    match setup.backend {
        Backend::Plain | Backend::Landlock => Ok(Next::Here),
        Backend::Namespaces => {
            namespaces::enter(&setup)?;
            namespaces::supervise().map(Next::Ended)
        }
        Backend::Bubblewrap => Err(bwrap::become_it(&setup)),
        Backend::Seatbelt | Backend::JobObject => {
            Err(StageFailure::new("backend", format!("{} is not of this system", setup.backend.as_str())))
        }
    }
}

/// Moves this process, and with it all that it starts, into a control group.
fn join(group: &Path) -> Result<(), StageFailure> {
    // Version 1 has a file for single threads. To move the only thread through it spares a lock of the whole system, which takes milliseconds.
    let thread = group.join("tasks");
    let file = if thread.exists() { thread } else { group.join("cgroup.procs") };
    std::fs::write(file, "0").at("join the control group")
}
