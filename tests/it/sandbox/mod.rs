//! Commands in sandboxes, with real processes.

mod chain;
mod process;
mod projected;
mod runner;
mod support;
