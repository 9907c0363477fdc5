//! Typed values by scope and key, for features that need no table of their own.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Doing, StateError};
use super::tx::{ReadTx, WriteTx};
use crate::core::{Result, now_ms};

impl ReadTx<'_> {
    /// The value at `scope`, `key`. Error: the stored JSON is not a `T`.
    pub fn kv_get<T: DeserializeOwned>(&self, scope: &str, key: &str) -> Result<Option<T>> {
        let action = "read a stored value";
        let text: Option<String> = self
            .prepare("SELECT value_json FROM kv WHERE scope = ?1 AND key = ?2", action)?
            .query_row([scope, key], |row| row.get(0))
            .optional()
            .doing(action)?;
        match text {
            Some(text) => Ok(Some(parse(scope, key, &text)?)),
            None => Ok(None),
        }
    }

    /// All keys of a scope with their values, by key. Error: one of them is not a `T`.
    pub fn kv_list<T: DeserializeOwned>(&self, scope: &str) -> Result<Vec<(String, T)>> {
        let action = "list stored values";
        let mut statement = self.prepare("SELECT key, value_json FROM kv WHERE scope = ?1 ORDER BY key", action)?;
        let mut rows = statement.query([scope]).doing(action)?;
        let mut values = Vec::new();
        while let Some(row) = rows.next().doing(action)? {
            let key: String = row.get(0).doing(action)?;
            let value = parse(scope, &key, row.get_ref(1).doing(action)?.as_str().unwrap_or_default())?;
            values.push((key, value));
        }
        Ok(values)
    }
}

impl WriteTx<'_> {
    /// Sets the value at `scope`, `key`. `scope` must not be empty.
    pub fn kv_put<T: Serialize>(&self, scope: &str, key: &str, value: &T) -> Result<()> {
        let action = "store a value";
        let text = serde_json::to_string(value).doing(action)?;
        self.prepare(
            "INSERT INTO kv (scope, key, value_json, updated_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET value_json = excluded.value_json, updated_at = excluded.updated_at",
            action,
        )?
        .execute(params![scope, key, text, now_ms()])
        .doing(action)?;
        Ok(())
    }

    /// Stores a value that never changes under its key, such as a text by its hash. One that is there already counts as used
    /// at `now` (Unix milliseconds), to the day.
    pub fn kv_keep<T: Serialize>(&self, scope: &str, key: &str, value: &T, now: i64) -> Result<()> {
        const DAY_MS: i64 = 24 * 3_600_000;
        let action = "keep a value";
        let text = serde_json::to_string(value).doing(action)?;
        self.prepare(
            "INSERT INTO kv (scope, key, value_json, updated_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET updated_at = excluded.updated_at WHERE kv.updated_at < ?4 - ?5",
            action,
        )?
        .execute(params![scope, key, text, now, DAY_MS])
        .doing(action)?;
        Ok(())
    }

    /// Removes what a scope has not used since `before`, Unix milliseconds; how many there were.
    pub fn kv_prune(&self, scope: &str, before: i64) -> Result<usize> {
        let action = "delete stored values";
        Ok(self
            .prepare("DELETE FROM kv WHERE scope = ?1 AND updated_at < ?2", action)?
            .execute(params![scope, before])
            .doing(action)?)
    }

    /// Removes the value; false if there was none.
    pub fn kv_delete(&self, scope: &str, key: &str) -> Result<bool> {
        let action = "delete a stored value";
        let deleted = self
            .prepare("DELETE FROM kv WHERE scope = ?1 AND key = ?2", action)?
            .execute([scope, key])
            .doing(action)?;
        Ok(deleted > 0)
    }
}

fn parse<T: DeserializeOwned>(scope: &str, key: &str, text: &str) -> Result<T, StateError> {
    serde_json::from_str(text).map_err(|error| StateError::Json {
        action: format!("read the stored value {scope}/{key}"),
        detail: error.to_string(),
    })
}
