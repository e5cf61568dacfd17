package db

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// Claim implements dispatch.QueueStore.
func (b *books) Claim(ctx context.Context, c dispatch.Claim) ([]dispatch.Claimed, error) {
	var claimed []dispatch.Claimed
	err := b.writer.write(ctx, []string{claimLock(c.ActorID)}, func(ctx context.Context, t *tx) error {
		var err error
		claimed, err = t.claim(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// claimLock is held by whoever claims for an actor: two that claim at the same
// moment would not see each other's leases within an order key.
func claimLock(actorID string) string { return "claim " + actorID }

// claimSQL chooses what is due and not held back by an earlier one, or by a
// leased one, of its order key. It is chosen once, before any is changed.
const claimSQL = `WITH due AS MATERIALIZED (
  SELECT d.position FROM deliveries d
  WHERE d.actor_id = $2 AND d.status IN ('PENDING', 'UNCERTAIN') AND d.leased_until IS NULL AND d.next_attempt_at <= $3
    AND NOT EXISTS (SELECT 1 FROM deliveries s WHERE s.order_key = d.order_key AND s.status IN ('PENDING', 'UNCERTAIN')
      AND s.position < d.position)
    AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.order_key = d.order_key AND o.leased_until IS NOT NULL)
`

func (t *tx) claim(ctx context.Context, c dispatch.Claim) ([]dispatch.Claimed, error) {
	if h, err := t.HealthOf(ctx, c.ActorID); err != nil && !isNone(err) {
		return nil, fmt.Errorf("health of %s: %w", c.ActorID, err)
	} else if isHeld(h) && !c.Paused {
		return nil, dispatch.ErrPaused
	}
	args := []any{ms(c.Until), c.ActorID, ms(c.Now)}
	statement := claimSQL
	if len(c.APIConfigIDs) > 0 {
		statement += "    AND d.kind = 'NOTIFY' AND " + in("d.api_config_id", c.APIConfigIDs, &args)
	}
	statement += " ORDER BY d.next_attempt_at, d.position LIMIT " + arg(&args, int64(c.Max)) + t.engine.skipLocked
	statement += ") UPDATE deliveries AS x SET attempt = x.attempt + 1, leased_until = $1 WHERE x.position IN (SELECT position FROM due)"
	rows, err := deliveryTable.query(ctx, t.session, statement+" RETURNING "+strings.Join(deliveryTable.columns, ", "), args...)
	if err != nil {
		return nil, fmt.Errorf("claim for %s: %w", c.ActorID, err)
	}
	slices.SortFunc(rows, earlier)
	attempts := make([]sqlc.Attempt, len(rows))
	for i, r := range rows {
		attempts[i] = sqlc.Attempt{DeliveryID: r.ID, Number: r.Attempt, StartedAt: ms(c.Now)}
	}
	if err := attemptTable.insert(ctx, t.session, attempts); err != nil {
		return nil, fmt.Errorf("attempts: %w", err)
	}
	return t.laden(ctx, rows)
}

// earlier orders claimed rows as the queue did.
func earlier(a, b sqlc.Delivery) int {
	if a.NextAttemptAt != nil && b.NextAttemptAt != nil && *a.NextAttemptAt != *b.NextAttemptAt {
		return int(*a.NextAttemptAt - *b.NextAttemptAt)
	}
	return int(a.Position - b.Position)
}

// laden adds to each delivery what it carries.
func (t *tx) laden(ctx context.Context, rows []sqlc.Delivery) ([]dispatch.Claimed, error) {
	var alertIDs, ticketIDs []string
	for _, r := range rows {
		alertIDs = append(alertIDs, r.AlertID)
		if r.TicketID != nil {
			ticketIDs = append(ticketIDs, *r.TicketID)
		}
	}
	alerts, err := byID(ctx, t.session, alertTable, alertIDs, alertOf, func(a dispatch.Alert) string { return a.ID })
	if err != nil {
		return nil, err
	}
	tickets, err := byID(ctx, t.session, ticketTable, ticketIDs, ticketOf, func(t dispatch.Ticket) string { return t.ID })
	if err != nil {
		return nil, err
	}
	links, err := of(ctx, t.session, linkTable, "ticket_id", ticketIDs, "x.ticket_id, x.id", linkOf,
		func(l dispatch.TicketLink) string { return l.TicketID })
	if err != nil {
		return nil, err
	}
	return each(rows, func(r sqlc.Delivery) (dispatch.Claimed, error) {
		d, err := deliveryOf(r)
		c := dispatch.Claimed{Delivery: d, Alert: alerts[r.AlertID]}
		if r.TicketID != nil {
			c.Link = linkFor(d, links[*r.TicketID])
		}
		if r.TicketID != nil {
			ticket := tickets[*r.TicketID]
			c.Ticket = &ticket
		}
		return c, err
	})
}

// linkFor is the copy that an update is for, or beside which an alert goes.
func linkFor(d dispatch.Delivery, links []dispatch.TicketLink) *dispatch.TicketLink {
	for _, l := range links {
		if d.LinkID != nil && l.ID == *d.LinkID {
			return &l
		}
		if d.LinkID == nil && l.APIConfigID == d.APIConfigID && l.ActorID == d.ActorID && l.State != dispatch.LinkDetached {
			return &l
		}
	}
	return nil
}

// WaitingActors implements dispatch.QueueStore. It steps from actor to actor
// along the queue's index, so that it costs a look for each, not for each
// delivery.
func (b *books) WaitingActors(ctx context.Context) ([]string, error) {
	var ids []string
	for _, next := range []func(context.Context, string) (string, error){b.reads.NextQueuedActor, b.reads.NextLeasedActor} {
		id, err := next(ctx, "")
		for ; err == nil; id, err = next(ctx, id) {
			ids = append(ids, id)
		}
		if !isNone(err) {
			return nil, fmt.Errorf("waiting actors: %w", err)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// NextDue implements dispatch.QueueStore. Deliveries that are held back by
// another one do not count: its settlement makes them due.
func (b *books) NextDue(ctx context.Context, actorID string) (*time.Time, error) {
	at, err := b.reads.NextDue(ctx, actorID)
	if isNone(err) {
		return nil, nil //nolint:nilnil // nothing is due
	}
	if err != nil {
		return nil, fmt.Errorf("next due of %s: %w", actorID, err)
	}
	due := moment(at)
	return &due, nil
}

// Recover implements dispatch.QueueStore. It is asked often and seldom finds any,
// so that it looks before it takes the writer's turn.
func (b *books) Recover(ctx context.Context, actorID string, before, now time.Time, to dispatch.DeliveryStatus) (int, error) {
	over := ms(before)
	if found, err := b.reads.IsLeaseOver(ctx, sqlc.IsLeaseOverParams{ActorID: actorID, Before: &over}); err != nil || found == 0 {
		return 0, err
	}
	var n int
	err := b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		rows, err := deliveryTable.read(ctx, t.session,
			"WHERE x.actor_id = $1 AND x.leased_until < $2 ORDER BY x.position"+t.engine.forUpdate, actorID, ms(before))
		if err != nil {
			return fmt.Errorf("recover for %s: %w", actorID, err)
		}
		for _, r := range rows {
			if err := t.lose(ctx, r, to, now); err != nil {
				return err
			}
		}
		n = len(rows)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// lose ends an attempt that nobody will settle. What was uncertain stays so.
func (t *tx) lose(ctx context.Context, r sqlc.Delivery, to dispatch.DeliveryStatus, now time.Time) error {
	outcome := text(dispatch.OutcomeLost)
	if err := t.EndAttempt(ctx, sqlc.EndAttemptParams{DeliveryID: r.ID, Number: r.Attempt, Outcome: &outcome}); err != nil {
		return fmt.Errorf("attempt of %s: %w", r.ID, err)
	}
	switch {
	case dispatch.DeliveryStatus(r.Status) == dispatch.Uncertain:
		to = dispatch.Uncertain
	case dispatch.DeliveryKind(r.Kind) == dispatch.Update: // sets a status, whatever it was
		to = dispatch.Pending
	default:
	}
	reason, due := "the attempt was lost: its process ended before it was settled", ms(now)
	r.Reason, r.NextAttemptAt = &reason, &due
	return t.moveDelivery(ctx, r, to, now)
}

// moveDelivery writes a delivery that nobody holds any more, in its next status.
func (t *tx) moveDelivery(ctx context.Context, r sqlc.Delivery, to dispatch.DeliveryStatus, now time.Time) error {
	from := dispatch.DeliveryStatus(r.Status)
	if from != to && !dispatch.CanBecome(from, to) {
		return fmt.Errorf("delivery %s cannot go from %s to %s", r.ID, from, to)
	}
	r.FinishedAt = nil
	if to != dispatch.Pending && to != dispatch.Uncertain {
		at := ms(now)
		r.FinishedAt, r.NextAttemptAt = &at, nil
	}
	err := t.MoveDelivery(ctx, sqlc.MoveDeliveryParams{
		Position: r.Position, Status: text(to), Reason: r.Reason, Trying: r.Trying, NextAttemptAt: r.NextAttemptAt,
		ExternalRef: r.ExternalRef, ExternalURL: r.ExternalURL, Rendered: r.Rendered, FinishedAt: r.FinishedAt,
	})
	if err != nil {
		return fmt.Errorf("delivery %s: %w", r.ID, err)
	}
	t.noteDelivery(r.ID, from, to, now)
	if r.FinishedAt == nil {
		return nil
	}
	if err := t.release(ctx, r); err != nil {
		return fmt.Errorf("what waits for delivery %s: %w", r.ID, err)
	}
	return nil
}

// RetryDeliveries implements dispatch.QueueStore.
func (b *books) RetryDeliveries(ctx context.Context, f dispatch.Selection, anew func(dispatch.Delivery) dispatch.Delivery, by dispatch.Origin, now time.Time, limit int) ([]dispatch.Delivery, error) {
	return b.change(ctx, f, "x.status IN ('FAILED', 'CANCELED')", limit, func(ctx context.Context, t *tx, r sqlc.Delivery) error {
		if anew != nil {
			if err := t.redirect(ctx, &r, anew); err != nil {
				return err
			}
		}
		reason, due := "tried again by "+by.Name, ms(now)
		r.Reason, r.NextAttemptAt, r.Trying = &reason, &due, 0
		return t.moveDelivery(ctx, r, dispatch.Pending, now)
	})
}

// redirect makes a delivery one of the configuration as it is now.
func (t *tx) redirect(ctx context.Context, r *sqlc.Delivery, anew func(dispatch.Delivery) dispatch.Delivery) error {
	d, err := deliveryOf(*r)
	if err != nil {
		return err
	}
	d = anew(d)
	r.Rendered = nil
	err = t.Redirect(ctx, sqlc.RedirectParams{
		ID: d.ID, APIConfigVersion: wide(d.APIConfigVersion), APIConfigName: d.APIConfigName, ActorID: d.ActorID, ActorName: d.ActorName,
		OrderKey: d.OrderKey(),
	})
	if err != nil {
		return fmt.Errorf("delivery %s: %w", d.ID, err)
	}
	return nil
}

// CancelDeliveries implements dispatch.QueueStore.
func (b *books) CancelDeliveries(ctx context.Context, f dispatch.Selection, reason string, by dispatch.Origin, now time.Time, limit int) ([]dispatch.Delivery, error) {
	if reason == "" {
		reason = "canceled by " + by.Name
	}
	return b.change(ctx, f, "x.status = 'PENDING' AND x.leased_until IS NULL", limit, func(ctx context.Context, t *tx, r sqlc.Delivery) error {
		r.Reason = &reason
		return t.moveDelivery(ctx, r, dispatch.Canceled, now)
	})
}

// change moves the selected deliveries that stand in the way given, the oldest
// first, and returns them as they are then.
func (b *books) change(ctx context.Context, f dispatch.Selection, standing string, limit int,
	move func(context.Context, *tx, sqlc.Delivery) error,
) ([]dispatch.Delivery, error) {
	var changed []dispatch.Delivery
	err := b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		var args []any
		where := "WHERE " + standing + " AND " + selected(t.engine, f, &args)
		where += " ORDER BY x.position LIMIT " + arg(&args, int64(limit)) + t.engine.forUpdate
		rows, err := deliveryTable.read(ctx, t.session, where, args...)
		if err != nil {
			return fmt.Errorf("deliveries: %w", err)
		}
		ids := make([]string, len(rows))
		for i, r := range rows {
			ids[i] = r.ID
			if err := move(ctx, t, r); err != nil {
				return err
			}
		}
		if rows, err = deliveryTable.by(ctx, t.session, "id", ids, ""); err != nil {
			return err
		}
		changed, err = each(rows, deliveryOf)
		return err
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

func selected(e *engine, s dispatch.Selection, args *[]any) string {
	switch {
	case s.IDs != nil && len(s.IDs) == 0:
		return "1 = 0"
	case s.IDs != nil:
		return in("x.id", s.IDs, args)
	case s.Filter != nil:
		return conjunction(e, deliveryTests(*s.Filter), args)
	default:
		return "1 = 1"
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
