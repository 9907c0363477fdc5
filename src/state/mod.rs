//! Line 3: the one database. Every SQL statement of the product is in this module.
//!
//! `<root>/state/openclaw.sqlite` in WAL mode, one writer, many readers:
//!
//! - [`Store::write`] sends a closure to the writer thread (`writer`). Closures that are queued together share a
//!   transaction, each in its own savepoint; the caller is answered after COMMIT.
//! - [`Store::read`] runs a closure on a pooled read-only connection (`readers`), on one consistent view.
//! - [`Store::open`] takes the instance lock (`lock`), makes directory and file private (`files`), refuses databases
//!   of other programs (`foreign`) and of later versions, and migrates (`migrate`, `migrations/`).
//!
//! What a closure can do are the methods of [`ReadTx`] and [`WriteTx`]; they are in the file of their table:
//! `kv`, `agents`, `sessions`, `transcript` (with `search`), `snapshots`, `runs`, `usage`, `artifacts`, `dedupe`,
//! `approvals`, `audit`, `sandbox_registry`, and the folder `vfs`.
//!
//! ```
//! use openclaw::core::AgentId;
//! use openclaw::state::{OpenOptions, StatePaths, Store};
//! use serde_json::json;
//!
//! # fn main() -> openclaw::core::Result<()> {
//! # let directory = tempfile::tempdir().expect("a temporary directory");
//! let store = Store::open(&StatePaths::new(directory.path()), &OpenOptions::default())?;
//! store.write_blocking(|tx| tx.upsert_agent(&AgentId::from("main"), &json!({"model": "offline"}), 0))?;
//! let agents = store.read_blocking(|tx| tx.agents())?;
//! assert_eq!(agents.len(), 1);
//! store.close_blocking()?;
//! # Ok(())
//! # }
//! ```

mod agents;
mod approvals;
mod artifacts;
mod audit;
mod connection;
mod counts;
mod dedupe;
mod error;
mod files;
pub mod foreign;
mod health;
mod job;
mod kv;
mod lock;
mod migrate;
mod paths;
mod position;
mod readers;
mod runs;
mod sandbox_registry;
mod search;
mod search_text;
mod session_entry;
mod sessions;
mod snapshots;
mod store;
pub mod token;
mod transcript;
mod tx;
mod usage;
mod vfs;
mod writer;

#[cfg(test)]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method of `ReadTx<'_>` as a path is not general over its lifetime"
)]
mod tests;

pub use approvals::{ApprovalRow, ApprovalStatus, Verdict};
pub use artifacts::{Artifact, ArtifactEntry, ArtifactQuery};
pub use audit::AuditRow;
pub use dedupe::InboundMessage;
pub use error::{Problem, StateError};
pub use health::StoreHealth;
pub use paths::StatePaths;
pub use runs::{RunInsert, RunRow, RunState};
pub use sandbox_registry::SandboxEntry;
pub use session_entry::{SessionEntry, SessionPage, SessionQuery};
pub use snapshots::Snapshot;
pub use store::{Access, OpenOptions, Store};
pub use transcript::StoredEvent;
pub use tx::{ReadTx, WriteTx};
pub use usage::UsageRow;
pub use vfs::{
    CHUNK as VFS_CHUNK, INLINE_MAX as VFS_INLINE_MAX, VfsAt, VfsContent, VfsEdit, VfsFile, VfsHash, VfsKind, VfsRow,
    VfsSnapshot, VfsSpace, VfsTotals, VfsVersion,
};
