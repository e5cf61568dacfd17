-- name: Meta :one
SELECT * FROM meta WHERE one = 1;

-- name: FoundBooks :execrows
INSERT INTO meta (one, instance, canary, min_retained_seq, created_at)
VALUES (1, sqlc.arg(instance), sqlc.arg(canary), 0, sqlc.arg(created_at))
ON CONFLICT (one) DO NOTHING;

-- name: MinRetained :one
SELECT min_retained_seq FROM meta WHERE one = 1;

-- name: Counter :one
SELECT value FROM counters WHERE name = sqlc.arg(name);

-- name: AddToCounter :one
UPDATE counters SET value = value + sqlc.arg(add) WHERE name = sqlc.arg(name) RETURNING value;

-- name: AddToAccounting :exec
UPDATE accounting SET promised = promised + sqlc.arg(promised), delivered = delivered + sqlc.arg(delivered),
  pending = pending + sqlc.arg(pending), uncertain = uncertain + sqlc.arg(uncertain), failed = failed + sqlc.arg(failed),
  canceled = canceled + sqlc.arg(canceled), skipped = skipped + sqlc.arg(skipped)
WHERE one = 1;

-- name: Accounting :one
SELECT * FROM accounting WHERE one = 1;

-- name: OldestPending :one
SELECT created_at FROM deliveries WHERE status = 'PENDING' ORDER BY created_at, position LIMIT 1;

-- name: FindRepeat :one
SELECT * FROM repeats WHERE token_id = sqlc.arg(token_id) AND mutation = sqlc.arg(mutation) AND repeat_key = sqlc.arg(repeat_key);

-- name: KeepRepeat :exec
INSERT INTO repeats (token_id, mutation, repeat_key, input, answer, expires_at)
VALUES (sqlc.arg(token_id), sqlc.arg(mutation), sqlc.arg(repeat_key), sqlc.arg(input), sqlc.arg(answer), sqlc.arg(expires_at))
ON CONFLICT (token_id, mutation, repeat_key) DO UPDATE SET input = excluded.input, answer = excluded.answer, expires_at = excluded.expires_at;

-- name: ExpiredRepeats :many
SELECT token_id, mutation, repeat_key FROM repeats WHERE expires_at <= sqlc.arg(at)
ORDER BY expires_at LIMIT CAST(sqlc.arg(most) AS BIGINT);

-- name: RemoveRepeat :exec
DELETE FROM repeats WHERE token_id = sqlc.arg(token_id) AND mutation = sqlc.arg(mutation) AND repeat_key = sqlc.arg(repeat_key);

-- name: HealthOf :one
SELECT * FROM health WHERE id = sqlc.arg(id);

-- name: PutHealth :exec
INSERT INTO health (id, status, since, last_success_at, last_error, consecutive_failures)
VALUES (sqlc.arg(id), sqlc.arg(status), sqlc.arg(since), sqlc.narg(last_success_at), sqlc.narg(last_error), sqlc.arg(consecutive_failures))
ON CONFLICT (id) DO UPDATE SET status = excluded.status, since = excluded.since, last_success_at = excluded.last_success_at,
  last_error = excluded.last_error, consecutive_failures = excluded.consecutive_failures;

-- name: EndPause :exec
UPDATE health SET status = 'UNKNOWN', since = sqlc.arg(since), last_error = NULL, consecutive_failures = 0
WHERE id = sqlc.arg(id) AND status IN ('PAUSED', 'DISABLED');

-- name: AddToken :exec
INSERT INTO api_tokens (id, name, scopes, prefix, hash, expires_at, last_used_at, created_at, created_by, revoked_at)
VALUES (sqlc.arg(id), sqlc.arg(name), sqlc.arg(scopes), sqlc.arg(prefix), sqlc.arg(hash), sqlc.narg(expires_at),
        sqlc.narg(last_used_at), sqlc.arg(created_at), sqlc.arg(created_by), sqlc.narg(revoked_at));

-- name: Tokens :many
SELECT * FROM api_tokens ORDER BY id;

-- name: TokenByHash :one
SELECT * FROM api_tokens WHERE hash = sqlc.arg(hash);

-- name: TokenByID :one
SELECT * FROM api_tokens WHERE id = sqlc.arg(id);

-- name: RevokeToken :exec
UPDATE api_tokens SET revoked_at = sqlc.arg(revoked_at) WHERE id = sqlc.arg(id) AND revoked_at IS NULL;

-- name: TouchToken :exec
UPDATE api_tokens SET last_used_at = sqlc.arg(used_at)
WHERE id = sqlc.arg(id) AND (last_used_at IS NULL OR last_used_at < sqlc.arg(used_at));
