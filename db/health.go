package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// observe keeps what an attempt says of its actor and of its API config. A
// misconfigured API config pauses the actor; it itself is failing.
func (t *tx) observe(ctx context.Context, s dispatch.Observation) error {
	if s.Health == "" {
		return nil
	}
	actor, err := t.healthOf(ctx, s.ActorID)
	if err != nil {
		return fmt.Errorf("health of %s: %w", s.ActorID, err)
	}
	notice := s.PauseNotice
	if isWorn(*actor, s) {
		s.Health, notice = dispatch.HealthDisabled, s.DisableNotice
	}
	if notice != nil && !isHeld(*actor) {
		if err := t.notify(ctx, *notice); err != nil {
			return fmt.Errorf("notice: %w", err)
		}
	}
	if err := t.observeOne(ctx, s.ActorID, s.Health, s, nil); err != nil {
		return fmt.Errorf("health of %s: %w", s.ActorID, err)
	}
	if s.APIConfigID == "" {
		return nil
	}
	ofConfig := s.Health
	if ofConfig == dispatch.HealthPaused || ofConfig == dispatch.HealthDisabled {
		ofConfig = dispatch.HealthFailing
	}
	if err := t.observeOne(ctx, s.APIConfigID, ofConfig, s, s.Problems); err != nil {
		return fmt.Errorf("health of %s: %w", s.APIConfigID, err)
	}
	return nil
}

// observeOne keeps how an attempt ended for one of the two. What was passed
// over while it went well, such as a template that fell back, is its last error.
func (t *tx) observeOne(ctx context.Context, id string, status dispatch.HealthStatus, s dispatch.Observation, passedOver []string) error {
	h, err := t.healthOf(ctx, id)
	if err != nil {
		return err
	}
	at := ms(s.At)
	if status == dispatch.HealthHealthy {
		h.LastSuccessAt, h.LastError, h.ConsecutiveFailures = &at, nil, 0
		if len(passedOver) > 0 {
			h.LastError = given(dispatch.Cut(strings.Join(passedOver, "; "), 2000))
		}
	} else {
		h.LastError = maybe(s.Reason, clean)
		h.ConsecutiveFailures++
	}
	// Only a person ends a pause: attempts under way may still end well.
	if !isHeld(*h) && h.Status != text(status) {
		h.Status, h.Since = text(status), at
	}
	return nil
}

// isHeld tells that nothing goes to the actor until a person looks.
func isHeld(h sqlc.Health) bool {
	return h.Status == text(dispatch.HealthPaused) || h.Status == text(dispatch.HealthDisabled)
}

// isWorn tells that an actor has done nothing but fail for too long.
func isWorn(h sqlc.Health, s dispatch.Observation) bool {
	return s.DisableNotice != nil && s.Health == dispatch.HealthFailing && h.Status == text(dispatch.HealthFailing) &&
		s.At.Sub(moment(h.Since)) >= dispatch.DisableAfter
}

// Observe implements dispatch.SyncStore.
func (b *books) Observe(ctx context.Context, o dispatch.Observation) error {
	return b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error { return t.observe(ctx, o) })
}

// healthOf is the health as it stands within the transaction.
func (t *tx) healthOf(ctx context.Context, id string) (*sqlc.Health, error) {
	if h, ok := t.health[id]; ok {
		return h, nil
	}
	h, err := t.HealthOf(ctx, id)
	if err != nil && !isNone(err) {
		return nil, err
	}
	h.ID = id
	t.health[id] = &h
	return &h, nil
}

func (t *tx) flushHealth(ctx context.Context) error {
	for _, id := range sortedKeys(t.health) {
		if err := t.PutHealth(ctx, sqlc.PutHealthParams(*t.health[id])); err != nil {
			return fmt.Errorf("health of %s: %w", id, err)
		}
	}
	clear(t.health)
	return nil
}

// Resume implements dispatch.QueueStore.
func (b *books) Resume(ctx context.Context, actorID string, now time.Time) error {
	return b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		return t.EndPause(ctx, sqlc.EndPauseParams{ID: actorID, Since: ms(now)})
	})
}

// maxWaiting is where the counting of waiting deliveries stops.
const maxWaiting = 10_000

// Healths implements dispatch.QueueStore. Ids that were never tried, but have
// deliveries waiting, are answered with the status UNKNOWN.
func (b *books) Healths(ctx context.Context, ids []string) (map[string]dispatch.Health, error) {
	found := map[string]dispatch.Health{}
	err := b.snapshot(ctx, func(q *sqlc.Queries, db sqlc.DBTX) error {
		rows, err := healthTable.by(ctx, db, "id", ids, "")
		if err != nil {
			return err
		}
		for _, r := range rows {
			found[r.ID] = healthOf(r)
		}
		for _, id := range ids {
			n, err := waiting(ctx, q, id)
			if err != nil {
				return err
			}
			if h, ok := found[id]; ok || n > 0 {
				if !ok {
					h.Status = dispatch.HealthUnknown
				}
				h.WaitingDeliveries = n
				found[id] = h
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	return found, nil
}

func waiting(ctx context.Context, q *sqlc.Queries, id string) (int, error) {
	var n int64
	var err error
	if dispatch.IDPrefix(id) == dispatch.PrefixAPIConfig {
		n, err = q.CountWaitingOfAPIConfig(ctx, sqlc.CountWaitingOfAPIConfigParams{APIConfigID: id, Most: maxWaiting})
		return int(n), err
	}
	if n, err = q.CountWaitingOfActor(ctx, sqlc.CountWaitingOfActorParams{ActorID: id, Most: maxWaiting}); err != nil {
		return 0, err
	}
	leased, err := q.CountLeasedOfActor(ctx, id) // each by an index of its own
	return int(n + leased), err
}

func healthOf(r sqlc.Health) dispatch.Health {
	since := moment(r.Since)
	return dispatch.Health{
		Status: dispatch.HealthStatus(r.Status), Since: &since, LastSuccessAt: maybeMoment(r.LastSuccessAt),
		LastError: r.LastError, ConsecutiveFailures: narrow(r.ConsecutiveFailures),
	}
}
