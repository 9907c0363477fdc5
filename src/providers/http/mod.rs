//! The one HTTP client for models: HTTP/1.1 over TCP or TLS (ring, Mozilla's roots), pooled, built on first use.
//!
//! Time-outs are per silence, never per call: a model may think for an hour as long as bytes keep coming. Redirects are not
//! followed, compression is not asked for, and a dropped call closes its socket at once.

mod body;
mod client;
mod error;
#[cfg(test)]
pub(super) mod server;
#[cfg(test)]
mod tests;

pub use body::HttpBody;
pub use client::{HttpClient, HttpResponse, Timeouts};
pub use error::HttpError;
