//! Line 9: programs and web pages talk to the runtime through here. One port, loopback only:
//!
//! | path | what |
//! |---|---|
//! | `POST /rpc` | JSON-RPC 2.0 in a body |
//! | `GET /ws` (and `/` with an upgrade) | JSON-RPC 2.0 in text frames, events as notifications |
//! | `GET /health /healthz /ready /readyz /startup /startupz` | probes, no token needed |
//! | `GET /` | the embedded pages of `ui-dist/` |
//!
//! A request passes `http::route` (Host, Origin, token), `jsonrpc` (strict codec), `methods` (the one table of
//! methods: dispatch, checks and `rpc.discover`). Runtime events pass `events` (one pump, bounded queues).
//! The methods' names and shapes are OpenClaw's where it has them. Their scopes (`x-scope` in `rpc.discover`) say what
//! they do; they are not checked, because every valid secret has all of them.

mod auth;
mod dispatch;
mod events;
mod http;
mod jsonrpc;
mod lock;
mod methods;
mod options;
mod origin;
mod rate;
mod server;
mod service;
mod shared;
mod tuning;
mod vitals;
mod ws;

pub use auth::load_or_create_token;
pub(crate) use events::agent_payload;
pub use methods::discover::document as openrpc_document;
pub(crate) use methods::vfs::{MAX_PIECE as VFS_MAX_PIECE, here as vfs_here};
pub use options::{AuthMode, GatewayOptions};
pub use service::{Gateway, serve};

#[cfg(test)]
mod tests;
