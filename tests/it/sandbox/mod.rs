//! Commands in sandboxes, with real processes.

mod chain;
mod runner;
mod support;
