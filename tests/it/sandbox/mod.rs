//! Commands in sandboxes, with real processes.

mod chain;
mod process;
mod runner;
mod support;
