//! Line 4: where file effects may land.
//!
//! [`HostCapabilityFs`] is the only way a tool reaches the host's files: a directory is pinned once by a file descriptor, and every later
//! path is resolved by the kernel beneath it (`openat2(2)` with `RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV`). Where that
//! system call is missing, each component is opened in turn with `O_NOFOLLOW`, and [`Containment::BestEffort`] says so.
//!
//! | file | job |
//! |---|---|
//! | `rel_path` | [`RelPath`], a path that cannot name anything above its root |
//! | `resolve` | from what a model wrote to a [`RelPath`] |
//! | `protect/` | paths that stay out of reach although they lie below the root; which exist, and which changed |
//! | `host` | [`HostCapabilityFs`]: read, list, stat, make directories, remove |
//! | `files` | [`AgentFiles`], what tools see of any file system; change sets |
//! | `atomic`, `sibling` | replace or create a file in one step |
//! | `apply` | several changes, all or none |
//! | `unix` | the system calls, and the mapping of their errors |
//! | `tree` | rename, remove and change the permissions of files and whole directories |
//! | `walk` | a tree in a fixed order, bounded |
//! | `virtual_fs` | [`VirtualAgentFs`]: files of an agent in the database |
//! | `logfile`, `logtail` | the rotating log and its reader |
//! | `mounted` | [`MountedFiles`]: one file system at a name of another |
//! | `programs` | which file a program name stands for |
//! | `memory` | what the kernel says this process holds |
//!
//! ```
//! use openclaw::fs::HostCapabilityFs;
//!
//! # fn main() -> Result<(), openclaw::fs::FsError> {
//! # let directory = tempfile::tempdir().expect("a temporary directory");
//! let files = HostCapabilityFs::open(directory.path())?;
//! let path = files.resolve("deep/notes.txt")?;
//! files.write(&path, b"hello", true)?;
//! assert_eq!(files.read(&path, 1024)?, b"hello");
//! assert!(files.resolve("../elsewhere").is_err());
//! # Ok(())
//! # }
//! ```

#[cfg(not(unix))]
compile_error!("openclaw::fs has no implementation for this platform: it needs openat(2) and its relatives");

mod apply;
mod atomic;
mod error;
pub mod files;
pub mod host;
pub mod logfile;
pub mod logtail;
mod memory;
mod mounted;
mod programs;
mod protect;
mod rel_path;
mod resolve;
mod sibling;
mod tree;
mod unix;
pub mod virtual_fs;
pub mod walk;

#[cfg(test)]
mod tests;

pub use atomic::{WriteOptions, Written};
pub use error::FsError;
pub use files::{AgentFiles, Expected, FileChange, OpenedReader, check_change_set};
pub use host::{Containment, Entry, EntryKind, HostCapabilityFs, HostFsOptions, Listing, OpenedFile};
pub use logfile::{LogFile, LogOptions};
pub use logtail::{LogTail, tail};
pub use memory::resident_bytes;
pub use mounted::MountedFiles;
pub use programs::{Program, ProgramIdentity, find_program, identify};
pub use protect::{ProtectedChange, ProtectedScan, ScanBounds, protected_changes};
pub use rel_path::RelPath;
pub use virtual_fs::{
    AppliedChange, ApplyReport, Base, ChangeKind, Conflict, Moment, Namespace, RejectedChange, TreeChange, TreeSink,
    VfsLimits, VfsNode, VirtualAgentFs,
};
pub use walk::{Walk, WalkEntry, WalkOptions, WalkReport};
