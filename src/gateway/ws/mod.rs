//! WebSocket (RFC 6455): handshake, and the two tasks of a connection.

mod handshake;
mod session;
mod writer;

pub(crate) use handshake::{check_handshake, upgrade};
