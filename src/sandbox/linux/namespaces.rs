//! The outer stage's own namespaces: a user without rights outside, and processes, mounts, network, messages and names of its own.

use std::process::{Command, ExitCode, ExitStatus};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::unistd::{getegid, geteuid, setgroups, sethostname};

use super::caps;
use super::mounts::{INIT, View};
use super::rootfs::{self, Program};
use super::setup::{At, StageFailure, StageSetup};
use super::system::SystemFacts;

/// The user and group of every command, as it sees itself.
pub const INSIDE_ID: u32 = 1000;
/// The name of the machine, as commands see it.
const HOST_NAME: &str = "sandbox";

/// Makes the namespaces and the new root, and moves this process there. Processes started from here are in the new process namespace.
pub fn enter(setup: &StageSetup) -> Result<(), StageFailure> {
    let view =
        View { workspace: &setup.workspace, mounts: &setup.mounts, limits: &setup.limits, network: setup.network };
    let steps = view.plan(&SystemFacts::read())?;
    let program = Program::of_this_process().at("supervisor program")?;
    let (user, group) = (geteuid(), getegid());
    match setgroups(&[]) {
        // Without the right to do so, the groups of the gateway's user stay, and show as nobody's inside.
        Ok(()) | Err(Errno::EPERM) => {}
        Err(error) => return Err(StageFailure::new("groups", error)),
    }
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    if !setup.network {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags).at("new namespaces")?;
    std::fs::write("/proc/self/setgroups", "deny").at("group map")?;
    std::fs::write("/proc/self/uid_map", format!("{INSIDE_ID} {user} 1")).at("user map")?;
    std::fs::write("/proc/self/gid_map", format!("{INSIDE_ID} {group} 1")).at("group map")?;
    sethostname(HOST_NAME).at("host name")?;
    rootfs::build(&steps, &program)
}

/// Starts the supervisor as the first process of the new process namespace, with this process's three descriptors, and waits for it.
pub fn supervise() -> Result<ExitCode, StageFailure> {
    caps::keep_for_supervisor()?;
    // Changed credentials may have cleared it.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).at("parent death signal")?;
    let status = Command::new(INIT).arg("__sandbox-supervisor").env_clear().status().at("start of the supervisor")?;
    Ok(exit_code(status))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
