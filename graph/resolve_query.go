package graph

import (
	"context"
	"errors"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/page"
)

func (r queries) Viewer(ctx context.Context) (*gen.Viewer, error) {
	c := callerOf(ctx)
	return &gen.Viewer{Name: c.Name, Scopes: c.Scopes, Kind: c.Origin().Kind}, nil
}

func (r queries) Server(context.Context) (*gen.Server, error) { return r.server, nil }

func (r queries) BehaviorModel(ctx context.Context, id, name *string) (*dispatch.BehaviorModel, error) {
	if (id == nil) == (name == nil) {
		return nil, refuse(gen.ErrorCodeBadRequest, "give either id or name")
	}
	cfg, err := r.desk.Configuration(ctx)
	if err != nil || id != nil {
		return find(orZero(cfg).BehaviorModels, id), err
	}
	if m, ok := cfg.Model(*name); ok {
		return &m, nil
	}
	return nil, nil //nolint:nilnil // null is the answer
}

func (r queries) BehaviorGroups(ctx context.Context) ([]string, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return append([]string{}, cfg.BehaviorGroups()...), nil // none is an empty list, not null
}

func (r queries) BehaviorModels(ctx context.Context, first *int, after, text *string, groups []string) (*page.BehaviorModelConnection, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return named(first, after, func(p dispatch.Page) (dispatch.List[dispatch.BehaviorModel], error) {
		return cfg.ListBehaviorModels(p, text, groups)
	})
}

func (r queries) Action(ctx context.Context, id string) (*dispatch.Action, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).Actions, &id), err
}

func (r queries) Actions(ctx context.Context, first *int, after, text *string, enabled *bool, model *string) (*page.ActionConnection, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return named(first, after, func(p dispatch.Page) (dispatch.List[dispatch.Action], error) {
		return cfg.ListActions(p, text, enabled, model)
	})
}

func (r queries) APIConfig(ctx context.Context, id string) (*dispatch.APIConfig, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).APIConfigs, &id), err
}

func (r queries) APIConfigs(ctx context.Context, first *int, after, text *string, types []string) (*page.APIConfigConnection, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return named(first, after, func(p dispatch.Page) (dispatch.List[dispatch.APIConfig], error) {
		return cfg.ListAPIConfigs(p, text, types)
	})
}

func (r queries) Actor(ctx context.Context, id string) (*dispatch.Actor, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).Actors, &id), err
}

func (r queries) Actors(ctx context.Context, first *int, after, text *string, types []string) (*page.ActorConnection, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return named(first, after, func(p dispatch.Page) (dispatch.List[dispatch.Actor], error) {
		return cfg.ListActors(p, text, types)
	})
}

func (r queries) ActorTypes(context.Context) ([]dispatch.Kind, error) { return r.desk.Kinds(), nil }

func (r queries) Alert(ctx context.Context, id string) (*dispatch.Alert, error) {
	return one(ctx, &loadersOf(ctx).alerts, &id)
}

func (r queries) Alerts(ctx context.Context, first *int, after *string, filter *dispatch.AlertFilter) (*page.AlertConnection, error) {
	return opt(connection(ctx, first, after, orZero(filter), r.desk.Alerts, r.desk.CountAlerts))
}

func (r queries) Delivery(ctx context.Context, id string) (*dispatch.Delivery, error) {
	return one(ctx, &loadersOf(ctx).deliveries, &id)
}

func (r queries) Deliveries(ctx context.Context, first *int, after *string, filter *dispatch.DeliveryFilter) (*page.DeliveryConnection, error) {
	return opt(connection(ctx, first, after, orZero(filter), r.desk.Deliveries, r.desk.CountDeliveries))
}

func (r queries) Ticket(ctx context.Context, id *string, number *int) (*dispatch.Ticket, error) {
	if (id == nil) == (number == nil) {
		return nil, refuse(gen.ErrorCodeBadRequest, "give either id or number")
	}
	if id != nil {
		return one(ctx, &loadersOf(ctx).tickets, id)
	}
	t, err := r.desk.TicketByNumber(ctx, *number)
	if errors.Is(err, dispatch.ErrNotFound) {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return opt(t, err)
}

func (r queries) Tickets(ctx context.Context, first *int, after *string, filter *dispatch.TicketFilter, order *dispatch.TicketOrder) (*page.TicketConnection, error) {
	by := dispatch.TicketOrder{Field: dispatch.ByOpenedAt, Direction: dispatch.Descending}
	if order != nil {
		by = *order
	}
	var head int64
	c, err := connection(ctx, first, after, orZero(filter),
		func(ctx context.Context, f dispatch.TicketFilter, p dispatch.Page) (l dispatch.List[dispatch.Ticket], err error) {
			l, head, err = r.desk.Tickets(ctx, f, by, p)
			return l, err
		}, r.desk.CountTickets)
	return opt(page.TicketConnection{Connection: c, LedgerCursor: dispatch.LedgerCursor(head)}, err)
}

func (r queries) LedgerCursor(ctx context.Context) (*string, error) {
	head, err := r.desk.LedgerHead(ctx)
	return opt(dispatch.LedgerCursor(head), err)
}

func (r queries) TicketEvents(
	ctx context.Context, first *int, after *string, filter *dispatch.TicketFilter, kinds []dispatch.TicketEventKind, direction *dispatch.OrderDirection,
) (*page.TicketEventConnection, error) {
	return opt(r.ledger(ctx, first, after, dispatch.TicketEventFilter{Kinds: kinds, Ticket: filter}, direction, dispatch.Descending))
}

// ledger is a page of the ledger; an absent direction is the field's own.
func (r resolver) ledger(
	ctx context.Context, first *int, after *string, f dispatch.TicketEventFilter, direction *dispatch.OrderDirection, usual dispatch.OrderDirection,
) (page.TicketEventConnection, error) {
	if direction != nil {
		usual = *direction
	}
	return connection(ctx, first, after, f,
		func(ctx context.Context, f dispatch.TicketEventFilter, p dispatch.Page) (dispatch.List[dispatch.TicketEvent], error) {
			return r.desk.TicketEvents(ctx, f, usual, p)
		}, r.desk.CountTicketEvents)
}

func (r queries) Notifications(ctx context.Context, first *int, after *string, unread *bool) (*page.NotificationConnection, error) {
	c, err := connection(ctx, first, after, unread, r.desk.Notifications, r.desk.CountNotifications)
	return opt(page.NotificationConnection{Connection: c, Unread: func(ctx context.Context) (dispatch.Count, error) {
		yes := true
		return r.desk.CountNotifications(ctx, &yes, countLimit)
	}}, err)
}

func (r queries) Accounting(ctx context.Context) (*dispatch.Accounting, error) {
	return opt(r.desk.Accounting(ctx))
}

func (r queries) APITokens(ctx context.Context) ([]dispatch.APIToken, error) {
	return r.desk.Tokens(ctx)
}

// opt is a pointer to a value, nil with an error.
func opt[T any](v T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &v, nil
}
