//! Resource limits of processes.
//!
//! Those that count per process are set before the namespaces are made. The number of processes is counted per user *and user namespace*
//! (Linux 5.14 and later), so it is set inside, where it counts the sandbox alone. The kernel never applies it to its own root user.

use nix::sys::resource::{Resource, setrlimit};

use super::setup::{At, StageFailure};
use crate::sandbox::{Guarantee, Guarantees, Limits};

/// Sets the limits that count per process. None of them hinders the stages themselves.
pub fn per_process(limits: &Limits) -> Result<(), StageFailure> {
    lower(Resource::RLIMIT_CORE, 0)?;
    lower(Resource::RLIMIT_FSIZE, limits.file_bytes)?;
    lower(Resource::RLIMIT_NOFILE, limits.open_files)?;
    lower(Resource::RLIMIT_CPU, limits.cpu_seconds)
}

/// Sets a limit, or the existing hard limit where that is lower.
fn lower(resource: Resource, value: u64) -> Result<(), StageFailure> {
    let (_, hard) = nix::sys::resource::getrlimit(resource).at("resource limits")?;
    let value = value.min(hard);
    setrlimit(resource, value, value).at("resource limits")
}

/// Which of the bounds hold, and how.
#[derive(Debug, Default)]
pub struct Bounds {
    /// Of `PidsLimit`, `MemLimit`, `FsizeLimit`.
    pub granted: Guarantees,
    /// Remarks for people.
    pub notes: Vec<String>,
}

/// Sets the limits that count inside of the user namespace, for what no control group bounds. `own_namespace`: whether the caller is in a user
/// namespace made for this command. `outside_root`: whether its user is the kernel's root.
pub fn inside(
    limits: &Limits,
    accounted: Guarantees,
    own_namespace: bool,
    outside_root: bool,
) -> Result<Bounds, StageFailure> {
    let mut bounds =
        Bounds { granted: accounted.and(Guarantees::of(&[Guarantee::PidsLimit, Guarantee::MemLimit])), notes: vec![] };
    bounds.granted.insert(Guarantee::FsizeLimit);
    if own_namespace && !outside_root && counts_per_namespace() {
        lower(Resource::RLIMIT_NPROC, limits.processes)?;
        bounds.granted.insert(Guarantee::PidsLimit);
    }
    if !accounted.contains(Guarantee::MemLimit) {
        lower(Resource::RLIMIT_DATA, limits.memory_bytes)?;
        if bounds.granted.contains(Guarantee::PidsLimit) {
            bounds.granted.insert(Guarantee::MemLimit);
            bounds
                .notes
                .push("memory is bounded for each process, not for all together: no control group can be used".into());
        }
    }
    Ok(bounds)
}

/// Whether the kernel counts processes per user namespace.
fn counts_per_namespace() -> bool {
    nix::sys::utsname::uname().is_ok_and(|names| names.release().to_str().is_some_and(|text| at_least(text, (5, 14))))
}

/// Compares a kernel release as `uname -r` tells it.
fn at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_compared() {
        assert!(at_least("5.14.0-rc1", (5, 14)) && at_least("6.1.0-18-amd64", (5, 14)));
        assert!(!at_least("5.4.0-150-generic", (5, 14)) && !at_least("nonsense", (5, 14)));
    }
}
