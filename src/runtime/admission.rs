//! The way into a lane, and out of it again if the message is refused.

use std::sync::Arc;

use super::lanes::{Opening, Place};
use super::prepared::PreparedAgentRun;
use super::registry::ActiveRun;
use super::service::Runtime;
use crate::core::Result;

/// What became of a run that wants into its lane.
pub(super) enum Admitted {
    /// It has a place.
    Entered(Admission),
    /// A run with that id is there already.
    Repeat(Arc<ActiveRun>),
    /// The lane is closed for a moment.
    Closed(Opening),
}

/// A run's place in registry and lane. Dropping it gives the place up, unless the run was kept.
pub(super) struct Admission {
    runtime: Runtime,
    /// The run.
    pub(super) active: Arc<ActiveRun>,
    /// Runs ahead of it; 0 = it holds the lane.
    pub(super) behind: usize,
    kept: bool,
}

impl Runtime {
    /// Registers a run and lets it into its lane.
    pub(super) fn admit(&self, prepared: &PreparedAgentRun) -> Result<Admitted> {
        let run = &prepared.run_id;
        let active = ActiveRun::new(prepared.clone());
        if let Err(existing) = self.shared.registry.insert(run, &active) {
            return Ok(Admitted::Repeat(existing));
        }
        let behind = match self.shared.lanes.enter(&prepared.session_key, run) {
            Ok(Place::Running) => 0,
            Ok(Place::Behind(runs)) => runs,
            Ok(Place::Closed(opening)) => {
                self.shared.registry.refuse(run);
                return Ok(Admitted::Closed(opening));
            }
            Err(error) => {
                self.shared.registry.refuse(run);
                return Err(error);
            }
        };
        Ok(Admitted::Entered(Admission { runtime: self.clone(), active, behind, kept: false }))
    }
}

impl Admission {
    /// The message is durable: the run stays.
    pub(super) fn keep(mut self) -> Arc<ActiveRun> {
        self.kept = true;
        Arc::clone(&self.active)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.kept {
            let prepared = self.active.prepared();
            self.runtime.shared.registry.refuse(&prepared.run_id);
            self.runtime.start_next(self.runtime.shared.lanes.leave(&prepared.session_key, &prepared.run_id));
        }
    }
}
