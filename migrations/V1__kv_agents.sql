-- Small records of features that need no table of their own, and the agents.
-- Times in every table are Unix milliseconds.

CREATE TABLE kv (
  scope       TEXT    NOT NULL CHECK (scope <> ''),
  key         TEXT    NOT NULL,
  value_json  TEXT    NOT NULL,
  updated_at  INTEGER NOT NULL,
  UNIQUE (scope, key)
) STRICT;

CREATE TABLE agents (
  agent_id    TEXT    NOT NULL PRIMARY KEY CHECK (agent_id <> ''),
  config_json TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;
