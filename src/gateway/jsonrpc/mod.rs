//! JSON-RPC 2.0 (<https://www.jsonrpc.org/specification>), strictly: bytes in, checked requests out. No I/O.
//!
//! Ids are kept as the raw text the caller wrote, so `1.0`, `1e3` and 30-digit numbers come back unchanged.

mod envelope;
mod error;
mod reply;
mod scan;
mod strict;

pub(crate) use envelope::{Entry, Message, Request, parse};
pub(crate) use error::RpcError;
pub(crate) use reply::{failure, success};

#[cfg(test)]
mod tests;
