//! The liveness probe under load.

use super::{Bench, run};
use crate::http;
use crate::process::memory;
use crate::rows::Figures;
use crate::subject::Subject;

pub(crate) fn health(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.home(subject)?;
    let (gateway, _) = home.start()?;
    let (rate, p99) = run(async {
        http::load(gateway.port(), "/health", 32, bench.load_time() / 4).await?;
        http::load(gateway.port(), "/health", 32, bench.load_time()).await
    })?;
    let (rss, _) = memory(gateway.pid());
    gateway.stop()?;
    Ok(vec![("health.rate", rate), ("health.p99", p99), ("health.rss", rss)])
}
