//! Repeating failed calls: exponential backoff with full jitter, only while nothing of an answer has been seen.
//!
//! A call is repeated if its failure is the provider's ([`ProviderErrorClass::is_provider_side`]) and may pass with time. The provider's
//! `retry-after` is honoured up to [`LONGEST_WAIT`]; one that asks for more gets its error reported at once, because a
//! person waits at the other end. Dropping the future stops it wherever it is.
//!
//! [`ProviderErrorClass::is_provider_side`]: crate::core::ProviderErrorClass::is_provider_side

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::types::{ModelRequest, ModelStream, Provider, ProviderError};

/// The longest `retry-after` that is waited for.
pub const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// How often and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Repetitions after the first attempt.
    pub max_retries: u32,
    /// Upper bound of the first wait; it doubles each time.
    pub base: Duration,
    /// Upper bound of every wait the provider did not ask for.
    pub cap: Duration,
}

impl Policy {
    /// Waits of up to 0.5, 1, 2, 4, 8, 8, … seconds.
    pub fn new(max_retries: u32) -> Self {
        Self { max_retries, base: Duration::from_millis(500), cap: Duration::from_secs(8) }
    }

    /// The wait before repetition `number` (from 0), or `None` to give up. `jitter` is between 0 and 1.
    fn wait(&self, number: u32, failed: &Attempt, jitter: f64) -> Option<Duration> {
        let error = &failed.error;
        if number >= self.max_retries || !failed.repeat || error.started || !error.class.is_provider_side() {
            return None;
        }
        match error.retry_after {
            Some(asked) if asked > LONGEST_WAIT => None,
            // A little more than asked for, so that many callers do not come back at the same moment.
            Some(asked) => Some(asked + self.base.mul_f64(jitter)),
            None => Some(self.base.saturating_mul(2_u32.saturating_pow(number)).min(self.cap).mul_f64(jitter)),
        }
    }
}

/// A failed attempt.
#[derive(Debug)]
pub struct Attempt {
    /// What the caller gets if it is the last one.
    pub error: ProviderError,
    /// Whether the same call may succeed a little later.
    pub repeat: bool,
}

impl From<ProviderError> for Attempt {
    fn from(error: ProviderError) -> Self {
        Self { repeat: error.class.is_provider_side(), error }
    }
}

/// Runs `attempt` (its argument counts from 0) until it succeeds, may not be repeated, or was repeated often enough.
pub async fn retry<T, F, Fut>(policy: &Policy, mut attempt: F) -> Result<T, ProviderError>
where
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T, Attempt>>,
{
    let mut number = 0;
    loop {
        let failed = match attempt(number).await {
            Ok(value) => return Ok(value),
            Err(failed) => failed,
        };
        let Some(wait) = policy.wait(number, &failed, jitter()) else {
            let ProviderError { provider, class, status, message, .. } = &failed.error;
            tracing::warn!(%provider, class = class.as_str(), status, retries = number, "model call failed: {message}");
            return Err(failed.error);
        };
        number += 1;
        tracing::warn!(
            provider = %failed.error.provider,
            class = failed.error.class.as_str(),
            status = failed.error.status,
            retry = number,
            of = policy.max_retries,
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "model call failed and will be repeated: {}", failed.error.message,
        );
        tokio::time::sleep(wait).await;
    }
}

/// Something that can be asked again with the same request.
pub trait Source: Send + Sync {
    /// Provider id.
    fn id(&self) -> &str;
    /// One attempt. It may resolve only when the first part of the answer is there, so that a stream never fails before that.
    fn attempt<'a>(&'a self, request: &'a ModelRequest) -> BoxFuture<'a, Result<ModelStream, Attempt>>;
}

/// A provider that repeats failed attempts.
pub struct Retrying<S> {
    source: S,
    policy: Policy,
}

impl<S: Source> Retrying<S> {
    /// Wraps `source`.
    pub fn new(source: S, policy: Policy) -> Self {
        Self { source, policy }
    }
}

impl<S: Source> Provider for Retrying<S> {
    fn id(&self) -> &str {
        self.source.id()
    }

    fn stream(&self, request: ModelRequest) -> BoxFuture<'_, Result<ModelStream, ProviderError>> {
        async move { retry(&self.policy, |_| self.source.attempt(&request)).await }.boxed()
    }
}

/// A number between 0 and 1. Spreading load needs no cryptographic randomness; the standard library's hash keys differ per call.
fn jitter() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;
    use crate::core::ProviderErrorClass as Class;

    fn failed(class: Class, retry_after: Option<u64>) -> ProviderError {
        ProviderError {
            class,
            provider: "p".into(),
            message: "m".into(),
            status: None,
            retry_after: retry_after.map(Duration::from_secs),
            started: false,
        }
    }

    /// Fails with each error in turn and then succeeds: (attempts, seconds passed, outcome).
    async fn run(max_retries: u32, errors: Vec<Attempt>) -> (u32, f64, Result<(), ProviderError>) {
        let attempts = Cell::new(0);
        let mut errors = errors.into_iter();
        let begin = Instant::now();
        let outcome = retry(&Policy::new(max_retries), |number| {
            assert_eq!(number, attempts.get());
            attempts.set(attempts.get() + 1);
            std::future::ready(errors.next().map_or(Ok(()), Err))
        })
        .await;
        (attempts.get(), begin.elapsed().as_secs_f64(), outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn provider_faults_are_repeated_with_growing_bounded_waits() {
        let errors = [Class::Overloaded, Class::Network, Class::Timeout, Class::RateLimit];
        let (attempts, seconds, outcome) = run(9, errors.map(|class| failed(class, None).into()).into()).await;
        assert!(outcome.is_ok());
        assert_eq!(attempts, 5);
        assert!(seconds <= 0.5 + 1.0 + 2.0 + 4.0 + 0.1, "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_error_is_reported_when_retries_are_used_up() {
        let errors = (0..5).map(|_| failed(Class::Overloaded, None).into()).collect();
        let (attempts, _, outcome) = run(2, errors).await;
        assert_eq!((attempts, outcome.map_err(|error| error.class)), (3, Err(Class::Overloaded)));
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_waited_for() {
        let (attempts, seconds, _) = run(2, vec![failed(Class::RateLimit, Some(20)).into()]).await;
        assert_eq!(attempts, 2);
        assert!((20.0..=20.6).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_retry_after_is_reported_at_once() {
        let (attempts, seconds, outcome) = run(2, vec![failed(Class::RateLimit, Some(61)).into()]).await;
        assert_eq!(attempts, 1);
        assert!(seconds < 0.1);
        assert_eq!(outcome.expect_err("reported").retry_after, Some(Duration::from_secs(61)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_repetition_cannot_help_is_not_repeated() {
        for class in [
            Class::Auth,
            Class::InvalidRequest,
            Class::ContextOverflow,
            Class::ModelNotFound,
            Class::Protocol,
            Class::Cancelled,
        ] {
            assert_eq!(run(5, vec![failed(class, None).into()]).await.0, 1, "{class:?}");
        }
        let quota = Attempt { error: failed(Class::RateLimit, None), repeat: false };
        assert_eq!(run(5, vec![quota]).await.0, 1);
        let mut started = failed(Class::Network, None);
        started.started = true;
        assert_eq!(run(5, vec![started.into()]).await.0, 1);
        assert_eq!(run(0, vec![failed(Class::Network, None).into()]).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_be_cancelled_while_it_waits() {
        let attempts = Cell::new(0);
        let policy = Policy::new(9);
        let endless = retry::<(), _, _>(&policy, |_| {
            attempts.set(attempts.get() + 1);
            std::future::ready(Err(failed(Class::RateLimit, Some(50)).into()))
        });
        assert!(tokio::time::timeout(Duration::from_secs(1), endless).await.is_err());
        assert_eq!(attempts.get(), 1);
    }

    #[test]
    fn jitter_stays_in_its_range_and_varies() {
        let values: Vec<f64> = (0..100).map(|_| jitter()).collect();
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(values.windows(2).any(|pair| (pair[0] - pair[1]).abs() > 0.01));
    }
}
