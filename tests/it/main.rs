//! Tests of the whole program with real parts: processes, sockets, database files.
#![cfg(test)]
#![expect(
    clippy::needless_pass_by_value,
    clippy::format_push_string,
    clippy::print_stderr,
    reason = "`json!` values are handed over, requests are put together as text, and figures are printed"
)]

mod bad_connections;
mod bad_provider;
mod bad_rpc;
mod bad_state;
mod kill;
mod support;
mod third_party;
mod turns;
