//! What a running gateway knows about itself.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::core::now_ms;

/// Identity, age and counters of this process's gateway.
pub(crate) struct Vitals {
    /// Fresh for every start.
    pub(crate) boot_id: String,
    /// Unix milliseconds.
    pub(crate) started_at: i64,
    /// Address it listens on.
    pub(crate) address: SocketAddr,
    /// `token`, `password` or `none`.
    pub(crate) auth_mode: &'static str,
    started: Instant,
    draining: AtomicBool,
    /// Calls taken, over all transports.
    pub(crate) calls: AtomicU64,
    /// Calls answered with an error.
    pub(crate) failed_calls: AtomicU64,
    /// Connections open, HTTP and WebSocket.
    pub(crate) connections: AtomicU64,
}

impl Vitals {
    /// For a gateway that starts now.
    pub(crate) fn new(address: SocketAddr, auth_mode: &'static str) -> Self {
        Self {
            boot_id: uuid::Uuid::now_v7().to_string(),
            started_at: now_ms(),
            address,
            auth_mode,
            started: Instant::now(),
            draining: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            failed_calls: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    /// Milliseconds since the start.
    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// It is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Marks the shutdown; true the first time.
    pub(crate) fn start_draining(&self) -> bool {
        !self.draining.swap(true, Ordering::AcqRel)
    }
}
