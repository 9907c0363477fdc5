//! `/proc` inside of the sandbox: of its own processes only, without the switches and secrets of the kernel.
//!
//! A gateway that runs as the system's root user has commands that *are* that user to files of the kernel, though without any capability. What
//! such files decide by ownership alone must not be in sight or must not be writable.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::mounts::{INIT, OLD_ROOT};
use super::setup::{At, StageFailure};

const NONE: Option<&str> = None;

/// Trees with settings of the kernel: to be read only.
pub(super) const READ_ONLY: [&str; 5] = ["/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/tty"];
/// Trees about devices and firmware: not in sight.
pub(super) const HIDDEN_TREES: [&str; 4] = ["/proc/acpi", "/proc/scsi", "/proc/driver", "/proc/dynamic_debug"];
/// Files that act, or that tell about the kernel's memory and keys: empty.
pub(super) const HIDDEN_FILES: [&str; 13] = [
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/kallsyms",
    "/proc/keys",
    "/proc/key-users",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/latency_stats",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/kpagecgroup",
    "/proc/vmallocinfo",
];

/// Mounts `/proc` of this process namespace. The text is a remark where it could not be had whole.
pub fn mount_own() -> Result<Option<String>, StageFailure> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let with = |options| mount(Some("proc"), "/proc", Some("proc"), flags, options);
    match with(NONE) {
        Ok(()) => mask().map(|()| None),
        // In a container that hides parts of its /proc the kernel gives out no whole one.
        Err(Errno::EPERM) => match with(Some("subset=pid")) {
            Ok(()) => Ok(Some("/proc has processes only: this host's own /proc is partly hidden".into())),
            Err(_) => Ok(Some(
                "there is no /proc: the kernel refused it, as in a container that hides parts of its own".into(),
            )),
        },
        Err(error) => Err(StageFailure::new("process file system", error)),
    }
}

fn mask() -> Result<(), StageFailure> {
    const STAGE: &str = "masks of the process file system";
    for path in READ_ONLY.into_iter().filter(|path| Path::new(path).exists()) {
        mount(Some(path), path, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE).at(STAGE)?;
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        let flags = flags | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(NONE, path, NONE, flags, NONE).at(STAGE)?;
    }
    for path in HIDDEN_TREES.into_iter().filter(|path| Path::new(path).exists()) {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some("size=4k,mode=555")).at(STAGE)?;
    }
    for path in HIDDEN_FILES.into_iter().filter(|path| Path::new(path).exists()) {
        mount(Some("/dev/null"), path, NONE, MsFlags::MS_BIND, NONE).at(STAGE)?;
    }
    Ok(())
}

/// Takes the host's files out of sight, and this program's file unless a command of this sandbox is that program.
pub fn take_away(keep_program: bool) -> Result<(), StageFailure> {
    umount2(OLD_ROOT, MntFlags::MNT_DETACH).at("removal of the host's root")?;
    if keep_program {
        return Ok(());
    }
    match umount2(INIT, MntFlags::MNT_DETACH) {
        // It is a copy and no mount.
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(error) => Err(StageFailure::new("removal of the supervisor's program", error)),
    }
}
