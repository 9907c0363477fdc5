//! Confinement on macOS: `sandbox-exec` with a profile of our own.
//!
//! **This has not been run.** It was written from what is known of Seatbelt, on a machine without macOS. The text of the profile, the arguments
//! and the claims are plain functions that are tested everywhere; starting and killing is plain Unix and is compiled and tested on Linux,
//! with another program in the place of `sandbox-exec`. Whether the kernel of a Mac obeys the profile as described is untested.
//!
//! | file | job |
//! |---|---|
//! | `profile` | the text of the profile and its parameters |
//! | `plan` | the whole command line: profile, parameters, a shell that sets limits, the command |
//! | `backends` | what is claimed and what is refused |
//! | `drive` | the task beside a command: output, input, time |
//! | `process` | start it in a process group of its own, and kill the group |
//!
//! What is claimed, and what not ([`claims`]):
//!
//! | guarantee | claimed | by |
//! |---|---|---|
//! | `fs_write_confined`, `fs_read_confined` | yes | `(deny default)` and the granted subtrees |
//! | `net_denied`, `unix_sockets_denied` | without network | no `network*` rule. With network, the resolver's socket must be reachable |
//! | `signals_confined` | yes | `signal` is granted for the same sandbox only |
//! | `env_clean` | yes | environment cleared; descriptors 3 to 9 closed by the shell, those of this program by close-on-exec |
//! | `fsize_limit` | yes | `ulimit -f`, which cannot be raised again |
//! | `metadata_confined`, `pids_hidden` | no | names on the way to a granted directory can be looked up; `sysctl` shows processes |
//! | `no_new_privs`, `caps_empty`, `seccomp`, `landlock` | no | there is no such thing; set-user-id programs are refused by the default |
//! | `tree_kill` | no | a child that leaves the process group (`setsid`) is not found again, it stays confined |
//! | `pids_limit`, `mem_limit` | no | the system's limits count per user, or not at all |
//!
//! The levels `relaxed` and `strict` are therefore refused unless the configuration allows these guarantees to be missing.

#[cfg(any(target_os = "macos", all(test, unix)))]
mod backends;
#[cfg(any(target_os = "macos", all(test, unix)))]
mod drive;
mod plan;
#[cfg(any(target_os = "macos", all(test, unix)))]
mod process;
mod profile;

#[cfg(target_os = "macos")]
pub(super) use backends::Backends;
pub use plan::{SeatbeltPlan, claims, plan};
#[cfg(any(target_os = "macos", all(test, unix)))]
pub use process::{SeatbeltChild, spawn};
pub use profile::{Profile, profile};
