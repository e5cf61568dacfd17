-- name: NextQueuedActor :one
SELECT actor_id FROM deliveries
WHERE status IN ('PENDING', 'UNCERTAIN') AND leased_until IS NULL AND actor_id > sqlc.arg(last) ORDER BY actor_id LIMIT 1;

-- name: NextLeasedActor :one
SELECT actor_id FROM deliveries WHERE leased_until IS NOT NULL AND actor_id > sqlc.arg(last) ORDER BY actor_id LIMIT 1;

-- name: IsLeaseOver :one
SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE actor_id = sqlc.arg(actor_id) AND leased_until < sqlc.arg(before) LIMIT 1) AS ended;

-- name: NextDue :one
SELECT CAST(d.next_attempt_at AS BIGINT) FROM deliveries d
WHERE d.actor_id = sqlc.arg(actor_id) AND d.status IN ('PENDING', 'UNCERTAIN') AND d.leased_until IS NULL
  AND d.next_attempt_at < 9223372036854775807
  AND NOT EXISTS (SELECT 1 FROM deliveries s WHERE s.order_key = d.order_key AND s.status IN ('PENDING', 'UNCERTAIN')
    AND s.position < d.position)
  AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.order_key = d.order_key AND o.leased_until IS NOT NULL)
ORDER BY d.next_attempt_at, d.position LIMIT 1;

-- name: ReleaseNext :exec
UPDATE deliveries SET next_attempt_at = sqlc.arg(due)
WHERE position = (SELECT MIN(s.position) FROM deliveries s
    WHERE s.order_key = sqlc.arg(order_key) AND s.status IN ('PENDING', 'UNCERTAIN'))
  AND deliveries.next_attempt_at = sqlc.arg(held);

-- name: IsUnfinished :one
SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE order_key = sqlc.arg(order_key) AND status IN ('PENDING', 'UNCERTAIN') LIMIT 1) AS unfinished;

-- name: EndAttempt :exec
UPDATE attempts SET duration = sqlc.narg(duration), outcome = sqlc.arg(outcome), http_status = sqlc.narg(http_status),
  error = sqlc.narg(error), request = sqlc.narg(request), response = sqlc.narg(response),
  problems = sqlc.narg(problems)
WHERE delivery_id = sqlc.arg(delivery_id) AND number = sqlc.arg(number) AND outcome IS NULL;

-- name: MoveDelivery :exec
UPDATE deliveries SET status = sqlc.arg(status), reason = sqlc.narg(reason), trying = sqlc.arg(trying), leased_until = NULL,
  next_attempt_at = sqlc.narg(next_attempt_at), external_ref = sqlc.narg(external_ref), external_url = sqlc.narg(external_url),
  rendered = sqlc.narg(rendered), finished_at = sqlc.narg(finished_at)
WHERE position = sqlc.arg(position);

-- name: Redirect :exec
UPDATE deliveries SET rendered = NULL, api_config_version = sqlc.arg(api_config_version), api_config_name = sqlc.arg(api_config_name),
  actor_id = sqlc.arg(actor_id), actor_name = sqlc.arg(actor_name), order_key = sqlc.arg(order_key)
WHERE id = sqlc.arg(id);

-- name: KeepRef :exec
UPDATE deliveries SET external_ref = COALESCE(external_ref, sqlc.narg(external_ref)),
  external_url = COALESCE(external_url, sqlc.narg(external_url))
WHERE id = sqlc.arg(id);

-- name: LastFired :one
SELECT decided_at FROM decisions WHERE action_id = sqlc.arg(action_id) AND verdict = 'FIRED' ORDER BY decided_at DESC LIMIT 1;

-- SQLite without statistics takes a partial index only where it fits more terms
-- than a whole one does: hence those in the counts that are always true.

-- name: CountFailed :one
SELECT COUNT(*) FROM deliveries WHERE action_id = sqlc.arg(action_id) AND status = 'FAILED' AND position > 0;

-- name: CountWaitingOfActor :one
SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE actor_id = sqlc.arg(actor_id) AND status IN ('PENDING', 'UNCERTAIN')
  AND leased_until IS NULL AND next_attempt_at >= 0 LIMIT CAST(sqlc.arg(most) AS BIGINT)) AS waiting;

-- name: CountLeasedOfActor :one
SELECT COUNT(*) FROM deliveries WHERE actor_id = sqlc.arg(actor_id) AND leased_until IS NOT NULL;

-- name: CountWaitingOfAPIConfig :one
SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE api_config_id = sqlc.arg(api_config_id) AND status IN ('PENDING', 'UNCERTAIN')
  AND position > 0 LIMIT CAST(sqlc.arg(most) AS BIGINT)) AS waiting;
