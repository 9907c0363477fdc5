//! A gateway's start and its rest.

use std::time::Duration;

use super::Bench;
use crate::process::{memory, pause, ticks};
use crate::rows::Figures;
use crate::stats::{median, ms};
use crate::subject::{Kind, Subject};

/// Time after the start in which a gateway may still be busy with it.
const SETTLE: Duration = Duration::from_secs(2);
/// OpenClaw works for longer.
const SETTLE_NODE: Duration = Duration::from_secs(20);

fn starts(bench: &Bench, subject: &Subject) -> usize {
    if subject.kind == Kind::Node { 1 } else { bench.count(12) }
}

/// On an empty directory, then on what that left.
pub(crate) fn ready(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let (mut empty, mut existing) = (Vec::new(), Vec::new());
    for _ in 0..starts(bench, subject) {
        let home = bench.home(subject)?;
        for times in [&mut empty, &mut existing] {
            let (gateway, took) = home.start()?;
            times.push(ms(took));
            gateway.stop()?;
        }
    }
    Ok(vec![("ready.empty", median(&empty)), ("ready.existing", median(&existing))])
}

/// The same with 10,000 sessions, each start beside one without.
pub(crate) fn ready_with_data(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let small = bench.home(subject)?;
    small.start()?.0.stop()?;
    let large = bench.large_home(subject)?;
    let (mut times, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..starts(bench, subject) {
        let (gateway, little) = small.start()?;
        gateway.stop()?;
        let (gateway, much) = large.start()?;
        gateway.stop()?;
        times.push(ms(much));
        ratios.push(ms(much) / ms(little));
    }
    Ok(vec![("ready.10000", median(&times)), ("ready.ratio", median(&ratios))])
}

/// Memory and processor time of a gateway that nobody talks to.
pub(crate) fn idle(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.home(subject)?;
    let (gateway, _) = home.start()?;
    pause(if subject.kind == Kind::Node { SETTLE_NODE } else { SETTLE });
    let before = ticks(gateway.pid());
    pause(Duration::from_secs(5));
    let used = ticks(gateway.pid()) - before;
    let (rss, threads) = memory(gateway.pid());
    gateway.stop()?;
    Ok(vec![("idle.rss", rss), ("idle.ticks", used), ("idle.threads", threads)])
}
