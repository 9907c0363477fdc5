//! A response body under a silence time-out and a size bound.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::error::{HttpError, root_cause};

/// How long and how much of an unwanted rest is read so that the connection can be used again.
const DRAIN_TIME: Duration = Duration::from_millis(500);
const DRAIN_BYTES: usize = 64 * 1024;

/// The bytes of a response as they come. Dropping it before the end closes the connection at once, also while the server is silent:
/// since 1.12 hyper's connection task is woken by it.
pub struct HttpBody {
    incoming: Option<Incoming>,
    silence: Duration,
    limit: usize,
    seen: usize,
}

impl HttpBody {
    pub(super) fn new(incoming: Incoming, silence: Duration, limit: usize) -> Self {
        Self { incoming: Some(incoming), silence, limit, seen: 0 }
    }

    /// The next bytes; `None` at the end. Cancel-safe.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        loop {
            let Some(incoming) = self.incoming.as_mut() else { return Ok(None) };
            let frame = match tokio::time::timeout(self.silence, incoming.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(HttpError::Broken(root_cause(&error))),
                Ok(None) => {
                    self.incoming = None;
                    return Ok(None);
                }
                Err(_elapsed) => return Err(HttpError::Silence(self.silence)),
            };
            // Trailers carry nothing a model API uses.
            let Ok(bytes) = frame.into_data() else { continue };
            if bytes.is_empty() {
                continue;
            }
            self.seen = self.seen.saturating_add(bytes.len());
            if self.seen > self.limit {
                return Err(HttpError::TooLarge(self.limit));
            }
            return Ok(Some(bytes));
        }
    }

    /// Up to `most` bytes of the rest; what is beyond is not read. An error after some bytes gives these bytes.
    pub async fn head(&mut self, most: usize) -> Result<Vec<u8>, HttpError> {
        let mut out = Vec::new();
        while out.len() < most {
            match self.chunk().await {
                Ok(Some(bytes)) => out.extend_from_slice(&bytes),
                Err(error) if out.is_empty() => return Err(error),
                // dropped: a broken error page still says more than the break does
                Ok(None) | Err(_) => break,
            }
        }
        out.truncate(most);
        Ok(out)
    }

    /// Reads the little that may follow the part the caller wanted, in the background, so that the connection is kept.
    pub fn release(mut self) {
        if self.incoming.is_none() {
            return;
        }
        self.limit = self.seen.saturating_add(DRAIN_BYTES);
        tokio::spawn(tokio::time::timeout(
            DRAIN_TIME,
            async move { while matches!(self.chunk().await, Ok(Some(_))) {} },
        ));
    }
}
