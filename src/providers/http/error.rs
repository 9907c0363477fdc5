//! What can go wrong below the level of HTTP statuses. No variant holds a URL, header or body.

use std::error::Error as StdError;
use std::time::Duration;

/// A call that gave no (whole) HTTP response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection: name resolution, TCP or TLS.
    #[error("no connection: {0}")]
    Connect(String),
    /// No connection within the connect time-out.
    #[error("no connection within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    /// Not one byte for the silence time-out.
    #[error("not one byte for {} ms", .0.as_millis())]
    Silence(Duration),
    /// The connection broke, or the response is not HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The response is larger than the bound, in bytes.
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
}

/// The innermost cause: the outer layers only say that a request failed.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
