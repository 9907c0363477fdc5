//! Landlock: file rules of the kernel that hold for a process and all that it starts, inside of every other layer.
//!
//! Without version 3 of its interface (Linux 6.2) a file could be truncated without the right to write it, so less is a failure. What later
//! versions add (TCP, requests to devices, signals, abstract sockets) is taken where it is there.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use std::path::PathBuf;

use super::setup::{At, StageFailure};

const STAGE: &str = "Landlock";

/// The paths that are granted. What does not exist is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PathRules {
    /// Read and execute, with everything below.
    pub read: Vec<PathBuf>,
    /// Everything but device requests, with everything below.
    pub write: Vec<PathBuf>,
    /// Devices: read, write and requests.
    pub devices: Vec<PathBuf>,
}

/// What the kernel enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enforced {
    /// Processes outside of the domain cannot be signalled.
    pub signals: bool,
    /// Abstract Unix sockets made outside of the domain cannot be connected to.
    pub abstract_sockets: bool,
}

/// Confines this process and all that it starts.
pub fn apply(rules: &PathRules, network: bool) -> Result<Enforced, StageFailure> {
    let read = AccessFs::from_read(ABI::V3);
    let write = AccessFs::from_all(ABI::V3);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::IoctlDev;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(write)
        .at(STAGE)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V9))
        .at(STAGE)?
        .scope(Scope::from_all(ABI::V6))
        .at(STAGE)?;
    let ruleset = if network { ruleset } else { ruleset.handle_access(AccessNet::from_all(ABI::V4)).at(STAGE)? };
    let mut created = ruleset.create().at(STAGE)?;
    for (paths, access) in [(&rules.read, read), (&rules.write, write), (&rules.devices, device)] {
        for path in paths {
            let Ok(opened) = PathFd::new(path) else { continue };
            created = created.add_rule(PathBeneath::new(opened, fitting(path, access))).at(STAGE)?;
        }
    }
    let status = created.restrict_self().at(STAGE)?;
    let LandlockStatus::Available { effective_abi, .. } = status.landlock else {
        return Err(StageFailure::new(STAGE, "the kernel has it not or has it switched off"));
    };
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err(StageFailure::new(STAGE, "the rules are not in force"));
    }
    Ok(Enforced { signals: effective_abi >= ABI::V6, abstract_sockets: effective_abi >= ABI::V6 })
}

/// A file can be granted only what there is to do with files.
fn fitting(path: &std::path::Path, access: BitFlags<AccessFs>) -> BitFlags<AccessFs> {
    if path.is_dir() { access } else { access & AccessFs::from_file(ABI::V9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_thread_reads_and_writes_only_what_was_granted() {
        let granted = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let secret = other.path().join("secret");
        std::fs::write(&secret, "s").unwrap();
        assert!(std::fs::read(&secret).is_ok(), "the positive control");
        let rules = PathRules {
            read: vec!["/usr".into(), "/does/not/exist".into()],
            write: vec![granted.path().into()],
            devices: vec!["/dev/null".into()],
        };
        let (written, read, truncated, null) = std::thread::spawn({
            let (granted, secret) = (granted.path().to_owned(), secret.clone());
            move || {
                let enforced = apply(&rules, false).unwrap();
                assert!(enforced.signals == enforced.abstract_sockets);
                (
                    std::fs::write(granted.join("file"), "x"),
                    std::fs::read(&secret),
                    nix::unistd::truncate(&secret, 0),
                    std::fs::write("/dev/null", "x"),
                )
            }
        })
        .join()
        .unwrap();
        written.unwrap();
        null.unwrap();
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
        assert_eq!(truncated.unwrap_err(), nix::errno::Errno::EACCES);
    }
}
