//! Commands in sandboxes, with real processes.

mod runner;
mod support;
