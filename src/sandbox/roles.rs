//! The other things that this program is: the stages of a sandbox, started by the gateway with one argument.
//!
//! They run before anything else in `main`, with one thread. What they are to do comes over descriptor 0, never as arguments, so nothing is
//! to be seen in a list of processes.

use std::ffi::OsString;
use std::process::ExitCode;

#[cfg(target_os = "linux")]
use super::linux;

/// Started by the gateway: makes the new view of the system and becomes, or starts, the supervisor.
pub(super) const OUTER: &str = "__sandbox-outer";
/// Run as a command: tries what it can do.
pub(super) const PROBE: &str = "__sandbox-probe";

/// Plays the role that the arguments name. `None` = they name none: this is a normal start.
pub fn role(args: &[OsString]) -> Option<ExitCode> {
    let [_, name] = args else { return None };
    let name = name.to_str()?.strip_prefix("__sandbox-")?;
    play(name)
}

#[cfg(target_os = "linux")]
fn play(name: &str) -> Option<ExitCode> {
    match name {
        "outer" => Some(on_control(|control| linux::outer::run(control, super::supervisor::run))),
        "supervisor" => Some(on_control(super::supervisor::run)),
        "exec" => Some(on_control(linux::exec_stage::run)),
        "probe" => Some(linux::probe::run()),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn play(_name: &str) -> Option<ExitCode> {
    None
}

/// Descriptor 0, as the connection to the gateway.
#[cfg(target_os = "linux")]
fn on_control(play: impl FnOnce(std::os::unix::net::UnixStream) -> ExitCode) -> ExitCode {
    use std::os::fd::AsFd;
    match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(control) => play(control.into()),
        Err(_) => ExitCode::FAILURE,
    }
}
