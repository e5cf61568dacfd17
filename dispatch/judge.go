package dispatch

import (
	"cmp"
	"fmt"
	"time"
)

// Standing is what stands around a link when a change comes in for it.
type Standing struct {
	// IsBusy says that an update of the link is on its way.
	IsBusy bool
	// Successor is the open ticket that has taken the place of a closed one.
	Successor *Ticket
}

// Judgement is what becomes of a change that came in, for one link.
type Judgement struct {
	Link TicketLink // as it is from now on; another TicketID moves it to that ticket
	// Status is what the ticket becomes; "" leaves it.
	Status TicketStatus
	// Said goes on the ledger; "" adds no line unless Ignored says why the change
	// was not applied.
	Said    string
	Ignored string
	// Heal says that the copy is to be set to the ticket's status: the ticket
	// decides.
	Heal bool
	// Drifted says that the two sides differed without an event that told so.
	Drifted bool
}

// Judge decides over a change that came in for a link of a ticket. It is pure.
type Judge func(c StatusChange, l TicketLink, t Ticket, s Standing) Judgement

// judge makes the Judge of an actor. The rules, in their order: what is gone is
// detached; what is older than what the same system said, or than what we wrote,
// is not applied; nor is an echo, nor what the ticket is already, nor a move that
// the table does not allow. All else is applied. Tell puts what a Level says in
// words on the ledger.
func judge(actor Actor, now time.Time, tell bool) Judge {
	return func(c StatusChange, l TicketLink, t Ticket, s Standing) Judgement {
		v := Judgement{Link: l.learn(c)}
		if !c.Level || tell {
			v.Said = c.Text
		}
		switch {
		case c.Gone:
			v.Link.State = LinkDetached
			v.Said = cmp.Or(c.Text, "the copy is not there any more; nothing follows it from now on")
		case c.Status == "":
		case c.Level:
			v.level(actor, c, l, t, s, now)
		default:
			v.event(actor, c, l, t, s, now)
		}
		return v
	}
}

// learn is the link with what a change tells beside the status.
func (l TicketLink) learn(c StatusChange) TicketLink {
	if c.Word != "" {
		l.ExternalStatus = &c.Word
	}
	if c.URL != "" {
		l.ExternalURL = &c.URL
	}
	return l
}

// level compares three: how the copy stood when we last knew, how it stands, and
// how the ticket stands. What was asked before we last wrote says nothing.
func (v *Judgement) level(actor Actor, c StatusChange, l TicketLink, t Ticket, s Standing, now time.Time) {
	if s.IsBusy || (l.WroteAt != nil && !l.WroteAt.Before(c.AskedAt)) || older(c.At, l.SaidAt) {
		v.Link = l
		return
	}
	if c.Status == l.Seen {
		v.Heal = c.Status != t.Status
		v.Drifted = v.Heal
		return
	}
	v.Drifted = true
	v.apply(actor, c, t, s, now)
}

func (v *Judgement) event(actor Actor, c StatusChange, l TicketLink, t Ticket, s Standing, now time.Time) {
	var echo bool
	v.Link, echo = v.Link.echoed(c, now)
	switch {
	case older(c.At, l.SaidAt):
		v.Link.ExternalStatus = l.ExternalStatus
		v.ignore(fmt.Sprintf("older than what %s said before: of %s, and that was of %s", actor.Name, clock(c.At), clock(*l.SaidAt)))
	case echo: // the settlement says what the copy is, and may have said a later one by now
		v.said(c)
		v.ignore("an echo of what this server did there")
	case l.WroteAt != nil && !c.At.IsZero() && c.At.Before(l.WroteAt.Add(-skew)):
		v.ignore(fmt.Sprintf("older than what this server wrote there: of %s, and that was at %s", clock(c.At), clock(*l.WroteAt)))
	default:
		v.apply(actor, c, t, s, now)
		v.Heal = v.Heal || (l.WroteAt != nil && !c.At.IsZero() && c.At.Before(*l.WroteAt))
	}
}

// apply moves the ticket if it may be moved so.
func (v *Judgement) apply(actor Actor, c StatusChange, t Ticket, s Standing, now time.Time) {
	v.heard(c)
	switch {
	case !actor.Sync.In():
		v.ignore(fmt.Sprintf("the actor's sync is %s: nothing is taken in from it", actor.Sync))
		v.Heal = c.Status != t.Status
	case c.Status == t.Status:
		v.Link.State, v.Link.LastError, v.Link.LastSyncedAt = LinkInSync, nil, &now
		v.ignore("the ticket is " + string(t.Status) + " already")
	case !CanMove(t.Status, c.Status):
		v.ignore(fmt.Sprintf("a ticket cannot go from %s to %s", t.Status, c.Status))
		v.Heal = true
	case t.Status == TicketClosed && s.Successor != nil:
		v.ignore(fmt.Sprintf("ticket T-%d has taken the place of T-%d; the copy belongs to it from now on", s.Successor.Number, t.Number))
		v.Link.TicketID = s.Successor.ID
		v.Heal = c.Status != s.Successor.Status
	default:
		v.Status = c.Status
		v.Link.State, v.Link.LastError, v.Link.LastSyncedAt = LinkInSync, nil, &now
		v.Said = cmp.Or(v.Said, cmp.Or(c.By, actor.Name)+": "+cmp.Or(c.Word, string(c.Status)))
	}
}

// heard keeps what the system says that the copy is.
func (v *Judgement) heard(c StatusChange) {
	v.Link.Seen = c.Status
	v.said(c)
}

func (v *Judgement) said(c StatusChange) {
	if !c.At.IsZero() {
		v.Link.SaidAt = &c.At
	}
}

// ignore says why a change is not applied. How a copy stands, asked for by
// ourselves, is no news when nothing follows from it.
func (v *Judgement) ignore(why string) { v.Ignored = why }

func older(at time.Time, than *time.Time) bool {
	return !at.IsZero() && than != nil && at.Before(*than)
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
