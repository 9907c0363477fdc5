//! One queued write: what to do, and whom to answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::error::StateError;
use super::tx::WriteTx;
use crate::core::Result;

/// A write as the writer thread sees it.
pub(super) trait Job: Send {
    /// Does the work, once. `Err` is the failure's text; its effects must be undone.
    fn run(&mut self, tx: &WriteTx<'_>) -> Result<(), String>;
    /// Answers the caller. `failure`: the whole group was not stored.
    fn finish(self: Box<Self>, failure: Option<&StateError>);
}

/// A job with its caller's types.
pub(super) struct Typed<T, F> {
    op: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    /// The place in the bounded queue; free again when the caller has been answered.
    _place: OwnedSemaphorePermit,
}

impl<T, F> Typed<T, F> {
    pub(super) fn new(op: F, reply: oneshot::Sender<Result<T>>, place: OwnedSemaphorePermit) -> Self {
        Self { op: Some(op), outcome: None, reply, _place: place }
    }
}

impl<T, F> Job for Typed<T, F>
where
    T: Send + 'static,
    F: FnOnce(&WriteTx<'_>) -> Result<T> + Send + 'static,
{
    fn run(&mut self, tx: &WriteTx<'_>) -> Result<(), String> {
        let Some(op) = self.op.take() else { return Ok(()) };
        // The transaction is rolled back after a panic, so nothing half-done can be seen.
        let outcome = catch_unwind(AssertUnwindSafe(|| op(tx)))
            .unwrap_or_else(|panic| Err(StateError::Panicked { detail: panic_text(panic.as_ref()) }.into()));
        let short = outcome.as_ref().map(|_| ()).map_err(ToString::to_string);
        self.outcome = Some(outcome);
        short
    }

    fn finish(self: Box<Self>, failure: Option<&StateError>) {
        let outcome = match (self.outcome, failure) {
            // The write's own error says more than that of the group.
            (Some(Err(own)), _) => Err(own),
            (_, Some(failure)) => Err(failure.clone().into()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(StateError::Closed.into()),
        };
        drop(self.reply.send(outcome)); // dropped: a caller that went away needs no answer
    }
}

/// The message of a panic, as far as it is text.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}
