-- Agent turns, what they cost, and what their tools left behind.

CREATE TABLE runs (
  run_id        TEXT    NOT NULL UNIQUE CHECK (run_id <> ''),
  transcript    INTEGER NOT NULL REFERENCES transcripts,
  session_key   TEXT    NOT NULL,
  state         TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'done', 'error', 'aborted', 'interrupted')),
  created_at    INTEGER NOT NULL,
  started_at    INTEGER,
  ended_at      INTEGER,
  owner         TEXT,
  lease_until   INTEGER,
  deadline      INTEGER,
  epoch         INTEGER NOT NULL DEFAULT 0,
  prepared_json TEXT    NOT NULL,
  result_json   TEXT,
  CHECK ((state IN ('queued', 'running')) = (ended_at IS NULL))
) STRICT;
CREATE INDEX runs_unfinished ON runs (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX runs_by_transcript ON runs (transcript, created_at);

-- One row per billed model call. Outlives the transcript: money spent stays spent.
CREATE TABLE usage (
  id                INTEGER PRIMARY KEY,
  at                INTEGER NOT NULL,
  transcript        INTEGER NOT NULL REFERENCES transcripts,
  run_id            TEXT    NOT NULL,
  provider          TEXT    NOT NULL,
  model             TEXT    NOT NULL,
  input             INTEGER NOT NULL,
  output            INTEGER NOT NULL,
  cache_read        INTEGER NOT NULL,
  cache_write       INTEGER NOT NULL,
  total_tokens      INTEGER NOT NULL,
  cost_input        REAL    NOT NULL,
  cost_output       REAL    NOT NULL,
  cost_cache_read   REAL    NOT NULL,
  cost_cache_write  REAL    NOT NULL,
  cost_total        REAL    NOT NULL,
  duration_ms       INTEGER NOT NULL
) STRICT;
CREATE INDEX usage_by_time ON usage (at);
CREATE INDEX usage_by_transcript ON usage (transcript, at);

CREATE TABLE tool_artifacts (
  agent_id      TEXT    NOT NULL,
  run_id        TEXT    NOT NULL,
  artifact_id   TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  metadata_json TEXT    NOT NULL DEFAULT '{}',
  created_at    INTEGER NOT NULL,
  blob          BLOB,
  UNIQUE (agent_id, run_id, artifact_id)
) STRICT;
CREATE INDEX tool_artifacts_by_run ON tool_artifacts (run_id);
