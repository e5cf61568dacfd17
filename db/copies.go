package db

import (
	"context"
	"fmt"
	"slices"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// copies are the tickets that the settlements of a transaction touch, and their
// copies in other systems, as they stand within it: read together and, where
// they are new, written together.
type copies struct {
	t       *tx
	tickets map[string]dispatch.Ticket
	links   map[string]*dispatch.TicketLink // by id
	placed  map[spot]*dispatch.TicketLink
	fresh   []*dispatch.TicketLink // to be added by flush
}

// spot is what no two copies share.
type spot struct{ ticketID, apiConfigID, externalID string }

func spotOf(l dispatch.TicketLink) spot {
	return spot{l.TicketID, l.APIConfigID, clean(l.ExternalID)}
}

// copies reads what settlements touch.
func (t *tx) copies(ctx context.Context, all []*settling) (*copies, error) {
	c := &copies{t: t, links: map[string]*dispatch.TicketLink{}, placed: map[spot]*dispatch.TicketLink{}}
	var ids, links []string
	for _, s := range all {
		if s.TicketID == "" {
			continue
		}
		ids = append(ids, s.TicketID)
		if s.Link != nil {
			links = append(links, s.Link.ID)
		}
	}
	var err error
	if c.tickets, err = byID(ctx, t.session, ticketTable, ids, ticketOf, func(t dispatch.Ticket) string { return t.ID }); err != nil {
		return nil, err
	}
	if err := c.read(ctx, "ticket_id", ids); err != nil {
		return nil, err
	}
	// One that stands for another ticket by now is not among those of its ticket.
	return c, c.read(ctx, "id", slices.DeleteFunc(links, func(id string) bool { return c.links[id] != nil }))
}

func (c *copies) read(ctx context.Context, column string, values []string) error {
	rows, err := linkTable.by(ctx, c.t.session, column, values, "")
	if err != nil {
		return err
	}
	for _, r := range rows {
		link, err := linkOf(r)
		if err != nil {
			return err
		}
		c.keep(&link)
	}
	return nil
}

func (c *copies) keep(l *dispatch.TicketLink) {
	c.links[l.ID], c.placed[spotOf(*l)] = l, l
}

// touch writes what a settlement means for its ticket: the copy, the lines of
// the ledger, and the update that is due when the copy has another status.
func (c *copies) touch(ctx context.Context, r sqlc.Delivery, s dispatch.Settlement) error {
	ticket, ok := c.tickets[s.TicketID]
	if !ok {
		return nil
	}
	by := dispatch.Origin{Kind: dispatch.FromActor, Name: r.ActorName, ActorID: &r.ActorID}
	note := func(kind dispatch.TicketEventKind, text *string) *sqlc.TicketEvent {
		e := c.t.noteTicket(kind, &ticket, ticket, by, s.At)
		e.DeliveryID, e.AlertID, e.Body = &r.ID, &r.AlertID, maybe(text, clean)
		return e
	}
	if s.Note != "" {
		note(dispatch.EventCommented, &s.Note)
	}
	if s.Link == nil {
		return nil
	}
	link, isNew, err := c.relink(ctx, s)
	if err != nil {
		return fmt.Errorf("link: %w", err)
	}
	switch {
	case isNew:
		note(dispatch.EventLinked, nil).LinkID = &link.ID
	case dispatch.DeliveryKind(r.Kind) != dispatch.Update:
	case s.Status == dispatch.Sent:
		note(dispatch.EventSyncedOut, nil).LinkID = &link.ID
	case s.Status == dispatch.Failed || s.Status == dispatch.Skipped:
		note(dispatch.EventSyncFailed, s.Reason).LinkID = &link.ID
	default:
	}
	if s.Follow == nil || link.State != dispatch.LinkInSync || link.Seen == ticket.Status {
		return nil
	}
	return c.heal(ctx, ticket, *link, s)
}

// relink writes the copy of a settlement, a new one or the one there is.
func (c *copies) relink(ctx context.Context, s dispatch.Settlement) (link *dispatch.TicketLink, isNew bool, err error) {
	if link = c.links[s.Link.ID]; link == nil {
		link = c.placed[spotOf(*s.Link)]
	}
	if link == nil {
		made := s.Touch(*s.Link)
		c.keep(&made)
		c.fresh = append(c.fresh, &made)
		return &made, true, c.t.nameLink(ctx, made, s.Also)
	}
	*link = s.Touch(*link)
	if !slices.Contains(c.fresh, link) {
		if err := c.t.changeLink(ctx, *link); err != nil {
			return link, false, err
		}
	}
	return link, false, c.t.nameLink(ctx, *link, s.Also)
}

// heal changes the copy in the books.
func (c *copies) heal(ctx context.Context, ticket dispatch.Ticket, l dispatch.TicketLink, s dispatch.Settlement) error {
	if err := c.flush(ctx); err != nil {
		return err
	}
	if err := c.t.heal(ctx, ticket, l, s.Follow, s.At); err != nil {
		return err
	}
	return c.read(ctx, "id", []string{l.ID})
}

// flush adds the copies that are new.
func (c *copies) flush(ctx context.Context) error {
	rows := make([]sqlc.TicketLink, len(c.fresh))
	for i, l := range c.fresh {
		rows[i] = linkRow(*l)
	}
	c.fresh = nil
	if err := linkTable.insert(ctx, c.t.session, rows); err != nil {
		return fmt.Errorf("links: %w", err)
	}
	return nil
}
