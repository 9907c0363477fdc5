//! `runs`: one row per agent turn, with exactly one terminal state.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{Doing, StateError};
use super::tx::{ReadTx, WriteTx};
use crate::core::{AgentId, Result, RunId, SessionId, SessionKey};

/// One agent turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRow {
    /// Equal to the idempotency key of the request.
    pub run_id: RunId,
    /// The agent.
    pub agent_id: AgentId,
    /// The conversation's address.
    pub session_key: SessionKey,
    /// The transcript it writes to.
    pub session_id: SessionId,
    /// How far it is.
    pub state: RunState,
    /// When it was accepted, Unix milliseconds.
    pub created_at: i64,
    /// When it began, Unix milliseconds.
    pub started_at: Option<i64>,
    /// When it reached its terminal state, Unix milliseconds.
    pub ended_at: Option<i64>,
    /// Process that owns it (boot id); `None` once it is over.
    pub owner: Option<String>,
    /// Until when the owner's claim holds without renewal, Unix milliseconds.
    pub lease_until: Option<i64>,
    /// When it must have ended, Unix milliseconds.
    pub deadline: Option<i64>,
    /// Grows with each claim; an older claim's writes are refused.
    pub epoch: i64,
    /// The prepared run, JSON; `{}` once it is over.
    pub prepared: Value,
    /// How it ended, JSON; without what the columns and the transcript have.
    pub result: Option<Value>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits in its lane.
    Queued,
    /// Works.
    Running,
    /// Finished its reply.
    Done,
    /// Failed.
    Error,
    /// Stopped by a person or a limit.
    Aborted,
    /// Its process died.
    Interrupted,
}

impl RunState {
    /// Whether the run is over.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Error => "error",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
        }
    }
}

impl ToSql for RunState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for RunState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        [Self::Queued, Self::Running, Self::Done, Self::Error, Self::Aborted, Self::Interrupted]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// Result of an insert keyed by run id (= idempotency key).
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one value per turn, taken apart at once")]
pub enum RunInsert {
    /// The row was stored.
    Inserted,
    /// The id was used before; this is its row, unchanged.
    Existing(RunRow),
}

const SELECT: &str = "SELECT run_id, agent_id, session_key, session_id, state, created_at, started_at, ended_at, owner, \
                      lease_until, deadline, epoch, prepared_json, result_json FROM runs JOIN transcripts USING (transcript)";

impl ReadTx<'_> {
    /// The run with this id.
    pub fn run(&self, run: &RunId) -> Result<Option<RunRow>> {
        let action = "read a run";
        let raw = self
            .prepare(&format!("{SELECT} WHERE run_id = ?1"), action)?
            .query_row([run.as_str()], RawRun::read)
            .optional()
            .doing(action)?;
        Ok(raw.map(RawRun::parse).transpose()?)
    }

    /// Runs that are not in a terminal state, oldest first. One whose prepared form cannot be
    /// read has `null` in its place, so that it can be closed.
    pub fn unfinished_runs(&self) -> Result<Vec<RunRow>> {
        let action = "list the unfinished runs";
        let mut statement = self.prepare(
            &format!("{SELECT} WHERE state IN ('queued', 'running') ORDER BY created_at, runs.rowid"),
            action,
        )?;
        let rows = statement.query_map([], RawRun::read).doing(action)?;
        Ok(rows.map(|row| Ok(row.doing(action)?.parse_without_result())).collect::<Result<_, StateError>>()?)
    }
}

impl WriteTx<'_> {
    /// Stores a run unless its id was used before.
    pub fn insert_run(&self, run: &RunRow) -> Result<RunInsert> {
        let action = "store a run";
        if let Some(existing) = self.run(&run.run_id)? {
            return Ok(RunInsert::Existing(existing));
        }
        let transcript = self.ensure_transcript(&run.agent_id, &run.session_id)?;
        self.prepare(
            "INSERT INTO runs (run_id, transcript, session_key, state, created_at, started_at, ended_at, owner, \
             lease_until, deadline, epoch, prepared_json, result_json) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            action,
        )?
        .execute(params![
            run.run_id.as_str(),
            transcript.0,
            run.session_key.as_str(),
            run.state,
            run.created_at,
            run.started_at,
            run.ended_at,
            run.owner,
            run.lease_until,
            run.deadline,
            run.epoch,
            run.prepared.to_string(),
            run.result.as_ref().map(Value::to_string),
        ])
        .doing(action)?;
        Ok(RunInsert::Inserted)
    }

    /// Moves a run forward; `at` is Unix milliseconds, `result` replaces the stored one if given. A terminal state is
    /// final: returns false if the run is already terminal, or if it would move back from running to queued. What only an
    /// unfinished run needs (owner, lease, the prepared run with its copy of the message) goes with its end.
    /// Error: `NotFound`.
    pub fn set_run_state(&self, run: &RunId, state: RunState, at: i64, result: Option<&Value>) -> Result<bool> {
        let action = "store the state of a run";
        let changed = self
            .prepare(
                "UPDATE runs SET state = ?2, \
                 started_at = CASE WHEN ?2 = 'running' THEN coalesce(started_at, ?3) ELSE started_at END, \
                 ended_at = CASE WHEN ?4 THEN ?3 END, \
                 lease_until = CASE WHEN ?4 THEN NULL ELSE lease_until END, \
                 owner = CASE WHEN ?4 THEN NULL ELSE owner END, \
                 prepared_json = CASE WHEN ?4 THEN '{}' ELSE prepared_json END, \
                 result_json = coalesce(?5, result_json) \
                 WHERE run_id = ?1 AND (state = 'queued' OR (state = 'running' AND ?2 <> 'queued'))",
                action,
            )?
            .execute(params![run.as_str(), state, at, state.is_terminal(), result.map(Value::to_string)])
            .doing(action)?;
        if changed == 0 && self.run(run)?.is_none() {
            return Err(StateError::NoSuchRun { run_id: run.to_string() }.into());
        }
        Ok(changed > 0)
    }
}

/// A row before its JSON is parsed.
struct RawRun {
    row: RunRow,
    prepared: String,
    result: Option<String>,
}

impl RawRun {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            row: RunRow {
                run_id: RunId::new(row.get::<_, String>(0)?),
                agent_id: AgentId::new(row.get::<_, String>(1)?),
                session_key: SessionKey::new(row.get::<_, String>(2)?),
                session_id: SessionId::new(row.get::<_, String>(3)?),
                state: row.get(4)?,
                created_at: row.get(5)?,
                started_at: row.get(6)?,
                ended_at: row.get(7)?,
                owner: row.get(8)?,
                lease_until: row.get(9)?,
                deadline: row.get(10)?,
                epoch: row.get(11)?,
                prepared: Value::Null,
                result: None,
            },
            prepared: row.get(12)?,
            result: row.get(13)?,
        })
    }

    /// The row without its result. A prepared run that cannot be read becomes `null`: the run can still be closed and its
    /// end told.
    fn parse_without_result(self) -> RunRow {
        let mut row = self.row;
        row.prepared = serde_json::from_str(&self.prepared).unwrap_or_else(|error| {
            tracing::error!(run = %row.run_id, %error, "a prepared run cannot be read");
            Value::Null
        });
        row
    }

    fn parse(mut self) -> Result<RunRow, StateError> {
        let result = self.result.take().map(|text| serde_json::from_str(&text)).transpose();
        Ok(RunRow { result: result.doing("read the result of a run")?, ..self.parse_without_result() })
    }
}
