package dispatch

import (
	"errors"
	"testing"
)

func TestTicketMoves(t *testing.T) {
	all := []TicketStatus{TicketOpen, TicketAcknowledged, TicketClosed}
	allowed := map[[2]TicketStatus]bool{
		{TicketOpen, TicketAcknowledged}: true, {TicketOpen, TicketClosed}: true, {TicketAcknowledged, TicketClosed}: true,
		{TicketAcknowledged, TicketOpen}: true, {TicketClosed, TicketOpen}: true,
	}
	by := Origin{Kind: FromToken, Name: "alice"}
	for _, from := range all {
		for _, to := range all {
			moved, err := Ticket{Number: 7, Status: from, Version: 3}.Move(to, by, noon)
			var refusal *Refusal
			switch {
			case allowed[[2]TicketStatus{from, to}]:
				if err != nil || moved.Status != to || moved.Version != 4 {
					t.Errorf("%s → %s gave %s version %d, %v", from, to, moved.Status, moved.Version, err)
				}
			case !errors.As(err, &refusal) || refusal.Problems[0].Code != CodeInvalidState:
				t.Errorf("%s → %s was not refused with INVALID_STATE: %v", from, to, err)
			}
		}
	}
	closed, _ := Ticket{Status: TicketOpen}.Move(TicketClosed, by, noon)
	reopened, _ := closed.Move(TicketOpen, by, noon)
	if closed.ClosedBy.Name != "alice" || reopened.ClosedAt != nil || reopened.ClosedBy != nil {
		t.Errorf("closed by %v, after reopening still %v", closed.ClosedBy, reopened.ClosedBy)
	}
}

func TestTicketJoin(t *testing.T) {
	ten, five := 10, 5
	ticket := openedBy("tkt_1", Alert{Severity: Medium, RiskScore: &ten, ReceivedAt: noon})
	joined := ticket.Join(Alert{Severity: High, RiskScore: &five, ReceivedAt: noon})
	if joined.AlertCount != 2 || joined.Severity != High || *joined.RiskScore != 10 || joined.Version != 2 {
		t.Errorf("joined ticket is %+v", joined)
	}
	if again := joined.Join(Alert{Severity: Low, ReceivedAt: noon}); again.Severity != High {
		t.Errorf("a mild alert lowered the ticket to %s", again.Severity)
	}
}

// TestFilterBothSides: a board must hear of a ticket that leaves its filter.
func TestFilterBothSides(t *testing.T) {
	open, alice, bob, no := TicketOpen, "alice", "bob", false
	acknowledged := TicketEvent{Kind: EventStatusChanged, TicketID: "tkt_1", StatusBefore: &open, Status: TicketAcknowledged, Severity: High}
	assigned := TicketEvent{Kind: EventAssigned, Status: TicketOpen, Severity: High, AssigneeBefore: &alice, Assignee: &bob}
	opened := TicketEvent{Kind: EventOpened, Status: TicketOpen, Severity: High}
	text := "tra imp"
	travel := TicketEvent{Kind: EventOpened, Status: TicketOpen, Subject: TicketSubject{Title: "Impossible Travel: seen"}}
	tests := map[string]struct {
		filter        TicketFilter
		event         TicketEvent
		after, before bool
	}{
		"leaves by status":       {TicketFilter{Statuses: []TicketStatus{TicketOpen}}, acknowledged, false, true},
		"comes in by status":     {TicketFilter{Statuses: []TicketStatus{TicketAcknowledged}}, acknowledged, true, false},
		"stays by severity":      {TicketFilter{Severities: []Severity{High}}, acknowledged, true, true},
		"leaves by assignee":     {TicketFilter{Assignees: []string{"alice"}}, assigned, false, true},
		"was never unassigned":   {TicketFilter{IsUnassigned: &no}, assigned, true, true},
		"an opening had no past": {TicketFilter{}, opened, true, false},
		"an empty list is none":  {TicketFilter{Statuses: []TicketStatus{}}, opened, false, false},
		"words begin words":      {TicketFilter{Text: &text}, travel, true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if after, before := tt.filter.Matches(tt.event, false), tt.filter.Matches(tt.event, true); after != tt.after || before != tt.before {
				t.Errorf("matches after %v, before %v; want %v, %v", after, before, tt.after, tt.before)
			}
		})
	}
}
