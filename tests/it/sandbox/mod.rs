//! Commands in sandboxes, with real processes.

mod attacks;
mod runner;
mod support;
