//! After a crash: every run that a dead process left behind gets its terminal state, and the transcript says so.

use super::ending::End;
use super::entries::{end_run, settle_entry};
use super::prepared::PreparedAgentRun;
use super::service::Runtime;
use super::types::{RunOutcome, RunStatus};
use crate::core::{Error, ErrorKind, Result, now_ms};
use crate::session::message::StopReason;
use crate::state::{RunRow, WriteTx};

impl Runtime {
    /// Records unfinished runs as interrupted. A message that was still queued is put into its transcript, so nothing that was
    /// acknowledged is lost; it is not run by itself, because whoever sent it may have given up on it.
    ///
    /// No run can keep the gateway from starting: one that cannot be recorded is left for the next start, with an error
    /// in the log.
    pub(super) async fn recover(&self) -> Result<()> {
        let unfinished = self.shared.store.read(|tx| tx.unfinished_runs()).await?;
        for row in unfinished {
            let id = row.run_id.clone();
            tracing::warn!(run = %id, session = %row.session_key, "a run was interrupted by the end of its process");
            if let Err(error) = self.interrupt(row).await {
                tracing::error!(run = %id, %error, "the interrupted run could not be recorded");
            }
        }
        Ok(())
    }

    async fn interrupt(&self, row: RunRow) -> Result<()> {
        let outcome = interrupted(&row);
        match PreparedAgentRun::from_json(row.prepared.clone()) {
            Ok(prepared) => {
                let end = End { prepared, outcome: outcome.clone(), withdrawn: false };
                match self.try_record_end(&end).await {
                    // The row holds the only copy of a message that was still queued: it stays open.
                    Err(error) if end.prepared.content.is_empty() => {
                        tracing::error!(run = %row.run_id, %error, "the transcript cannot be told of the interruption; the run's state is closed");
                    }
                    recorded => return recorded.map(drop),
                }
            }
            Err(error) => {
                tracing::error!(run = %row.run_id, %error, "the prepared run cannot be read; only its state is closed");
            }
        }
        self.shared.store.write(move |tx| close(tx, &row, &outcome)).await
    }
}

fn interrupted(row: &RunRow) -> RunOutcome {
    let error = Error::new(ErrorKind::Unavailable, "the gateway stopped while this turn was in progress")
        .hint("send the message again");
    RunOutcome {
        status: RunStatus::Interrupted,
        stop_reason: Some(StopReason::Error),
        error: Some(error.to_json()),
        ended_at: now_ms(),
        ..RunOutcome::of(row.run_id.clone(), row.started_at.unwrap_or(row.created_at))
    }
}

/// The terminal state without a word in the transcript.
fn close(tx: &WriteTx<'_>, row: &RunRow, outcome: &RunOutcome) -> Result<()> {
    if let Some(mut entry) =
        tx.session(&row.agent_id, &row.session_key)?.filter(|entry| entry.session_id == row.session_id)
    {
        settle_entry(&mut entry, outcome);
        tx.put_session(&entry)?;
    }
    end_run(tx, outcome)?;
    Ok(())
}
