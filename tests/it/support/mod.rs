//! Real parts for the tests: the real binary as a process, real sockets, a scripted model server.

pub(crate) mod cli;
pub(crate) mod disk;
pub(crate) mod gateway;
pub(crate) mod http;
pub(crate) mod provider;
pub(crate) mod raw_ws;
pub(crate) mod wire_api;
pub(crate) mod ws;

use std::time::{Duration, Instant};

/// Longest a condition may take to become true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `probe` until it gives a value; panics with `what` when [`PATIENCE`] is over.
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(began.elapsed() < PATIENCE, "timed out waiting until {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A loopback port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.local_addr().expect("its address").port()
}
