package dispatch

import (
	"fmt"
	"slices"
	"time"
)

// Ticket is what a person works on. While it is not closed, alerts with its
// dedup key join it.
type Ticket struct {
	ID             string
	Number         int
	Title          string
	Status         TicketStatus
	Severity       Severity // the highest of its alerts
	BehaviorModel  string
	Key            *string
	KeyType        *string
	RiskScore      *int // the highest of its alerts
	DedupKey       string
	Assignee       *string
	AlertCount     int
	LastAlertAt    *time.Time
	OpenedAt       time.Time
	AcknowledgedAt *time.Time
	AcknowledgedBy *Origin
	ClosedAt       *time.Time
	ClosedBy       *Origin
	UpdatedAt      time.Time
	Version        int
}

// TicketStatus is where a ticket stands.
type TicketStatus string

// The ticket statuses.
const (
	TicketOpen         TicketStatus = "OPEN"
	TicketAcknowledged TicketStatus = "ACKNOWLEDGED"
	TicketClosed       TicketStatus = "CLOSED"
)

// TicketMoves is the table of allowed moves: from a status to those it may
// become. The same status again is no move and no event.
var TicketMoves = map[TicketStatus][]TicketStatus{
	TicketOpen:         {TicketAcknowledged, TicketClosed},
	TicketAcknowledged: {TicketOpen, TicketClosed},
	TicketClosed:       {TicketOpen},
}

// CanMove tells whether a ticket may go from one status to another.
func CanMove(from, to TicketStatus) bool { return slices.Contains(TicketMoves[from], to) }

// Move is the ticket after a move at a time by somebody. The version grows by
// one. An error is a *Refusal that names the reason.
func (t Ticket) Move(to TicketStatus, by Origin, now time.Time) (Ticket, error) {
	if !CanMove(t.Status, to) {
		return t, Refuse(CodeInvalidState, "status", fmt.Sprintf("cannot go from %s to %s: ticket T-%d is %s", t.Status, to, t.Number, t.Status))
	}
	switch to {
	case TicketAcknowledged:
		t.AcknowledgedAt, t.AcknowledgedBy = &now, &by
	case TicketClosed:
		t.ClosedAt, t.ClosedBy = &now, &by
	case TicketOpen:
		t.AcknowledgedAt, t.AcknowledgedBy, t.ClosedAt, t.ClosedBy = nil, nil, nil, nil
	}
	t.Status, t.UpdatedAt = to, now
	t.Version++
	return t, nil
}

// Join is the ticket after one more alert joined it. The version grows by one.
func (t Ticket) Join(a Alert) Ticket {
	t.AlertCount++
	t.LastAlertAt, t.UpdatedAt = &a.ReceivedAt, a.ReceivedAt
	if a.Severity.Rank() > t.Severity.Rank() {
		t.Severity = a.Severity
	}
	if a.RiskScore != nil && (t.RiskScore == nil || *a.RiskScore > *t.RiskScore) {
		t.RiskScore = a.RiskScore
	}
	t.Version++
	return t
}

// openedBy is the ticket that an alert opens; the books number it.
func openedBy(id string, a Alert) Ticket {
	return Ticket{
		ID: id, Title: a.Summary, Status: TicketOpen, Severity: a.Severity, BehaviorModel: a.BehaviorModel,
		Key: a.Key, KeyType: a.KeyType, RiskScore: a.RiskScore, DedupKey: a.DedupKey, AlertCount: 1,
		LastAlertAt: &a.ReceivedAt, OpenedAt: a.ReceivedAt, UpdatedAt: a.ReceivedAt, Version: 1,
	}
}

// OpenTicket is what a plan sees of the ticket that an alert would join.
type OpenTicket struct {
	Ticket
	// Fired says when each action, by id, last fired for this ticket.
	Fired map[string]time.Time
}

// TicketEventKind says what happened to a ticket.
type TicketEventKind string

// The ticket event kinds. STATUS_CHANGED covers acknowledge, unacknowledge,
// close and reopen.
const (
	EventOpened          TicketEventKind = "OPENED"
	EventAlertJoined     TicketEventKind = "ALERT_JOINED"
	EventStatusChanged   TicketEventKind = "STATUS_CHANGED"
	EventSeverityChanged TicketEventKind = "SEVERITY_CHANGED"
	EventAssigned        TicketEventKind = "ASSIGNED"
	EventCommented       TicketEventKind = "COMMENTED"
	EventLinked          TicketEventKind = "LINKED"
	EventSyncedOut       TicketEventKind = "SYNCED_OUT"
	EventSyncedIn        TicketEventKind = "SYNCED_IN"
	EventSyncFailed      TicketEventKind = "SYNC_FAILED"
)

// TicketEvent is one line of a ticket's ledger. Seq is its place in the ledger
// of all; it grows in commit order. Subject holds what a filter looks at and
// what never changes in the ticket.
type TicketEvent struct {
	Seq            int64
	ID             string
	Kind           TicketEventKind
	At             time.Time
	By             Origin
	TicketID       string
	StatusBefore   *TicketStatus
	Status         TicketStatus
	SeverityBefore *Severity
	Severity       Severity
	AssigneeBefore *string // equals Assignee unless the kind is ASSIGNED
	Assignee       *string
	TicketVersion  int
	LinkID         *string
	DeliveryID     *string
	AlertID        *string
	Text           *string
	IgnoredBecause *string // of a SYNCED_IN that was not applied
	Subject        TicketSubject
	MatchesNow     bool // set by the reader, by its filter
}

// Cursor is the event's place in the ledger, as clients see it.
func (e TicketEvent) Cursor() string { return LedgerCursor(e.Seq) }

// TicketSubject is the part of a ticket that never changes and that filters look at.
type TicketSubject struct {
	Title         string
	BehaviorModel string
	Key           *string
	OpenedAt      time.Time
}

// TicketFilter selects tickets; all that is given must hold, a list means any of it.
type TicketFilter struct {
	IDs            []string
	Statuses       []TicketStatus
	Severities     []Severity
	BehaviorModels []string
	Keys           []string
	Assignees      []string
	IsUnassigned   *bool
	OpenedSince    *time.Time // inclusive
	OpenedUntil    *time.Time // exclusive
	Text           *string    // every word must begin a word of title, model or key
}

// TicketOrder is the order of a list of tickets.
type TicketOrder struct {
	Field     TicketOrderField
	Direction OrderDirection
}

// TicketOrderField is what tickets are ordered by. Only OPENED_AT is stable under writes.
type TicketOrderField string

// The ticket order fields.
const (
	ByOpenedAt  TicketOrderField = "OPENED_AT"
	ByUpdatedAt TicketOrderField = "UPDATED_AT"
	BySeverity  TicketOrderField = "SEVERITY"
)

// OrderDirection is which end of an order comes first.
type OrderDirection string

// The order directions.
const (
	Ascending  OrderDirection = "ASC"
	Descending OrderDirection = "DESC"
)

// Matches tells whether the filter holds for the ticket as it was at the event
// (after it, or before it).
func (f TicketFilter) Matches(e TicketEvent, before bool) bool {
	status, severity, assignee := e.Status, e.Severity, e.Assignee
	if before {
		if e.Kind == EventOpened {
			return false
		}
		if e.StatusBefore != nil {
			status = *e.StatusBefore
		}
		if e.SeverityBefore != nil {
			severity = *e.SeverityBefore
		}
		assignee = e.AssigneeBefore
	}
	return among(f.IDs, e.TicketID) && among(f.Statuses, status) && among(f.Severities, severity) &&
		f.matchesSubject(e.Subject) && f.matchesAssignee(assignee)
}

func (f TicketFilter) matchesSubject(s TicketSubject) bool {
	if !among(f.BehaviorModels, s.BehaviorModel) {
		return false
	}
	if f.Keys != nil && (s.Key == nil || !slices.Contains(f.Keys, *s.Key)) {
		return false
	}
	if f.OpenedSince != nil && s.OpenedAt.Before(*f.OpenedSince) {
		return false
	}
	if f.OpenedUntil != nil && !s.OpenedAt.Before(*f.OpenedUntil) {
		return false
	}
	return f.Text == nil || MatchWords(*f.Text, TicketWords(s))
}

func (f TicketFilter) matchesAssignee(assignee *string) bool {
	if f.IsUnassigned != nil && *f.IsUnassigned != (assignee == nil) {
		return false
	}
	return f.Assignees == nil || (assignee != nil && slices.Contains(f.Assignees, *assignee))
}

// among tells whether a value is in a list; an absent list holds every value,
// an empty one none.
func among[T comparable](list []T, value T) bool {
	return list == nil || slices.Contains(list, value)
}
