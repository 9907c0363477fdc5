//! One WebSocket client as the rest of the gateway sees it.

use tokio_util::sync::CancellationToken;

use super::outbox::Outbox;
use crate::gateway::tuning::Tuning;

/// A connected client: its number, its outgoing queue, and whether it is still there.
pub(crate) struct Connection {
    /// Unique within this process.
    pub(crate) id: u64,
    /// What waits to be written.
    pub(crate) outbox: Outbox,
    /// Cancelled when the connection is gone; calls that only answer its caller stop then.
    pub(crate) gone: CancellationToken,
}

impl Connection {
    /// A connection with an empty queue.
    pub(crate) fn new(id: u64, tuning: &Tuning) -> Self {
        Self { id, outbox: Outbox::new(tuning.queued_frames, tuning.queued_bytes), gone: CancellationToken::new() }
    }
}
