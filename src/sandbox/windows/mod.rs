//! Confinement on Windows: a Job Object, which bounds a tree of processes and ends it, and confines nothing.
//!
//! **This has not been run, and `job` has not even been compiled**: there is no Windows here, and the crate as a whole does not build for it (`fs`
//! needs `openat(2)`). The limits and the claims are plain functions that are tested everywhere.
//!
//! | file | job |
//! |---|---|
//! | `limits` | which limits, as the numbers that the system takes; [`claims`] |
//! | `job` | makes the job, puts this process into it, runs the command |
//!
//! A helper process puts *itself* into the job before it starts the command, so that there is no moment in which the command is outside.
//! It holds the only handle of the job: whichever way the helper ends, the system ends everything in the job.
//!
//! Claimed are `tree_kill`, `pids_limit`, `mem_limit`, and `env_clean` (cleared; only the three standard handles are inheritable). Files, network,
//! signals and other processes are as open as they are to the user, so that `relaxed` and `strict` are refused; `none` can be configured.
//!
//! `win32job` 1.0.4 (MIT/Apache, January 2024) is used and not 2.x: the later one hides the structure in which the bounds of memory and of the
//! number of processes are set, and `unsafe` code of our own is forbidden.

#[cfg(windows)]
mod job;
mod limits;

#[cfg(windows)]
pub use job::run;
pub use limits::{JobLimits, claims};
