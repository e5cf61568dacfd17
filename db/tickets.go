package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/dispatch"
)

// ticketLocks are the locks of tickets; a dedup key never changes.
func (b *books) ticketLocks(ctx context.Context, ids []string) ([]string, error) {
	if b.engine.lock == nil {
		return nil, nil
	}
	rows, err := ticketTable.by(ctx, b.pool, "id", ids, "")
	if err != nil {
		return nil, fmt.Errorf("tickets: %w", err)
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = ticketLock(r.DedupKey)
	}
	return names, nil
}

// changeTickets changes each ticket on its own: an error of one is in its place.
func (b *books) changeTickets(ctx context.Context, ids []string, r *dispatch.Repeat, now time.Time,
	change func(ctx context.Context, t *tx, i int, ticket dispatch.OpenTicket) (dispatch.Ticket, error),
) ([]dispatch.Ticket, []error, error) {
	names, err := b.ticketLocks(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	if r != nil {
		names = append(names, repeatLock(*r))
	}
	var tickets []dispatch.Ticket
	var errs []error
	err = b.writer.write(ctx, names, func(ctx context.Context, t *tx) error {
		tickets, errs = make([]dispatch.Ticket, len(ids)), make([]error, len(ids))
		answer, err := t.repeated(ctx, r, now)
		if err != nil {
			return err
		}
		if answer != nil {
			return t.answerAgain(ctx, ids, *answer, tickets, errs)
		}
		for i, id := range ids {
			current, err := t.ticket(ctx, id)
			if err == nil {
				tickets[i], err = change(ctx, t, i, current)
			}
			if errs[i] = err; err != nil && !isRefusal(err) {
				return err
			}
		}
		return t.remember(ctx, r, encodeRefusals(errs), now)
	})
	if err != nil {
		return nil, nil, err
	}
	return tickets, errs, nil
}

// answerAgain gives the refusals of the first answer, and the tickets as they
// are now.
func (t *tx) answerAgain(ctx context.Context, ids []string, answer string, tickets []dispatch.Ticket, errs []error) error {
	refusals, err := decode[[][]dispatch.UserError]("first answer", answer)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if i < len(refusals) && refusals[i] != nil {
			errs[i] = &dispatch.Refusal{Problems: refusals[i]}
			continue
		}
		current, err := t.ticket(ctx, id)
		if err != nil {
			return err
		}
		tickets[i] = current.Ticket
	}
	return nil
}

func isRefusal(err error) bool {
	var refusal *dispatch.Refusal
	return errors.As(err, &refusal)
}

func encodeRefusals(errs []error) string {
	refusals := make([][]dispatch.UserError, len(errs))
	for i, err := range errs {
		if refusal, ok := errors.AsType[*dispatch.Refusal](err); ok {
			refusals[i] = refusal.Problems
		}
	}
	return encode(refusals)
}

func (t *tx) ticket(ctx context.Context, id string) (dispatch.OpenTicket, error) {
	rows, err := ticketTable.read(ctx, t.session, "WHERE x.id = $1", id)
	if err != nil {
		return dispatch.OpenTicket{}, fmt.Errorf("ticket %s: %w", id, err)
	}
	if len(rows) == 0 {
		return dispatch.OpenTicket{}, dispatch.Refuse(dispatch.CodeNotFound, "id", fmt.Sprintf("names no ticket: %s", id))
	}
	return openTicketOf(rows[0])
}

// MoveTickets implements dispatch.TicketStore.
func (b *books) MoveTickets(ctx context.Context, m dispatch.TicketMove) ([]dispatch.Ticket, []error, error) {
	ids := make([]string, len(m.Tickets))
	for i, ref := range m.Tickets {
		ids[i] = ref.ID
	}
	return b.changeTickets(ctx, ids, m.Repeat, m.At,
		func(ctx context.Context, t *tx, i int, ticket dispatch.OpenTicket) (dispatch.Ticket, error) {
			return t.moveTicket(ctx, m, m.Tickets[i].ExpectedVersion, "", ticket)
		})
}

// moveTicket moves a ticket; from is the link that the change came from, if any.
func (t *tx) moveTicket(ctx context.Context, m dispatch.TicketMove, expected *int, from string, ticket dispatch.OpenTicket) (dispatch.Ticket, error) {
	before := ticket.Ticket
	if before.Status == m.To {
		return before, nil
	}
	if expected != nil && *expected != before.Version {
		return before, dispatch.Refuse(dispatch.CodeConflict, "expectedVersion",
			fmt.Sprintf("is %d, but ticket T-%d has version %d by now; look at it again", *expected, before.Number, before.Version))
	}
	after, err := before.Move(m.To, m.By, m.At)
	if err != nil {
		return before, err
	}
	if before.Status == dispatch.TicketClosed {
		if err := t.mayReopen(ctx, before); err != nil {
			return before, err
		}
	}
	if err := t.ChangeTicket(ctx, changeOf(ticketRow(after, ticket.Fired))); err != nil {
		return before, fmt.Errorf("ticket %s: %w", after.ID, err)
	}
	e := t.noteTicket(dispatch.EventStatusChanged, &before, after, m.By, m.At)
	e.Body, e.LinkID = maybe(m.Comment, clean), given(from)
	if m.To == dispatch.TicketClosed {
		if err := t.cancelUnsent(ctx, after.ID, m.At); err != nil {
			return after, err
		}
	}
	return after, t.spread(ctx, after, from, m.Follow, m.At)
}

// mayReopen refuses when another ticket took the place of a closed one.
func (t *tx) mayReopen(ctx context.Context, ticket dispatch.Ticket) error {
	number, err := t.OpenTicketNumber(ctx, ticket.DedupKey)
	if isNone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ticket %s: %w", ticket.ID, err)
	}
	return dispatch.Refuse(dispatch.CodeInvalidState, "status",
		fmt.Sprintf("cannot go back to OPEN: ticket T-%d has taken the place of T-%d; work on that one, or close it first", number, ticket.Number))
}

// cancelUnsent cancels what nobody has begun to send of a closed ticket.
func (t *tx) cancelUnsent(ctx context.Context, ticketID string, now time.Time) error {
	rows, err := deliveryTable.read(ctx, t.session,
		"WHERE x.ticket_id = $1 AND x.kind = 'NOTIFY' AND x.status = 'PENDING' AND x.attempt = 0 AND x.leased_until IS NULL ORDER BY x.position"+t.engine.forUpdate, ticketID)
	if err != nil {
		return fmt.Errorf("deliveries of %s: %w", ticketID, err)
	}
	reason := "the ticket was closed"
	for _, r := range rows {
		r.Reason = &reason
		if err := t.moveDelivery(ctx, r, dispatch.Canceled, now); err != nil {
			return err
		}
	}
	return nil
}

// AssignTickets implements dispatch.TicketStore.
func (b *books) AssignTickets(ctx context.Context, ids []string, assignee, comment *string, by dispatch.Origin, now time.Time) ([]dispatch.Ticket, []error, error) {
	return b.changeTickets(ctx, ids, nil, now,
		func(ctx context.Context, t *tx, _ int, ticket dispatch.OpenTicket) (dispatch.Ticket, error) {
			before, after := ticket.Ticket, ticket.Ticket
			if same(before.Assignee, assignee) {
				return before, nil
			}
			after.Assignee, after.UpdatedAt = assignee, now
			after.Version++
			if err := t.ChangeTicket(ctx, changeOf(ticketRow(after, ticket.Fired))); err != nil {
				return before, fmt.Errorf("ticket %s: %w", after.ID, err)
			}
			e := t.noteTicket(dispatch.EventAssigned, &before, after, by, now)
			e.Body = maybe(comment, clean)
			return after, nil
		})
}

func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// CommentOnTicket implements dispatch.TicketStore. The ticket itself does not change.
func (b *books) CommentOnTicket(ctx context.Context, id, text string, by dispatch.Origin, now time.Time, r *dispatch.Repeat) (dispatch.Ticket, error) {
	tickets, errs, err := b.changeTickets(ctx, []string{id}, r, now,
		func(_ context.Context, t *tx, _ int, ticket dispatch.OpenTicket) (dispatch.Ticket, error) {
			e := t.noteTicket(dispatch.EventCommented, &ticket.Ticket, ticket.Ticket, by, now)
			body := clean(text)
			e.Body = &body
			return ticket.Ticket, nil
		})
	if err != nil {
		return dispatch.Ticket{}, err
	}
	return tickets[0], errs[0]
}
