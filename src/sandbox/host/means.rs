//! What every start of a command takes: the thread that starts stages, and the place for control groups.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::spawner::Spawner;
use crate::sandbox::linux::cgroup::{ControlGroup, ControlGroups};
use crate::sandbox::{Guarantees, Limits};

/// The running program, even when its file was replaced.
const SELF: &str = "/proc/self/exe";

#[derive(Debug)]
pub(super) struct Means {
    pub(super) spawner: Arc<Spawner>,
    groups: OnceCell<Arc<ControlGroups>>,
}

impl Means {
    pub(super) fn new(program: Option<PathBuf>) -> Self {
        // Stages start in the root directory.
        let program = program.map_or_else(|| SELF.into(), |path| std::path::absolute(&path).unwrap_or(path));
        Self { spawner: Spawner::new(program), groups: OnceCell::new() }
    }

    /// A control group for one command, and what it bounds. `None` where there can be none; then limits per process are what there is.
    pub(super) async fn group(&self, limits: &Limits) -> Option<(ControlGroup, Guarantees)> {
        let find = async || tokio::task::spawn_blocking(ControlGroups::find).await;
        let groups = Arc::clone(self.groups.get_or_try_init(find).await.ok()?);
        let bounded = groups.accounted();
        if bounded.is_empty() {
            return None;
        }
        let limits = limits.clone();
        let group = tokio::task::spawn_blocking(move || groups.create(&limits)).await.ok()?;
        match group {
            Ok(group) => group.map(|group| (group, bounded)),
            Err(error) => {
                tracing::warn!(%error, "no control group could be made; limits hold per process");
                None
            }
        }
    }
}
