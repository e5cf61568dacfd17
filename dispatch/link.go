package dispatch

import (
	"slices"
	"time"
)

// TicketLink is a ticket's copy in an external system.
type TicketLink struct {
	ID             string
	TicketID       string
	ActorID        string
	ActorName      string
	APIConfigID    string
	APIConfigName  string
	DeliveryID     string // of the delivery that made it
	ExternalID     string
	ExternalURL    *string
	ExternalStatus *string           // the system's own word
	Data           map[string]string // Ref.Data
	State          LinkState
	LastError      *string
	LastSyncedAt   *time.Time
	// Seen is the status that the copy was last known to have, SaidAt the
	// system's own time of the latest change that it told.
	Seen   TicketStatus
	SaidAt *time.Time
	// WroteAt is when we last set the copy's status. Echoes are the statuses
	// that we set and that have not come back as events, the oldest first.
	WroteAt *time.Time
	Echoes  []Written
}

// Written is a status that we set at a copy.
type Written struct {
	Status TicketStatus `json:"status"`
	At     time.Time    `json:"at"`
}

// LinkState says how well a link follows its ticket.
type LinkState string

// The link states.
const (
	LinkPending  LinkState = "PENDING"  // an update is on its way
	LinkInSync   LinkState = "IN_SYNC"  // the copy has the ticket's status
	LinkFailing  LinkState = "FAILING"  // the last update failed for good
	LinkDetached LinkState = "DETACHED" // the copy is not there any more; nothing follows it
)

// An echo is waited for this long; longer ones are taken for news. Clocks may
// differ by the skew.
const (
	echoPatience = 10 * time.Minute
	maxEchoes    = 8
	skew         = time.Minute
)

// Write is the link after we set a status there. Echoes are waited for where
// the system tells changes as events.
func (l TicketLink) Write(s TicketStatus, at time.Time, echoes bool) TicketLink {
	l.Seen, l.WroteAt, l.State, l.LastError, l.LastSyncedAt = s, &at, LinkInSync, nil, &at
	if !echoes {
		return l
	}
	return l.expect(s, at)
}

// made is the link after its copy was made, or made once more: an alert opens
// what is new and leaves the status of what is there, unless the receiver says
// that it is another. What was said there since the alert was promised may be
// later than the copy, whose making may have had its answer lost.
func (l TicketLink) made(d Delivery, s TicketStatus, said bool, at time.Time, echoes bool) TicketLink {
	isNew := l.WroteAt == nil
	l.State, l.LastError, l.LastSyncedAt = LinkInSync, nil, &at
	if isNew || said {
		l.Seen = s
	}
	if !isNew {
		return l
	}
	l.WroteAt = &d.CreatedAt
	if echoes {
		l = l.expect(s, at)
	}
	return l
}

// expect is the link when the echo of a status may come.
func (l TicketLink) expect(s TicketStatus, at time.Time) TicketLink {
	l.Echoes = slices.DeleteFunc(slices.Clone(l.Echoes), func(w Written) bool { return at.Sub(w.At) > echoPatience })
	if len(l.Echoes) == maxEchoes {
		l.Echoes = l.Echoes[1:]
	}
	l.Echoes = append(l.Echoes, Written{s, at})
	return l
}

// echoed tells whether a change is what we wrote ourselves and come back, and
// the link that has forgotten it. One that says who did it is not, unless it says so itself.
func (l TicketLink) echoed(c StatusChange, now time.Time) (TicketLink, bool) {
	if !c.Echo && c.By != "" {
		return l, false
	}
	i := slices.IndexFunc(l.Echoes, func(w Written) bool { return w.Status == c.Status && now.Sub(w.At) <= echoPatience })
	if i >= 0 {
		l.Echoes = slices.Clone(l.Echoes[i+1:]) // events come in order: earlier ones will not come any more
	}
	return l, c.Echo || i >= 0
}
