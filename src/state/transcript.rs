//! `events`: the append-only log of every session.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Rows, params};

use super::error::{Doing, StateError};
use super::position::{MAX_SEQ, Transcript, compact_id};
use super::tx::{ReadTx, WriteTx, as_i64};
use crate::core::{AgentId, Result, SessionId};
use crate::session::Event;

/// Events read at a time where all are wanted.
const CHUNK: usize = 1_000;

/// A stored event with its position.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Position in its session, from 1 without gaps.
    pub seq: i64,
    /// The event.
    pub event: Arc<Event>,
}

impl ReadTx<'_> {
    /// Number of a transcript; `None` if nothing was ever stored for it.
    pub(super) fn transcript(&self, agent: &AgentId, session: &SessionId) -> Result<Option<Transcript>, StateError> {
        let action = "look up a session's transcript";
        self.prepare("SELECT transcript FROM transcripts WHERE agent_id = ?1 AND session_id = ?2", action)?
            .query_row([agent.as_str(), session.as_str()], |row| row.get(0).map(Transcript))
            .optional()
            .doing(action)
    }

    /// Events with `seq > after` in order, at most `limit`.
    pub fn events(&self, agent: &AgentId, session: &SessionId, after: i64, limit: usize) -> Result<Vec<StoredEvent>> {
        let action = "read the events of a session";
        let Some(transcript) = self.transcript(agent, session)? else { return Ok(Vec::new()) };
        if after >= MAX_SEQ {
            return Ok(Vec::new());
        }
        let mut statement = self.prepare(
            "SELECT position, event_json FROM events WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3",
            action,
        )?;
        let bounds = params![transcript.at(after), transcript.at(MAX_SEQ), as_i64(limit)];
        Ok(parse_rows(statement.query(bounds).doing(action)?, session)?)
    }

    /// Hands over every event in order, read in chunks, until `take` gives false.
    pub fn each_event(
        &self,
        agent: &AgentId,
        session: &SessionId,
        mut take: impl FnMut(StoredEvent) -> bool,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let events = self.events(agent, session, after, CHUNK)?;
            let is_last = events.len() < CHUNK;
            for event in events {
                after = event.seq;
                if !take(event) {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Last `limit` events in ascending order; `before` = exclusive upper seq (for paging backwards).
    pub fn events_tail(
        &self,
        agent: &AgentId,
        session: &SessionId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>> {
        let action = "read the newest events of a session";
        let Some(transcript) = self.transcript(agent, session)? else { return Ok(Vec::new()) };
        let last = before.map_or(MAX_SEQ, |before| before.saturating_sub(1));
        let mut statement = self.prepare(
            "SELECT position, event_json FROM events WHERE position > ?1 AND position <= ?2 \
             ORDER BY position DESC LIMIT ?3",
            action,
        )?;
        let bounds = params![transcript.at(0), transcript.at(last), as_i64(limit)];
        let mut events = parse_rows(statement.query(bounds).doing(action)?, session)?;
        events.reverse();
        Ok(events)
    }

    /// Seq of the newest event; 0 if there is none.
    pub fn last_seq(&self, agent: &AgentId, session: &SessionId) -> Result<i64> {
        Ok(match self.transcript(agent, session)? {
            Some(transcript) => self.newest(transcript)?,
            None => 0,
        })
    }

    /// How many of a session's events are messages (from a person, a model or a tool).
    pub fn count_messages(&self, agent: &AgentId, session: &SessionId) -> Result<usize> {
        let action = "count the messages of a session";
        let count: Option<i64> = self
            .prepare("SELECT messages FROM transcripts WHERE agent_id = ?1 AND session_id = ?2", action)?
            .query_row([agent.as_str(), session.as_str()], |row| row.get(0))
            .optional()
            .doing(action)?;
        Ok(count.map_or(0, |count| usize::try_from(count).unwrap_or(0)))
    }

    fn newest(&self, transcript: Transcript) -> Result<i64, StateError> {
        let action = "find the newest event of a session";
        let position: Option<i64> = self
            .prepare("SELECT max(position) FROM events WHERE position BETWEEN ?1 AND ?2", action)?
            .query_row([transcript.at(0), transcript.at(MAX_SEQ)], |row| row.get(0))
            .doing(action)?;
        Ok(position.map_or(0, |position| Transcript::split(position).1))
    }
}

impl WriteTx<'_> {
    /// Number of a transcript, given to it if it has none.
    pub(super) fn ensure_transcript(&self, agent: &AgentId, session: &SessionId) -> Result<Transcript, StateError> {
        if let Some(transcript) = self.transcript(agent, session)? {
            return Ok(transcript);
        }
        let action = "begin a transcript";
        self.prepare("INSERT INTO transcripts (agent_id, session_id) VALUES (?1, ?2) RETURNING transcript", action)?
            .query_row([agent.as_str(), session.as_str()], |row| row.get(0).map(Transcript))
            .doing(action)
    }

    /// Appends in the given order and returns the seq of each event: consecutive from `last_seq` + 1. An event id
    /// that exists already with the same content is a no-op that gives its seq; with other content `Conflict`.
    pub fn append_events(&self, agent: &AgentId, session: &SessionId, events: &[Event]) -> Result<Vec<i64>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let action = "append an event";
        let transcript = self.ensure_transcript(agent, session)?;
        let mut last = self.newest(transcript)?;
        let mut claim = self.prepare(
            "INSERT INTO event_ids (transcript, event_id, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            action,
        )?;
        let mut insert =
            self.prepare("INSERT INTO events (position, created_at, event_json) VALUES (?1, ?2, ?3)", action)?;
        let mut seqs = Vec::with_capacity(events.len());
        let mut messages = 0;
        for event in events {
            let text = serde_json::to_string(event).doing(action)?;
            let seq = last + 1;
            if seq > MAX_SEQ {
                return Err(StateError::TranscriptFull { session_id: session.to_string() }.into());
            }
            let id = compact_id(event.id.as_str());
            if claim.execute(params![transcript.0, id, seq]).doing(action)? == 0 {
                seqs.push(self.same_event(transcript, session, event, &text)?);
                continue;
            }
            insert.execute(params![transcript.at(seq), event.ts, text]).doing(action)?;
            self.index_text(transcript.at(seq), event)?;
            seqs.push(seq);
            last = seq;
            messages += i64::from(event.body.is_message());
        }
        if messages > 0 {
            self.prepare("UPDATE transcripts SET messages = messages + ?2 WHERE transcript = ?1", action)?
                .execute([transcript.0, messages])
                .doing(action)?;
        }
        Ok(seqs)
    }

    /// Seq of the stored event with this id, provided that it is the same event.
    fn same_event(
        &self,
        transcript: Transcript,
        session: &SessionId,
        event: &Event,
        text: &str,
    ) -> Result<i64, StateError> {
        let action = "compare an event with the stored one";
        let seq: i64 = self
            .prepare("SELECT seq FROM event_ids WHERE transcript = ?1 AND event_id = ?2", action)?
            .query_row(params![transcript.0, compact_id(event.id.as_str())], |row| row.get(0))
            .doing(action)?;
        let stored: String = self
            .prepare("SELECT event_json FROM events WHERE position = ?1", action)?
            .query_row([transcript.at(seq)], |row| row.get(0))
            .doing(action)?;
        // Key order carries no meaning; both sides are parsed from text so that numbers are rounded alike.
        let same = stored == text || parse_value(&stored)? == parse_value(text)?;
        if same {
            return Ok(seq);
        }
        Err(StateError::EventConflict { session_id: session.to_string(), event_id: event.id.to_string() })
    }

    /// Deletes everything said in a session. The transcript's number stays, for `usage`.
    pub(super) fn delete_transcript(&self, agent: &AgentId, session: &SessionId) -> Result<(), StateError> {
        let action = "delete a transcript";
        for sql in [
            "DELETE FROM transcript_files WHERE agent_id = ?1 AND session_id = ?2",
            "DELETE FROM transcript_snapshots WHERE agent_id = ?1 AND session_id = ?2",
        ] {
            self.prepare(sql, action)?.execute([agent.as_str(), session.as_str()]).doing(action)?;
        }
        let Some(transcript) = self.transcript(agent, session)? else { return Ok(()) };
        let range = [transcript.at(0), transcript.at(MAX_SEQ)];
        for sql in [
            "DELETE FROM event_text WHERE rowid IN (SELECT position FROM events WHERE position BETWEEN ?1 AND ?2)",
            "DELETE FROM events WHERE position BETWEEN ?1 AND ?2",
        ] {
            self.prepare(sql, action)?.execute(range).doing(action)?;
        }
        for sql in [
            "UPDATE transcripts SET messages = 0 WHERE transcript = ?1",
            "DELETE FROM event_ids WHERE transcript = ?1",
            "DELETE FROM tool_artifacts WHERE run_id IN (SELECT run_id FROM runs WHERE transcript = ?1)",
            "DELETE FROM runs WHERE transcript = ?1",
        ] {
            self.prepare(sql, action)?.execute([transcript.0]).doing(action)?;
        }
        Ok(())
    }
}

fn parse_value(text: &str) -> Result<serde_json::Value, StateError> {
    serde_json::from_str(text).doing("read a stored event")
}

fn parse_rows(mut rows: Rows<'_>, session: &SessionId) -> Result<Vec<StoredEvent>, StateError> {
    let action = "read the events of a session";
    let mut events = Vec::new();
    while let Some(row) = rows.next().doing(action)? {
        let (_, seq) = Transcript::split(row.get(0).doing(action)?);
        let text = row.get_ref(1).doing(action)?;
        let event = serde_json::from_slice(text.as_bytes().unwrap_or_default()).map_err(|error| StateError::Json {
            action: format!("read event {seq} of session {session}"),
            detail: error.to_string(),
        })?;
        events.push(StoredEvent { seq, event: Arc::new(event) });
    }
    Ok(events)
}
