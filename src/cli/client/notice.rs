//! A line on stderr when a wait becomes noticeable.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use crate::cli::output::Output;

/// A wait shorter than this is not worth a word.
const NOTICEABLE: Duration = Duration::from_millis(300);

/// Says `text` on stderr if it still lives after 300 ms; dropping it takes that back.
pub(crate) struct Notice {
    _cancel: Option<Sender<()>>,
}

impl Notice {
    /// Starts the wait.
    pub(crate) fn after_a_while(out: &Output, text: String) -> Self {
        if out.is_quiet() {
            return Self { _cancel: None };
        }
        let (cancel, cancelled) = mpsc::channel::<()>();
        let out = out.clone();
        let watcher = std::thread::Builder::new().name("notice".to_owned()).spawn(move || {
            if cancelled.recv_timeout(NOTICEABLE) == Err(RecvTimeoutError::Timeout) {
                out.note(&text);
            }
        });
        match watcher {
            Ok(_detached) => Self { _cancel: Some(cancel) },
            // dropped: without a thread the wait is silent, which is no reason to give up the call
            Err(_) => Self { _cancel: None },
        }
    }
}
