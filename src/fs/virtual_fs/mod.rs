//! Files of an agent in the database.
//!
//! [`VirtualAgentFs`] is one tree: an agent's, in one [`Namespace`]. It reads and writes like [`super::HostCapabilityFs`] (the same
//! `RelPath`s, the same errors), and it has a past: every change takes a revision, and what it replaces can be read, compared and
//! restored. A call is one transaction with its quota check; what fails leaves nothing behind, and what changes nothing writes nothing.
//!
//! A sandboxed command sees a copy of a tree: [`VirtualAgentFs::project`] streams it out, [`VirtualAgentFs::apply`] takes the command's
//! changes back, compared with what the tree was when it was streamed.
//!
//! | file | job |
//! |---|---|
//! | `namespace` | which trees an agent has |
//! | `limits` | quotas, and rules for paths and modes |
//! | `access` | closures in a transaction, with this module's errors |
//! | `tree` | look-ups and changes in an open transaction |
//! | `node` | what is told about a file or directory |
//! | `reading` | read, list, stat, at any revision |
//! | `writing` | write, append, make directories, remove, rename |
//! | `change_set` | several changes, all or none |
//! | `upload` | large files in pieces |
//! | `versions` | snapshots, differences, history, restore |
//! | `project` | a tree as a stream |
//! | `apply`, `merge` | a command's changes, with conflicts |

mod access;
mod agent_files;
mod apply;
mod change_set;
mod limits;
mod merge;
mod namespace;
mod node;
mod project;
mod reading;
mod tree;
mod upload;
mod versions;
mod writing;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::core::{AgentId, RunId};
use crate::state::{Store, VfsSpace};

pub use apply::{AppliedChange, ApplyReport, Conflict, RejectedChange, TreeChange};
pub use limits::VfsLimits;
pub use namespace::Namespace;
pub use node::{ChangeKind, Difference, Moment, VfsNode};
pub use project::{Base, TreeSink};
pub use upload::UploadProgress;
pub use versions::Version;
pub use writing::RenameOptions;

/// One tree of one agent. Cheap to clone. Every call blocks: use it from a blocking thread.
#[derive(Clone)]
pub struct VirtualAgentFs {
    store: Store,
    space: Arc<VfsSpace>,
    namespace: Namespace,
    limits: VfsLimits,
    run: Option<RunId>,
}

impl VirtualAgentFs {
    /// The tree of `agent` in `namespace`. Agent and namespace come from the run's context, never from a tool call.
    pub fn new(store: Store, agent: AgentId, namespace: Namespace, limits: VfsLimits) -> Self {
        let space = Arc::new(VfsSpace { agent_id: agent, namespace: namespace.to_string() });
        Self { store, space, namespace, limits, run: None }
    }

    /// The same tree; its history names `run` as the author of changes.
    #[must_use]
    pub fn for_run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Whose tree it is.
    pub fn agent(&self) -> &AgentId {
        &self.space.agent_id
    }

    /// Which of the agent's trees.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The quotas it keeps to.
    pub fn limits(&self) -> &VfsLimits {
        &self.limits
    }
}
