package db

import (
	"context"
	"fmt"
	"slices"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// Settle implements dispatch.QueueStore. Each settlement is a job of its own;
// all of them share a transaction when they can.
func (b *books) Settle(ctx context.Context, settlements []dispatch.Settlement) []error {
	errs := make([]error, len(settlements))
	names, err := b.settleLocks(ctx, settlements)
	if err != nil {
		return slices.Repeat([]error{err}, len(settlements))
	}
	settlements = slices.Clone(settlements) // outlives a caller that gives up
	fenced := make([]bool, len(settlements))
	err = b.writer.write(ctx, names, func(ctx context.Context, t *tx) error {
		for i, s := range settlements {
			held, err := t.settle(ctx, s)
			if err != nil {
				return fmt.Errorf("settle %s: %w", s.DeliveryID, err)
			}
			fenced[i] = !held
		}
		return nil
	})
	if err != nil && len(settlements) > 1 && ctx.Err() == nil {
		for i := range settlements {
			errs[i] = b.Settle(ctx, settlements[i:i+1])[0]
		}
		return errs
	}
	for i := range errs {
		switch {
		case err != nil:
			errs[i] = err
		case fenced[i]:
			errs[i] = fmt.Errorf("settle %s: %w", settlements[i].DeliveryID, dispatch.ErrFenced)
		}
	}
	return errs
}

// settleLocks are the locks of the tickets that settlements link, and of what
// they put on the notifications page.
func (b *books) settleLocks(ctx context.Context, settlements []dispatch.Settlement) ([]string, error) {
	var ids, notices []string
	for _, s := range settlements {
		if s.Link != nil {
			ids = append(ids, s.Link.TicketID)
		}
		notices = append(notices, noticeLocks(s.Notices...)...)
	}
	names, err := b.ticketLocks(ctx, ids)
	return append(names, notices...), err
}

// settle writes one settlement. It is not held when the attempt was overtaken;
// then only what the receiver calls it is kept.
func (t *tx) settle(ctx context.Context, s dispatch.Settlement) (held bool, err error) {
	rows, err := deliveryTable.read(ctx, t.session, "WHERE x.id = $1"+t.engine.forUpdate, s.DeliveryID)
	if err != nil {
		return false, err
	}
	if len(rows) == 0 {
		return false, nil
	}
	r := rows[0]
	if r.Attempt != wide(s.Attempt) || r.LeasedUntil == nil {
		return false, t.keepRef(ctx, s)
	}
	if err := t.endAttempt(ctx, s); err != nil {
		return false, err
	}
	if err := t.moveDelivery(ctx, settled(r, s), s.Status, s.At); err != nil {
		return false, err
	}
	return true, t.follow(ctx, r, s)
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
		Response: maybe(a.Response, clean),
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
func (t *tx) follow(ctx context.Context, r sqlc.Delivery, s dispatch.Settlement) error {
	if s.Link != nil {
		if err := t.link(ctx, r, s); err != nil {
			return fmt.Errorf("link: %w", err)
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
	return t.observe(ctx, s)
}

// link keeps the ticket's copy in the external system; a new one is told.
func (t *tx) link(ctx context.Context, r sqlc.Delivery, s dispatch.Settlement) error {
	row := linkRow(*s.Link)
	known, err := t.FindLink(ctx, sqlc.FindLinkParams{TicketID: row.TicketID, APIConfigID: row.APIConfigID, ExternalID: row.ExternalID})
	if err == nil {
		return t.ChangeLink(ctx, sqlc.ChangeLinkParams{
			ID: known.ID, ExternalURL: row.ExternalURL, ExternalStatus: row.ExternalStatus, State: row.State,
			LastError: row.LastError, LastSyncedAt: row.LastSyncedAt,
		})
	}
	if !isNone(err) {
		return err
	}
	if err := t.AddLink(ctx, sqlc.AddLinkParams(row)); err != nil {
		return err
	}
	rows, err := ticketTable.read(ctx, t.session, "WHERE x.id = $1", row.TicketID)
	if err != nil || len(rows) == 0 {
		return err
	}
	ticket, err := ticketOf(rows[0])
	if err != nil {
		return err
	}
	by := dispatch.Origin{Kind: dispatch.FromActor, Name: r.ActorName, ActorID: &r.ActorID}
	e := t.noteTicket(dispatch.EventLinked, &ticket, ticket, by, s.At)
	e.LinkID, e.DeliveryID, e.AlertID = &row.ID, &r.ID, &r.AlertID
	return nil
}

func (t *tx) fallBack(ctx context.Context, d dispatch.Delivery) error {
	t.promise(1)
	t.noteDelivery(d.ID, "", d.Status, d.CreatedAt)
	return deliveryTable.insert(ctx, t.session, []sqlc.Delivery{freshDelivery(d)})
}
