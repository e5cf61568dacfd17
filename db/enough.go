package db

import (
	"context"
	"slices"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// partial is a table of which reads take only what dispatch.Enough asks for.
type partial[T any] struct {
	table  table[T]          // without what no reader sees
	always []string          // columns that every read takes
	column map[string]string // of each field of the noun
}

// of is the table with the columns of those fields; with all for nil, or when a
// field is not known.
func (p partial[T]) of(fields []string) table[T] {
	if fields == nil {
		return p.table
	}
	columns := slices.Clone(p.always)
	for _, f := range fields {
		c, known := p.column[f]
		if !known {
			return p.table
		}
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	slices.Sort(columns) // so that there is one statement for each set
	return p.table.some(columns...)
}

var (
	partialAlerts = partial[sqlc.Alert]{
		table:  alertTable.without("words"),
		always: []string{"position", "id", "received_at"},
		column: map[string]string{
			"ID": "id", "BehaviorModel": "behavior_model", "Behavior": "behavior", "Key": "entity_key", "KeyType": "key_type",
			"Severity": "severity", "RiskScore": "risk_score", "Risks": "risks", "Summary": "summary", "Description": "description",
			"Source": "source", "Link": "link", "Attributes": "attributes", "Payload": "payload", "DedupKey": "dedup_key",
			"OccurredAt": "occurred_at", "ReceivedAt": "received_at", "RaisedBy": "raised_by", "TicketID": "ticket_id",
		},
	}
	partialTickets = partial[sqlc.Ticket]{
		table:  ticketTable.without("words", "fired"),
		always: []string{"number", "id"},
		column: map[string]string{
			"ID": "id", "Number": "number", "Title": "title", "Status": "status", "Severity": "severity",
			"BehaviorModel": "behavior_model", "Key": "entity_key", "KeyType": "key_type", "RiskScore": "risk_score",
			"DedupKey": "dedup_key", "Assignee": "assignee", "AlertCount": "alert_count", "LastAlertAt": "last_alert_at",
			"OpenedAt": "opened_at", "AcknowledgedAt": "acknowledged_at", "AcknowledgedBy": "acknowledged_by",
			"ClosedAt": "closed_at", "ClosedBy": "closed_by", "UpdatedAt": "updated_at", "Version": "version",
		},
	}
	partialDeliveries = partial[sqlc.Delivery]{
		table:  deliveryTable.without("order_key"),
		always: []string{"position", "id", "created_at"},
		column: map[string]string{
			"ID": "id", "Kind": "kind", "Status": "status", "Reason": "reason", "ActionID": "action_id", "ActionName": "action_name",
			"APIConfigID": "api_config_id", "APIConfigName": "api_config_name", "ActorID": "actor_id", "ActorName": "actor_name",
			"AlertID": "alert_id", "TicketID": "ticket_id", "LeasedUntil": "leased_until", "NextAttemptAt": "next_attempt_at",
			"ExternalRef": "external_ref", "ExternalURL": "external_url", "CreatedAt": "created_at", "FinishedAt": "finished_at",
		},
	}
)

func alertColumns(ctx context.Context) table[sqlc.Alert] {
	return partialAlerts.of(dispatch.EnoughOf(ctx).Alerts)
}

func ticketColumns(ctx context.Context) table[sqlc.Ticket] {
	return partialTickets.of(dispatch.EnoughOf(ctx).Tickets)
}

func deliveryColumns(ctx context.Context) table[sqlc.Delivery] {
	return partialDeliveries.of(dispatch.EnoughOf(ctx).Deliveries)
}
