//! The runtime on a real store, with the built-in offline model or with a scripted one.

mod abort;
mod approvals;
mod artifacts;
mod faults;
mod models;
mod races;
mod recovery;
mod sessions;
mod steps;
mod support;
mod turns;
