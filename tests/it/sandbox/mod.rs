//! Commands in sandboxes, with real processes.

mod attacks;
mod chain;
mod runner;
mod support;
