-- Virtual files of agents, and the registry of long-lived sandboxes.

-- content_blob holds files up to 1 MiB; larger ones are in vfs_chunks and have content_blob NULL.
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
  metadata_json TEXT    NOT NULL DEFAULT '{}',
  updated_at    INTEGER NOT NULL,
  content_blob  BLOB,
  UNIQUE (agent_id, namespace, path),
  CHECK (kind = 'file' OR (size = 0 AND content_blob IS NULL))
) STRICT;
CREATE INDEX vfs_entries_by_revision ON vfs_entries (agent_id, revision);

CREATE TABLE vfs_chunks (
  entry   INTEGER NOT NULL REFERENCES vfs_entries ON DELETE CASCADE,
  idx     INTEGER NOT NULL CHECK (idx >= 0),
  data    BLOB    NOT NULL,
  UNIQUE (entry, idx)
) STRICT;

CREATE TABLE sandbox_registry_entries (
  registry_kind  TEXT    NOT NULL,
  container_name TEXT    NOT NULL,
  agent_id       TEXT,
  session_key    TEXT,
  backend        TEXT    NOT NULL,
  image          TEXT,
  config_hash    TEXT,
  entry_json     TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  last_used_at   INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL,
  PRIMARY KEY (registry_kind, container_name)
) STRICT;
CREATE INDEX sandbox_registry_by_use ON sandbox_registry_entries (registry_kind, last_used_at);
CREATE INDEX sandbox_registry_by_session ON sandbox_registry_entries (session_key) WHERE session_key IS NOT NULL;
