//! How much is stored, without reading it all.

use serde_json::{Map, Value};

use super::error::Doing;
use super::tx::ReadTx;
use crate::core::Result;

/// Tables counted row by row, each over its smallest index.
const COUNTED: [&str; 9] =
    ["agents", "session_entries", "transcripts", "runs", "usage", "tool_artifacts", "approvals", "cron_jobs", "outbox"];

impl ReadTx<'_> {
    /// Rows per table that matter: `{"sessions", "transcripts", "events", "runs", "unfinishedRuns", …}`.
    ///
    /// Events are the sum of the newest seq of each transcript (seqs have no gaps), so the cost grows with the number
    /// of transcripts and not with that of events.
    pub fn counts(&self) -> Result<Value> {
        let action = "count what is stored";
        let mut counts = Map::new();
        let mut count = |name: &str, sql: &str| -> Result<()> {
            let rows: i64 = self.prepare(sql, action)?.query_row([], |row| row.get(0)).doing(action)?;
            counts.insert(name.to_owned(), rows.into());
            Ok(())
        };
        for table in COUNTED {
            count(name(table), &format!("SELECT count(*) FROM {table}"))?;
        }
        count(
            "events",
            "SELECT coalesce(sum((SELECT max(position) & 4294967295 FROM events \
             WHERE position BETWEEN transcript << 32 AND (transcript << 32) + 4294967295)), 0) FROM transcripts",
        )?;
        count("unfinishedRuns", "SELECT count(*) FROM runs WHERE state IN ('queued', 'running')")?;
        Ok(Value::Object(counts))
    }
}

fn name(table: &str) -> &str {
    match table {
        "session_entries" => "sessions",
        "tool_artifacts" => "artifacts",
        "cron_jobs" => "cronJobs",
        other => other,
    }
}
