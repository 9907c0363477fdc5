-- Virtual files with a past: every superseded version, named snapshots, shared large contents, exact totals.
-- Nothing has written V7's two tables yet; a blob has to be the last column, so that the others are read without it.

DROP TABLE vfs_chunks;
DROP TABLE vfs_entries;

-- One row per agent with virtual files. The triggers below keep the totals; a revision is taken by every change.
CREATE TABLE vfs_agents (
  agent_id      TEXT    PRIMARY KEY,
  revision      INTEGER NOT NULL DEFAULT 0,
  -- Of the current entries, in all namespaces.
  bytes         INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
  files         INTEGER NOT NULL DEFAULT 0 CHECK (files >= 0),
  directories   INTEGER NOT NULL DEFAULT 0 CHECK (directories >= 0),
  -- Charges of superseded versions that no snapshot needs, and of those that one does.
  history_bytes INTEGER NOT NULL DEFAULT 0 CHECK (history_bytes >= 0),
  held_bytes    INTEGER NOT NULL DEFAULT 0 CHECK (held_bytes >= 0),
  -- Trees of earlier revisions are incomplete, except those of snapshots.
  pruned        INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Contents above 1 MiB, in chunks of 256 KiB. Versions share a content: a rename or a restore copies nothing.
-- hash is NULL while an upload is being filled.
CREATE TABLE vfs_contents (
  content    INTEGER PRIMARY KEY AUTOINCREMENT,
  agent_id   TEXT    NOT NULL,
  hash       BLOB,
  size       INTEGER NOT NULL CHECK (size >= 0),
  created_at INTEGER NOT NULL,
  UNIQUE (agent_id, hash)
) STRICT;
CREATE INDEX vfs_contents_unfinished ON vfs_contents (agent_id, created_at) WHERE hash IS NULL;

CREATE TABLE vfs_chunks (
  content INTEGER NOT NULL REFERENCES vfs_contents ON DELETE CASCADE,
  idx     INTEGER NOT NULL CHECK (idx >= 0),
  data    BLOB    NOT NULL,
  UNIQUE (content, idx)
) STRICT;

-- The current tree. A change deletes the row and inserts another: an entry id names one version for ever.
-- BINARY collation: a directory is the range path >= 'd/' AND path < 'd0'.
CREATE TABLE vfs_entries (
  entry         INTEGER PRIMARY KEY AUTOINCREMENT,
  agent_id      TEXT    NOT NULL,
  namespace     TEXT    NOT NULL,
  path          TEXT    NOT NULL CHECK (path <> ''),
  kind          TEXT    NOT NULL CHECK (kind IN ('file', 'directory')),
  -- Grows with every change within the agent; a writer that read an older one has a conflict.
  revision      INTEGER NOT NULL,
  size          INTEGER NOT NULL DEFAULT 0 CHECK (size >= 0),
  hash          BLOB,
  mode          INTEGER NOT NULL DEFAULT 420,
  run_id        TEXT,
  metadata_json TEXT    NOT NULL DEFAULT '{}',
  updated_at    INTEGER NOT NULL,
  content       INTEGER REFERENCES vfs_contents,
  content_blob  BLOB,
  UNIQUE (agent_id, namespace, path),
  CHECK (kind = 'file' OR (size = 0 AND content IS NULL AND content_blob IS NULL)),
  CHECK (kind = 'directory' OR ((content IS NULL) <> (content_blob IS NULL)))
) STRICT;
CREATE INDEX vfs_entries_by_revision ON vfs_entries (agent_id, revision);
CREATE INDEX vfs_entries_by_content ON vfs_entries (content) WHERE content IS NOT NULL;

-- What was at a path during the revisions from `revision` up to and without `ended`.
CREATE TABLE vfs_history (
  version      INTEGER PRIMARY KEY,
  agent_id     TEXT    NOT NULL,
  namespace    TEXT    NOT NULL,
  path         TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  revision     INTEGER NOT NULL,
  size         INTEGER NOT NULL,
  hash         BLOB,
  mode         INTEGER NOT NULL,
  run_id       TEXT,
  updated_at   INTEGER NOT NULL,
  ended        INTEGER NOT NULL CHECK (ended > revision),
  ended_run_id TEXT,
  ended_at     INTEGER NOT NULL,
  -- A snapshot needs it.
  held         INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),
  content      INTEGER REFERENCES vfs_contents,
  content_blob BLOB,
  UNIQUE (agent_id, namespace, path, ended)
) STRICT;
CREATE INDEX vfs_history_by_end ON vfs_history (agent_id, held, ended);
CREATE INDEX vfs_history_by_revision ON vfs_history (agent_id, revision);
CREATE INDEX vfs_history_by_content ON vfs_history (content) WHERE content IS NOT NULL;

CREATE TABLE vfs_snapshots (
  agent_id   TEXT    NOT NULL,
  namespace  TEXT    NOT NULL,
  name       TEXT    NOT NULL CHECK (name <> ''),
  revision   INTEGER NOT NULL,
  note       TEXT    NOT NULL DEFAULT '',
  run_id     TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER vfs_entries_added AFTER INSERT ON vfs_entries BEGIN
  UPDATE vfs_agents SET bytes = bytes + NEW.size, files = files + (NEW.kind = 'file'),
    directories = directories + (NEW.kind = 'directory') WHERE agent_id = NEW.agent_id;
END;

CREATE TRIGGER vfs_entries_taken AFTER DELETE ON vfs_entries BEGIN
  UPDATE vfs_agents SET bytes = bytes - OLD.size, files = files - (OLD.kind = 'file'),
    directories = directories - (OLD.kind = 'directory') WHERE agent_id = OLD.agent_id;
END;

-- A version is charged 512 bytes for its row, so that a past of empty files has a bound too.
CREATE TRIGGER vfs_history_added AFTER INSERT ON vfs_history BEGIN
  UPDATE vfs_agents SET history_bytes = history_bytes + (1 - NEW.held) * (NEW.size + 512),
    held_bytes = held_bytes + NEW.held * (NEW.size + 512) WHERE agent_id = NEW.agent_id;
END;

CREATE TRIGGER vfs_history_taken AFTER DELETE ON vfs_history BEGIN
  UPDATE vfs_agents SET history_bytes = history_bytes - (1 - OLD.held) * (OLD.size + 512),
    held_bytes = held_bytes - OLD.held * (OLD.size + 512) WHERE agent_id = OLD.agent_id;
END;

CREATE TRIGGER vfs_history_held AFTER UPDATE OF held ON vfs_history WHEN OLD.held <> NEW.held BEGIN
  UPDATE vfs_agents SET history_bytes = history_bytes + (OLD.held - NEW.held) * (NEW.size + 512),
    held_bytes = held_bytes + (NEW.held - OLD.held) * (NEW.size + 512) WHERE agent_id = NEW.agent_id;
END;

-- A content goes with the last version that has it.
CREATE TRIGGER vfs_entries_content AFTER DELETE ON vfs_entries WHEN OLD.content IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM vfs_entries WHERE content = OLD.content)
  AND NOT EXISTS (SELECT 1 FROM vfs_history WHERE content = OLD.content)
BEGIN
  DELETE FROM vfs_contents WHERE content = OLD.content;
END;

CREATE TRIGGER vfs_history_content AFTER DELETE ON vfs_history WHEN OLD.content IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM vfs_entries WHERE content = OLD.content)
  AND NOT EXISTS (SELECT 1 FROM vfs_history WHERE content = OLD.content)
BEGIN
  DELETE FROM vfs_contents WHERE content = OLD.content;
END;
