//! The supervisor gives up its rights, and says what holds: every guarantee is read back or tried, none is assumed.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::landlock::{self, Enforced, PathRules};
use super::limits::Bounds;
use super::mounts::{INIT, OLD_ROOT, View};
use super::setup::{At, Ready, StageFailure, SupervisorSetup};
use super::status::Status;
use super::{caps, hygiene, limits, proc, seccomp};
use crate::sandbox::{Backend, Guarantee, Guarantees};

/// Restricts this process, which is the first one of a new process namespace, and all that it will start.
pub fn supervisor(setup: &SupervisorSetup) -> Result<Ready, StageFailure> {
    prctl::set_pdeathsig(Signal::SIGKILL).at("parent death signal")?;
    prctl::set_dumpable(false).at("hidden memory")?;
    let mut notes = Vec::new();
    let own = setup.backend == Backend::Namespaces;
    if own {
        notes.extend(proc::mount_own()?);
    }
    let mut status = open_status()?;
    let outside_root = is_kernel_root();
    // Without /proc there is nothing to ask. The outer stage closed everything, and what was opened since closes by itself.
    let clean = hygiene::nothing_inheritable(Path::new("/proc/self")).unwrap_or(true);
    if own {
        let keep_program = setup.argv.first().is_some_and(|program| program == INIT);
        proc::take_away(keep_program)?;
    }
    let view = view(setup);
    let bounds = limits::inside(&setup.limits, setup.accounted, true, outside_root)?;
    let enforced = give_up(&view.rules_inside(), setup.network)?;
    let mut granted = read_back(&mut status, enforced, setup.network)?;
    if clean {
        granted.insert(Guarantee::EnvClean);
    }
    let Bounds { granted: bounded, notes: remarks } = bounds;
    granted = granted.or(bounded);
    notes.extend(remarks);
    if private_root() {
        granted.insert(Guarantee::FsWriteConfined);
        granted.insert(Guarantee::FsReadConfined);
        granted.insert(Guarantee::MetadataConfined);
    }
    if std::process::id() == 1 {
        granted.insert(Guarantee::PidsHidden);
        granted.insert(Guarantee::SignalsConfined);
        granted.insert(Guarantee::TreeKill);
    }
    Ok(Ready { granted, notes })
}

/// What of the policy decides about files.
pub fn view(setup: &SupervisorSetup) -> View<'_> {
    View { workspace: &setup.workspace, mounts: &setup.mounts, limits: &setup.limits, network: setup.network }
}

/// The steps that every confining backend ends with, in the order in which each still may be made.
pub fn give_up(rules: &PathRules, network: bool) -> Result<Enforced, StageFailure> {
    caps::drop_all()?;
    prctl::set_no_new_privs().at("no new privileges")?;
    let enforced = landlock::apply(rules, network)?;
    seccomp::apply(network)?;
    Ok(enforced)
}

/// What is the same for every confining backend, as the kernel tells it afterwards.
pub fn read_back(status: &mut File, enforced: Enforced, network: bool) -> Result<Guarantees, StageFailure> {
    let held = Status::read(status).at("reading back")?;
    let mut granted = Guarantees::of(&[Guarantee::Landlock]);
    let mut grant = |guarantee, holds: bool| {
        if holds {
            granted.insert(guarantee);
        }
    };
    grant(Guarantee::NoNewPrivs, held.no_new_privs);
    grant(Guarantee::CapsEmpty, held.powerless());
    grant(Guarantee::Seccomp, held.seccomp == 2);
    grant(Guarantee::SignalsConfined, enforced.signals);
    grant(Guarantee::UnixSocketsDenied, refused(std::os::unix::net::UnixDatagram::unbound().map(drop)));
    grant(Guarantee::NetDenied, !network && refused(std::net::UdpSocket::bind("127.0.0.1:0").map(drop)));
    Ok(granted)
}

fn refused(result: std::io::Result<()>) -> bool {
    result.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// The own status, by whatever `/proc` there is. Read later, it tells what is true later.
pub fn open_status() -> Result<File, StageFailure> {
    File::open("/proc/self/status")
        .or_else(|_| File::open(Path::new(OLD_ROOT).join("proc/self/status")))
        .at("reading back")
}

/// Whether the user of this process is, outside of all user namespaces, the kernel's root: what the kernel owns then shows as its own.
pub fn is_kernel_root() -> bool {
    let owner = |path: &Path| std::fs::metadata(path).ok().map(|found| found.uid());
    let owner = owner(Path::new("/proc/sys")).or_else(|| owner(&Path::new(OLD_ROOT).join("proc/sys")));
    // Where that cannot be seen, nothing is promised that does not hold for root.
    owner.is_none_or(|owner| owner == nix::unistd::geteuid().as_raw())
}

/// Whether the root is a private memory file system from which nothing leads to the host's root.
fn private_root() -> bool {
    let memory =
        nix::sys::statfs::statfs("/").is_ok_and(|root| root.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC);
    let gone = match std::fs::read_dir(OLD_ROOT) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    memory && gone
}
