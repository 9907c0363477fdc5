-- Schedules, and messages coming in and going out.

CREATE TABLE cron_jobs (
  job_id        TEXT    NOT NULL PRIMARY KEY CHECK (job_id <> ''),
  agent_id      TEXT    NOT NULL,
  name          TEXT    NOT NULL,
  enabled       INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  -- Schedule, time zone, payload, delivery, catch-up policy.
  job_json      TEXT    NOT NULL,
  state_json    TEXT    NOT NULL DEFAULT '{}',
  -- Changes only in the transaction that inserts the cron_runs row of the slot it leaves.
  next_due      INTEGER,
  revision      INTEGER NOT NULL DEFAULT 1,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX cron_jobs_due ON cron_jobs (next_due) WHERE enabled = 1 AND next_due IS NOT NULL;

-- Exactly one row per job and slot: it ran, was skipped for a reason, or was missed.
CREATE TABLE cron_runs (
  id            INTEGER PRIMARY KEY,
  job_id        TEXT    NOT NULL REFERENCES cron_jobs ON DELETE CASCADE,
  slot          INTEGER NOT NULL,
  status        TEXT    NOT NULL CHECK (status IN ('running', 'ok', 'error', 'skipped', 'missed', 'interrupted')),
  trigger       TEXT    NOT NULL DEFAULT 'schedule' CHECK (trigger IN ('schedule', 'manual', 'catch-up')),
  reason        TEXT,
  run_id        TEXT,
  session_key   TEXT,
  started_at    INTEGER,
  ended_at      INTEGER,
  result_json   TEXT,
  UNIQUE (job_id, slot)
) STRICT;
CREATE INDEX cron_runs_running ON cron_runs (started_at) WHERE status = 'running';

-- Replies on their way to a channel. `unknown`: a crash fell between sending and the receipt; never resent blindly.
CREATE TABLE outbox (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  idempotency_key TEXT    NOT NULL UNIQUE,
  agent_id        TEXT    NOT NULL,
  session_key     TEXT,
  run_id          TEXT,
  channel         TEXT    NOT NULL,
  account         TEXT    NOT NULL DEFAULT '',
  target          TEXT    NOT NULL,
  payload_json    TEXT    NOT NULL,
  status          TEXT    NOT NULL DEFAULT 'pending'
                  CHECK (status IN ('pending', 'sending', 'sent', 'failed', 'unknown', 'cancelled')),
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER,
  last_error      TEXT,
  receipt_json    TEXT,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_waiting ON outbox (channel, account, next_attempt_at) WHERE status IN ('pending', 'sending', 'unknown');
CREATE INDEX outbox_by_run ON outbox (run_id) WHERE run_id IS NOT NULL;

-- Messages seen, so that a channel's redelivery is answered once.
CREATE TABLE inbound_dedupe (
  channel     TEXT    NOT NULL,
  account     TEXT    NOT NULL,
  chat        TEXT    NOT NULL,
  message_id  TEXT    NOT NULL,
  seen_at     INTEGER NOT NULL,
  run_id      TEXT,
  PRIMARY KEY (channel, account, chat, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbound_dedupe_by_time ON inbound_dedupe (seen_at);
