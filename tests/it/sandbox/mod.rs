//! Commands in sandboxes, with real processes.

mod process;
mod runner;
mod support;
