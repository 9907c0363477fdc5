//! The clock.

use crate::core::now_ms;
use crate::doctor::{Facts, Finding, Severity};
use crate::state::{Access, OpenOptions, SessionQuery, Store};

pub(super) const SANE: &str = "clock.sane";

/// 2025-01-01: earlier means that nobody set the clock.
const EARLIEST: i64 = 1_735_689_600_000;
/// Two clocks may differ by this much.
const TOLERANCE: i64 = 10 * 60 * 1_000;

/// It is set, and not behind what the database has seen.
pub(super) fn sane(facts: &Facts<'_>) -> Vec<Finding> {
    let now = now_ms();
    let mut findings = Vec::new();
    if now < EARLIEST {
        findings.push(
            Finding::new(SANE, Severity::Error, "the system clock", "it shows a date before 2025")
                .effect("certificates do not validate, so no provider can be reached; new events sort before old ones")
                .fix("set the clock", Some("timedatectl set-ntp true".to_owned())),
        );
    } else if newest(facts).is_some_and(|newest| newest > now + TOLERANCE) {
        findings.push(
            Finding::new(SANE, Severity::Warning, "the system clock", "the database has events from the future")
                .effect("the clock went back; the order of events may look odd")
                .fix("set the clock", Some("timedatectl set-ntp true".to_owned())),
        );
    }
    findings
}

/// When the newest conversation changed.
fn newest(facts: &Facts<'_>) -> Option<i64> {
    let options = OpenOptions { durability_full: false, access: Access::Read };
    let query = SessionQuery { limit: 1, ..SessionQuery::default() };
    let page =
        Store::open(&facts.at.paths, &options).and_then(|store| store.read_blocking(|read| read.sessions(&query)));
    // dropped: `database.opens` reports a database that cannot be read
    page.ok()?.entries.first().map(|entry| entry.updated_at)
}
