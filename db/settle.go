package db

import (
	"context"
	"fmt"
	"slices"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// settling is a settlement on its way into the books.
type settling struct {
	dispatch.Settlement
	isHeld bool
	err    error
}

// Settle implements dispatch.QueueStore.
func (b *books) Settle(ctx context.Context, settlements []dispatch.Settlement) []error {
	names, err := b.settleLocks(ctx, settlements)
	if err != nil {
		return slices.Repeat([]error{err}, len(settlements))
	}
	j := &job{names: names}
	for _, s := range settlements {
		j.settles = append(j.settles, &settling{Settlement: s})
	}
	if err := b.writer.do(ctx, j); err != nil {
		return slices.Repeat([]error{err}, len(settlements))
	}
	errs := make([]error, len(settlements))
	for i, s := range j.settles {
		switch {
		case s.err != nil:
			errs[i] = s.err
		case !s.isHeld:
			errs[i] = fmt.Errorf("settle %s: %w", s.DeliveryID, dispatch.ErrFenced)
		}
	}
	return errs
}

// settleLocks are the locks of the tickets that settlements touch, and of what
// they put on the notifications page.
func (b *books) settleLocks(ctx context.Context, settlements []dispatch.Settlement) ([]string, error) {
	var ids, notices []string
	for _, s := range settlements {
		if s.TicketID != "" {
			ids = append(ids, s.TicketID)
		}
		notices = append(notices, noticeLocks(s.Notices...)...)
	}
	if len(ids) == 0 {
		return notices, nil
	}
	names, err := b.ticketLocks(ctx, ids)
	return append(names, notices...), err
}

// settleAll writes the settlements of a transaction. An error fails all of them.
func (t *tx) settleAll(ctx context.Context, all []*settling) error {
	if len(all) == 0 {
		return nil
	}
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.DeliveryID
	}
	rows, err := deliveryTable.by(ctx, t.session, "id", ids, t.engine.forUpdate)
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	found := make(map[string]*sqlc.Delivery, len(rows))
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	c, err := t.copies(ctx, all)
	if err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	for _, s := range all {
		s.err, s.isHeld = nil, false
		if r := found[s.DeliveryID]; r != nil {
			if s.isHeld, err = t.settle(ctx, c, r, s.Settlement); err != nil {
				return fmt.Errorf("settle %s: %w", s.DeliveryID, err)
			}
		}
	}
	return c.flush(ctx)
}

// settle writes one settlement. It is not held when the attempt was overtaken;
// then only what the receiver calls it is kept.
func (t *tx) settle(ctx context.Context, c *copies, r *sqlc.Delivery, s dispatch.Settlement) (held bool, err error) {
	if r.Attempt != wide(s.Attempt) || r.LeasedUntil == nil {
		return false, t.keepRef(ctx, s)
	}
	if err := t.endAttempt(ctx, s); err != nil {
		return false, err
	}
	if err := t.moveDelivery(ctx, settled(*r, s), s.Status, s.At); err != nil {
		return false, err
	}
	r.LeasedUntil = nil // whoever settles the same attempt again comes too late
	return true, t.follow(ctx, c, *r, s)
}

func (t *tx) keepRef(ctx context.Context, s dispatch.Settlement) error {
	if s.Ref.ID == "" && s.Ref.URL == "" {
		return nil
	}
	return t.KeepRef(ctx, sqlc.KeepRefParams{ID: s.DeliveryID, ExternalRef: given(s.Ref.ID), ExternalURL: given(s.Ref.URL)})
}

// given is null for "".
func given(s string) *string {
	if s == "" {
		return nil
	}
	s = clean(s)
	return &s
}

func (t *tx) endAttempt(ctx context.Context, s dispatch.Settlement) error {
	a := s.Record
	var spent *int64
	if a.Duration != nil {
		us := a.Duration.Microseconds()
		spent = &us
	}
	err := t.EndAttempt(ctx, sqlc.EndAttemptParams{
		DeliveryID: s.DeliveryID, Number: wide(s.Attempt), Duration: spent, Outcome: maybe(a.Outcome, text),
		HTTPStatus: maybe(a.HTTPStatus, wide), Error: maybe(a.Error, clean), Request: maybe(rawJSON(a.Request), clean),
		Response: maybe(a.Response, clean), Problems: listed(a.Problems),
	})
	if err != nil {
		return fmt.Errorf("attempt %d: %w", s.Attempt, err)
	}
	return nil
}

// settled is the row with what a settlement says.
func settled(r sqlc.Delivery, s dispatch.Settlement) sqlc.Delivery {
	r.Reason, r.Trying, r.NextAttemptAt = maybe(s.Reason, clean), s.Trying.Milliseconds(), maybeMS(s.NextAt)
	if s.Ref.ID != "" {
		r.ExternalRef = given(s.Ref.ID)
	}
	if s.Ref.URL != "" {
		r.ExternalURL = given(s.Ref.URL)
	}
	if s.Rendered != nil {
		r.Rendered = rawJSON(s.Rendered)
	}
	return r
}

// follow writes what a settlement entails beside the delivery itself.
func (t *tx) follow(ctx context.Context, c *copies, r sqlc.Delivery, s dispatch.Settlement) error {
	if s.TicketID != "" {
		if err := c.touch(ctx, r, s); err != nil {
			return fmt.Errorf("ticket: %w", err)
		}
	}
	if s.Fallback != nil {
		if err := t.fallBack(ctx, *s.Fallback); err != nil {
			return fmt.Errorf("fallback: %w", err)
		}
	}
	for _, n := range s.Notices {
		if err := t.notify(ctx, n); err != nil {
			return fmt.Errorf("notice: %w", err)
		}
	}
	return t.observe(ctx, dispatch.Observation{
		ActorID: s.ActorID, APIConfigID: s.APIConfigID, Health: s.Health, Reason: s.Reason, Problems: s.Record.Problems, At: s.At,
		PauseNotice: s.PauseNotice, DisableNotice: s.DisableNotice,
	})
}

func (t *tx) fallBack(ctx context.Context, d dispatch.Delivery) error {
	t.promise(1)
	t.noteDelivery(d.ID, "", d.Status, d.CreatedAt)
	return deliveryTable.insert(ctx, t.session, []sqlc.Delivery{freshDelivery(d)})
}
