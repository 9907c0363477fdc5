-- Conversations: the index of session keys, and the append-only event log behind them.

CREATE TABLE session_entries (
  agent_id     TEXT    NOT NULL,
  session_key  TEXT    NOT NULL CHECK (session_key <> ''),
  session_id   TEXT    NOT NULL,
  updated_at   INTEGER NOT NULL,
  archived     INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
  entry_json   TEXT    NOT NULL,
  -- Virtual: searchable without a second copy of the text.
  label                TEXT GENERATED ALWAYS AS (entry_json ->> '$.label') VIRTUAL,
  derived_title        TEXT GENERATED ALWAYS AS (entry_json ->> '$.derivedTitle') VIRTUAL,
  last_message_preview TEXT GENERATED ALWAYS AS (entry_json ->> '$.lastMessagePreview') VIRTUAL,
  UNIQUE (agent_id, session_key)
) STRICT;
-- Order of every list; the trailing columns let filters and counts stay inside the index.
CREATE INDEX session_entries_recent ON session_entries (updated_at DESC, session_key, agent_id, archived);
CREATE INDEX session_entries_key ON session_entries (session_key);
CREATE INDEX session_entries_session ON session_entries (session_id);

-- One number per (agent, session id), so that the log and its indexes do not repeat 40 bytes per row.
-- A number is never used for another transcript.
CREATE TABLE transcripts (
  transcript  INTEGER PRIMARY KEY AUTOINCREMENT CHECK (transcript < 2147483648),
  agent_id    TEXT    NOT NULL,
  session_id  TEXT    NOT NULL CHECK (session_id <> ''),
  -- Events that are messages; kept with them, because counting them would mean reading every one.
  messages    INTEGER NOT NULL DEFAULT 0 CHECK (messages >= 0),
  UNIQUE (agent_id, session_id)
) STRICT;

-- position = transcript << 32 | seq: one key that clusters a transcript's events in order. seq counts from 1 without gaps.
CREATE TABLE events (
  position    INTEGER PRIMARY KEY CHECK (position & 4294967295 > 0),
  created_at  INTEGER NOT NULL,
  event_json  TEXT    NOT NULL
) STRICT;

-- Event ids are unique within a transcript. A canonical UUID is stored as its 16 bytes, any other id as text.
CREATE TABLE event_ids (
  transcript  INTEGER NOT NULL REFERENCES transcripts,
  event_id    ANY     NOT NULL,
  seq         INTEGER NOT NULL,
  PRIMARY KEY (transcript, event_id)
) STRICT, WITHOUT ROWID;

-- The log under its documented columns, for people and tools that read the file.
CREATE VIEW transcript_events (agent_id, session_id, seq, event_json, created_at) AS
SELECT t.agent_id, t.session_id, e.position & 4294967295, e.event_json, e.created_at
FROM transcripts AS t
JOIN events AS e ON e.position BETWEEN t.transcript << 32 AND (t.transcript << 32) + 4294967295;

-- Words of messages by position; the text itself stays in events only.
CREATE VIRTUAL TABLE event_text USING fts5 (
  text,
  content = '',
  contentless_delete = 1,
  tokenize = 'unicode61 remove_diacritics 2'
);

-- Files a transcript was imported from or exported to.
CREATE TABLE transcript_files (
  agent_id     TEXT    NOT NULL,
  session_id   TEXT    NOT NULL,
  path         TEXT    NOT NULL,
  imported_at  INTEGER,
  exported_at  INTEGER,
  content_hash BLOB,
  PRIMARY KEY (agent_id, session_id, path)
) STRICT, WITHOUT ROWID;

-- Checkpoints: the log only grows, so a checkpoint is a position with the reason it was taken.
CREATE TABLE transcript_snapshots (
  agent_id      TEXT    NOT NULL,
  session_id    TEXT    NOT NULL,
  snapshot_id   TEXT    NOT NULL,
  upto_seq      INTEGER NOT NULL CHECK (upto_seq >= 0),
  reason        TEXT    NOT NULL,
  metadata_json TEXT    NOT NULL DEFAULT '{}',
  created_at    INTEGER NOT NULL,
  PRIMARY KEY (agent_id, session_id, snapshot_id)
) STRICT, WITHOUT ROWID;
