package db

import (
	"context"
	"fmt"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// byID reads what exists of some ids and converts it.
func byID[R, N any](ctx context.Context, db sqlc.DBTX, t table[R], ids []string, convert func(R) (N, error), id func(N) string) (map[string]N, error) {
	rows, err := t.by(ctx, db, "id", ids, "")
	if err != nil {
		return nil, err
	}
	nouns, err := each(rows, convert)
	if err != nil {
		return nil, err
	}
	found := make(map[string]N, len(nouns))
	for _, n := range nouns {
		found[id(n)] = n
	}
	return found, nil
}

// of reads what belongs to some owners, in the order given.
func of[R, N any](ctx context.Context, db sqlc.DBTX, t table[R], column string, owners []string, order string,
	convert func(R) (N, error), owner func(N) string,
) (map[string][]N, error) {
	rows, err := t.by(ctx, db, column, owners, " ORDER BY "+order)
	if err != nil {
		return nil, err
	}
	nouns, err := each(rows, convert)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]N, len(owners))
	for _, n := range nouns {
		found[owner(n)] = append(found[owner(n)], n)
	}
	return found, nil
}

// AlertsByID implements dispatch.ReadStore.
func (b *books) AlertsByID(ctx context.Context, ids []string) (map[string]dispatch.Alert, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string]dispatch.Alert, error) {
		return byID(ctx, db, alertColumns(ctx), ids, alertOf, func(a dispatch.Alert) string { return a.ID })
	})
}

// TicketsByID implements dispatch.ReadStore.
func (b *books) TicketsByID(ctx context.Context, ids []string) (map[string]dispatch.Ticket, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string]dispatch.Ticket, error) {
		return byID(ctx, db, ticketColumns(ctx), ids, ticketOf, func(t dispatch.Ticket) string { return t.ID })
	})
}

// TicketByNumber implements dispatch.ReadStore.
func (b *books) TicketByNumber(ctx context.Context, number int) (dispatch.Ticket, error) {
	rows, err := ticketTable.read(ctx, b.pool, "WHERE x.number = $1", int64(number))
	if err != nil {
		return dispatch.Ticket{}, fmt.Errorf("ticket T-%d: %w", number, err)
	}
	if len(rows) == 0 {
		return dispatch.Ticket{}, fmt.Errorf("ticket T-%d: %w", number, dispatch.ErrNotFound)
	}
	return ticketOf(rows[0])
}

// DeliveriesByID implements dispatch.ReadStore.
func (b *books) DeliveriesByID(ctx context.Context, ids []string) (map[string]dispatch.Delivery, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string]dispatch.Delivery, error) {
		return byID(ctx, db, deliveryColumns(ctx), ids, deliveryOf, func(d dispatch.Delivery) string { return d.ID })
	})
}

// NotificationsByID implements dispatch.ReadStore.
func (b *books) NotificationsByID(ctx context.Context, ids []string) (map[string]dispatch.Notification, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string]dispatch.Notification, error) {
		return byID(ctx, db, notificationTable, ids, notificationOf, func(n dispatch.Notification) string { return n.ID })
	})
}

// LinksByID implements dispatch.ReadStore.
func (b *books) LinksByID(ctx context.Context, ids []string) (map[string]dispatch.TicketLink, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string]dispatch.TicketLink, error) {
		return byID(ctx, db, linkTable, ids, linkOf, func(l dispatch.TicketLink) string { return l.ID })
	})
}

// TicketEventsByID implements dispatch.ReadStore.
func (b *books) TicketEventsByID(ctx context.Context, ids []string) (found map[string]dispatch.TicketEvent, err error) {
	err = b.snapshot(ctx, func(_ *sqlc.Queries, db sqlc.DBTX) error {
		rows, err := ticketEventTable.by(ctx, db, "id", ids, "")
		if err != nil {
			return err
		}
		lines, err := withSubjects(ctx, db, rows)
		found = make(map[string]dispatch.TicketEvent, len(lines))
		for _, e := range lines {
			found[e.ID] = e
		}
		return err
	})
	return found, err
}

// withSubjects adds to lines of the ledger what never changes of their tickets.
func withSubjects(ctx context.Context, db sqlc.DBTX, rows []sqlc.TicketEvent) ([]dispatch.TicketEvent, error) {
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r.TicketID] = true
	}
	tickets, err := ticketTable.by(ctx, db, "id", sortedKeys(ids), "")
	if err != nil {
		return nil, err
	}
	subjects := make(map[string]dispatch.TicketSubject, len(tickets))
	for _, t := range tickets {
		subjects[t.ID] = dispatch.TicketSubject{Title: t.Title, BehaviorModel: t.BehaviorModel, Key: t.EntityKey, OpenedAt: moment(t.OpenedAt)}
	}
	return each(rows, func(r sqlc.TicketEvent) (dispatch.TicketEvent, error) {
		return ticketEventOf(r, subjects[r.TicketID])
	})
}

// DecisionsOf implements dispatch.ReadStore.
func (b *books) DecisionsOf(ctx context.Context, alertIDs []string) (map[string][]dispatch.Decision, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string][]dispatch.Decision, error) {
		return of(ctx, db, decisionTable, "alert_id", alertIDs, "x.alert_id, x.position", decisionOf,
			func(d dispatch.Decision) string { return d.AlertID })
	})
}

// DeliveriesOf implements dispatch.ReadStore.
func (b *books) DeliveriesOf(ctx context.Context, alertIDs []string) (map[string][]dispatch.Delivery, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string][]dispatch.Delivery, error) {
		return of(ctx, db, deliveryTable, "alert_id", alertIDs, "x.alert_id, x.created_at, x.position", deliveryOf,
			func(d dispatch.Delivery) string { return d.AlertID })
	})
}

// AttemptsOf implements dispatch.ReadStore.
func (b *books) AttemptsOf(ctx context.Context, deliveryIDs []string) (map[string][]dispatch.Attempt, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string][]dispatch.Attempt, error) {
		return of(ctx, db, attemptTable, "delivery_id", deliveryIDs, "x.delivery_id, x.number", attemptOf,
			func(a dispatch.Attempt) string { return a.DeliveryID })
	})
}

// LinksOf implements dispatch.ReadStore.
func (b *books) LinksOf(ctx context.Context, ticketIDs []string) (map[string][]dispatch.TicketLink, error) {
	return once(ctx, b, func(db sqlc.DBTX) (map[string][]dispatch.TicketLink, error) {
		return of(ctx, db, linkTable, "ticket_id", ticketIDs, "x.ticket_id, x.id", linkOf,
			func(l dispatch.TicketLink) string { return l.TicketID })
	})
}

// ActionStats implements dispatch.ReadStore.
func (b *books) ActionStats(ctx context.Context, actionIDs []string) (map[string]dispatch.ActionStats, error) {
	found := make(map[string]dispatch.ActionStats, len(actionIDs))
	err := b.snapshot(ctx, func(q *sqlc.Queries, _ sqlc.DBTX) error {
		for _, id := range actionIDs {
			stats, err := actionStats(ctx, q, id)
			if err != nil {
				return fmt.Errorf("stats of %s: %w", id, err)
			}
			found[id] = stats
		}
		return nil
	})
	return found, err
}

func actionStats(ctx context.Context, q *sqlc.Queries, id string) (s dispatch.ActionStats, err error) {
	at, err := q.LastFired(ctx, id)
	if err == nil {
		fired := moment(at)
		s.LastFiredAt = &fired
	} else if !isNone(err) {
		return s, err
	}
	n, err := q.CountFailed(ctx, &id)
	s.FailedDeliveries = int(n)
	return s, err
}

// Accounting implements dispatch.ReadStore.
func (b *books) Accounting(ctx context.Context) (a dispatch.Accounting, err error) {
	err = b.snapshot(ctx, func(q *sqlc.Queries, _ sqlc.DBTX) error {
		r, err := q.Accounting(ctx)
		if err != nil {
			return err
		}
		a = dispatch.Accounting{
			Promised: narrow(r.Promised), Delivered: narrow(r.Delivered), Pending: narrow(r.Pending), Uncertain: narrow(r.Uncertain),
			Failed: narrow(r.Failed), Canceled: narrow(r.Canceled), Skipped: narrow(r.Skipped),
		}
		oldest, err := q.OldestPending(ctx)
		if isNone(err) {
			return nil
		}
		at := moment(oldest)
		a.OldestPendingAt = &at
		return err
	})
	return a, err
}
