package db

import "tocsin/db/internal/sqlc"

// The tables that are read and written by statements of varying length. A test
// holds the columns against those of the database.
var (
	alertTable = written(table[sqlc.Alert]{
		name: "alerts",
		columns: []string{
			"position", "id", "behavior_model", "behavior", "entity_key", "key_type", "severity",
			"risk_score", "risks", "summary", "description", "source", "link", "attributes",
			"payload", "dedup_key", "occurred_at", "received_at", "raised_by", "ticket_id", "words",
		},
		given: true,
		fields: func(r *sqlc.Alert) []any {
			return []any{
				&r.Position, &r.ID, &r.BehaviorModel, &r.Behavior, &r.EntityKey, &r.KeyType, &r.Severity,
				&r.RiskScore, &r.Risks, &r.Summary, &r.Description, &r.Source, &r.Link, &r.Attributes,
				&r.Payload, &r.DedupKey, &r.OccurredAt, &r.ReceivedAt, &r.RaisedBy, &r.TicketID, &r.Words,
			}
		},
	})
	decisionTable = written(table[sqlc.Decision]{
		name: "decisions",
		columns: []string{
			"alert_id", "position", "action_id", "action_name", "verdict", "reason", "problems",
			"decided_at", "trace",
		},
		fields: func(r *sqlc.Decision) []any {
			return []any{
				&r.AlertID, &r.Position, &r.ActionID, &r.ActionName, &r.Verdict, &r.Reason, &r.Problems,
				&r.DecidedAt, &r.Trace,
			}
		},
	})
	ticketTable = written(table[sqlc.Ticket]{
		name: "tickets",
		columns: []string{
			"number", "id", "title", "status", "severity", "behavior_model", "entity_key",
			"key_type", "risk_score", "dedup_key", "assignee", "alert_count", "last_alert_at", "opened_at",
			"acknowledged_at", "acknowledged_by", "closed_at", "closed_by", "updated_at", "version", "fired",
			"words",
		},
		fields: func(r *sqlc.Ticket) []any {
			return []any{
				&r.Number, &r.ID, &r.Title, &r.Status, &r.Severity, &r.BehaviorModel, &r.EntityKey,
				&r.KeyType, &r.RiskScore, &r.DedupKey, &r.Assignee, &r.AlertCount, &r.LastAlertAt, &r.OpenedAt,
				&r.AcknowledgedAt, &r.AcknowledgedBy, &r.ClosedAt, &r.ClosedBy, &r.UpdatedAt, &r.Version, &r.Fired,
				&r.Words,
			}
		},
	})
	linkTable = written(table[sqlc.TicketLink]{
		name: "ticket_links",
		columns: []string{
			"id", "ticket_id", "actor_id", "actor_name", "api_config_id", "api_config_name", "external_id",
			"external_url", "external_status", "state", "last_error", "last_synced_at", "delivery_id",
			"ref_data", "seen", "said_at", "wrote_at", "echoes",
		},
		fields: func(r *sqlc.TicketLink) []any {
			return []any{
				&r.ID, &r.TicketID, &r.ActorID, &r.ActorName, &r.APIConfigID, &r.APIConfigName, &r.ExternalID,
				&r.ExternalURL, &r.ExternalStatus, &r.State, &r.LastError, &r.LastSyncedAt, &r.DeliveryID,
				&r.RefData, &r.Seen, &r.SaidAt, &r.WroteAt, &r.Echoes,
			}
		},
	})
	deliveryTable = written(table[sqlc.Delivery]{
		name: "deliveries",
		columns: []string{
			"position", "id", "kind", "status", "reason", "action_id", "action_name",
			"api_config_id", "api_config_name", "api_config_version", "actor_id", "actor_name", "actor_kind", "alert_id",
			"ticket_id", "fallback_of", "order_key", "attempt", "trying", "leased_until", "next_attempt_at",
			"external_ref", "external_url", "rendered", "created_at", "finished_at", "link_id", "alert_change",
		},
		given: true,
		fields: func(r *sqlc.Delivery) []any {
			return []any{
				&r.Position, &r.ID, &r.Kind, &r.Status, &r.Reason, &r.ActionID, &r.ActionName,
				&r.APIConfigID, &r.APIConfigName, &r.APIConfigVersion, &r.ActorID, &r.ActorName, &r.ActorKind, &r.AlertID,
				&r.TicketID, &r.FallbackOf, &r.OrderKey, &r.Attempt, &r.Trying, &r.LeasedUntil, &r.NextAttemptAt,
				&r.ExternalRef, &r.ExternalURL, &r.Rendered, &r.CreatedAt, &r.FinishedAt, &r.LinkID, &r.AlertChange,
			}
		},
	})
	attemptTable = written(table[sqlc.Attempt]{
		name: "attempts",
		columns: []string{
			"delivery_id", "number", "started_at", "duration", "outcome", "http_status", "error",
			"request", "response", "problems",
		},
		fields: func(r *sqlc.Attempt) []any {
			return []any{
				&r.DeliveryID, &r.Number, &r.StartedAt, &r.Duration, &r.Outcome, &r.HTTPStatus, &r.Error,
				&r.Request, &r.Response, &r.Problems,
			}
		},
	})
	ticketEventTable = written(table[sqlc.TicketEvent]{
		name: "ticket_events",
		columns: []string{
			"seq", "id", "kind", "happened_at", "origin", "ticket_id", "status_before",
			"status", "severity_before", "severity", "assignee_before", "assignee", "ticket_version", "link_id",
			"delivery_id", "alert_id", "body", "ignored_because",
		},
		fields: func(r *sqlc.TicketEvent) []any {
			return []any{
				&r.Seq, &r.ID, &r.Kind, &r.HappenedAt, &r.Origin, &r.TicketID, &r.StatusBefore,
				&r.Status, &r.SeverityBefore, &r.Severity, &r.AssigneeBefore, &r.Assignee, &r.TicketVersion, &r.LinkID,
				&r.DeliveryID, &r.AlertID, &r.Body, &r.IgnoredBecause,
			}
		},
	})
	deliveryEventTable = written(table[sqlc.DeliveryEvent]{
		name: "delivery_events",
		columns: []string{
			"seq", "happened_at", "delivery_id", "status_before", "status",
		},
		fields: func(r *sqlc.DeliveryEvent) []any {
			return []any{
				&r.Seq, &r.HappenedAt, &r.DeliveryID, &r.StatusBefore, &r.Status,
			}
		},
	})
	configurationEventTable = written(table[sqlc.ConfigurationEvent]{
		name: "configuration_events",
		columns: []string{
			"seq", "happened_at", "origin", "change_kind", "target_type", "target_id", "target_name",
			"version",
		},
		fields: func(r *sqlc.ConfigurationEvent) []any {
			return []any{
				&r.Seq, &r.HappenedAt, &r.Origin, &r.ChangeKind, &r.TargetType, &r.TargetID, &r.TargetName,
				&r.Version,
			}
		},
	})
	notificationTable = written(table[sqlc.Notification]{
		name: "notifications",
		columns: []string{
			"seq", "id", "title", "message", "severity", "category", "sub_category",
			"source", "alert_id", "ticket_id", "delivery_id", "created_at", "read_at",
		},
		fields: func(r *sqlc.Notification) []any {
			return []any{
				&r.Seq, &r.ID, &r.Title, &r.Message, &r.Severity, &r.Category, &r.SubCategory,
				&r.Source, &r.AlertID, &r.TicketID, &r.DeliveryID, &r.CreatedAt, &r.ReadAt,
			}
		},
	})
	healthTable = written(table[sqlc.Health]{
		name: "health",
		columns: []string{
			"id", "status", "since", "last_success_at", "last_error", "consecutive_failures",
		},
		fields: func(r *sqlc.Health) []any {
			return []any{
				&r.ID, &r.Status, &r.Since, &r.LastSuccessAt, &r.LastError, &r.ConsecutiveFailures,
			}
		},
	})
)
