package db

import (
	"context"
	"fmt"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

func (t *tx) changeLink(ctx context.Context, l dispatch.TicketLink) error {
	r := linkRow(l)
	return t.ChangeLink(ctx, sqlc.ChangeLinkParams{
		ID: r.ID, TicketID: r.TicketID, ExternalURL: r.ExternalURL, ExternalStatus: r.ExternalStatus, State: r.State,
		LastError: r.LastError, LastSyncedAt: r.LastSyncedAt, RefData: r.RefData, Seen: r.Seen, SaidAt: r.SaidAt,
		WroteAt: r.WroteAt, Echoes: r.Echoes,
	})
}

func (t *tx) nameLink(ctx context.Context, l dispatch.TicketLink, also []string) error {
	for _, name := range also {
		if name == "" || name == l.ExternalID {
			continue
		}
		if err := t.NameLink(ctx, sqlc.NameLinkParams{ActorID: l.ActorID, Name: clean(name), LinkID: l.ID}); err != nil {
			return fmt.Errorf("name of link %s: %w", l.ID, err)
		}
	}
	return nil
}

// spread promises the updates that carry a ticket's status to its copies.
func (t *tx) spread(ctx context.Context, ticket dispatch.Ticket, from string, follow dispatch.Follow, now time.Time) error {
	if follow == nil {
		return nil
	}
	rows, err := linkTable.read(ctx, t.session, "WHERE x.ticket_id = $1 AND x.state <> 'DETACHED' ORDER BY x.id", ticket.ID)
	if err != nil {
		return err
	}
	links, err := each(rows, linkOf)
	if err != nil {
		return err
	}
	return t.promiseUpdates(ctx, ticket, links, from, follow, now)
}

// heal promises an update of one copy, unless one is on its way.
func (t *tx) heal(ctx context.Context, ticket dispatch.Ticket, l dispatch.TicketLink, follow dispatch.Follow, now time.Time) error {
	n, err := t.UnfinishedUpdates(ctx, &l.ID)
	if err != nil || n > 0 {
		return err
	}
	return t.promiseUpdates(ctx, ticket, []dispatch.TicketLink{l}, "", follow, now)
}

func (t *tx) promiseUpdates(ctx context.Context, ticket dispatch.Ticket, links []dispatch.TicketLink, from string, follow dispatch.Follow, now time.Time) error {
	ids := make([]string, len(links))
	for i, l := range links {
		ids[i] = l.DeliveryID
	}
	made, err := byID(ctx, t.session, deliveryTable, ids, deliveryOf, func(d dispatch.Delivery) string { return d.ID })
	if err != nil {
		return err
	}
	linked := make([]dispatch.Linked, 0, len(links))
	for _, l := range links {
		if d, ok := made[l.DeliveryID]; ok { // else it was made before links remembered that
			linked = append(linked, dispatch.Linked{TicketLink: l, Delivery: d})
		}
	}
	updates := follow(ticket, linked, from, now)
	for _, d := range updates {
		if err := t.supersede(ctx, *d.LinkID, now); err != nil {
			return err
		}
		t.noteDelivery(d.ID, "", d.Status, d.CreatedAt)
	}
	t.promise(len(updates))
	fresh := make([]sqlc.Delivery, len(updates))
	for i, d := range updates {
		fresh[i] = freshDelivery(d)
	}
	return deliveryTable.insert(ctx, t.session, fresh)
}

// supersede skips the updates of a copy that wait, since a newer one carries
// whatever the ticket's status is, and marks the copy as pending.
func (t *tx) supersede(ctx context.Context, linkID string, now time.Time) error {
	rows, err := deliveryTable.read(ctx, t.session,
		"WHERE x.link_id = $1 AND x.status = 'PENDING' AND x.leased_until IS NULL ORDER BY x.position"+t.engine.forUpdate, linkID)
	if err != nil {
		return err
	}
	reason := "a newer status is on its way"
	for _, r := range rows {
		r.Reason = &reason
		if err := t.moveDelivery(ctx, r, dispatch.Skipped, now); err != nil {
			return err
		}
	}
	return t.AwaitUpdate(ctx, linkID)
}
