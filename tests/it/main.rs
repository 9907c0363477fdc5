//! Tests of the whole program with real parts: processes, sockets, database files.
#![cfg(test)]
#![expect(
    clippy::needless_pass_by_value,
    clippy::format_push_string,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "`json!` values are handed over, requests are put together as text, and figures are printed"
)]

mod bad_connections;
mod bad_provider;
mod bad_rpc;
mod bad_state;
mod cli_agent;
mod cli_approvals;
mod cli_artifacts;
mod cli_config;
mod cli_doctor;
mod cli_first;
mod cli_fs;
mod cli_gateway;
mod cli_output;
mod cli_sandbox;
mod cli_sessions;
mod exec_approvals;
mod exec_tools;
mod fuzz;
mod host_files;
mod kill;
mod kill_vfs;
mod modes;
mod rpc_agents;
mod rpc_approvals;
mod rpc_attachments;
mod rpc_auth;
mod rpc_config;
mod rpc_events;
mod rpc_history;
mod rpc_logs;
mod rpc_methods;
mod rpc_schema;
mod rpc_sessions;
mod rpc_shutdown;
mod rpc_vfs;
mod sandbox;
mod support;
mod third_party;
mod turns;
