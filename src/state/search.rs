//! `event_text`: full-text search over what people and agents wrote.

use rusqlite::params;

use super::error::Doing;
use super::position::Transcript;
use super::search_text;
use super::tx::{ReadTx, WriteTx, as_i64};
use crate::core::{AgentId, Result, SessionId};
use crate::session::message::plain_text;
use crate::session::{Event, EventBody};

/// Text of one message that is searchable, in bytes: a pasted log must not fill the index.
const INDEXED_BYTES: usize = 64 * 1024;

impl ReadTx<'_> {
    /// Messages with all words of `query` (the last may be a beginning; "quoted words" are a phrase), best first:
    /// agent, session id, seq, excerpt. No words, no results.
    pub fn search_events(
        &self,
        query: &str,
        agent: Option<&AgentId>,
        limit: usize,
    ) -> Result<Vec<(AgentId, SessionId, i64, String)>> {
        let action = "search the messages";
        let search = search_text::Search::parse(query);
        let Some(expression) = search.expression() else { return Ok(Vec::new()) };
        let mut statement = self.prepare(
            "SELECT t.agent_id, t.session_id, e.position, e.event_json \
             FROM event_text AS f \
             JOIN events AS e ON e.position = f.rowid \
             JOIN transcripts AS t ON t.transcript = f.rowid >> 32 \
             WHERE event_text MATCH ?1 AND (?2 IS NULL OR t.agent_id = ?2) \
             ORDER BY f.rank LIMIT ?3",
            action,
        )?;
        let mut rows = statement.query(params![expression, agent.map(AgentId::as_str), as_i64(limit)]).doing(action)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().doing(action)? {
            let agent: String = row.get(0).doing(action)?;
            let session: String = row.get(1).doing(action)?;
            let (_, seq) = Transcript::split(row.get(2).doing(action)?);
            let json: String = row.get(3).doing(action)?;
            let event: Event = serde_json::from_str(&json).doing(action)?;
            let excerpt = search.excerpt(&message_text(&event).unwrap_or_default());
            found.push((AgentId::new(agent), SessionId::new(session), seq, excerpt));
        }
        Ok(found)
    }
}

impl WriteTx<'_> {
    /// Makes a message's words findable.
    pub(super) fn index_text(&self, position: i64, event: &Event) -> Result<(), super::error::StateError> {
        let Some(text) = message_text(event) else { return Ok(()) };
        let text = &text[..text.floor_char_boundary(INDEXED_BYTES)];
        if text.trim().is_empty() {
            return Ok(());
        }
        let action = "index a message";
        self.prepare("INSERT INTO event_text (rowid, text) VALUES (?1, ?2)", action)?
            .execute(params![position, search_text::separate(text)])
            .doing(action)?;
        Ok(())
    }
}

/// What a person would call the text of the message.
fn message_text(event: &Event) -> Option<String> {
    match &event.body {
        EventBody::MessageReceived(message) => Some(plain_text(&message.content)),
        EventBody::AgentResponse(message) => Some(plain_text(&message.content)),
        _ => None,
    }
}
