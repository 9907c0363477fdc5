//! Line 4: where the effects of commands may land.
//!
//! A [`SandboxLevel`] is a contract of [`Guarantees`]; a [`SandboxSpec`] says what is granted beside it; every result carries a
//! [`SandboxReport`] of what held, read back inside of the sandbox. What cannot be guaranteed is refused before anything is started.

mod check;
mod child;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod elsewhere;
mod error;
mod exit;
pub mod frames;
mod guarantees;
#[cfg(target_os = "linux")]
mod host;
mod level;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod macos;
#[cfg(unix)]
mod outlet;
mod output;
mod probe;
pub mod projection;
mod report;
mod roles;
mod run;
mod runner;
mod spec;
#[cfg(target_os = "linux")]
mod supervisor;
pub mod windows;

pub use child::{ChildEvent, ChildHandle, SandboxedChild};
pub use error::SandboxError;
pub use exit::{Exit, Stream};
pub use guarantees::{Guarantee, Guarantees};
pub use level::SandboxLevel;
pub use output::{Captured, Text};
pub use probe::{Probe, ProbeAttempt};
pub use report::{Backend, SandboxReport};
pub use roles::role;
pub use run::Finished;
pub use runner::{Sandbox, SandboxOptions};
pub use spec::{CommandSpec, Limits, Mount, SandboxSpec, Stdin, Workspace};

/// Where a virtual workspace is inside of the sandbox.
pub const VIRTUAL_WORKSPACE: &str = "/workspace";
