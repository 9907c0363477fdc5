//! The gateway's log.

use crate::doctor::{Facts, Finding, Severity, files};

use super::state_dir::shown;

pub(super) const SIZE: &str = "logs.size";

/// More than the rotation leaves.
const LARGE: u64 = 200 * 1024 * 1024;
/// Files looked at.
const MOST: usize = 1_000;

/// It is private and does not eat the disk.
pub(super) fn size(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(directory) = facts.at.log_file.parent() else { return Vec::new() };
    let total: u64 = files::entries(directory, MOST)
        .iter()
        .filter_map(|path| files::look(path).ok().flatten()) // dropped: a file that vanished takes no space
        .map(|found| found.size)
        .sum();
    let mut findings = Vec::new();
    if total > LARGE {
        findings.push(
            Finding::new(SIZE, Severity::Warning, shown(directory), format!("the logs take {} MB", total / 1_000_000))
                .effect("the disk fills up")
                .fix("delete old files there", None),
        );
    }
    if let Ok(Some(found)) = files::look(&facts.at.log_file)
        && found.mode & 0o077 != 0
    {
        findings.push(
            Finding::new(SIZE, Severity::Warning, shown(&facts.at.log_file), format!("its mode is {:04o}", found.mode))
                .effect("other users of this machine may read it")
                .fix(
                    "its mode becomes 0600",
                    Some(format!("chmod 600 {}", super::state_dir::quoted(&facts.at.log_file))),
                ),
        );
    }
    findings
}
