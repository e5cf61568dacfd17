package dispatch

import (
	"time"
)

// SyncDirection says which way status flows between a ticket and its copies at
// an actor.
type SyncDirection string

// The sync directions.
const (
	SyncNone SyncDirection = "NONE"
	SyncOut  SyncDirection = "OUT"
	SyncIn   SyncDirection = "IN"
	SyncBoth SyncDirection = "BOTH"
)

// SyncDirections are all of them.
var SyncDirections = []SyncDirection{SyncNone, SyncOut, SyncIn, SyncBoth}

// Out tells whether status goes out.
func (s SyncDirection) Out() bool { return s == SyncOut || s == SyncBoth }

// In tells whether status comes in.
func (s SyncDirection) In() bool { return s == SyncIn || s == SyncBoth }

// Linked is a link with the delivery that made the copy.
type Linked struct {
	TicketLink
	Delivery Delivery
}

// Follow makes the deliveries that carry a ticket's status to its copies. From
// is the link that the change came from; "" when it came from here. It is pure.
type Follow func(t Ticket, links []Linked, from string, now time.Time) []Delivery

// follower follows by one configuration, and remembers whose couriers have work.
type follower struct {
	desk   *Desk
	cfg    *Configuration
	actors map[string]bool
}

func (d *Desk) follower() *follower {
	return &follower{desk: d, cfg: d.snapshot.Load(), actors: map[string]bool{}}
}

// follow is a Follow: a copy hears of a change unless its kind cannot, its
// actor's sync does not go out, it is detached, or it told the change itself and
// shows it in a place of its own.
func (f *follower) follow(t Ticket, links []Linked, from string, now time.Time) []Delivery {
	var out []Delivery
	for _, l := range links {
		actor := f.cfg.Actors[l.ActorID]
		kind, _ := f.desk.Kind(actor.Kind)
		if l.State == LinkDetached || !actor.Sync.Out() || !kind.can(CanUpdate) || (l.ID == from && !kind.Mirror) {
			continue
		}
		f.actors[l.ActorID] = true
		out = append(out, update(t, l, now))
	}
	return out
}

// ring wakes the couriers of what follows.
func (f *follower) ring() {
	for id := range f.actors {
		f.desk.bell.Ring(ringActor(id))
	}
}

// update is the delivery that carries a ticket's status to a copy, through the
// API config in the version and with the words that made the copy.
func update(t Ticket, l Linked, now time.Time) Delivery {
	made := l.Delivery
	return Delivery{
		ID: NewID(PrefixDelivery), Kind: Update, Status: Pending, ActionID: made.ActionID, ActionName: made.ActionName,
		APIConfigID: l.APIConfigID, APIConfigName: l.APIConfigName, APIConfigVersion: made.APIConfigVersion,
		ActorID: l.ActorID, ActorName: l.ActorName, ActorKind: made.ActorKind, AlertID: made.AlertID, AlertChange: made.AlertChange,
		TicketID: &t.ID, LinkID: &l.ID, Rendered: made.Rendered, NextAttemptAt: &now, CreatedAt: now,
	}
}
