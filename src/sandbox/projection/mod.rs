//! How a virtual file tree gets into a sandbox, and how its changes come back.
//!
//! ```text
//! gateway                                            sandbox (the supervisor, nobody else runs before and after)
//! Projection::send ─ ENTRY, DATA.. PROJECTED ──────> receive(control, root) ─> Baseline
//!                                                    the command runs, ends, and every process is dead
//! ChangeDecoder <─── DELETE, CHANGE, CHANGE_DATA, ── scan(root, &Baseline, control)
//!      │             REJECT, END
//!      └─> ChangeSet: all of the changes, or an error and none
//! ```
//!
//! The tree lives on a private memory file system, so that the gateway never walks files that a command has made: what it sees of
//! them is a stream of frames, every byte of which it takes for an attack. Small files travel many to a frame.
//!
//! Changes are found in two steps. A walk looks at every name without opening files: what it cannot bring back is listed, the bounds are
//! applied, and files whose inode, size, mode and times are those of the [`Baseline`] are left alone. The others are read; those whose
//! SHA-256 is the old one were only touched, and are left alone too. A time within 10 ms of the end of the projection proves nothing on
//! kernels that stamp files by a clock that ticks (before 6.13), so such files are read as well. So is a file whose access time moved: a
//! write through a shared mapping whose page had been read before leaves the other times of a file in memory as they were.
//!
//! What cannot be brought back (links, sockets, files too large, …) is reported, and leaves what the tree had under that path as it
//! was. Where a whole bound is passed (entries, bytes in all), nothing is brought back.
//!
//! | file | job |
//! |---|---|
//! | `change` | [`Change`], [`Rejected`], [`ChangeSet`] |
//! | `limits` | [`ProjectionLimits`] |
//! | `path` | which paths are taken |
//! | `wire` | the payloads of the frames |
//! | `batch` | many records to a frame |
//! | `writer` | [`Projection`], [`ProjectionWriter`]: the gateway's side, going in |
//! | `dirs` | open directories on the way to a path |
//! | `baseline` | what was brought in, and whether a file is still that |
//! | `receive` | the sandbox's side, going in |
//! | `walk` | what is there after the command |
//! | `scan` | the sandbox's side, coming back |
//! | `decode` | the gateway's side, coming back |
//! | `manifest` | whether base and changes make a tree |

#[cfg(target_os = "linux")]
mod baseline;
mod batch;
mod change;
mod decode;
#[cfg(target_os = "linux")]
mod dirs;
mod limits;
mod manifest;
mod path;
#[cfg(target_os = "linux")]
mod receive;
#[cfg(target_os = "linux")]
mod scan;
#[cfg(target_os = "linux")]
mod walk;
mod wire;
mod writer;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

#[cfg(target_os = "linux")]
pub use baseline::Baseline;
pub use change::{Change, ChangeSet, RejectReason, Rejected};
pub use decode::{ChangeDecoder, SyncError, decode_stream};
pub use limits::ProjectionLimits;
pub use manifest::Projected;
pub use path::{PathProblem, check_path};
#[cfg(target_os = "linux")]
pub use receive::receive;
#[cfg(target_os = "linux")]
pub use scan::scan;
pub use wire::{Counts, Entry, EntryKind};
pub use writer::{Projection, ProjectionWriter};
