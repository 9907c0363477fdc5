//! Time-outs and bounds of the transport, in one place so that tests can shrink them.

use std::time::Duration;

use crate::core::limits;

/// How patient the server is and how much it keeps.
#[derive(Debug, Clone)]
pub(crate) struct Tuning {
    /// For the request line and headers, also the idle time of a kept-alive HTTP connection.
    pub(crate) header_timeout: Duration,
    /// Between two pieces of a request body.
    pub(crate) body_idle: Duration,
    /// For a whole request body.
    pub(crate) body_total: Duration,
    /// Largest request body, bytes.
    pub(crate) max_body: usize,
    /// Bytes of request bodies held by all connections together.
    pub(crate) max_body_memory: usize,
    /// Request line and headers, bytes.
    pub(crate) max_head: usize,
    /// Connections at the same time, HTTP and WebSocket.
    pub(crate) max_connections: usize,
    /// Largest WebSocket message, bytes.
    pub(crate) max_message: usize,
    /// Silence after which a WebSocket is pinged; after twice as much it counts as dead.
    pub(crate) ping_interval: Duration,
    /// For writing one batch of frames to a WebSocket.
    pub(crate) write_timeout: Duration,
    /// Calls of one WebSocket that run at the same time; more wait in the socket.
    pub(crate) in_flight: usize,
    /// Frames queued for one WebSocket.
    pub(crate) queued_frames: usize,
    /// Bytes queued for one WebSocket.
    pub(crate) queued_bytes: usize,
    /// Between `tick` events.
    pub(crate) tick_interval: Duration,
    /// How long closing connections may take at shutdown.
    pub(crate) close_timeout: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_idle: Duration::from_secs(10),
            body_total: Duration::from_mins(1),
            max_body: limits::MAX_HTTP_BODY,
            max_body_memory: 4 * limits::MAX_HTTP_BODY,
            max_head: 32 * 1024,
            max_connections: 1024,
            max_message: limits::MAX_WS_MESSAGE,
            ping_interval: Duration::from_secs(25),
            write_timeout: Duration::from_secs(30),
            in_flight: 64,
            queued_frames: limits::MAX_WS_QUEUED_FRAMES,
            queued_bytes: limits::MAX_WS_QUEUED_BYTES,
            tick_interval: Duration::from_secs(30),
            close_timeout: Duration::from_secs(3),
        }
    }
}
