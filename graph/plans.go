package graph

import (
	"bytes"
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/scalar"
	"tocsin/graph/plan"
)

// plans are for what reads the books: the same resolvers as the generated code
// calls, each told ahead whose answers it will be asked for.
func (s *Server) newPlans(schema *ast.Schema, r resolver) *plan.Plans {
	return plan.New(plan.Facts{
		Schema: schema, Resolvers: r, Known: planned(), Scalars: planScalars, Members: planMembers(),
		Arguments: func(object, field string) plan.Arguments { return gen.ReadArguments(object, field) },
		Prepare:   enough,
		Needs:     s.needs,
		May:       func(ctx context.Context, need string) bool { return callerOf(ctx).May(dispatch.Scope(need)) },
	})
}

// needs are the scopes without which a field is refused.
func (s *Server) needs(f *ast.Field) []string {
	var needs []string
	if need := s.guards[f.Definition.Type.Name()]; need != "" {
		needs = append(needs, string(need))
	}
	if d := f.Definition.Directives.ForName("scope"); d != nil {
		needs = append(needs, d.Arguments.ForName("requires").Value.Raw)
	}
	return needs
}

// enough tells the readers what of each noun will be looked at.
func enough(looks plan.Looks) func(context.Context) context.Context {
	fields := func(of reflect.Type) []string {
		return append([]string{}, slices.Sorted(maps.Keys(looks[of]))...) // none is not the same as nil, which is all
	}
	e := dispatch.Enough{
		Alerts: fields(reflect.TypeFor[dispatch.Alert]()), Tickets: fields(reflect.TypeFor[dispatch.Ticket]()),
		Deliveries: fields(reflect.TypeFor[dispatch.Delivery]()), NoCursors: true, NoEnd: true,
	}
	for _, names := range looks {
		e.NoCursors = e.NoCursors && !names["Edges"]
		e.NoEnd = e.NoEnd && !names["PageInfo"]
	}
	return func(ctx context.Context) context.Context { return dispatch.WithEnough(ctx, e) }
}

// alone are the fields with a resolver that asks for nothing that could be asked
// for many at once.
var alone = []string{
	"Query.viewer", "Query.server", "Query.behaviorModel", "Query.behaviorGroups", "Query.behaviorModels", "Query.action",
	"Query.actions", "Query.apiConfig", "Query.apiConfigs", "Query.lambda", "Query.lambdas", "Query.actor", "Query.actors",
	"Query.actorTypes", "Query.alerts", "Query.deliveries", "Query.tickets", "Query.ledgerCursor", "Query.ticketEvents",
	"Query.notifications", "Query.accounting", "Query.apiTokens", "Query.node", "Query.nodes",
	"Action.behaviorModels", "Action.lambdas", "Action.apiConfigs", "Action.deliveries",
	"Actor.type", "Actor.secrets", "Actor.inboundUrl", "Actor.apiConfigs",
	"ActorType.actorSchema", "ActorType.apiConfigSchema", "ActorType.defaultSettings",
	"ApiConfig.actorType", "ApiConfig.actor", "ApiConfig.fallback", "ApiConfig.usedBy", "ApiConfig.deliveries",
	"BehaviorModel.actions", "BehaviorModel.alerts", "Lambda.usedBy",
	"Attempt.durationMs", "Decision.action", "Delivery.action", "Delivery.apiConfig", "Delivery.actor", "Origin.actor",
	"Ticket.url", "Ticket.events", "TicketLink.actor", "TicketLink.apiConfig",
}

// together are the fields whose answers for all parents are loaded with one question.
func together() map[string]plan.Ahead {
	tickets := func(l *loaders) *loader[dispatch.Ticket] { return &l.tickets }
	alerts := func(l *loaders) *loader[dispatch.Alert] { return &l.alerts }
	deliveries := func(l *loaders) *loader[dispatch.Delivery] { return &l.deliveries }
	return map[string]plan.Ahead{
		"Query.ticket":   byID(tickets),
		"Query.alert":    byID(alerts),
		"Query.delivery": byID(deliveries),

		"Ticket.alerts":     firstPages(func(l *loaders) *pages[dispatch.Alert] { return &l.alertsOfTickets }),
		"Ticket.deliveries": firstPages(func(l *loaders) *pages[dispatch.Delivery] { return &l.deliveriesOfTickets }),
		"Ticket.links":      ahead(func(l *loaders) *loader[[]dispatch.TicketLink] { return &l.linksOf }, func(t *dispatch.Ticket) *string { return &t.ID }),

		"Alert.ticket":     ahead(tickets, func(a *dispatch.Alert) *string { return a.TicketID }),
		"Alert.decisions":  ahead(func(l *loaders) *loader[[]dispatch.Decision] { return &l.decisionsOf }, func(a *dispatch.Alert) *string { return &a.ID }),
		"Alert.deliveries": ahead(func(l *loaders) *loader[[]dispatch.Delivery] { return &l.deliveriesOf }, func(a *dispatch.Alert) *string { return &a.ID }),

		"Delivery.alert":    ahead(alerts, func(d *dispatch.Delivery) *string { return &d.AlertID }),
		"Delivery.ticket":   ahead(tickets, func(d *dispatch.Delivery) *string { return d.TicketID }),
		"Delivery.attempts": ahead(func(l *loaders) *loader[[]dispatch.Attempt] { return &l.attemptsOf }, func(d *dispatch.Delivery) *string { return &d.ID }),

		"TicketEvent.ticket":   ahead(tickets, func(e *dispatch.TicketEvent) *string { return &e.TicketID }),
		"TicketEvent.link":     ahead(func(l *loaders) *loader[dispatch.TicketLink] { return &l.links }, func(e *dispatch.TicketEvent) *string { return e.LinkID }),
		"TicketEvent.delivery": ahead(deliveries, func(e *dispatch.TicketEvent) *string { return e.DeliveryID }),
		"TicketEvent.alert":    ahead(alerts, func(e *dispatch.TicketEvent) *string { return e.AlertID }),
		"Notification.alert":   ahead(alerts, func(n *dispatch.Notification) *string { return n.AlertID }),
		"Notification.ticket":  ahead(tickets, func(n *dispatch.Notification) *string { return n.TicketID }),

		"Action.lastFiredAt":      ahead(func(l *loaders) *loader[dispatch.ActionStats] { return &l.stats }, func(a *dispatch.Action) *string { return &a.ID }),
		"Action.failedDeliveries": ahead(func(l *loaders) *loader[dispatch.ActionStats] { return &l.stats }, func(a *dispatch.Action) *string { return &a.ID }),
		"Actor.health":            ahead(func(l *loaders) *loader[dispatch.Health] { return &l.healths }, func(a *dispatch.Actor) *string { return &a.ID }),
		"ApiConfig.health":        ahead(func(l *loaders) *loader[dispatch.Health] { return &l.healths }, func(c *dispatch.APIConfig) *string { return &c.ID }),
	}
}

// planned are the fields with a resolver that plans may use: all of a query.
func planned() map[string]plan.Ahead {
	known := together()
	for _, field := range alone {
		known[field] = nil
	}
	return known
}

// byID loads what a field's id names.
func byID[T any](from func(*loaders) *loader[T]) plan.Ahead {
	return func(ctx context.Context, _ []reflect.Value, args map[string]any) {
		switch id := args["id"].(type) {
		case string:
			from(loadersOf(ctx)).ahead(ctx, []string{id})
		case *string:
			if id != nil {
				from(loadersOf(ctx)).ahead(ctx, []string{*id})
			}
		}
	}
}

// ahead loads what belongs to the parents, or what they name.
func ahead[P, T any](from func(*loaders) *loader[T], id func(*P) *string) plan.Ahead {
	return func(ctx context.Context, parents []reflect.Value, _ map[string]any) {
		from(loadersOf(ctx)).ahead(ctx, idsOf(parents, id))
	}
}

func idsOf[P any](parents []reflect.Value, id func(*P) *string) []string {
	ids := make([]string, 0, len(parents))
	for _, p := range parents {
		if parent, ok := reflect.TypeAssert[*P](p.Addr()); ok {
			if named := id(parent); named != nil {
				ids = append(ids, *named)
			}
		}
	}
	return ids
}

// firstPages loads the first pages of what belongs to tickets.
func firstPages[T any](from func(*loaders) *pages[T]) plan.Ahead {
	return func(ctx context.Context, parents []reflect.Value, args map[string]any) {
		first, _ := args["first"].(*int)
		after, _ := args["after"].(*string)
		if p, err := pageOf(first, after); err == nil && p.After == "" {
			from(loadersOf(ctx)).of(p.First).ahead(ctx, idsOf(parents, func(t *dispatch.Ticket) *string { return &t.ID }))
		}
	}
}

// planMembers are the things that `node` may find.
func planMembers() map[string]reflect.Type {
	return map[string]reflect.Type{
		"Ticket": reflect.TypeFor[dispatch.Ticket](), "TicketLink": reflect.TypeFor[dispatch.TicketLink](),
		"TicketEvent": reflect.TypeFor[dispatch.TicketEvent](), "Alert": reflect.TypeFor[dispatch.Alert](),
		"Delivery": reflect.TypeFor[dispatch.Delivery](), "Notification": reflect.TypeFor[dispatch.Notification](),
		"BehaviorModel": reflect.TypeFor[dispatch.BehaviorModel](), "Action": reflect.TypeFor[dispatch.Action](),
		"Lambda": reflect.TypeFor[dispatch.Lambda](), "ApiConfig": reflect.TypeFor[dispatch.APIConfig](),
		"Actor": reflect.TypeFor[dispatch.Actor](), "ApiToken": reflect.TypeFor[dispatch.APIToken](),
	}
}

// planScalars write the schema's own scalars as the generated code does.
var planScalars = map[string]plan.Leaf{
	"DateTime": func(b []byte, v reflect.Value) ([]byte, error) {
		at, _ := reflect.TypeAssert[time.Time](v) // the plan's schema says so
		return scalar.AppendDateTime(b, at), nil
	},
	"Duration": func(b []byte, v reflect.Value) ([]byte, error) {
		return marshaled(b, scalar.MarshalDuration(time.Duration(v.Int())))
	},
	"JSON": func(b []byte, v reflect.Value) ([]byte, error) {
		return marshaled(b, scalar.MarshalJSON(v.Bytes()))
	},
}

func marshaled(b []byte, m graphql.Marshaler) ([]byte, error) {
	if m == graphql.Null {
		return nil, plan.ErrNull
	}
	text := bytes.NewBuffer(b)
	m.MarshalGQL(text)
	return text.Bytes(), nil
}

// planned answers a query by its plan; nil when there is none, or when anything
// went wrong: the generated code then says what.
func (op *operation) planned(ctx context.Context) []byte {
	if !op.is(ast.Query) || len(op.context.RawQuery) > maxDocumentSize {
		return nil
	}
	ctx = graphql.WithOperationContext(op.s.withLoaders(ctx), op.context)
	ctx = graphql.WithResponseContext(ctx, op.s.present, recovered)
	answer, ok := op.s.plans.Query(ctx, op.context, `{"data":`, `}`)
	if !ok || len(graphql.GetErrors(ctx)) > 0 {
		return nil
	}
	line, err := oneLine(answer)
	if err != nil {
		return nil
	}
	return line
}
