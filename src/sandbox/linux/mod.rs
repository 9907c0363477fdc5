//! Confinement on Linux: the processes between the gateway and a command.
//!
//! ```text
//! gateway ── self __sandbox-outer (A) ── self __sandbox-supervisor (B) ── command
//! ```
//!
//! A closes what was inherited and makes the new view of the system; B takes the last rights away from itself, says what holds, and starts
//! and watches the command. Both are this program under another role, single-threaded, with nothing in their arguments but the role.
//!
//! | file | job |
//! |---|---|
//! | `setup` | what the gateway tells A and B, and what they answer |

pub mod bwrap;
pub mod caps;
pub mod cgroup;
pub mod exec_stage;
pub mod hygiene;
pub mod landlock;
pub mod limits;
pub mod mountinfo;
pub mod mounts;
pub mod namespaces;
pub mod outer;
pub mod private;
pub mod probe;
pub mod proc;
pub mod restrict;
pub mod rootfs;
pub mod seccomp;
pub mod setup;
pub mod status;
pub mod system;
