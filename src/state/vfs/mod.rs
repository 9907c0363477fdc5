//! Virtual files: rows of `vfs_entries` (the current trees), `vfs_history` (what was there before), `vfs_contents` with `vfs_chunks`
//! (large contents), `vfs_snapshots` and `vfs_agents` (revisions and totals).
//!
//! A version of a file or directory is one row with one id for ever. A change inside [`VfsEdit`] ends the current version (it moves to
//! `vfs_history` with the interval of revisions it was valid for) and inserts another; all changes of one edit have one revision. So the
//! tree at any revision is a union of two range scans, and a content above [`INLINE_MAX`] is never copied: versions point at it, and
//! triggers delete it with the last of them. Triggers also keep the totals that quotas are checked against.
//!
//! | file | job |
//! |---|---|
//! | `row` | what is told about a version, and its columns |
//! | `entries` | look-ups and range scans, at the present or at a revision |
//! | `edit` | ends and inserts versions |
//! | `content` | bytes: inline, in chunks, and uploads in pieces |
//! | `history` | versions of a path, paths changed between revisions, pruning |
//! | `snapshots` | named revisions |
//! | `usage` | totals of an agent |
//! | `runs` | files of runs that are left |
//!
//! What a path may look like, which changes are allowed and how errors read is decided in [`crate::fs`].

mod content;
mod edit;
mod entries;
mod history;
mod row;
mod runs;
mod snapshots;
mod usage;

pub use content::{CHUNK, INLINE_MAX};
pub use edit::{VfsContent, VfsEdit, VfsFile};
pub use history::VfsVersion;
pub use row::{VfsAt, VfsHash, VfsKind, VfsRow, VfsSpace};
pub use snapshots::VfsSnapshot;
pub use usage::VfsTotals;
