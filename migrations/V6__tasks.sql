-- Detached work (sub-agents, background commands, scheduled jobs) and the flows that join several pieces of it.

CREATE TABLE task_flows (
  flow_id             TEXT    NOT NULL PRIMARY KEY CHECK (flow_id <> ''),
  agent_id            TEXT    NOT NULL,
  owner_key           TEXT    NOT NULL,
  sync_mode           TEXT    NOT NULL DEFAULT 'managed' CHECK (sync_mode IN ('managed', 'task_mirrored')),
  controller_id       TEXT,
  status              TEXT    NOT NULL
                      CHECK (status IN ('queued', 'running', 'waiting', 'blocked', 'succeeded', 'failed', 'cancelled', 'lost')),
  notify_policy       TEXT    NOT NULL DEFAULT 'done_only',
  goal                TEXT    NOT NULL,
  current_step        TEXT,
  blocked_task_id     TEXT,
  blocked_summary     TEXT,
  state_json          TEXT    NOT NULL DEFAULT '{}',
  wait_json           TEXT,
  requester_json      TEXT,
  revision            INTEGER NOT NULL DEFAULT 1,
  cancel_requested_at INTEGER,
  created_at          INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL,
  ended_at            INTEGER
) STRICT;
CREATE INDEX task_flows_by_owner ON task_flows (owner_key, updated_at DESC);
CREATE INDEX task_flows_open ON task_flows (updated_at) WHERE ended_at IS NULL;

CREATE TABLE tasks (
  task_id               TEXT    NOT NULL PRIMARY KEY CHECK (task_id <> ''),
  runtime               TEXT    NOT NULL,
  kind                  TEXT,
  agent_id              TEXT    NOT NULL,
  owner_key             TEXT    NOT NULL,
  requester_session_key TEXT,
  child_session_key     TEXT,
  parent_task_id        TEXT,
  flow_id               TEXT    REFERENCES task_flows ON DELETE SET NULL,
  source_id             TEXT,
  run_id                TEXT,
  label                 TEXT,
  task                  TEXT    NOT NULL,
  status                TEXT    NOT NULL
                        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost')),
  delivery_status       TEXT    NOT NULL DEFAULT 'pending',
  notify_policy         TEXT    NOT NULL DEFAULT 'done_only',
  owner                 TEXT,
  lease_until           INTEGER,
  deadline              INTEGER,
  epoch                 INTEGER NOT NULL DEFAULT 0,
  progress_summary      TEXT,
  terminal_summary      TEXT,
  error                 TEXT,
  detail_json           TEXT    NOT NULL DEFAULT '{}',
  created_at            INTEGER NOT NULL,
  started_at            INTEGER,
  last_event_at         INTEGER,
  ended_at              INTEGER,
  cleanup_after         INTEGER,
  CHECK ((status IN ('queued', 'running')) = (ended_at IS NULL))
) STRICT;
CREATE INDEX tasks_open ON tasks (created_at) WHERE ended_at IS NULL;
CREATE INDEX tasks_by_owner ON tasks (owner_key, created_at DESC);
CREATE INDEX tasks_by_flow ON tasks (flow_id) WHERE flow_id IS NOT NULL;
CREATE INDEX tasks_by_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL;
CREATE INDEX tasks_by_run ON tasks (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX tasks_to_clean ON tasks (cleanup_after) WHERE cleanup_after IS NOT NULL;
