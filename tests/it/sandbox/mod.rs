//! Commands in sandboxes, with real processes.

mod attacks;
mod chain;
mod process;
mod projected;
mod runner;
mod support;
