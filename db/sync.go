package db

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// keptEvents is how long the id of an event that came in is known; PagerDuty
// tries for 48 hours.
const keptEvents = 7 * 24 * time.Hour

// TakeIn implements dispatch.SyncStore.
func (b *books) TakeIn(ctx context.Context, in dispatch.Intake) (dispatch.TakenIn, error) {
	var ids []string
	for _, c := range in.Changes {
		links, err := linksOfChange(ctx, b.reads, b.pool, in.ActorID, c)
		if err != nil {
			return dispatch.TakenIn{}, fmt.Errorf("links: %w", err)
		}
		for _, l := range links {
			ids = append(ids, l.TicketID)
		}
	}
	names, err := b.ticketLocks(ctx, ids)
	if err != nil {
		return dispatch.TakenIn{}, err
	}
	var taken dispatch.TakenIn
	err = b.writer.write(ctx, names, func(ctx context.Context, t *tx) error {
		taken = dispatch.TakenIn{}
		if err := t.ForgetEvents(ctx, ms(in.At.Add(-keptEvents))); err != nil {
			return err
		}
		for _, c := range in.Changes {
			if err := t.takeIn(ctx, in, c, &taken); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, err
}

// linksOfChange finds the links that a change is about: by name, else those of
// the actor with the tickets that it names.
func linksOfChange(ctx context.Context, q *sqlc.Queries, db sqlc.DBTX, actorID string, c dispatch.StatusChange) ([]dispatch.TicketLink, error) {
	var ids []string
	for _, name := range c.Names {
		found, err := q.LinkIDsNamed(ctx, sqlc.LinkIDsNamedParams{ActorID: actorID, Name: clean(name)})
		if err != nil {
			return nil, err
		}
		ids = append(ids, found...)
	}
	rows, err := linkTable.by(ctx, db, "id", ids, " ORDER BY x.id")
	if err == nil && len(rows) == 0 && len(c.TicketIDs) > 0 {
		if rows, err = linkTable.by(ctx, db, "ticket_id", c.TicketIDs, " ORDER BY x.id"); err == nil {
			mine := rows[:0]
			for _, r := range rows {
				if r.ActorID == actorID {
					mine = append(mine, r)
				}
			}
			rows = mine
		}
	}
	if err != nil {
		return nil, err
	}
	return each(rows, linkOf)
}

func (t *tx) takeIn(ctx context.Context, in dispatch.Intake, c dispatch.StatusChange, taken *dispatch.TakenIn) error {
	if c.EventID != "" {
		fresh, err := t.TakeEvent(ctx, sqlc.TakeEventParams{ActorID: in.ActorID, EventID: clean(c.EventID), TakenAt: ms(in.At)})
		if err != nil {
			return err
		}
		if fresh == 0 {
			taken.Repeated++
			return nil
		}
	}
	links, err := linksOfChange(ctx, t.Queries, t.session, in.ActorID, c)
	if err != nil {
		return err
	}
	if len(links) == 0 {
		taken.Unknown++
		return t.settledYet(ctx, in.ActorID, c)
	}
	for _, l := range links {
		if l.State == dispatch.LinkDetached {
			taken.Unknown++
			continue
		}
		if err := t.takeInto(ctx, in, c, l, taken); err != nil {
			return fmt.Errorf("link %s: %w", l.ID, err)
		}
	}
	return nil
}

// settledYet is ErrUnsettled when a copy may be there that the books do not
// know yet.
func (t *tx) settledYet(ctx context.Context, actorID string, c dispatch.StatusChange) error {
	for _, id := range c.TicketIDs {
		n, err := t.IsUnsettled(ctx, sqlc.IsUnsettledParams{TicketID: &id, ActorID: actorID})
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("ticket %s: %w", id, dispatch.ErrUnsettled)
		}
	}
	return nil
}

// takeInto takes a change into one link and its ticket.
func (t *tx) takeInto(ctx context.Context, in dispatch.Intake, c dispatch.StatusChange, l dispatch.TicketLink, taken *dispatch.TakenIn) error {
	ticket, err := t.ticket(ctx, l.TicketID)
	if err != nil {
		return err
	}
	standing, err := t.standing(ctx, l, ticket.Ticket)
	if err != nil {
		return err
	}
	j := in.Judge(c, l, ticket.Ticket, standing)
	by := in.By
	by.Name = clean(cmp.Or(c.By, by.Name))
	if j.Said != "" || j.Ignored != "" {
		e := t.noteTicket(dispatch.EventSyncedIn, &ticket.Ticket, ticket.Ticket, by, in.At)
		e.LinkID, e.Body, e.IgnoredBecause = &l.ID, given(j.Said), given(j.Ignored)
	}
	count(j, taken)
	if j.Link, err = t.rehome(ctx, l, j.Link); err != nil {
		return err
	}
	if err := t.changeLink(ctx, j.Link); err != nil {
		return err
	}
	if err := t.nameLink(ctx, j.Link, c.Also); err != nil {
		return err
	}
	if j.Status != "" {
		move := dispatch.TicketMove{To: j.Status, By: by, At: in.At, Follow: in.Follow}
		if _, err := t.moveTicket(ctx, move, nil, l.ID, ticket); err != nil {
			return err
		}
	}
	if !j.Heal || in.Follow == nil {
		return nil
	}
	if ticket, err = t.ticket(ctx, j.Link.TicketID); err != nil {
		return err
	}
	return t.heal(ctx, ticket.Ticket, j.Link, in.Follow, in.At)
}

func count(j dispatch.Judgement, taken *dispatch.TakenIn) {
	switch {
	case j.Status != "":
		taken.Applied++
	case j.Ignored != "":
		taken.Ignored++
	default:
	}
	if j.Drifted {
		taken.Drifted++
	}
}

func (t *tx) standing(ctx context.Context, l dispatch.TicketLink, ticket dispatch.Ticket) (dispatch.Standing, error) {
	n, err := t.UnfinishedUpdates(ctx, &l.ID)
	s := dispatch.Standing{IsBusy: n > 0}
	if err != nil || ticket.Status != dispatch.TicketClosed {
		return s, err
	}
	rows, err := ticketTable.read(ctx, t.session, "WHERE x.dedup_key = $1 AND x.status <> 'CLOSED'", ticket.DedupKey)
	if err != nil || len(rows) == 0 {
		return s, err
	}
	successor, err := ticketOf(rows[0])
	s.Successor = &successor
	return s, err
}

// rehome lets a link move to another ticket; where that one has the same copy
// already, the link ends.
func (t *tx) rehome(ctx context.Context, before, after dispatch.TicketLink) (dispatch.TicketLink, error) {
	if before.TicketID == after.TicketID {
		return after, nil
	}
	rows, err := linkTable.read(ctx, t.session, "WHERE x.ticket_id = $1 AND x.api_config_id = $2 AND x.external_id = $3",
		after.TicketID, after.APIConfigID, after.ExternalID)
	if err == nil && len(rows) > 0 {
		after.TicketID, after.State = before.TicketID, dispatch.LinkDetached
	}
	return after, err
}

// IsNamed implements dispatch.SyncStore.
func (b *books) IsNamed(ctx context.Context, actorID, name string) (bool, error) {
	ids, err := b.reads.LinkIDsNamed(ctx, sqlc.LinkIDsNamedParams{ActorID: actorID, Name: clean(name)})
	return len(ids) > 0, err
}

// LinksToAsk implements dispatch.SyncStore.
func (b *books) LinksToAsk(ctx context.Context, actorID string, closedSince time.Time, after string, limit int) ([]dispatch.TicketLink, error) {
	at := ms(closedSince)
	rows, err := b.reads.LinksToAsk(ctx, sqlc.LinksToAskParams{ActorID: actorID, After: after, ClosedSince: &at, Most: int64(limit)})
	if err != nil {
		return nil, err
	}
	return each(rows, linkOf)
}

// BeginRound implements dispatch.SyncStore.
func (b *books) BeginRound(ctx context.Context, r dispatch.Round) (last string, begun bool, err error) {
	err = b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		begun = false
		if err := t.MakeRound(ctx, sqlc.MakeRoundParams{ActorID: r.ActorID, Name: r.Name}); err != nil {
			return err
		}
		last, err = t.BeginRound(ctx, sqlc.BeginRoundParams{ActorID: r.ActorID, Name: r.Name, Now: ms(r.Now), Until: ms(r.Until)})
		if isNone(err) {
			return nil
		}
		begun = err == nil
		return err
	})
	return last, begun, err
}

// EndRound implements dispatch.SyncStore.
func (b *books) EndRound(ctx context.Context, r dispatch.Round, last string) error {
	return b.writer.write(ctx, nil, func(ctx context.Context, t *tx) error {
		return t.EndRound(ctx, sqlc.EndRoundParams{ActorID: r.ActorID, Name: r.Name, Until: ms(r.Until), Last: clean(last), NextAt: ms(r.Next)})
	})
}
