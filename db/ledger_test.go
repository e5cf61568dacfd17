package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// follower reads the four topics of the ledger from where it has come.
type follower struct {
	books                                             *books
	tickets, deliveries, configuration, notifications int64
	seen                                              []int64
}

// read reads what is new and holds that, up to the head as it was before, no
// number is missing, and that none appears behind what was read.
func (f *follower) read(s *stage, limit int) error {
	head, err := f.books.LedgerHead(s.ctx)
	if err != nil {
		return err
	}
	for {
		before := len(f.seen)
		err := errors.Join(
			follow(s.ctx, f, &f.tickets, limit, f.books.TicketEventsAfter, func(e dispatch.TicketEvent) int64 { return e.Seq }),
			follow(s.ctx, f, &f.deliveries, limit, f.books.DeliveryEventsAfter, func(e dispatch.DeliveryEvent) int64 { return e.Seq }),
			follow(s.ctx, f, &f.configuration, limit, f.books.ConfigurationEventsAfter, func(e dispatch.ConfigurationEvent) int64 { return e.Seq }),
			follow(s.ctx, f, &f.notifications, limit, f.books.NotificationsAfter, func(n dispatch.Notification) int64 { return n.Seq }),
		)
		if err != nil {
			return err
		}
		if len(f.seen) == before {
			break
		}
	}
	slices.Sort(f.seen)
	for i := range min(int64(len(f.seen)), head) {
		if f.seen[i] != i+1 {
			return fmt.Errorf("the head was %d, but number %d is not to be seen", head, i+1)
		}
	}
	if int64(len(f.seen)) < head {
		return fmt.Errorf("the head was %d, but only %d lines are to be seen", head, len(f.seen))
	}
	return nil
}

// follow reads one batch of a topic.
func follow[T any](ctx context.Context, f *follower, at *int64, limit int, read func(context.Context, int64, int) ([]T, error), seq func(T) int64) error {
	lines, err := read(ctx, *at, limit)
	for _, line := range lines {
		if seq(line) <= *at {
			return fmt.Errorf("line %d came after %d", seq(line), *at)
		}
		*at = seq(line)
		f.seen = append(f.seen, *at)
	}
	return err
}

// TestLedgerInCommitOrder: two processes write, as fast as they can; followers
// of both read along, and whatever number they have passed, nothing comes behind.
func TestLedgerInCommitOrder(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		stores := []*books{s.books, s.open()}
		var writers, followers sync.WaitGroup
		ended := make(chan struct{})
		for i := range 8 {
			b := stores[i%2]
			writers.Go(func() {
				for j := range 12 {
					n := s.notification(nil)
					members := []dispatch.Raising{s.member(fmt.Sprint(j)), s.member(fmt.Sprint(i))}
					for _, r := range b.Raise(s.ctx, members) {
						if r.Err != nil {
							t.Error("raise:", r.Err)
						}
					}
					if err := b.AddNotification(s.ctx, n); err != nil {
						t.Error("notification:", err)
					}
				}
			})
		}
		all := make([]follower, 4)
		for i := range all {
			all[i].books = stores[i%2]
			followers.Go(func() {
				for {
					if err := all[i].read(s, 1+7*i); err != nil {
						t.Error("follower:", err)
						return
					}
					select {
					case <-ended:
						return
					default:
					}
				}
			})
		}
		writers.Wait()
		close(ended)
		followers.Wait()
		head, err := s.books.LedgerHead(s.ctx)
		s.must(err)
		for i := range all {
			s.must(all[i].read(s, 100))
			if int64(len(all[i].seen)) != head || head < 8*12*5 {
				t.Errorf("follower %d has seen %d lines of %d", i, len(all[i].seen), head)
			}
		}
		s.balances()
	})
}

// TestLedgerHasNoHoles: what is refused or rolled back takes no number.
func TestLedgerHasNoHoles(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		taken := s.raise(s.member("a"))[0]
		members := s.hundred()
		for i := range members {
			if i%3 == 0 {
				members[i].Alert.ID = taken.AlertID
			}
		}
		s.raiseTogether(members)
		s.must((&follower{books: s.books}).read(s, 1000))
	})
}

func TestLedgerTellsTheWholeStory(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		m := newModel("One")
		version, err := s.books.ConfigurationVersion(s.ctx)
		s.must(err)
		event := dispatch.ConfigurationEvent{At: s.now, By: alice, Kind: dispatch.Created, Type: dispatch.TypeBehaviorModel, TargetID: m.ID, TargetName: m.Name, Version: 1}
		_, err = s.books.Configure(s.ctx, dispatch.ConfigurationChange{
			Base: version, At: s.now, By: alice, Put: dispatch.Nouns{BehaviorModels: []dispatch.BehaviorModel{m}}, Events: []dispatch.ConfigurationEvent{event},
		})
		s.must(err)
		id := s.queue("bob")[0]
		s.settle(s.settlement(s.claim(post, 1)[0], dispatch.OutcomeDelivered, dispatch.Sent))
		s.must(s.books.AddNotification(s.ctx, s.notification(nil)))

		changes, err := s.books.ConfigurationEventsAfter(s.ctx, 0, 10)
		s.must(err)
		event.Seq = 1
		if diff := cmp.Diff([]dispatch.ConfigurationEvent{event}, changes); diff != "" {
			t.Error("configuration:", diff)
		}
		deliveries, err := s.books.DeliveryEventsAfter(s.ctx, 0, 10)
		s.must(err)
		if len(deliveries) != 2 || deliveries[0].StatusBefore != nil || deliveries[0].Status != dispatch.Pending ||
			*deliveries[1].StatusBefore != dispatch.Pending || deliveries[1].Status != dispatch.Sent || deliveries[1].Delivery.ID != id {
			t.Errorf("deliveries: %+v", deliveries)
		}
		after, err := s.books.DeliveryEventsAfter(s.ctx, deliveries[0].Seq, 10)
		if err != nil || len(after) != 1 || after[0].Seq != deliveries[1].Seq {
			t.Errorf("after the first: %+v, %v", after, err)
		}
		if few, err := s.books.DeliveryEventsAfter(s.ctx, 0, 1); err != nil || len(few) != 1 {
			t.Errorf("at most one: %+v, %v", few, err)
		}
		lines := s.events()
		if len(lines) != 1 || lines[0].Subject.Title != "Sign-in of bob" || *lines[0].Subject.Key != "bob" || !lines[0].Subject.OpenedAt.Equal(s.now) || !lines[0].MatchesNow {
			t.Errorf("tickets: %+v", lines)
		}
		byID, err := s.books.TicketEventsByID(s.ctx, []string{lines[0].ID, "evt_none"})
		if diff := cmp.Diff(map[string]dispatch.TicketEvent{lines[0].ID: lines[0]}, byID); diff != "" || err != nil {
			t.Error("by id:", err, diff)
		}
		_, head, err := s.books.Tickets(s.ctx, dispatch.TicketFilter{}, dispatch.TicketOrder{}, dispatch.Page{First: 1})
		if now, _ := s.books.LedgerHead(s.ctx); err != nil || head != now || head != 5 {
			t.Errorf("a list of tickets says that the head is %d, %v; it is %d", head, err, now)
		}
	})
}

func TestCursorExpired(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		for range 10 {
			s.must(s.books.AddNotification(s.ctx, s.notification(nil)))
		}
		s.change("UPDATE meta SET min_retained_seq = 4")
		for seq, kept := range map[int64]bool{0: false, 3: false, 4: true, 10: true, 11: false} {
			reads := map[string]error{}
			_, reads["tickets"] = s.books.TicketEventsAfter(s.ctx, seq, 10)
			_, reads["deliveries"] = s.books.DeliveryEventsAfter(s.ctx, seq, 10)
			_, reads["configuration"] = s.books.ConfigurationEventsAfter(s.ctx, seq, 10)
			_, reads["notifications"] = s.books.NotificationsAfter(s.ctx, seq, 10)
			_, reads["list"] = s.books.TicketEvents(s.ctx, dispatch.TicketEventFilter{}, dispatch.Ascending, dispatch.Page{First: 10, After: dispatch.LedgerCursor(seq)})
			for topic, err := range reads {
				if (kept && err != nil) || (!kept && !errors.Is(err, dispatch.ErrCursorExpired)) {
					t.Errorf("%s after %d: %v", topic, seq, err)
				}
			}
		}
	})
}
