//! SIGINT and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::core::{Error, ErrorKind, Result};

/// Both ways of asking a program to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Starts to listen; from here on neither signal ends the process by itself.
    pub(super) fn listen() -> Result<Self> {
        let open = |kind| {
            signal(kind).map_err(|error| Error::new(ErrorKind::Internal, "cannot listen for signals").source(error))
        };
        Ok(Self { interrupt: open(SignalKind::interrupt())?, terminate: open(SignalKind::terminate())? })
    }

    /// The name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
