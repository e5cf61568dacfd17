package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"tocsin/dispatch"
)

// loaders are what one answer asks the books by id.
type loaders struct {
	alerts        loader[dispatch.Alert]
	tickets       loader[dispatch.Ticket]
	deliveries    loader[dispatch.Delivery]
	notifications loader[dispatch.Notification]
	events        loader[dispatch.TicketEvent]
	links         loader[dispatch.TicketLink]
	tokens        loader[dispatch.APIToken]
	healths       loader[dispatch.Health]
	stats         loader[dispatch.ActionStats]

	decisionsOf  loader[[]dispatch.Decision] // by alert
	deliveriesOf loader[[]dispatch.Delivery] // by alert
	attemptsOf   loader[[]dispatch.Attempt]  // by delivery
	linksOf      loader[[]dispatch.TicketLink]

	alertsOfTickets     pages[dispatch.Alert]
	deliveriesOfTickets pages[dispatch.Delivery]
}

func newLoaders(d *dispatch.Desk) *loaders {
	return &loaders{
		alerts:        loader[dispatch.Alert]{fetch: d.AlertsByID},
		tickets:       loader[dispatch.Ticket]{fetch: d.TicketsByID},
		deliveries:    loader[dispatch.Delivery]{fetch: d.DeliveriesByID},
		notifications: loader[dispatch.Notification]{fetch: d.NotificationsByID},
		events:        loader[dispatch.TicketEvent]{fetch: d.TicketEventsByID},
		links:         loader[dispatch.TicketLink]{fetch: d.LinksByID},
		tokens:        loader[dispatch.APIToken]{fetch: d.TokensByID},
		healths:       loader[dispatch.Health]{fetch: d.Healths},
		stats:         loader[dispatch.ActionStats]{fetch: d.ActionStats},
		decisionsOf:   loader[[]dispatch.Decision]{fetch: d.DecisionsOf},
		deliveriesOf:  loader[[]dispatch.Delivery]{fetch: d.DeliveriesOf},
		attemptsOf:    loader[[]dispatch.Attempt]{fetch: d.AttemptsOf},
		linksOf:       loader[[]dispatch.TicketLink]{fetch: d.LinksOf},

		alertsOfTickets:     pages[dispatch.Alert]{fetch: d.AlertsOfTickets},
		deliveriesOfTickets: pages[dispatch.Delivery]{fetch: d.DeliveriesOfTickets},
	}
}

type loadersKey struct{}

func (s *Server) withLoaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, loadersKey{}, newLoaders(s.desk))
}

// loadersOf are the loaders of the answer that is being made.
func loadersOf(ctx context.Context) *loaders {
	l, _ := ctx.Value(loadersKey{}).(*loaders)
	return l
}

// freshLoaders gives each root field of a mutation loaders of its own: what one
// changes, the next must not remember as it was.
func (s *Server) freshLoaders(ctx context.Context, next graphql.RootResolver) graphql.Marshaler {
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Mutation {
		ctx = s.withLoaders(ctx)
	}
	return next(ctx)
}

// one loads a thing that may be absent, or that nothing names.
func one[T any](ctx context.Context, l *loader[T], id *string) (*T, error) {
	if id == nil {
		return nil, nil //nolint:nilnil // null is the answer
	}
	thing, ok, err := l.load(ctx, *id)
	if err != nil || !ok {
		return nil, err
	}
	return &thing, nil
}

// of loads what belongs to an owner; nothing is an empty list.
func of[T any](ctx context.Context, l *loader[[]T], owner string) ([]T, error) {
	things, _, err := l.load(ctx, owner)
	return things, err
}
