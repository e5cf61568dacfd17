-- name: BehaviorModels :many
SELECT * FROM behavior_models ORDER BY id;

-- name: PutBehaviorModel :exec
INSERT INTO behavior_models (id, name, folded_name, model_group, description, enabled, severity, version, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(name), sqlc.arg(folded_name), sqlc.narg(model_group), sqlc.narg(description), sqlc.arg(enabled),
        sqlc.arg(severity), sqlc.arg(version), sqlc.arg(created_at), sqlc.arg(updated_at))
ON CONFLICT (id) DO UPDATE SET name = excluded.name, folded_name = excluded.folded_name, model_group = excluded.model_group,
  description = excluded.description, enabled = excluded.enabled, severity = excluded.severity, version = excluded.version,
  updated_at = excluded.updated_at;

-- name: Actions :many
SELECT * FROM actions ORDER BY id;

-- name: PutAction :exec
INSERT INTO actions (id, name, folded_name, description, enabled, behavior_model_ids, behavior_groups, all_models, condition,
  api_config_ids, lambda_ids, ticket_policy, renotify, renotify_after, version, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(name), sqlc.arg(folded_name), sqlc.narg(description), sqlc.arg(enabled), sqlc.arg(behavior_model_ids),
        sqlc.arg(behavior_groups), sqlc.arg(all_models), sqlc.narg(condition), sqlc.arg(api_config_ids), sqlc.arg(lambda_ids), sqlc.arg(ticket_policy),
        sqlc.arg(renotify), sqlc.narg(renotify_after), sqlc.arg(version), sqlc.arg(created_at), sqlc.arg(updated_at))
ON CONFLICT (id) DO UPDATE SET name = excluded.name, folded_name = excluded.folded_name, description = excluded.description,
  enabled = excluded.enabled, behavior_model_ids = excluded.behavior_model_ids, behavior_groups = excluded.behavior_groups,
  all_models = excluded.all_models, condition = excluded.condition, api_config_ids = excluded.api_config_ids,
  ticket_policy = excluded.ticket_policy, renotify = excluded.renotify, renotify_after = excluded.renotify_after,
  version = excluded.version, updated_at = excluded.updated_at;

-- name: APIConfigs :many
SELECT * FROM api_configs ORDER BY id;

-- name: PutAPIConfig :exec
INSERT INTO api_configs (id, name, folded_name, kind, actor_id, settings, fallback_id, version, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(name), sqlc.arg(folded_name), sqlc.arg(kind), sqlc.narg(actor_id), sqlc.arg(settings),
        sqlc.narg(fallback_id), sqlc.arg(version), sqlc.arg(created_at), sqlc.arg(updated_at))
ON CONFLICT (id) DO UPDATE SET name = excluded.name, folded_name = excluded.folded_name, kind = excluded.kind,
  actor_id = excluded.actor_id, settings = excluded.settings, fallback_id = excluded.fallback_id, version = excluded.version,
  updated_at = excluded.updated_at;

-- name: KeepAPIConfigVersion :exec
INSERT INTO api_config_versions (id, version, name, kind, actor_id, settings, fallback_id, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(version), sqlc.arg(name), sqlc.arg(kind), sqlc.narg(actor_id), sqlc.arg(settings),
        sqlc.narg(fallback_id), sqlc.arg(created_at), sqlc.arg(updated_at))
ON CONFLICT (id, version) DO NOTHING;

-- name: APIConfigVersion :one
SELECT * FROM api_config_versions WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: Actors :many
SELECT * FROM actors ORDER BY id;

-- name: PutActor :exec
INSERT INTO actors (id, name, folded_name, kind, built_in, enabled, settings, secrets, secret_at, version, created_at, updated_at, sync)
VALUES (sqlc.arg(id), sqlc.arg(name), sqlc.arg(folded_name), sqlc.arg(kind), sqlc.arg(built_in), sqlc.arg(enabled),
        sqlc.arg(settings), sqlc.arg(secrets), sqlc.arg(secret_at), sqlc.arg(version), sqlc.arg(created_at), sqlc.arg(updated_at), sqlc.arg(sync))
ON CONFLICT (id) DO UPDATE SET name = excluded.name, folded_name = excluded.folded_name, enabled = excluded.enabled, sync = excluded.sync,
  settings = excluded.settings, secrets = excluded.secrets, secret_at = excluded.secret_at, version = excluded.version,
  updated_at = excluded.updated_at;

-- name: Lambdas :many
SELECT * FROM lambdas ORDER BY id;

-- name: PutLambda :exec
INSERT INTO lambdas (id, name, folded_name, description, source, config, tests, on_error, version, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(name), sqlc.arg(folded_name), sqlc.narg(description), sqlc.arg(source), sqlc.arg(config),
        sqlc.arg(tests), sqlc.arg(on_error), sqlc.arg(version), sqlc.arg(created_at), sqlc.arg(updated_at))
ON CONFLICT (id) DO UPDATE SET name = excluded.name, folded_name = excluded.folded_name, description = excluded.description,
  source = excluded.source, config = excluded.config, tests = excluded.tests, on_error = excluded.on_error,
  version = excluded.version, updated_at = excluded.updated_at;

-- name: KeepLambdaVersion :exec
INSERT INTO lambda_versions (id, version, name, description, source, config, tests, on_error, created_at, updated_at)
VALUES (sqlc.arg(id), sqlc.arg(version), sqlc.arg(name), sqlc.narg(description), sqlc.arg(source), sqlc.arg(config),
        sqlc.arg(tests), sqlc.arg(on_error), sqlc.arg(created_at), sqlc.arg(updated_at))
ON CONFLICT (id, version) DO NOTHING;

-- name: LambdaVersion :one
SELECT * FROM lambda_versions WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: RemoveLambda :exec
DELETE FROM lambdas WHERE id = sqlc.arg(id);

-- name: RemoveBehaviorModel :exec
DELETE FROM behavior_models WHERE id = sqlc.arg(id);

-- name: RemoveAction :exec
DELETE FROM actions WHERE id = sqlc.arg(id);

-- name: RemoveAPIConfig :exec
DELETE FROM api_configs WHERE id = sqlc.arg(id);

-- name: RemoveActor :exec
DELETE FROM actors WHERE id = sqlc.arg(id) AND NOT built_in;

-- name: RemoveHealth :exec
DELETE FROM health WHERE id = sqlc.arg(id);

-- name: BumpConfiguration :execrows
UPDATE counters SET value = value + 1 WHERE name = 'configuration' AND value = sqlc.arg(base);
