package dispatch

import "time"

// Delivery is one promise to one actor. Its ID is the same at every attempt,
// so that a receiver can tell a repeat from news. Names are kept as text, so
// that history stays readable.
type Delivery struct {
	ID               string
	Kind             DeliveryKind
	Status           DeliveryStatus
	Reason           *string // why it waits, or why it ended so
	ActionID         *string
	ActionName       *string
	APIConfigID      string
	APIConfigName    string
	APIConfigVersion int // the version that was promised
	ActorID          string
	ActorName        string
	ActorKind        string
	AlertID          string
	TicketID         *string
	AlertChange      JSON    // the fields of the alert that the action's lambdas changed; nil without any
	LinkID           *string // of an UPDATE: the copy that it is for
	FallbackOf       *string // the delivery that failed before this one was promised
	Attempt          int     // attempts so far; of a claimed delivery, the running one. It fences
	Trying           time.Duration
	LeasedUntil      *time.Time
	NextAttemptAt    *time.Time
	ExternalRef      *string
	ExternalURL      *string
	Rendered         JSON // the API config's settings as rendered at the first attempt; nil before
	CreatedAt        time.Time
	FinishedAt       *time.Time
}

// OrderKey names the line in which deliveries wait for each other: those of
// one ticket through one API config go out in the order they were promised. One
// that was promised to another actor, before the API config was moved away from
// it, holds nobody back: it may wait for a person for ever.
func (d Delivery) OrderKey() string {
	if d.TicketID == nil {
		return d.ID
	}
	return *d.TicketID + "/" + d.APIConfigID + "/" + d.ActorID
}

// DeliveryKind is what a delivery carries.
type DeliveryKind string

// The delivery kinds.
const (
	Notify DeliveryKind = "NOTIFY" // carries an alert out
	Update DeliveryKind = "UPDATE" // carries a ticket's status to a copy, as it is when it is sent
)

// DeliveryStatus is where a delivery stands.
type DeliveryStatus string

// The delivery statuses.
const (
	Pending   DeliveryStatus = "PENDING"
	Sent      DeliveryStatus = "DELIVERED"
	Failed    DeliveryStatus = "FAILED"
	Canceled  DeliveryStatus = "CANCELED"
	Skipped   DeliveryStatus = "SKIPPED"
	Uncertain DeliveryStatus = "UNCERTAIN"
)

// DeliveryMove is something that happens to a delivery.
type DeliveryMove string

// The delivery moves.
const (
	MoveDelivered     DeliveryMove = "settled delivered"
	MoveDeferred      DeliveryMove = "settled deferred"
	MoveGivenUp       DeliveryMove = "settled deferred, time is over"
	MoveRefused       DeliveryMove = "settled refused"
	MoveMisconfigured DeliveryMove = "settled misconfigured"
	MoveUncertain     DeliveryMove = "settled uncertain"
	MoveLost          DeliveryMove = "lease ran out"
	MoveResend        DeliveryMove = "uncertainty settled: send again"
	MovePark          DeliveryMove = "uncertainty settled: parked"
	MoveCancel        DeliveryMove = "canceled"
	MoveRetry         DeliveryMove = "retried by a person"
	MoveSuperseded    DeliveryMove = "a newer status is on its way"
	MoveDetached      DeliveryMove = "the copy is gone"
)

// DeliveryMoves is the table of a delivery's life: from a status, by a move, to
// the statuses it may become. Lost and uncertain sends become UNCERTAIN when
// the kind can ask or a repeat would be seen twice, else PENDING.
var DeliveryMoves = map[DeliveryStatus]map[DeliveryMove][]DeliveryStatus{
	Pending: {
		MoveDelivered: {Sent}, MoveDeferred: {Pending}, MoveGivenUp: {Failed}, MoveRefused: {Failed},
		MoveMisconfigured: {Pending}, MoveUncertain: {Uncertain, Pending}, MoveLost: {Uncertain, Pending},
		MoveCancel: {Canceled}, MoveSuperseded: {Skipped}, MoveDetached: {Skipped},
	},
	Uncertain: {
		MoveDelivered: {Sent}, MoveDeferred: {Uncertain}, MoveGivenUp: {Failed}, MoveRefused: {Failed}, MoveMisconfigured: {Uncertain},
		MoveLost: {Uncertain}, MoveResend: {Pending}, MovePark: {Failed},
	},
	Failed:   {MoveRetry: {Pending}},
	Canceled: {MoveRetry: {Pending}},
}

// CanBecome tells whether the table lets a delivery go from one status to another.
func CanBecome(from, to DeliveryStatus) bool {
	for _, targets := range DeliveryMoves[from] {
		if among(targets, to) {
			return true
		}
	}
	return false
}

// Attempt is one try to carry a delivery. Outcome is nil while it runs.
type Attempt struct {
	DeliveryID string
	Number     int
	StartedAt  time.Time
	Duration   *time.Duration
	Outcome    *OutcomeKind
	HTTPStatus *int
	Error      *string
	Request    JSON // what was sent, secrets masked
	Response   *string
	Problems   []string // what was passed over, such as a template that fell back
}

// DeliveryFilter selects deliveries; all that is given must hold, a list means any of it.
type DeliveryFilter struct {
	Statuses    []DeliveryStatus
	Kinds       []DeliveryKind
	ActorID     *string
	APIConfigID *string
	ActionID    *string
	TicketID    *string
	AlertID     *string
	Since       *time.Time // inclusive, of CreatedAt
	Until       *time.Time // exclusive
}

// Matches tells whether the filter holds for a delivery in a status.
func (f DeliveryFilter) Matches(d Delivery, status DeliveryStatus) bool {
	return among(f.Statuses, status) && among(f.Kinds, d.Kind) &&
		is(f.ActorID, &d.ActorID) && is(f.APIConfigID, &d.APIConfigID) && is(f.ActionID, d.ActionID) &&
		is(f.TicketID, d.TicketID) && is(f.AlertID, &d.AlertID) &&
		(f.Since == nil || !d.CreatedAt.Before(*f.Since)) && (f.Until == nil || d.CreatedAt.Before(*f.Until))
}

func is(want, have *string) bool { return want == nil || (have != nil && *want == *have) }

// DeliveryEvent is one change of a delivery's status. Delivery is the row as
// it is now, which may be later than the event.
type DeliveryEvent struct {
	Seq          int64
	At           time.Time
	StatusBefore *DeliveryStatus
	Status       DeliveryStatus
	Delivery     Delivery
}

// Cursor is the event's place in the ledger, as clients see it.
func (e DeliveryEvent) Cursor() string { return LedgerCursor(e.Seq) }

// Notification is a message on the server's own notifications page.
type Notification struct {
	Seq         int64 // its place in the ledger
	ID          string
	Title       string
	Message     string
	Severity    Severity
	Category    string
	SubCategory *string
	Source      string
	AlertID     *string
	TicketID    *string
	DeliveryID  *string // of the delivery that put it here; a second one with the same is the same
	CreatedAt   time.Time
	ReadAt      *time.Time
}

// Accounting is the conservation law: promised = the sum of all others.
// Promised is counted on its own, from what plans and failures promised.
type Accounting struct {
	Promised, Delivered, Pending, Uncertain, Failed, Canceled, Skipped int
	OldestPendingAt                                                    *time.Time
}

// Balances tells whether every promise is in exactly one state.
func (a Accounting) Balances() bool {
	return a.Promised == a.Delivered+a.Pending+a.Uncertain+a.Failed+a.Canceled+a.Skipped
}
