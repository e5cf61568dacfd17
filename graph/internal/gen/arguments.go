package gen

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
)

// ReadArguments is how the generated code reads the arguments of a field that
// only reads; nil for a field that has none. This file is written by hand.
func ReadArguments(object, field string) func(ctx context.Context, raw map[string]any) (map[string]any, error) {
	ec := newExecutionContext(&graphql.OperationContext{}, &executableSchema{}, nil)
	switch object + "." + field {
	case "Action.deliveries":
		return ec.field_Action_deliveries_args
	case "ApiConfig.deliveries":
		return ec.field_ApiConfig_deliveries_args
	case "BehaviorModel.alerts":
		return ec.field_BehaviorModel_alerts_args
	case "Query.action":
		return ec.field_Query_action_args
	case "Query.actions":
		return ec.field_Query_actions_args
	case "Query.actor":
		return ec.field_Query_actor_args
	case "Query.actors":
		return ec.field_Query_actors_args
	case "Query.alert":
		return ec.field_Query_alert_args
	case "Query.alerts":
		return ec.field_Query_alerts_args
	case "Query.apiConfig":
		return ec.field_Query_apiConfig_args
	case "Query.apiConfigs":
		return ec.field_Query_apiConfigs_args
	case "Query.behaviorModel":
		return ec.field_Query_behaviorModel_args
	case "Query.behaviorModels":
		return ec.field_Query_behaviorModels_args
	case "Query.deliveries":
		return ec.field_Query_deliveries_args
	case "Query.delivery":
		return ec.field_Query_delivery_args
	case "Query.lambda":
		return ec.field_Query_lambda_args
	case "Query.lambdas":
		return ec.field_Query_lambdas_args
	case "Query.node":
		return ec.field_Query_node_args
	case "Query.nodes":
		return ec.field_Query_nodes_args
	case "Query.notifications":
		return ec.field_Query_notifications_args
	case "Query.ticketEvents":
		return ec.field_Query_ticketEvents_args
	case "Query.ticket":
		return ec.field_Query_ticket_args
	case "Query.tickets":
		return ec.field_Query_tickets_args
	case "Ticket.alerts":
		return ec.field_Ticket_alerts_args
	case "Ticket.deliveries":
		return ec.field_Ticket_deliveries_args
	case "Ticket.events":
		return ec.field_Ticket_events_args
	default:
		return nil
	}
}
