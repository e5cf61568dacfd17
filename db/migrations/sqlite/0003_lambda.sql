-- Lambdas change alerts on their way out, and decisions tell how they came about.

-- +goose Up
CREATE TABLE lambdas (
  id          TEXT    NOT NULL PRIMARY KEY,
  name        TEXT    NOT NULL,
  folded_name TEXT    NOT NULL UNIQUE,
  description TEXT,
  source      TEXT    NOT NULL,
  config      TEXT    NOT NULL,
  tests       TEXT    NOT NULL,
  on_error    TEXT    NOT NULL,
  version     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

-- Every version of every lambda, those of deleted ones too.
CREATE TABLE lambda_versions (
  id          TEXT    NOT NULL,
  version     INTEGER NOT NULL,
  name        TEXT    NOT NULL,
  description TEXT,
  source      TEXT    NOT NULL,
  config      TEXT    NOT NULL,
  tests       TEXT    NOT NULL,
  on_error    TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;

ALTER TABLE actions ADD COLUMN lambda_ids TEXT NOT NULL DEFAULT '[]';
ALTER TABLE decisions ADD COLUMN trace TEXT; -- of the condition and the lambdas; null without any
ALTER TABLE deliveries ADD COLUMN alert_change TEXT; -- the fields of the alert that lambdas changed
ALTER TABLE attempts ADD COLUMN problems TEXT; -- what was passed over, as a list; null without any
