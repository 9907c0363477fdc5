//! One command, one file.

pub(super) mod agent;
pub(super) mod agents;
pub(super) mod approvals;
pub(super) mod artifacts;
pub(super) mod completion;
pub(super) mod config;
pub(super) mod doctor;
mod files;
pub(super) mod fs;
pub(super) mod gateway;
pub(super) mod health;
pub(super) mod logs;
pub(super) mod models;
pub(super) mod sandbox;
pub(super) mod sessions;
pub(super) mod status;

use super::args::Command;
use super::context::Context;
use super::error::Outcome;

/// Runs a command to its end.
pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Agent(args) => agent::run(context, args),
        Command::Gateway(args) => gateway::run(context, args),
        Command::Status(args) => status::run(context, &args),
        Command::Health(args) => health::run(context, &args),
        Command::Sandbox(args) => sandbox::run(context, args),
        Command::Sessions(args) => sessions::run(context, args),
        Command::Models(args) => models::run(context, args),
        Command::Agents(args) => agents::run(context, args),
        Command::Fs(args) => fs::run(context, args),
        Command::Artifacts(args) => artifacts::run(context, args),
        Command::Approvals(args) => approvals::run(context, args),
        Command::Config(args) => config::run(context, args),
        Command::Logs(args) => logs::run(context, &args),
        Command::Doctor(args) => doctor::run(context, &args),
        Command::Completion(args) => completion::run(context, &args),
    }
}
