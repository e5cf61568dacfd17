package db

import (
	"context"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// The columns of what dispatch.Enough calls the main fields. A test holds them
// against its list.
var (
	mainOfAlerts = alertTable.some("position", "id", "behavior_model", "behavior", "entity_key", "severity", "summary",
		"occurred_at", "received_at", "ticket_id")
	mainOfTickets = ticketTable.some("number", "id", "title", "status", "severity", "behavior_model", "entity_key", "assignee",
		"alert_count", "last_alert_at", "opened_at", "updated_at")
	mainOfDeliveries = deliveryTable.some("position", "id", "kind", "status", "action_id", "api_config_id", "api_config_name",
		"actor_id", "actor_name", "alert_id", "ticket_id", "created_at", "finished_at")
)

// What a list or a read by id takes from its table. The words of the search are
// for nobody to read.
var (
	allOfAlerts     = alertTable.without("words")
	allOfTickets    = ticketTable.without("words", "fired")
	allOfDeliveries = deliveryTable.without("order_key")
)

func alertColumns(ctx context.Context) table[sqlc.Alert] {
	if dispatch.EnoughOf(ctx).MainOfAlerts {
		return mainOfAlerts
	}
	return allOfAlerts
}

func ticketColumns(ctx context.Context) table[sqlc.Ticket] {
	if dispatch.EnoughOf(ctx).MainOfTickets {
		return mainOfTickets
	}
	return allOfTickets
}

func deliveryColumns(ctx context.Context) table[sqlc.Delivery] {
	if dispatch.EnoughOf(ctx).MainOfDeliveries {
		return mainOfDeliveries
	}
	return allOfDeliveries
}
