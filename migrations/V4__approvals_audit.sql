-- Decisions of people, and the record of effects.

CREATE TABLE approvals (
  approval_id     TEXT    NOT NULL PRIMARY KEY CHECK (approval_id <> ''),
  kind            TEXT    NOT NULL,
  status          TEXT    NOT NULL CHECK (status IN ('pending', 'allowed', 'denied', 'expired', 'cancelled')),
  agent_id        TEXT    NOT NULL,
  session_key     TEXT,
  session_id      TEXT,
  run_id          TEXT,
  tool_call_id    TEXT,
  tool            TEXT,
  -- What exactly is approved (argv, cwd, environment digest, resolved file): a decision holds for this request only.
  request_json    TEXT    NOT NULL,
  request_hash    BLOB,
  decision        TEXT    CHECK (decision IN ('allow-once', 'allow-always', 'deny')),
  decided_by      TEXT,
  reason          TEXT,
  created_at      INTEGER NOT NULL,
  expires_at      INTEGER,
  decided_at      INTEGER,
  CHECK ((status = 'pending') = (decided_at IS NULL))
) STRICT;
CREATE INDEX approvals_pending ON approvals (created_at) WHERE status = 'pending';
CREATE INDEX approvals_by_run ON approvals (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX approvals_standing ON approvals (agent_id, tool, request_hash) WHERE decision = 'allow-always';

CREATE TABLE audit (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  at            INTEGER NOT NULL,
  actor         TEXT    NOT NULL,
  action        TEXT    NOT NULL,
  outcome       TEXT    NOT NULL CHECK (outcome IN ('ok', 'denied', 'error')),
  agent_id      TEXT,
  session_key   TEXT,
  run_id        TEXT,
  target        TEXT,
  details_json  TEXT    NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_run ON audit (run_id) WHERE run_id IS NOT NULL;
