//! `session_entries`: which transcript a session key points at, and what lists show of it.

use std::fmt::Write as _;

use rusqlite::types::Value as Sql;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::error::{Doing, StateError};
use super::session_entry::{SessionEntry, SessionPage, SessionQuery};
use super::tx::{ReadTx, WriteTx, as_i64};
use crate::core::{AgentId, Result, SessionId, SessionKey};

const COLUMNS: &str = "agent_id, session_key, entry_json";

/// Lists walk this index whatever they filter by: sorting one agent's 10,000 sessions costs more than skipping others'.
pub(super) const RECENT: &str = "session_entries INDEXED BY session_entries_recent";

impl ReadTx<'_> {
    /// The entry of a session key.
    pub fn session(&self, agent: &AgentId, key: &SessionKey) -> Result<Option<SessionEntry>> {
        let action = "read a session";
        let mut statement = self.prepare(
            &format!("SELECT {COLUMNS} FROM session_entries WHERE agent_id = ?1 AND session_key = ?2"),
            action,
        )?;
        let raw = statement.query_row([agent.as_str(), key.as_str()], RawEntry::read).optional().doing(action)?;
        Ok(raw.map(RawEntry::parse).transpose()?)
    }

    /// One page of the sessions that match, newest first.
    pub fn sessions(&self, query: &SessionQuery) -> Result<SessionPage> {
        let filter = Filter::of(query);
        let search = query.search.as_deref().map(str::trim).filter(|text| !text.is_empty());
        Ok(match search {
            None => SessionPage { total: self.count(&filter)?, entries: self.page(&filter, query)? },
            Some(text) => self.page_with_text(&filter, query, &text.to_lowercase())?,
        })
    }

    fn count(&self, filter: &Filter) -> Result<usize, StateError> {
        let action = "count the sessions";
        self.prepare(&format!("SELECT count(*) FROM {RECENT} {}", filter.sql), action)?
            .query_row(params_from_iter(&filter.values), |row| row.get::<_, i64>(0))
            .map(|total| usize::try_from(total).unwrap_or_default())
            .doing(action)
    }

    fn page(&self, filter: &Filter, query: &SessionQuery) -> Result<Vec<SessionEntry>, StateError> {
        let action = "list the sessions";
        let sql = format!(
            "SELECT {COLUMNS} FROM {RECENT} {} ORDER BY updated_at DESC, session_key LIMIT ? OFFSET ?",
            filter.sql
        );
        let bounds = [Sql::Integer(as_i64(query.limit)), Sql::Integer(as_i64(query.offset))];
        let mut statement = self.prepare(&sql, action)?;
        let rows =
            statement.query_map(params_from_iter(filter.values.iter().chain(&bounds)), RawEntry::read).doing(action)?;
        rows.map(|row| row.doing(action)?.parse()).collect()
    }

    /// SQLite folds only ASCII letters, so the text is compared here.
    fn page_with_text(&self, filter: &Filter, query: &SessionQuery, text: &str) -> Result<SessionPage, StateError> {
        let action = "search the sessions";
        let sql = format!(
            "SELECT {COLUMNS}, session_id, label, derived_title, last_message_preview FROM {RECENT} {} \
             ORDER BY updated_at DESC, session_key",
            filter.sql
        );
        let mut statement = self.prepare(&sql, action)?;
        let mut rows = statement.query(params_from_iter(&filter.values)).doing(action)?;
        let mut page = SessionPage { entries: Vec::new(), total: 0 };
        while let Some(row) = rows.next().doing(action)? {
            let mut found = false;
            for column in [1, 3, 4, 5, 6] {
                let value = row.get_ref(column).doing(action)?;
                found |= value.as_str_or_null().ok().flatten().is_some_and(|value| contains(value, text));
            }
            if found {
                if page.total >= query.offset && page.entries.len() < query.limit {
                    page.entries.push(RawEntry::read(row).doing(action)?.parse()?);
                }
                page.total += 1;
            }
        }
        Ok(page)
    }

    /// Keys equal to, or beginning with, or whose session id begins with `prefix` (for the CLI's short ids), exact
    /// matches first, then the newest.
    pub fn sessions_matching(&self, prefix: &str, limit: usize) -> Result<Vec<SessionEntry>> {
        let action = "look up a session";
        let mut statement = self.prepare(
            &format!(
                "SELECT {COLUMNS} FROM session_entries \
                 WHERE (session_key >= ?1 AND session_key < ?2) OR (session_id >= ?1 AND session_id < ?2) \
                 ORDER BY session_key <> ?1 AND session_id <> ?1, updated_at DESC, session_key LIMIT ?3"
            ),
            action,
        )?;
        // No text that begins with the prefix sorts after the prefix followed by the last code point.
        let end = format!("{prefix}\u{10FFFF}");
        let rows = statement.query_map(params![prefix, end, as_i64(limit)], RawEntry::read).doing(action)?;
        Ok(rows.map(|row| row.doing(action)?.parse()).collect::<Result<_, StateError>>()?)
    }
}

impl WriteTx<'_> {
    /// Inserts or replaces the entry of `entry.key`.
    pub fn put_session(&self, entry: &SessionEntry) -> Result<()> {
        let action = "store a session";
        let text = serde_json::to_string(entry).doing(action)?;
        self.prepare(
            "INSERT INTO session_entries (agent_id, session_key, session_id, updated_at, archived, entry_json) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (agent_id, session_key) DO UPDATE SET session_id = excluded.session_id, \
             updated_at = excluded.updated_at, archived = excluded.archived, entry_json = excluded.entry_json",
            action,
        )?
        .execute(params![
            entry.agent_id.as_str(),
            entry.key.as_str(),
            entry.session_id.as_str(),
            entry.updated_at,
            entry.archived,
            text
        ])
        .doing(action)?;
        Ok(())
    }

    /// Removes the index row; with `transcript` also everything said in its session: events, search words,
    /// snapshots, runs and their artifacts, unless another key of the agent points at the same session. What it cost
    /// stays in `usage`. False if there is no such entry.
    pub fn delete_session(&self, agent: &AgentId, key: &SessionKey, transcript: bool) -> Result<bool> {
        let action = "delete a session";
        let session: Option<String> = self
            .prepare(
                "DELETE FROM session_entries WHERE agent_id = ?1 AND session_key = ?2 RETURNING session_id",
                action,
            )?
            .query_row([agent.as_str(), key.as_str()], |row| row.get(0))
            .optional()
            .doing(action)?;
        let Some(session) = session else { return Ok(false) };
        let shared = self
            .prepare("SELECT 1 FROM session_entries WHERE session_id = ?1 AND agent_id = ?2", action)?
            .exists([session.as_str(), agent.as_str()])
            .doing(action)?;
        if transcript && !shared {
            self.delete_transcript(agent, &SessionId::new(session))?;
        }
        Ok(true)
    }
}

/// `text` is lower case already.
fn contains(value: &str, text: &str) -> bool {
    value.to_lowercase().contains(text)
}

/// WHERE clause of a query without its search text.
struct Filter {
    sql: String,
    values: Vec<Sql>,
}

impl Filter {
    fn of(query: &SessionQuery) -> Self {
        let mut filter = Self { sql: String::new(), values: Vec::new() };
        if let Some(agent) = &query.agent_id {
            filter.and("agent_id = ?", Sql::Text(agent.as_str().to_owned()));
        }
        if let Some(agents) = &query.agents {
            let names: Vec<&str> = agents.iter().map(AgentId::as_str).collect();
            let list = serde_json::Value::from(names).to_string();
            filter.and("agent_id IN (SELECT value FROM json_each(?))", Sql::Text(list));
        }
        if let Some(after) = query.updated_after {
            filter.and("updated_at > ?", Sql::Integer(after));
        }
        if let Some(archived) = query.archived {
            filter.and("archived = ?", Sql::Integer(i64::from(archived)));
        }
        filter
    }

    fn and(&mut self, condition: &str, value: Sql) {
        let word = if self.values.is_empty() { "WHERE" } else { " AND" };
        write!(self.sql, "{word} {condition}").expect("writing to a String cannot fail");
        self.values.push(value);
    }
}

/// A row before its JSON is parsed.
struct RawEntry {
    agent: String,
    key: String,
    json: String,
}

impl RawEntry {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { agent: row.get(0)?, key: row.get(1)?, json: row.get(2)? })
    }

    fn parse(self) -> Result<SessionEntry, StateError> {
        let mut entry: SessionEntry = serde_json::from_str(&self.json).map_err(|error| StateError::Json {
            action: format!("read session {}", self.key),
            detail: error.to_string(),
        })?;
        entry.agent_id = AgentId::new(self.agent);
        entry.key = SessionKey::new(self.key);
        Ok(entry)
    }
}
