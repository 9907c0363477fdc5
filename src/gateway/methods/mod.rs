//! The methods. One file (or folder) per namespace holds its part of the one table; everything else reads that table.

mod agent;
mod agents;
mod approvals;
mod args;
mod artifacts;
mod attachments;
mod chat;
mod config;
pub(crate) mod discover;
mod health;
mod logs;
mod models;
mod outcome;
pub(crate) mod rows;
mod rpc;
mod sandbox;
mod services;
mod sessions;
mod spec;
mod suggest;
mod table;
pub(crate) mod vfs;

pub(crate) use services::Services;
pub(crate) use table::MethodTable;

use spec::Method;

/// Every method, namespace by namespace.
fn all() -> impl Iterator<Item = &'static Method> {
    [
        health::METHODS,
        agent::METHODS,
        chat::METHODS,
        sessions::METHODS,
        models::METHODS,
        agents::METHODS,
        approvals::METHODS,
        artifacts::METHODS,
        config::METHODS,
        logs::METHODS,
        sandbox::METHODS,
        vfs::METHODS,
        rpc::METHODS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests;
