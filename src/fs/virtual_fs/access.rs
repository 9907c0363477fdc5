//! Closures in a transaction, with this module's errors.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::VirtualAgentFs;
use super::tree::Tree;
use crate::core::{Error, now_ms};
use crate::fs::{FsError, RelPath};
use crate::state::{Problem, ReadTx, StateError, WriteTx};

/// Why a step of a transaction was not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The files are not what the step needs.
    Files(FsError),
    /// The database failed.
    State(Error),
}

/// Outcome of a step.
pub(super) type Step<T> = Result<T, Refusal>;

impl From<FsError> for Refusal {
    fn from(error: FsError) -> Self {
        Self::Files(error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::State(error)
    }
}

impl Refusal {
    fn about(self, path: &RelPath) -> FsError {
        match self {
            Self::Files(error) => error,
            Self::State(error) => from_state(path, error),
        }
    }
}

/// A failure of the database as one of files.
pub(super) fn from_state(path: &RelPath, error: Error) -> FsError {
    let problem = match std::error::Error::source(&error).and_then(|source| source.downcast_ref::<StateError>()) {
        Some(StateError::Sql { problem, .. } | StateError::File { problem, .. }) => *problem,
        _ => Problem::Other,
    };
    let (path, source) = (path.to_string(), io::Error::other(error));
    match problem {
        Problem::DiskFull => FsError::NoSpace { path, source },
        Problem::ReadOnly => FsError::Permission { path, source },
        _ => FsError::Io { path, source },
    }
}

impl VirtualAgentFs {
    /// Reads on one consistent view. Errors of the database are about `path`.
    pub(super) fn reading<T>(&self, path: &RelPath, op: impl FnOnce(&ReadTx<'_>) -> Step<T>) -> Result<T, FsError> {
        match self.store.read_blocking(|tx| Ok(op(tx))) {
            Ok(outcome) => outcome.map_err(|refusal| refusal.about(path)),
            Err(error) => Err(from_state(path, error)),
        }
    }

    /// Writes in one transaction; an error undoes all of it.
    pub(super) fn writing<T: Send + 'static>(
        &self,
        path: &RelPath,
        op: impl FnOnce(&WriteTx<'_>) -> Step<T> + Send + 'static,
    ) -> Result<T, FsError> {
        // The store undoes a write that returns its own error type, so this module's error leaves by another way.
        let refused = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&refused);
        let outcome = self.store.write_blocking(move |tx| {
            op(tx).map_err(|refusal| match refusal {
                Refusal::State(error) => error,
                Refusal::Files(error) => {
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Error::internal("a change of virtual files was refused")
                }
            })
        });
        outcome.map_err(|error| {
            let refusal = refused.lock().unwrap_or_else(PoisonError::into_inner).take();
            refusal.unwrap_or_else(|| from_state(path, error))
        })
    }

    /// Changes the tree in one transaction that also checks quotas and prunes history.
    pub(super) fn editing<T: Send + 'static>(
        &self,
        path: &RelPath,
        op: impl FnOnce(&Tree<'_, '_>) -> Step<T> + Send + 'static,
    ) -> Result<T, FsError> {
        let (space, limits, run, about) = (Arc::clone(&self.space), self.limits, self.run.clone(), path.clone());
        self.writing(path, move |tx| {
            let before = tx.vfs_totals(&space.agent_id)?;
            let tree = Tree { edit: tx.vfs_edit(&space, run.as_ref(), now_ms()), limits };
            let value = op(&tree)?;
            if tree.edit.changed().is_some() {
                limits.check_growth(&about, &before, &tx.vfs_totals(&space.agent_id)?)?;
                tx.vfs_prune(&space.agent_id, limits.history_bytes)?;
            }
            Ok(value)
        })
    }
}
