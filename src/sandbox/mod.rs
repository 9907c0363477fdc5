//! Line 4: where the effects of commands may land.
//!
//! A [`SandboxLevel`] is a contract of [`Guarantees`]; a [`SandboxSpec`] says what is granted beside it; every result carries a
//! [`SandboxReport`] of what held, read back inside of the sandbox. What cannot be guaranteed is refused before anything is started.

mod error;
mod exit;
pub mod frames;
mod guarantees;
mod level;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod projection;
mod report;
mod spec;

pub use error::SandboxError;
pub use exit::{Exit, Stream};
pub use guarantees::{Guarantee, Guarantees};
pub use level::SandboxLevel;
pub use report::{Backend, SandboxReport};
pub use spec::{CommandSpec, Limits, Mount, SandboxSpec, Stdin, Workspace};

/// Where a virtual workspace is inside of the sandbox.
pub const VIRTUAL_WORKSPACE: &str = "/workspace";
