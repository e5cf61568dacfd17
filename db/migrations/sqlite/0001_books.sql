-- The books on SQLite. Times are milliseconds since 1970 in UTC, JSON is text,
-- a severity is its rank (0 INFO … 4 CRITICAL), an origin is JSON. The same
-- tables, by the same names, are in ../postgres.

-- +goose Up
CREATE TABLE meta (
  one              INTEGER PRIMARY KEY CHECK (one = 1),
  instance         TEXT    NOT NULL,
  canary           TEXT    NOT NULL, -- a known text, sealed: tells a wrong key file
  min_retained_seq INTEGER NOT NULL,
  created_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE counters (
  name  TEXT    NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('configuration', 0), ('ledger', 0), ('tickets', 0);

CREATE TABLE behavior_models (
  id          TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  folded_name TEXT    NOT NULL UNIQUE,
  model_group TEXT,
  description TEXT,
  enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  severity    INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 4),
  version     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE actions (
  id                 TEXT    NOT NULL PRIMARY KEY,
  name               TEXT    NOT NULL,
  folded_name        TEXT    NOT NULL UNIQUE,
  description        TEXT,
  enabled            INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  behavior_model_ids TEXT    NOT NULL,
  behavior_groups    TEXT    NOT NULL,
  all_models         INTEGER NOT NULL CHECK (all_models IN (0, 1)),
  condition          TEXT,
  api_config_ids     TEXT    NOT NULL,
  ticket_policy      TEXT    NOT NULL,
  renotify           TEXT    NOT NULL,
  renotify_after     INTEGER,
  version            INTEGER NOT NULL,
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL
) STRICT;

CREATE TABLE api_configs (
  id          TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  folded_name TEXT    NOT NULL UNIQUE,
  kind        TEXT    NOT NULL,
  actor_id    TEXT,
  settings    TEXT    NOT NULL,
  fallback_id TEXT,
  version     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

-- Every version of every API config, those of deleted ones too.
CREATE TABLE api_config_versions (
  id          TEXT    NOT NULL,
  version     INTEGER NOT NULL,
  name        TEXT    NOT NULL,
  kind        TEXT    NOT NULL,
  actor_id    TEXT,
  settings    TEXT    NOT NULL,
  fallback_id TEXT,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE actors (
  id          TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  folded_name TEXT    NOT NULL UNIQUE,
  kind        TEXT    NOT NULL,
  built_in    INTEGER NOT NULL CHECK (built_in IN (0, 1)),
  enabled     INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  settings    TEXT    NOT NULL,
  secrets     TEXT    NOT NULL, -- sealed
  secret_at   TEXT    NOT NULL,
  version     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE health (
  id                   TEXT    NOT NULL PRIMARY KEY, -- of an actor or an API config
  status               TEXT    NOT NULL CHECK (status IN ('UNKNOWN', 'HEALTHY', 'FAILING', 'PAUSED')),
  since                INTEGER NOT NULL,
  last_success_at      INTEGER,
  last_error           TEXT,
  consecutive_failures INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_tokens (
  id           TEXT    NOT NULL PRIMARY KEY,
  name         TEXT    NOT NULL,
  scopes       TEXT    NOT NULL,
  prefix       TEXT    NOT NULL,
  hash         BLOB    NOT NULL UNIQUE,
  expires_at   INTEGER,
  last_used_at INTEGER,
  created_at   INTEGER NOT NULL,
  created_by   TEXT    NOT NULL,
  revoked_at   INTEGER
) STRICT;

-- What was answered to a key, so that asking twice does one thing.
CREATE TABLE repeats (
  token_id   TEXT    NOT NULL,
  mutation   TEXT    NOT NULL,
  repeat_key TEXT    NOT NULL,
  input      BLOB    NOT NULL,
  answer     TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (token_id, mutation, repeat_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX repeats_expires ON repeats (expires_at);

-- position is the order in which rows came; it ends every order of a list.
CREATE TABLE alerts (
  position       INTEGER PRIMARY KEY,
  id             TEXT    NOT NULL UNIQUE,
  behavior_model TEXT    NOT NULL,
  behavior       TEXT,
  entity_key     TEXT,
  key_type       TEXT,
  severity       INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 4),
  risk_score     INTEGER,
  risks          TEXT    NOT NULL,
  summary        TEXT    NOT NULL,
  description    TEXT,
  source         TEXT,
  link           TEXT,
  attributes     TEXT    NOT NULL,
  payload        TEXT,
  dedup_key      TEXT    NOT NULL,
  occurred_at    INTEGER NOT NULL,
  received_at    INTEGER NOT NULL,
  raised_by      TEXT    NOT NULL,
  ticket_id      TEXT,
  words          TEXT    NOT NULL -- each word once, a space before each
) STRICT;
CREATE INDEX alerts_severity ON alerts (severity, received_at, position);
CREATE INDEX alerts_behavior_model ON alerts (behavior_model, received_at, position);
CREATE INDEX alerts_entity_key ON alerts (entity_key, received_at, position) WHERE entity_key IS NOT NULL;
CREATE INDEX alerts_ticket ON alerts (ticket_id, received_at, position) WHERE ticket_id IS NOT NULL;
-- Words hold letters and digits only, folded by the program: splitting at
-- spaces is all that is left to do, and ascii leaves other letters alone.
CREATE VIRTUAL TABLE alerts_words USING fts5 (words, content = '', detail = none, columnsize = 0, tokenize = 'ascii');

CREATE TABLE decisions (
  alert_id    TEXT    NOT NULL,
  position    INTEGER NOT NULL,
  action_id   TEXT    NOT NULL,
  action_name TEXT    NOT NULL,
  verdict     TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  problems    TEXT    NOT NULL,
  decided_at  INTEGER NOT NULL,
  PRIMARY KEY (alert_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_fired ON decisions (action_id, decided_at) WHERE verdict = 'FIRED';

CREATE TABLE tickets (
  number          INTEGER PRIMARY KEY,
  id              TEXT    NOT NULL UNIQUE,
  title           TEXT    NOT NULL,
  status          TEXT    NOT NULL CHECK (status IN ('OPEN', 'ACKNOWLEDGED', 'CLOSED')),
  severity        INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 4),
  behavior_model  TEXT    NOT NULL,
  entity_key      TEXT,
  key_type        TEXT,
  risk_score      INTEGER,
  dedup_key       TEXT    NOT NULL,
  assignee        TEXT,
  alert_count     INTEGER NOT NULL,
  last_alert_at   INTEGER,
  opened_at       INTEGER NOT NULL,
  acknowledged_at INTEGER,
  acknowledged_by TEXT,
  closed_at       INTEGER,
  closed_by       TEXT,
  updated_at      INTEGER NOT NULL,
  version         INTEGER NOT NULL,
  fired           TEXT    NOT NULL, -- when each action last fired for it, by id
  words           TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX tickets_open ON tickets (dedup_key) WHERE status <> 'CLOSED';
CREATE INDEX tickets_status ON tickets (status, opened_at, number);
CREATE INDEX tickets_severity ON tickets (status, severity, opened_at, number);
CREATE INDEX tickets_updated ON tickets (status, updated_at, number);
CREATE INDEX tickets_behavior_model ON tickets (behavior_model, opened_at, number);
CREATE INDEX tickets_entity_key ON tickets (entity_key, opened_at, number) WHERE entity_key IS NOT NULL;
CREATE INDEX tickets_assignee ON tickets (assignee, status, opened_at, number) WHERE assignee IS NOT NULL;
CREATE INDEX tickets_unassigned ON tickets (status, opened_at, number) WHERE assignee IS NULL;
CREATE VIRTUAL TABLE tickets_words USING fts5 (words, content = '', detail = none, columnsize = 0, tokenize = 'ascii');

CREATE TABLE ticket_links (
  id              TEXT NOT NULL PRIMARY KEY,
  ticket_id       TEXT NOT NULL,
  actor_id        TEXT NOT NULL,
  actor_name      TEXT NOT NULL,
  api_config_id   TEXT NOT NULL,
  api_config_name TEXT NOT NULL,
  external_id     TEXT NOT NULL,
  external_url    TEXT,
  external_status TEXT,
  state           TEXT NOT NULL,
  last_error      TEXT,
  last_synced_at  INTEGER,
  UNIQUE (ticket_id, api_config_id, external_id)
) STRICT;

-- A delivery is a row of the queue, too. It is unfinished while PENDING or
-- UNCERTAIN, and leased while leased_until is set.
CREATE TABLE deliveries (
  position           INTEGER PRIMARY KEY,
  id                 TEXT    NOT NULL UNIQUE,
  kind               TEXT    NOT NULL,
  status             TEXT    NOT NULL CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED', 'CANCELED', 'SKIPPED', 'UNCERTAIN')),
  reason             TEXT,
  action_id          TEXT,
  action_name        TEXT,
  api_config_id      TEXT    NOT NULL,
  api_config_name    TEXT    NOT NULL,
  api_config_version INTEGER NOT NULL,
  actor_id           TEXT    NOT NULL,
  actor_name         TEXT    NOT NULL,
  actor_kind         TEXT    NOT NULL,
  alert_id           TEXT    NOT NULL,
  ticket_id          TEXT,
  fallback_of        TEXT,
  order_key          TEXT    NOT NULL,
  attempt            INTEGER NOT NULL,
  trying             INTEGER NOT NULL,
  leased_until       INTEGER,
  next_attempt_at    INTEGER,
  external_ref       TEXT,
  external_url       TEXT,
  rendered           TEXT,
  created_at         INTEGER NOT NULL,
  finished_at        INTEGER
) STRICT;
CREATE INDEX deliveries_queue ON deliveries (actor_id, next_attempt_at, position)
  WHERE status IN ('PENDING', 'UNCERTAIN') AND leased_until IS NULL;
CREATE INDEX deliveries_leased ON deliveries (actor_id, leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX deliveries_order ON deliveries (order_key, position) WHERE status IN ('PENDING', 'UNCERTAIN');
CREATE INDEX deliveries_waiting ON deliveries (api_config_id) WHERE status IN ('PENDING', 'UNCERTAIN');
CREATE INDEX deliveries_failed ON deliveries (action_id) WHERE status = 'FAILED';
CREATE INDEX deliveries_status ON deliveries (status, created_at, position);
CREATE INDEX deliveries_actor ON deliveries (actor_id, created_at, position);
CREATE INDEX deliveries_api_config ON deliveries (api_config_id, created_at, position);
CREATE INDEX deliveries_action ON deliveries (action_id, created_at, position) WHERE action_id IS NOT NULL;
CREATE INDEX deliveries_ticket ON deliveries (ticket_id, created_at, position) WHERE ticket_id IS NOT NULL;
CREATE INDEX deliveries_alert ON deliveries (alert_id, created_at, position);

CREATE TABLE attempts (
  delivery_id TEXT    NOT NULL,
  number      INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  duration    INTEGER, -- microseconds
  outcome     TEXT,    -- null while it runs
  http_status INTEGER,
  error       TEXT,
  request     TEXT,
  response    TEXT,
  PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;

-- The promises and where they stand; kept by every transaction that moves one.
CREATE TABLE accounting (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  promised  INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  pending   INTEGER NOT NULL,
  uncertain INTEGER NOT NULL,
  failed    INTEGER NOT NULL,
  canceled  INTEGER NOT NULL,
  skipped   INTEGER NOT NULL
) STRICT;
INSERT INTO accounting (one, promised, delivered, pending, uncertain, failed, canceled, skipped) VALUES (1, 0, 0, 0, 0, 0, 0, 0);

-- The ledger: four tables, one sequence of numbers that grows in commit order.
CREATE TABLE ticket_events (
  seq             INTEGER PRIMARY KEY,
  id              TEXT    NOT NULL UNIQUE,
  kind            TEXT    NOT NULL,
  happened_at     INTEGER NOT NULL,
  origin          TEXT    NOT NULL,
  ticket_id       TEXT    NOT NULL,
  status_before   TEXT,
  status          TEXT    NOT NULL,
  severity_before INTEGER,
  severity        INTEGER NOT NULL,
  assignee_before TEXT,
  assignee        TEXT,
  ticket_version  INTEGER NOT NULL,
  link_id         TEXT,
  delivery_id     TEXT,
  alert_id        TEXT,
  body            TEXT
) STRICT;
CREATE INDEX ticket_events_ticket ON ticket_events (ticket_id, seq);
CREATE INDEX ticket_events_kind ON ticket_events (kind, seq);

CREATE TABLE delivery_events (
  seq           INTEGER PRIMARY KEY,
  happened_at   INTEGER NOT NULL,
  delivery_id   TEXT    NOT NULL,
  status_before TEXT,
  status        TEXT    NOT NULL
) STRICT;

CREATE TABLE configuration_events (
  seq         INTEGER PRIMARY KEY,
  happened_at INTEGER NOT NULL,
  origin      TEXT    NOT NULL,
  change_kind TEXT    NOT NULL,
  target_type TEXT    NOT NULL,
  target_id   TEXT    NOT NULL,
  target_name TEXT    NOT NULL,
  version     INTEGER NOT NULL
) STRICT;

CREATE TABLE notifications (
  seq          INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL UNIQUE,
  title        TEXT    NOT NULL,
  message      TEXT    NOT NULL,
  severity     INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 4),
  category     TEXT    NOT NULL,
  sub_category TEXT,
  source       TEXT    NOT NULL,
  alert_id     TEXT,
  ticket_id    TEXT,
  delivery_id  TEXT,
  created_at   INTEGER NOT NULL,
  read_at      INTEGER
) STRICT;
CREATE INDEX notifications_unread ON notifications (seq) WHERE read_at IS NULL;
CREATE INDEX notifications_read ON notifications (seq) WHERE read_at IS NOT NULL;
CREATE UNIQUE INDEX notifications_delivery ON notifications (delivery_id) WHERE delivery_id IS NOT NULL;
