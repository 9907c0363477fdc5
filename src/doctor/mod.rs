//! Line 8: what is wrong with this installation, as structured findings. Checks only look; they change nothing.

mod checks;
mod files;
mod finding;
mod probe;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;

pub use finding::{Finding, Fix, Report, Severity};

use crate::config::{self, LoadOptions, LoadedConfig};
use crate::core::Result;
use crate::sandbox::Sandbox;
use crate::state::StatePaths;

/// Where to look.
#[derive(Clone)]
pub struct Surroundings {
    /// Where the state lives.
    pub paths: StatePaths,
    /// How to load the configuration.
    pub load: LoadOptions,
    /// The gateway's port on this machine.
    pub port: u16,
    /// The gateway's log.
    pub log_file: PathBuf,
    /// To try out what commands get; `None` = that is not looked at.
    pub sandbox: Option<Sandbox>,
}

/// What the checks share, so that the configuration is read once.
struct Facts<'s> {
    at: &'s Surroundings,
    config: Result<LoadedConfig>,
}

/// One check: its id and what it does.
struct Check {
    id: &'static str,
    run: fn(&Facts<'_>) -> Vec<Finding>,
}

/// Ids of all checks, in the order in which they run.
pub fn check_ids() -> impl Iterator<Item = &'static str> {
    checks::ALL.iter().map(|check| check.id)
}

/// Runs the checks that `wanted` names; the findings are ordered by severity, worst first. A check that crashes is a
/// finding of its own.
pub fn run(at: &Surroundings, wanted: impl Fn(&str) -> bool) -> Report {
    let started = Instant::now();
    let facts = Facts { at, config: config::load(&at.load) };
    let mut findings = Vec::new();
    let mut ran = Vec::new();
    for check in checks::ALL.iter().filter(|check| wanted(check.id)) {
        ran.push(check.id);
        match catch_unwind(AssertUnwindSafe(|| (check.run)(&facts))) {
            Ok(found) => findings.extend(found),
            Err(_panic) => findings.push(
                Finding::new(check.id, Severity::Warning, "this check", "the check crashed")
                    .effect("what it would have found is unknown; this is a mistake in openclaw")
                    .fix("run the other checks without it", Some(format!("openclaw doctor --skip {}", check.id))),
            ),
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Report { checks: ran, findings, duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests;
