-- name: ChangeTicket :exec
UPDATE tickets SET status = sqlc.arg(status), severity = sqlc.arg(severity), risk_score = sqlc.narg(risk_score),
  assignee = sqlc.narg(assignee), alert_count = sqlc.arg(alert_count), last_alert_at = sqlc.narg(last_alert_at),
  acknowledged_at = sqlc.narg(acknowledged_at), acknowledged_by = sqlc.narg(acknowledged_by), closed_at = sqlc.narg(closed_at),
  closed_by = sqlc.narg(closed_by), updated_at = sqlc.arg(updated_at), version = sqlc.arg(version), fired = sqlc.arg(fired)
WHERE id = sqlc.arg(id);

-- name: OpenTicketNumber :one
SELECT number FROM tickets WHERE dedup_key = sqlc.arg(dedup_key) AND status <> 'CLOSED';

-- name: ChangeLink :exec
UPDATE ticket_links SET ticket_id = sqlc.arg(ticket_id), external_url = sqlc.narg(external_url),
  external_status = sqlc.narg(external_status), state = sqlc.arg(state), last_error = sqlc.narg(last_error),
  last_synced_at = sqlc.narg(last_synced_at), ref_data = sqlc.arg(ref_data), seen = sqlc.arg(seen),
  said_at = sqlc.narg(said_at), wrote_at = sqlc.narg(wrote_at), echoes = sqlc.arg(echoes)
WHERE id = sqlc.arg(id);

-- name: AwaitUpdate :exec
UPDATE ticket_links SET state = 'PENDING' WHERE id = sqlc.arg(id) AND state <> 'DETACHED';

-- name: NameLink :exec
INSERT INTO link_names (actor_id, name, link_id) VALUES (sqlc.arg(actor_id), sqlc.arg(name), sqlc.arg(link_id))
ON CONFLICT DO NOTHING;

-- name: LinkIDsNamed :many
SELECT id FROM ticket_links WHERE ticket_links.actor_id = sqlc.arg(actor_id) AND external_id = sqlc.arg(name)
UNION
SELECT link_id FROM link_names WHERE link_names.actor_id = sqlc.arg(actor_id) AND link_names.name = sqlc.arg(name)
ORDER BY 1;

-- name: LinksToAsk :many
SELECT l.* FROM ticket_links l JOIN tickets t ON t.id = l.ticket_id
WHERE l.actor_id = sqlc.arg(actor_id) AND l.state <> 'DETACHED' AND l.id > sqlc.arg(after)
  AND (t.status <> 'CLOSED' OR t.closed_at >= sqlc.arg(closed_since))
ORDER BY l.id LIMIT CAST(sqlc.arg(most) AS BIGINT);

-- name: TakeEvent :execrows
INSERT INTO inbound_events (actor_id, event_id, taken_at) VALUES (sqlc.arg(actor_id), sqlc.arg(event_id), sqlc.arg(taken_at))
ON CONFLICT DO NOTHING;

-- name: ForgetEvents :exec
DELETE FROM inbound_events WHERE taken_at < sqlc.arg(before);

-- name: MakeRound :exec
INSERT INTO rounds (actor_id, name, last, next_at) VALUES (sqlc.arg(actor_id), sqlc.arg(name), '', 0) ON CONFLICT DO NOTHING;

-- name: BeginRound :one
UPDATE rounds SET leased_until = CAST(sqlc.arg(until) AS BIGINT)
WHERE actor_id = sqlc.arg(actor_id) AND name = sqlc.arg(name) AND next_at <= sqlc.arg(now)
  AND (leased_until IS NULL OR leased_until < CAST(sqlc.arg(now) AS BIGINT))
RETURNING last;

-- name: EndRound :exec
UPDATE rounds SET last = sqlc.arg(last), next_at = sqlc.arg(next_at), leased_until = NULL
WHERE actor_id = sqlc.arg(actor_id) AND name = sqlc.arg(name) AND leased_until = CAST(sqlc.arg(until) AS BIGINT);

-- name: UnfinishedUpdates :one
SELECT COUNT(*) FROM deliveries WHERE link_id = sqlc.arg(link_id) AND status IN ('PENDING', 'UNCERTAIN');

-- name: IsUnsettled :one
SELECT COUNT(*) FROM deliveries WHERE ticket_id = sqlc.arg(ticket_id) AND actor_id = sqlc.arg(actor_id)
  AND kind = 'NOTIFY' AND status IN ('PENDING', 'UNCERTAIN') AND attempt > 0;

-- name: NotificationOfDelivery :one
SELECT id FROM notifications WHERE delivery_id = sqlc.arg(delivery_id);

-- name: ReadNotification :exec
UPDATE notifications SET read_at = sqlc.arg(read_at) WHERE id = sqlc.arg(id) AND read_at IS NULL;

-- name: ReadAllNotifications :exec
UPDATE notifications SET read_at = sqlc.arg(read_at) WHERE read_at IS NULL;

-- name: UnreadNotifications :one
SELECT COUNT(*) FROM notifications WHERE read_at IS NULL;
