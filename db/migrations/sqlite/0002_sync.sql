-- Tickets and their copies in external systems stay the same on both sides.

-- +goose Up
ALTER TABLE actors ADD COLUMN sync TEXT NOT NULL DEFAULT 'BOTH';

ALTER TABLE ticket_links ADD COLUMN delivery_id TEXT NOT NULL DEFAULT ''; -- that made it
ALTER TABLE ticket_links ADD COLUMN ref_data TEXT NOT NULL DEFAULT '{}';
ALTER TABLE ticket_links ADD COLUMN seen TEXT NOT NULL DEFAULT 'OPEN'; -- the status it was last known to have
ALTER TABLE ticket_links ADD COLUMN said_at INTEGER; -- the system's own time of the latest change it told
ALTER TABLE ticket_links ADD COLUMN wrote_at INTEGER; -- when we last set its status
ALTER TABLE ticket_links ADD COLUMN echoes TEXT NOT NULL DEFAULT '[]'; -- what we set and has not come back
UPDATE ticket_links SET delivery_id = COALESCE((SELECT MIN(d.id) FROM deliveries d
  WHERE d.ticket_id = ticket_links.ticket_id AND d.api_config_id = ticket_links.api_config_id AND d.external_ref = ticket_links.external_id), '');
CREATE INDEX ticket_links_external ON ticket_links (actor_id, external_id);
CREATE INDEX ticket_links_actor ON ticket_links (actor_id, id) WHERE state <> 'DETACHED';

-- What else the copies go by, beside external_id.
CREATE TABLE link_names (
  actor_id TEXT NOT NULL,
  name     TEXT NOT NULL,
  link_id  TEXT NOT NULL,
  PRIMARY KEY (actor_id, name, link_id)
) STRICT, WITHOUT ROWID;

-- What has come in, so that a repeat is known for one.
CREATE TABLE inbound_events (
  actor_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  taken_at INTEGER NOT NULL,
  PRIMARY KEY (actor_id, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbound_events_taken ON inbound_events (taken_at);

-- What one process at a time does for an actor.
CREATE TABLE rounds (
  actor_id     TEXT NOT NULL,
  name         TEXT NOT NULL,
  last         TEXT NOT NULL, -- the cursor that it ended with
  next_at      INTEGER NOT NULL,
  leased_until INTEGER,
  PRIMARY KEY (actor_id, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE deliveries ADD COLUMN link_id TEXT; -- of an UPDATE
CREATE INDEX deliveries_link ON deliveries (link_id) WHERE status IN ('PENDING', 'UNCERTAIN') AND link_id IS NOT NULL;

ALTER TABLE ticket_events ADD COLUMN ignored_because TEXT;

CREATE TABLE health_now (
  id                   TEXT    NOT NULL PRIMARY KEY, -- of an actor or an API config
  status               TEXT    NOT NULL CHECK (status IN ('UNKNOWN', 'HEALTHY', 'FAILING', 'PAUSED', 'DISABLED')),
  since                INTEGER NOT NULL,
  last_success_at      INTEGER,
  last_error           TEXT,
  consecutive_failures INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO health_now SELECT * FROM health;
DROP TABLE health;
ALTER TABLE health_now RENAME TO health;
