package graph

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tocsin/dispatch"
)

// TestFaults has the books fail in each way while two fields are asked for: the
// other field is answered, the caller hears what he can do, and of what only the
// operator can mend he hears an id that is in the log.
func TestFaults(t *testing.T) {
	s := newStage(t)
	reads := s.desk.ReadStore
	for _, c := range []struct {
		name string
		fail func() error
		code string
		says string
	}{
		{"a fault", func() error { return errors.New("disk on fire at /var/lib") }, "INTERNAL", "errorId"},
		{"a panic", func() error { panic("index out of range of /var/lib") }, "INTERNAL", "errorId"},
		{"a full disk", func() error { return fmt.Errorf("write /var/lib: %w", dispatch.ErrUnavailable) }, "OVERLOADED", "ask again in a moment, with the same idempotency key"},
		{"a lost commit", func() error { return fmt.Errorf("commit on /var/lib: %w", dispatch.ErrOutcomeUnknown) }, "OUTCOME_UNKNOWN", "the same idempotency key"},
		{"a configuration that moves", func() error { return fmt.Errorf("/var/lib: %w", dispatch.ErrStale) }, "OVERLOADED", "ask again in a moment"},
		{"too slow", func() error { return fmt.Errorf("/var/lib: %w", context.DeadlineExceeded) }, "TIMEOUT", "ask for less"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.desk.ReadStore = brokenReads{reads, c.fail}
			defer func() { s.desk.ReadStore = reads }()
			answer := s.ask(dispatch.ScopeRead, `{ accounting { promised } viewer { name } }`, nil)
			contains(t, answer, `"code":"`+c.code+`"`, c.says, `"path":["accounting"]`, `"accounting":null`, `"viewer":{"name":"READ"}`, "!/var/lib")
			if c.code == "INTERNAL" {
				id, _ := s.dig(answer, "errors", "0", "extensions", "errorId").(string)
				contains(t, s.log.String(), "errorId="+id, "/var/lib")
			}
		})
	}
}

// TestObserve shows what is counted: kinds, root fields of the schema and codes,
// and nothing of the caller's words.
func TestObserve(t *testing.T) {
	s := newStage(t)
	s.mu.Lock()
	s.seen = nil
	s.mu.Unlock()
	s.ask(dispatch.ScopeRead, `query Q { words: viewer { name } server { version } }`, nil)
	s.ask(dispatch.ScopeRead, `mutation { raiseAlert(input: {behaviorModel: "m", summary: "s"}) { alertId } }`, nil)
	s.ask(dispatch.ScopeRead, `{ hunter2 }`, nil)
	s.ask(dispatch.ScopeRead, `{ hunter2`, nil)
	p := s.greeted(dispatch.ScopeRead)
	p.subscribe("a", watchTickets, nil)
	p.say(`{"id":"a","type":"complete"}`)
	p.echoed()
	_ = p.c.CloseNow()
	s.drain()
	want := []Operation{
		{Kind: "query", Fields: []string{"viewer", "server"}},
		{Kind: "mutation", Fields: []string{"raiseAlert"}, Code: "FORBIDDEN"},
		{Code: "VALIDATION_FAILED"},
		{Code: "PARSE_FAILED"},
		{Kind: "subscription", Fields: []string{"ticketEvents"}},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(want, s.seen, cmpopts.IgnoreFields(Operation{}, "Took")); diff != "" {
		t.Error("seen, -want +got:", diff)
	}
}

// TestSlowReaders has one reader of each sort fall asleep: others hear what
// happens, and the server lets the sleepers go.
func TestSlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newBubbleStage(t)
		s.furnish()
		asleep, awake := s.greeted(dispatch.ScopeRead), s.greeted(dispatch.ScopeRead)
		asleep.subscribe("a", watchTickets, s.head())
		stream := s.events(s.tokens[dispatch.ScopeRead], watchTickets, s.head())
		awake.subscribe("a", watchTickets, s.head())
		for i := range 200 {
			s.raise(fmt.Sprint("m", i))
			awake.hearsLike(fmt.Sprintf(`"key":"m%d"`, i))
		}
		<-time.After(writeTime + time.Second)
		_ = awake.c.CloseNow()
		began := time.Now()
		s.drain()
		if took := time.Since(began); took != 0 {
			t.Errorf("the sleepers held up the drain for %s", took)
		}
		for { // what had come before, and then the end
			if _, err := asleep.read(""); err != nil {
				break
			}
		}
		for {
			if _, _, ok := stream.next(); !ok {
				break
			}
		}
	})
}
