package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/dispatch"
)

// TestWatchMissesNothing: readers that come early, late, slowly or again see
// every event once and in order.
func TestWatchMissesNothing(t *testing.T) {
	onStage(t, func(s *stage) {
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		begin, err := s.desk.LedgerHead(s.t.Context())
		s.must(err)
		const tickets = 300
		early := s.follow(dispatch.LedgerCursor(begin), tickets, 0)
		slow := s.follow(dispatch.LedgerCursor(begin), tickets, time.Millisecond)
		for i := range tickets {
			s.raise("Sign-in", fmt.Sprint(i))
		}
		late := s.follow(dispatch.LedgerCursor(begin), tickets, 0)
		first := <-early
		for name, got := range map[string][]int64{"slow": <-slow, "late": <-late} {
			for i := range first {
				if got[i] != first[i] {
					t.Fatalf("the %s reader saw %d at place %d, the early one %d", name, got[i], i, first[i])
				}
			}
		}
		for i := 1; i < len(first); i++ {
			if first[i] <= first[i-1] {
				t.Fatalf("number %d after %d", first[i], first[i-1])
			}
		}
	})
}

// follow reads n openings after a cursor, leaving and coming back in the middle.
func (s *stage) follow(after string, n int, pause time.Duration) <-chan []int64 {
	out := make(chan []int64, 1)
	go func() {
		var seen []int64
		for len(seen) < n {
			ctx, cancel := context.WithCancel(context.Background())
			w, err := s.desk.WatchTickets(ctx, after, nil, []dispatch.TicketEventKind{dispatch.EventOpened})
			if err != nil {
				s.t.Error(err)
				cancel()
				break
			}
			until := min(len(seen)+n/3, n)
			for e := range w.C {
				seen, after = append(seen, e.Seq), e.Cursor()
				<-time.After(pause)
				if len(seen) == until {
					break
				}
			}
			cancel()
			for range w.C {
			}
		}
		out <- seen
	}()
	return out
}

func TestWatchRefusesStrangeCursors(t *testing.T) {
	onStage(t, func(s *stage) {
		head, err := s.desk.LedgerHead(s.t.Context())
		s.must(err)
		for cursor, want := range map[string]error{
			"no cursor": dispatch.ErrCursor, dispatch.Cursor("alerts", "x"): dispatch.ErrCursor,
			dispatch.LedgerCursor(head + 1): dispatch.ErrCursorExpired,
		} {
			if _, err := s.desk.WatchTickets(s.t.Context(), cursor, nil, nil); !errors.Is(err, want) {
				t.Errorf("cursor %q: %v, want %v", cursor, err, want)
			}
		}
	})
}

// TestWatchEnds: a watch that is left leaves nothing behind, and one on a
// ticket filter says when a ticket leaves it.
func TestWatchEnds(t *testing.T) {
	onStage(t, func(s *stage) {
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		ctx, cancel := context.WithCancel(s.t.Context())
		w, err := s.desk.WatchTickets(ctx, "", &dispatch.TicketFilter{Statuses: []dispatch.TicketStatus{dispatch.TicketOpen}},
			[]dispatch.TicketEventKind{dispatch.EventOpened, dispatch.EventStatusChanged})
		s.must(err)
		raised := s.raise("Sign-in", "bob")
		if e := <-w.C; e.Kind != dispatch.EventOpened || !e.MatchesNow {
			t.Errorf("first %s, matches now %v", e.Kind, e.MatchesNow)
		}
		_, err = s.desk.AcknowledgeTickets(s.t.Context(), admin, dispatch.TicketsInput{Tickets: []dispatch.TicketRef{{ID: *raised.TicketID}}})
		s.must(err)
		if e := <-w.C; e.Status != dispatch.TicketAcknowledged || e.MatchesNow {
			t.Errorf("then %s, matches now %v; the ticket has left the filter", e.Status, e.MatchesNow)
		}
		cancel()
		synctest.Wait()
		if _, open := <-w.C; open || w.Err() != nil {
			t.Errorf("the watch goes on, or ended with %v", w.Err())
		}
	})
}

func TestWatchHealth(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Misconfigured(errNo))
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		w, err := s.desk.WatchHealth(s.t.Context(), nil)
		s.must(err)
		s.raise("Sign-in", "bob")
		if id := <-w.C; id != dispatch.BuiltInActorID("post") {
			t.Errorf("the health of %s changed", id)
		}
	})
}

// counted are books that count how often the ledger of tickets is read.
type counted struct {
	dispatch.Store
	reads atomic.Int32
}

// TicketEventsAfter counts.
func (c *counted) TicketEventsAfter(ctx context.Context, seq int64, limit int) ([]dispatch.TicketEvent, error) {
	c.reads.Add(1)
	return c.Store.TicketEventsAfter(ctx, seq, limit)
}

// TestFirstWatcherForLong: who watches from now on does not wait for all that
// nobody has watched, and who left in between misses nothing of it.
func TestFirstWatcherForLong(t *testing.T) {
	onStage(t, func(s *stage) {
		s.rest()
		books := &counted{Store: s.store}
		s.sit(books)
		s.work()
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		begin, err := s.desk.LedgerHead(s.t.Context())
		s.must(err)
		s.watchOne("first")
		const calls, alerts = 10, 500
		key := "bob"
		for range calls {
			_, err := s.desk.RaiseAll(s.t.Context(), admin, slices.Repeat([]dispatch.RaiseAlertInput{{BehaviorModel: "Model", Summary: "again", Key: &key}}, alerts))
			s.must(err)
		}
		before := books.reads.Load()
		s.watchOne("last")
		if n := books.reads.Load() - before; n > 4 {
			t.Errorf("the ledger was read %d times for one event", n)
		}
		w, err := s.desk.WatchTickets(s.t.Context(), dispatch.LedgerCursor(begin), nil, nil)
		s.must(err)
		for range calls*alerts + 2 {
			<-w.C
		}
	})
}

// watchOne watches from now on and sees the one alert that is raised then.
func (s *stage) watchOne(summary string) {
	ctx, cancel := context.WithCancel(s.t.Context())
	w, err := s.desk.WatchTickets(ctx, "", nil, nil)
	s.must(err)
	s.raise(summary, "bob")
	<-w.C
	cancel()
	for range w.C {
	}
}
