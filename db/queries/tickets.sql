-- name: ChangeTicket :exec
UPDATE tickets SET status = sqlc.arg(status), severity = sqlc.arg(severity), risk_score = sqlc.narg(risk_score),
  assignee = sqlc.narg(assignee), alert_count = sqlc.arg(alert_count), last_alert_at = sqlc.narg(last_alert_at),
  acknowledged_at = sqlc.narg(acknowledged_at), acknowledged_by = sqlc.narg(acknowledged_by), closed_at = sqlc.narg(closed_at),
  closed_by = sqlc.narg(closed_by), updated_at = sqlc.arg(updated_at), version = sqlc.arg(version), fired = sqlc.arg(fired)
WHERE id = sqlc.arg(id);

-- name: OpenTicketNumber :one
SELECT number FROM tickets WHERE dedup_key = sqlc.arg(dedup_key) AND status <> 'CLOSED';

-- name: FindLink :one
SELECT * FROM ticket_links
WHERE ticket_id = sqlc.arg(ticket_id) AND api_config_id = sqlc.arg(api_config_id) AND external_id = sqlc.arg(external_id);

-- name: AddLink :exec
INSERT INTO ticket_links (id, ticket_id, actor_id, actor_name, api_config_id, api_config_name, external_id, external_url,
  external_status, state, last_error, last_synced_at)
VALUES (sqlc.arg(id), sqlc.arg(ticket_id), sqlc.arg(actor_id), sqlc.arg(actor_name), sqlc.arg(api_config_id),
        sqlc.arg(api_config_name), sqlc.arg(external_id), sqlc.narg(external_url), sqlc.narg(external_status), sqlc.arg(state),
        sqlc.narg(last_error), sqlc.narg(last_synced_at));

-- name: ChangeLink :exec
UPDATE ticket_links SET external_url = sqlc.narg(external_url), external_status = sqlc.narg(external_status),
  state = sqlc.arg(state), last_error = sqlc.narg(last_error), last_synced_at = sqlc.narg(last_synced_at)
WHERE id = sqlc.arg(id);

-- name: NotificationOfDelivery :one
SELECT id FROM notifications WHERE delivery_id = sqlc.arg(delivery_id);

-- name: ReadNotification :exec
UPDATE notifications SET read_at = sqlc.arg(read_at) WHERE id = sqlc.arg(id) AND read_at IS NULL;

-- name: ReadAllNotifications :exec
UPDATE notifications SET read_at = sqlc.arg(read_at) WHERE read_at IS NULL;

-- name: UnreadNotifications :one
SELECT COUNT(*) FROM notifications WHERE read_at IS NULL;
