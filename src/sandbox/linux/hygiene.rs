//! What every stage does first: it takes nothing over from the gateway but its three streams, and does not outlive its parent.

use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{close, getppid, setsid};

use super::setup::{At, StageFailure};

/// Ends this process when its parent ends. `parent` is who started it: when that one is gone already, the signal would never come.
pub fn die_with(parent: u32) -> Result<(), StageFailure> {
    prctl::set_pdeathsig(Signal::SIGKILL).at("parent death signal")?;
    if getppid().as_raw().unsigned_abs() == parent {
        Ok(())
    } else {
        Err(StageFailure::new("parent death signal", "the gateway that started this stage is gone"))
    }
}

/// A session of its own (no controlling terminal whose input could be filled), and the usual permissions of new files.
pub fn detach() -> Result<(), StageFailure> {
    match setsid() {
        // The stage leads a process group already, as when a shell started it by hand.
        Ok(_) | Err(Errno::EPERM) => {}
        Err(error) => return Err(StageFailure::new("new session", error)),
    }
    umask(Mode::from_bits_truncate(0o022));
    Ok(())
}

/// Closes every descriptor above 2: database, sockets and secrets that the gateway may hold without close-on-exec.
/// `control` is ours, and stays.
pub fn close_inherited(control: &impl AsRawFd) -> Result<(), StageFailure> {
    let control = control.as_raw_fd();
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").at("list of open files")? {
        let entry = entry.at("list of open files")?;
        if let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok())
            && number > 2
            && number != control
        {
            open.push(number);
        }
    }
    for number in open {
        match close(number) {
            // EBADF is the descriptor of the listing itself.
            Ok(()) | Err(Errno::EBADF) => {}
            Err(error) => return Err(StageFailure::new("close of inherited files", error)),
        }
    }
    Ok(())
}

/// Whether no descriptor above 2 would be inherited by a program started from here. `None` when `/proc` cannot tell.
pub fn nothing_inheritable(proc_self: &Path) -> Option<bool> {
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    for entry in std::fs::read_dir(proc_self.join("fdinfo")).ok()? {
        let entry = entry.ok()?;
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // A descriptor that is gone again was the listing's own.
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        let flags = text
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())?;
        if number > 2 && flags & CLOSE_ON_EXEC == 0 {
            return Some(false);
        }
    }
    Some(true)
}
