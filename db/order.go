package db

import (
	"context"
	"math"

	"tocsin/db/internal/sqlc"
)

// held is the time of a delivery that waits for an earlier one of its order key:
// never, until that one ends. Claims then need not step over what waits, however
// much that is. It takes one writer, since else the one might end while the other
// is promised; on PostgreSQL all have their time, and a claim looks at each.
const held int64 = math.MaxInt64

func (e *engine) holdsBack() bool { return e.lock == nil }

// holdBack gives no time to deliveries that come behind another one.
func (in *intake) holdBack(ctx context.Context) error {
	if len(in.behind) == 0 || !in.t.engine.holdsBack() {
		return nil
	}
	waits, err := in.t.unfinished(ctx, in.behind)
	if err != nil {
		return err
	}
	never := held
	for i := range in.queued {
		r := &in.queued[i]
		if waits[r.OrderKey] {
			r.NextAttemptAt = &never
		}
		waits[r.OrderKey] = true
	}
	return nil
}

// unfinished tells which order keys have a delivery that has not ended.
func (t *tx) unfinished(ctx context.Context, keys []string) (map[string]bool, error) {
	found := map[string]bool{}
	for _, key := range keys {
		if _, asked := found[key]; asked {
			continue
		}
		n, err := t.IsUnfinished(ctx, key)
		if err != nil {
			return nil, err
		}
		found[key] = n > 0
	}
	return found, nil
}

// release gives its time to what waits for a delivery that has ended.
func (t *tx) release(ctx context.Context, ended sqlc.Delivery) error {
	if !t.engine.holdsBack() || ended.TicketID == nil {
		return nil
	}
	never := held
	return t.ReleaseNext(ctx, sqlc.ReleaseNextParams{Due: ended.FinishedAt, OrderKey: ended.OrderKey, Held: &never})
}

// dueAt is when a delivery is tried next; nil while it is held.
func dueAt(r sqlc.Delivery) *int64 {
	if r.NextAttemptAt != nil && *r.NextAttemptAt == held {
		return nil
	}
	return r.NextAttemptAt
}
