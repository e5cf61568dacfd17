-- name: TicketEventsAfter :many
SELECT sqlc.embed(e), t.title, t.behavior_model, t.entity_key, t.opened_at
FROM ticket_events e JOIN tickets t ON t.id = e.ticket_id
WHERE e.seq > sqlc.arg(after) ORDER BY e.seq LIMIT CAST(sqlc.arg(most) AS BIGINT);

-- name: DeliveryEventsAfter :many
SELECT sqlc.embed(e), sqlc.embed(d)
FROM delivery_events e JOIN deliveries d ON d.id = e.delivery_id
WHERE e.seq > sqlc.arg(after) ORDER BY e.seq LIMIT CAST(sqlc.arg(most) AS BIGINT);

-- name: ConfigurationEventsAfter :many
SELECT * FROM configuration_events WHERE seq > sqlc.arg(after) ORDER BY seq LIMIT CAST(sqlc.arg(most) AS BIGINT);

-- name: NotificationsAfter :many
SELECT * FROM notifications WHERE seq > sqlc.arg(after) ORDER BY seq LIMIT CAST(sqlc.arg(most) AS BIGINT);
