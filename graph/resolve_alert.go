package graph

import (
	"context"
	"time"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/page"
)

func (r alerts) Ticket(ctx context.Context, a *dispatch.Alert) (*dispatch.Ticket, error) {
	return one(ctx, &loadersOf(ctx).tickets, a.TicketID)
}

func (r alerts) Decisions(ctx context.Context, a *dispatch.Alert) ([]dispatch.Decision, error) {
	return of(ctx, &loadersOf(ctx).decisionsOf, a.ID)
}

func (r alerts) Deliveries(ctx context.Context, a *dispatch.Alert) ([]dispatch.Delivery, error) {
	return of(ctx, &loadersOf(ctx).deliveriesOf, a.ID)
}

func (r decisions) Action(ctx context.Context, d *dispatch.Decision) (*dispatch.Action, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).Actions, &d.ActionID), err
}

func (raised) Alert(ctx context.Context, p *gen.RaiseAlertPayload) (*dispatch.Alert, error) {
	return one(ctx, &loadersOf(ctx).alerts, p.AlertID)
}

func (raised) Ticket(ctx context.Context, p *gen.RaiseAlertPayload) (*dispatch.Ticket, error) {
	return one(ctx, &loadersOf(ctx).tickets, p.TicketID)
}

func (raised) Deliveries(ctx context.Context, p *gen.RaiseAlertPayload) ([]dispatch.Delivery, error) {
	if p.AlertID == nil {
		return nil, nil
	}
	return of(ctx, &loadersOf(ctx).deliveriesOf, *p.AlertID)
}

func (r deliveries) Alert(ctx context.Context, d *dispatch.Delivery) (*dispatch.Alert, error) {
	return one(ctx, &loadersOf(ctx).alerts, &d.AlertID)
}

func (r deliveries) Ticket(ctx context.Context, d *dispatch.Delivery) (*dispatch.Ticket, error) {
	return one(ctx, &loadersOf(ctx).tickets, d.TicketID)
}

func (r deliveries) Action(ctx context.Context, d *dispatch.Delivery) (*dispatch.Action, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).Actions, d.ActionID), err
}

func (r deliveries) APIConfig(ctx context.Context, d *dispatch.Delivery) (*dispatch.APIConfig, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).APIConfigs, &d.APIConfigID), err
}

func (r deliveries) Actor(ctx context.Context, d *dispatch.Delivery) (*dispatch.Actor, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).Actors, &d.ActorID), err
}

func (r deliveries) Attempts(ctx context.Context, d *dispatch.Delivery) ([]dispatch.Attempt, error) {
	return of(ctx, &loadersOf(ctx).attemptsOf, d.ID)
}

func (attempts) DurationMs(_ context.Context, a *dispatch.Attempt) (*float64, error) {
	if a.Duration == nil {
		return nil, nil //nolint:nilnil // null while it runs
	}
	ms := float64(*a.Duration) / float64(time.Millisecond)
	return &ms, nil
}

func (r tickets) URL(_ context.Context, t *dispatch.Ticket) (string, error) {
	return r.publicURL + "/tickets/" + t.ID, nil
}

func (r tickets) Alerts(ctx context.Context, t *dispatch.Ticket, first *int, after *string) (page.AlertConnection, error) {
	list := startOf(&loadersOf(ctx).alertsOfTickets, t.ID, r.desk.Alerts)
	return connection(ctx, first, after, dispatch.AlertFilter{TicketID: &t.ID}, list, r.desk.CountAlerts)
}

func (r tickets) Events(
	ctx context.Context, t *dispatch.Ticket, first *int, after *string, kinds []dispatch.TicketEventKind, direction *dispatch.OrderDirection,
) (page.TicketEventConnection, error) {
	return r.ledger(ctx, first, after, dispatch.TicketEventFilter{TicketID: &t.ID, Kinds: kinds}, direction, dispatch.Ascending)
}

func (r tickets) Links(ctx context.Context, t *dispatch.Ticket) ([]dispatch.TicketLink, error) {
	return of(ctx, &loadersOf(ctx).linksOf, t.ID)
}

func (r tickets) Deliveries(ctx context.Context, t *dispatch.Ticket, first *int, after *string) (page.DeliveryConnection, error) {
	list := startOf(&loadersOf(ctx).deliveriesOfTickets, t.ID, r.desk.Deliveries)
	return connection(ctx, first, after, dispatch.DeliveryFilter{TicketID: &t.ID}, list, r.desk.CountDeliveries)
}

func (ticketEvents) Ticket(ctx context.Context, e *dispatch.TicketEvent) (dispatch.Ticket, error) {
	t, ok, err := loadersOf(ctx).tickets.load(ctx, e.TicketID)
	if err == nil && !ok {
		err = dispatch.ErrNotFound
	}
	return t, err
}

func (ticketEvents) Link(ctx context.Context, e *dispatch.TicketEvent) (*dispatch.TicketLink, error) {
	return one(ctx, &loadersOf(ctx).links, e.LinkID)
}

func (ticketEvents) Delivery(ctx context.Context, e *dispatch.TicketEvent) (*dispatch.Delivery, error) {
	return one(ctx, &loadersOf(ctx).deliveries, e.DeliveryID)
}

func (ticketEvents) Alert(ctx context.Context, e *dispatch.TicketEvent) (*dispatch.Alert, error) {
	return one(ctx, &loadersOf(ctx).alerts, e.AlertID)
}

func (r ticketLinks) Actor(ctx context.Context, l *dispatch.TicketLink) (*dispatch.Actor, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).Actors, &l.ActorID), err
}

func (r ticketLinks) APIConfig(ctx context.Context, l *dispatch.TicketLink) (*dispatch.APIConfig, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).APIConfigs, &l.APIConfigID), err
}

func (notifications) Alert(ctx context.Context, n *dispatch.Notification) (*dispatch.Alert, error) {
	return one(ctx, &loadersOf(ctx).alerts, n.AlertID)
}

func (notifications) Ticket(ctx context.Context, n *dispatch.Notification) (*dispatch.Ticket, error) {
	return one(ctx, &loadersOf(ctx).tickets, n.TicketID)
}
