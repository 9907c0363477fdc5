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
//! | `outer`, `hygiene` | A: nothing is inherited, nothing outlives its parent |
//! | `system`, `mounts` | which files a command sees, as data |
//! | `namespaces`, `rootfs`, `mountinfo` | A's own namespaces, and the plan carried out |
//! | `bwrap` | the same plan as arguments of bubblewrap |
//! | `restrict`, `proc`, `status` | B gives up its rights and reads back what holds |
//! | `caps`, `landlock`, `seccomp`, `limits` | one means each |
//! | `exec_stage`, `private` | Landlock alone: a child of B restricts itself and becomes the command |
//! | `cgroup` | the gateway's side: bounds for all processes of a command together |
//! | `probe` | a command that tries what must not work |

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
