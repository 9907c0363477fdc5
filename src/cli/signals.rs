//! SIGINT and SIGTERM.

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

use crate::core::{Error, ErrorKind, Result};

/// A way of asking a program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, or the system going down.
    Terminate,
}

impl Signal {
    /// Its name in POSIX.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// 128 + its number, as shells report it.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Listens for both for as long as it lives, so that none is lost between two waits.
pub(crate) struct Signals {
    interrupt: Listener,
    terminate: Listener,
}

impl Signals {
    /// Starts to listen; from here on neither signal ends the process by itself.
    pub(crate) fn listen() -> Result<Self> {
        let open = |kind| {
            signal(kind).map_err(|error| Error::new(ErrorKind::Internal, "cannot listen for signals").source(error))
        };
        Ok(Self { interrupt: open(SignalKind::interrupt())?, terminate: open(SignalKind::terminate())? })
    }

    /// The next one, also if it came before the call.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}
