package dispatch

import (
	"context"
	"errors"
	"fmt"
)

// maxTogether bounds how many tickets or deliveries one call changes by id.
const maxTogether = 100

// AcknowledgeTickets says that somebody looks after tickets. Each stands alone:
// the tickets that could be moved come with a refusal of those that could not.
func (d *Desk) AcknowledgeTickets(ctx context.Context, c Caller, in TicketsInput) ([]Ticket, error) {
	return d.move(ctx, c, "acknowledgeTickets", in, TicketAcknowledged)
}

// CloseTickets ends tickets, each on its own. What was not sent yet is canceled.
func (d *Desk) CloseTickets(ctx context.Context, c Caller, in TicketsInput) ([]Ticket, error) {
	return d.move(ctx, c, "closeTickets", in, TicketClosed)
}

// ReopenTickets opens closed tickets again, and takes an acknowledgement back,
// each on its own.
func (d *Desk) ReopenTickets(ctx context.Context, c Caller, in TicketsInput) ([]Ticket, error) {
	return d.move(ctx, c, "reopenTickets", in, TicketOpen)
}

func (d *Desk) move(ctx context.Context, c Caller, mutation string, in TicketsInput, to TicketStatus) ([]Ticket, error) {
	now := moment()
	var check checker
	check.together("tickets", len(in.Tickets))
	check.optional("comment", in.Comment, maxText)
	check.optional("idempotencyKey", in.IdempotencyKey, maxIdempotency)
	if err := refused(check.problems); err != nil {
		return nil, err
	}
	r, err := repeat(c, mutation, in.IdempotencyKey, in, now)
	if err != nil {
		return nil, err
	}
	f := d.follower()
	tickets, each, err := d.store.MoveTickets(lasting(ctx), TicketMove{
		Tickets: in.Tickets, To: to, Comment: in.Comment, By: c.Origin(), At: now, Repeat: r, Follow: f.follow,
	})
	f.ring()
	return d.moved(tickets, "tickets", each, err)
}

// moved rings for tickets that changed and gathers the refusals of the others.
func (d *Desk) moved(tickets []Ticket, field string, each []error, err error) ([]Ticket, error) {
	if err != nil {
		return nil, keyRefusal(err)
	}
	if len(tickets) > 0 {
		d.ringLedger()
	}
	var all Refusal
	done := make([]Ticket, 0, len(tickets))
	for i, err := range each {
		var refusal *Refusal
		switch {
		case err == nil:
			done = append(done, tickets[i])
		case errors.As(err, &refusal):
			for _, p := range refusal.Problems {
				p.Path = append([]string{field, fmt.Sprint(i)}, p.Path...)
				all.Problems = append(all.Problems, p)
			}
		default:
			return done, err
		}
	}
	return done, refused(all.Problems)
}

func (c *checker) together(field string, n int) {
	if n == 0 {
		c.add(CodeRequired, field, "is empty; name at least one")
	}
	if n > maxTogether {
		c.add(CodeLimitExceeded, field, fmt.Sprintf("has %d entries; give at most %d", n, maxTogether))
	}
}

// AssignTickets gives tickets to somebody, or to nobody.
func (d *Desk) AssignTickets(ctx context.Context, c Caller, in AssignTicketsInput) ([]Ticket, error) {
	var check checker
	check.together("ids", len(in.IDs))
	if in.Assignee != nil {
		check.text("assignee", *in.Assignee, maxName)
	}
	check.optional("comment", in.Comment, maxText)
	if err := refused(check.problems); err != nil {
		return nil, err
	}
	tickets, each, err := d.store.AssignTickets(lasting(ctx), in.IDs, in.Assignee, in.Comment, c.Origin(), moment())
	return d.moved(tickets, "ids", each, err)
}

// CommentOnTicket adds a line to a ticket's ledger.
func (d *Desk) CommentOnTicket(ctx context.Context, c Caller, in CommentOnTicketInput) (Ticket, error) {
	now := moment()
	var check checker
	check.text("text", in.Text, maxText)
	check.optional("idempotencyKey", in.IdempotencyKey, maxIdempotency)
	if err := refused(check.problems); err != nil {
		return Ticket{}, err
	}
	r, err := repeat(c, "commentOnTicket", in.IdempotencyKey, in, now)
	if err != nil {
		return Ticket{}, err
	}
	t, err := d.store.CommentOnTicket(lasting(ctx), in.ID, in.Text, c.Origin(), now, r)
	if errors.Is(err, ErrNotFound) {
		return Ticket{}, unknown("id", "ticket")
	}
	if err != nil {
		return Ticket{}, keyRefusal(err)
	}
	d.ringLedger()
	return t, nil
}

// MarkNotificationsRead marks those notifications, or all when ids is nil, and
// tells how many are unread then.
func (d *Desk) MarkNotificationsRead(ctx context.Context, _ Caller, ids []string) (unread int, err error) {
	var check checker
	if len(ids) > maxTogether {
		check.together("ids", len(ids))
	}
	for i, id := range ids {
		if IDPrefix(id) != PrefixNotification {
			check.add(CodeNotFound, fmt.Sprintf("ids.%d", i), "names no notification; give ids that begin with "+PrefixNotification+"_")
		}
	}
	if err := refused(check.problems); err != nil {
		return 0, err
	}
	return d.store.MarkNotificationsRead(ctx, ids, moment())
}
