//! What is measured, one file per kind of work.

pub(crate) mod append;
pub(crate) mod calls;
pub(crate) mod health;
pub(crate) mod long;
pub(crate) mod program;
pub(crate) mod start;
pub(crate) mod turns;

use std::future::Future;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::fill;
use crate::home::Home;
use crate::options::Options;
use crate::provider::Provider;
use crate::subject::Subject;

/// What all measurements share.
pub(crate) struct Bench {
    pub(crate) quick: bool,
    pub(crate) provider: Provider,
    directory: TempDir,
    large: OnceLock<PathBuf>,
}

impl Bench {
    pub(crate) fn new(options: &Options) -> Self {
        let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
        let directory = TempDir::with_prefix_in("openclaw-bench-", parent).unwrap();
        Self { quick: options.quick, provider: Provider::start(), directory, large: OnceLock::new() }
    }

    /// A fresh state directory.
    pub(crate) fn home(&self, subject: &Subject) -> Result<Home, String> {
        self.provider.pause_after_first(Duration::ZERO);
        Home::new(self.directory.path(), subject, self.provider.port)
    }

    /// A state directory with 10,000 sessions, some of them long.
    pub(crate) fn large_home(&self, subject: &Subject) -> Result<Home, String> {
        let template = self.large.get_or_init(|| {
            eprintln!("… writing the database with {} sessions", fill::SESSIONS);
            fill::large(&self.directory.path().join("large"))
        });
        let home = self.home(subject)?;
        home.fill(template)?;
        Ok(home)
    }

    /// `full`, or less of it with `--quick`.
    pub(crate) fn count(&self, full: usize) -> usize {
        if self.quick { (full / 4).max(5) } else { full }
    }

    /// How long a load lasts.
    pub(crate) fn load_time(&self) -> Duration {
        if self.quick { Duration::from_secs(1) } else { Duration::from_secs(3) }
    }
}

/// Runs a client on this thread.
pub(crate) fn run<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(work))
}
