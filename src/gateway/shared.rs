//! What every connection of one gateway shares.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::auth::Authenticator;
use super::dispatch::Dispatcher;
use super::events::Hub;
use super::http::BodyMemory;
use super::origin::OriginPolicy;
use super::tuning::Tuning;
use super::vitals::Vitals;

/// Everything a connection needs.
pub(crate) struct Shared {
    /// Identity and counters.
    pub(crate) vitals: Arc<Vitals>,
    /// Who may call.
    pub(crate) auth: Authenticator,
    /// From which web pages.
    pub(crate) origins: OriginPolicy,
    /// What is called.
    pub(crate) dispatcher: Arc<dyn Dispatcher>,
    /// Who hears of events.
    pub(crate) hub: Arc<Hub>,
    /// Bounds and time-outs.
    pub(crate) tuning: Tuning,
    /// Bounds the bodies being read.
    pub(crate) body_memory: BodyMemory,
    /// Every connection's task.
    pub(crate) tasks: TaskTracker,
    /// Finish what is being answered, then close.
    pub(crate) closing: CancellationToken,
    /// End now.
    pub(crate) kill: CancellationToken,
}
