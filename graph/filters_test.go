package graph

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/dispatch"
)

// TestWideFilters: each value of a filter is work for the books, so that many
// are refused by name, on lists and on subscriptions.
func TestWideFilters(t *testing.T) {
	s := newStage(t)
	list := func(n int) string { return "[" + strings.Repeat(`"x",`, n) + "]" }
	for _, tt := range []struct{ query, says string }{
		{`{ tickets(filter: {keys: %s}) { nodes { id } } }`, "filter.keys has 101 values; give at most 100"},
		{`{ tickets(filter: {ids: %s}) { nodes { id } } }`, "filter.ids has 101 values; give at most 100"},
		{`{ tickets(filter: {behaviorModels: %s}) { nodes { id } } }`, "filter.behaviorModels has 101 values"},
		{`{ alerts(filter: {keys: %s}) { nodes { id } } }`, "filter.keys has 101 values"},
		{`{ ticketEvents(filter: {assignees: %s}) { nodes { id } } }`, "filter.assignees has 101 values"},
	} {
		if answer := s.ask(dispatch.ScopeRead, fmt.Sprintf(tt.query, list(101)), nil); !strings.Contains(answer, tt.says) || !strings.Contains(answer, "BAD_REQUEST") {
			t.Errorf("%s\nwas answered with %.300s, want %q", tt.query, answer, tt.says)
		}
		if answer := s.ask(dispatch.ScopeRead, fmt.Sprintf(tt.query, list(100)), nil); strings.Contains(answer, "errors") {
			t.Errorf("%s with 100 values was answered with %.300s", tt.query, answer)
		}
	}
	text := `{ tickets(filter: {text: "` + strings.Repeat("x", 501) + `"}) { nodes { id } } }`
	if answer := s.ask(dispatch.ScopeRead, text, nil); !strings.Contains(answer, "filter.text has 501 bytes; give at most 500") {
		t.Errorf("a long text was answered with %.300s", answer)
	}
	if err := tooWide((*struct{})(nil)); err != nil {
		t.Error(err)
	}
}
