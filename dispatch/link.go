package dispatch

import "time"

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
	// Wrote is the status that we last set there, and when; AwaitsEcho that it
	// has not come back as an event.
	Wrote      *TicketStatus
	WroteAt    *time.Time
	AwaitsEcho bool
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
