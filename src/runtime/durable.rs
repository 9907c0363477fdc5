//! Writes that must not be given up because the disk is full for a while.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::core::{Error, Result, RunId};
use crate::state::StateError;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Whether the same write may succeed later, when there is space again or another process let go of the database.
pub(super) fn may_pass(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<StateError>())
        .is_some_and(StateError::may_pass)
}

/// Repeats `write` while its failure may pass; the last failure when `stop` comes first. A write under way is never dropped:
/// it could be stored without anybody knowing.
pub(super) async fn until_stored<T, F, Fut>(run: &RunId, stop: &CancellationToken, mut write: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match write().await {
            Err(error) if may_pass(&error) => error,
            done => return done,
        };
        if pause == FIRST_PAUSE {
            tracing::error!(%run, %error, "the state of a run cannot be stored now; it is tried again until it is");
        }
        tokio::select! {
            () = stop.cancelled() => return Err(error),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;
    use crate::state::Problem;

    fn failed(problem: Problem) -> Error {
        StateError::Sql { action: "store the writes".into(), problem, detail: String::new() }.into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_disk_is_waited_for_and_a_damaged_one_is_not() {
        let (run, never) = (RunId::from("r"), CancellationToken::new());
        let tries = Cell::new(0);
        let stored = until_stored(&run, &never, || {
            tries.set(tries.get() + 1);
            ready(if tries.get() < 20 { Err(failed(Problem::DiskFull)) } else { Ok(tries.get()) })
        });
        assert_eq!(stored.await.expect("stored in the end"), 20);
        let refused = until_stored::<(), _, _>(&run, &never, || ready(Err(failed(Problem::Corrupt))));
        refused.await.expect_err("waiting does not help");
        assert!(!may_pass(&Error::user("no")) && !may_pass(&StateError::Closed.into()));
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_between_two_tries_only() {
        let stop = CancellationToken::new();
        stop.cancel();
        let (run, tries) = (RunId::from("r"), Cell::new(0));
        let outcome = until_stored::<(), _, _>(&run, &stop, || {
            tries.set(tries.get() + 1);
            ready(Err(failed(Problem::DiskFull)))
        });
        outcome.await.expect_err("stopped");
        assert_eq!(tries.get(), 1);
    }
}
