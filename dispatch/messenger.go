package dispatch

import (
	"context"
	"net/http"
	"time"
)

// Messenger hands things to the outside world, once each. It is safe for many
// goroutines, obeys ctx, and keeps secrets out of what it returns.
//
// What else it can do it says by the interfaces below, and its kind by
// Capabilities.
type Messenger interface {
	Deliver(ctx context.Context, p Parcel) Outcome
}

// Tester is a messenger that can log in and send nothing. Delivered means that
// it works; any other outcome says what is wrong.
type Tester interface {
	Test(ctx context.Context) Outcome
}

// Sketcher is a messenger whose dry run says more than the first request that
// Deliver would write: what would be done to what. It writes nothing there.
type Sketcher interface {
	Sketch(ctx context.Context, p Parcel) Outcome
}

// Resolver is a messenger that can ask whether an uncertain send arrived:
// Delivered when it did, Refused when it did not, Deferred to ask again later.
type Resolver interface {
	Resolve(ctx context.Context, p Parcel) Outcome
}

// Updater is a messenger that carries a ticket's status out to what Deliver
// made. It sets the status whatever it was before, so that a repeat does no
// harm. Where the copy is not there any more, the outcome is Refused(…).Gone().
type Updater interface {
	Update(ctx context.Context, u StatusUpdate) Outcome
}

// Receiver is a messenger that takes webhooks in. It first checks that the
// request is authentic, and answers 401 when it is not, or when the actor has
// no secret to check by. A reply of 300 or more says that the changes are not
// to be taken; else they are in the books before the reply goes out, or the
// sender hears 503.
type Receiver interface {
	Receive(ctx context.Context, r Inbound) ([]StatusChange, Reply)
}

// Poller is a messenger whose system tells what has changed since a cursor of
// its own; "" at the first time. One process polls at a time.
type Poller interface {
	Poll(ctx context.Context, cursor string) (Polled, Outcome)
}

// Asker is a messenger that can be asked how copies stand now, at most 100 at a
// time. The changes are Levels; a copy that is not there any more is Gone, and
// one that could not be asked is left out.
type Asker interface {
	Ask(ctx context.Context, links []TicketLink) ([]StatusChange, Outcome)
}

// Listener is a messenger that brings changes in over a connection of its own.
type Listener interface {
	// Listens tells whether the actor's settings ask for it.
	Listens() bool
	// Listen hands changes to take until ctx ends or the connection is lost; its
	// outcome says why. An error of take means that they are not in the books.
	Listen(ctx context.Context, take func(context.Context, []StatusChange) error) Outcome
}

// Installer is a messenger that makes its own webhook subscription in the
// external system. It returns the secrets to be kept with the actor from now on.
type Installer interface {
	Install(ctx context.Context, inboundURL string) (map[string]Secret, Outcome)
}

// Parcel is a delivery with all that is needed to carry it. The alert and the
// settings are as they were promised; the ticket is as it is now.
type Parcel struct {
	DeliveryID string
	Attempt    int
	Alert      Alert
	Ticket     *Ticket // nil when the alert has none
	TicketURL  string  // "" without a ticket
	// Link is the ticket's copy that an earlier delivery through the same API
	// config made; nil at the first. A follow-up belongs beside it.
	Link     *TicketLink
	Settings any  // a pointer to the kind's ConfigSettings, templates rendered
	Test     bool // a test message asked for by a person; say so in the text
}

// StatusUpdate is a ticket's status on its way out to a copy.
type StatusUpdate struct {
	DeliveryID string
	Attempt    int
	Ticket     Ticket // as it is now; its Status is what the copy has to show
	TicketURL  string
	Alert      Alert      // the one whose delivery made the copy
	Link       TicketLink // the copy, with what Deliver said of it
	Settings   any        // as Parcel's, as they were rendered for that delivery
}

// Inbound is a request to an actor's inbound address.
type Inbound struct {
	Method string
	Header http.Header
	Query  map[string][]string
	Body   []byte // whole; at most 1 MiB
	// Known tells whether a copy of this actor goes by that name.
	Known func(ctx context.Context, name string) (bool, error)
}

// Reply is the answer to a request. The zero Reply is 202 without a body.
type Reply struct {
	Status int
	Type   string // of the body; text/plain when it is ""
	Body   string
}

// Polled is what a poll brought. When there is More, the next poll follows at
// once with the new cursor.
type Polled struct {
	Changes []StatusChange
	Cursor  string
	More    bool
}

// StatusChange is what an external system says about copies of our tickets.
type StatusChange struct {
	// EventID is the sender's id of it, the same when it is sent again; "" when
	// there is none.
	EventID string
	// At is the sender's own time of the change; zero when it is not told. What
	// is older than what the same system said before of a copy is not applied.
	At time.Time
	// Names are what the sender calls the thing: the ExternalID of a link or one
	// of its Also. Every link of the actor that goes by one of them is meant.
	Names []string
	// TicketIDs name our tickets, where the sender repeats them to us. They mean
	// the actor's links of these tickets, and only when no name is known.
	TicketIDs []string
	Status    TicketStatus // "" tells something else than a status
	Word      string       // what the system calls the status; kept with the link
	By        string       // who did it, for the ledger; "" when it is not told
	Text      string       // what else was said, for the ledger
	Also      []string     // further names of the copy, to be known from now on
	URL       string       // of the copy, if it is known now
	// Echo says that it is our own doing that comes back.
	Echo bool
	// Level says how the copy stands at AskedAt, and not that it has changed.
	Level   bool
	AskedAt time.Time // our clock, before the question was sent
	Gone    bool      // the copy is not there any more: it is detached
}
