//! Client of a gateway: where it is, how to prove who we are, one call over HTTP, a conversation over WebSocket.

mod http;
mod notice;
mod reply;
mod stream;
mod target;

pub(crate) use http::RpcClient;
pub(crate) use reply::rpc_error;
pub(crate) use stream::{Connection, Incoming};
pub(crate) use target::{ConnectArgs, Target};
