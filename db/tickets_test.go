package db

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// wantRefused holds that an error is a refusal with that code.
func wantRefused(t *testing.T, err error, code dispatch.UserErrorCode) {
	t.Helper()
	var refusal *dispatch.Refusal
	if !errors.As(err, &refusal) || refusal.Problems[0].Code != code {
		t.Errorf("got %v, want a refusal with %s", err, code)
	}
}

func TestMoveTickets(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		id := *s.raise(s.member("bob"))[0].TicketID
		s.pass(time.Minute)
		comment := "mine\x00"
		tickets, errs, err := s.books.MoveTickets(s.ctx, dispatch.TicketMove{
			Tickets: refs(id, "tkt_none"), To: dispatch.TicketAcknowledged, Comment: &comment, By: alice, At: s.now,
		})
		s.must(errors.Join(err, errs[0]))
		wantRefused(t, errs[1], dispatch.CodeNotFound)
		if diff := cmp.Diff(s.ticket(id), tickets[0]); diff != "" {
			t.Error("the answer is not what is stored:", diff)
		}
		if got := tickets[0]; got.Status != dispatch.TicketAcknowledged || got.Version != 2 || *got.AcknowledgedBy != alice || !got.AcknowledgedAt.Equal(s.now) {
			t.Errorf("acknowledged: %+v", got)
		}
		s.move(dispatch.TicketAcknowledged, id) // the same again is no change and no event
		s.wantEvents(dispatch.EventOpened, dispatch.EventStatusChanged)
		if e := s.events()[1]; *e.StatusBefore != dispatch.TicketOpen || e.Status != dispatch.TicketAcknowledged || e.By != alice || *e.Text != "mine\uFFFD" || e.TicketVersion != 2 {
			t.Errorf("the ledger says %+v", e)
		}
		s.move(dispatch.TicketClosed, id)
		_, errs, err = s.books.MoveTickets(s.ctx, dispatch.TicketMove{Tickets: refs(id), To: dispatch.TicketAcknowledged, By: alice, At: s.now})
		s.must(err)
		wantRefused(t, errs[0], dispatch.CodeInvalidState)
		if got := s.move(dispatch.TicketOpen, id)[0]; got.ClosedAt != nil || got.AcknowledgedBy != nil || got.Version != 4 {
			t.Errorf("reopened: %+v", got)
		}
	})
}

func TestMoveTicketsThatMoved(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		id := *s.raise(s.member("bob"))[0].TicketID
		s.raise(s.member("bob"))
		seen := 1
		move := dispatch.TicketMove{Tickets: []dispatch.TicketRef{{ID: id, ExpectedVersion: &seen}}, To: dispatch.TicketClosed, By: alice, At: s.now}
		_, errs, err := s.books.MoveTickets(s.ctx, move)
		s.must(err)
		wantRefused(t, errs[0], dispatch.CodeConflict)
		if got := s.ticket(id); got.Status != dispatch.TicketOpen || got.Version != 2 {
			t.Errorf("after a refused move the ticket is %+v", got)
		}
		seen = 2
		_, errs, err = s.books.MoveTickets(s.ctx, move)
		s.must(errors.Join(err, errs[0]))
	})
}

// TestCloseCancelsWhatNobodyBegan: what was sent, or is being sent, stays.
func TestCloseCancelsWhatNobodyBegan(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		other := s.queue("eve")[0]
		all := s.raise(s.member("bob", postPage, postText, "cfg_3", "cfg_4"))[0]
		s.claim(post, 1) // eve's
		sent := s.claim(post, 1)[0]
		s.settle(s.settlement(sent, dispatch.OutcomeDelivered, dispatch.Sent))
		tried := s.claim(post, 1)[0]
		e := s.settlement(tried, dispatch.OutcomeDeferred, dispatch.Pending)
		later := s.now.Add(time.Hour)
		e.NextAt = &later
		s.settle(e)
		leased := s.claim(post, 1)[0]
		s.pass(time.Second)
		s.move(dispatch.TicketClosed, *all.TicketID)
		for id, want := range map[string]dispatch.DeliveryStatus{
			other: dispatch.Pending, sent.Delivery.ID: dispatch.Sent, tried.Delivery.ID: dispatch.Pending,
			leased.Delivery.ID: dispatch.Pending, all.DeliveryIDs[3]: dispatch.Canceled,
		} {
			if got := s.delivery(id); got.Status != want {
				t.Errorf("delivery through %s is %s, want %s", got.APIConfigID, got.Status, want)
			}
		}
		if d := s.delivery(all.DeliveryIDs[3]); *d.Reason != "the ticket was closed" || !d.FinishedAt.Equal(s.now) {
			t.Errorf("the canceled one: %+v", d)
		}
		s.settle(s.settlement(leased, dispatch.OutcomeDelivered, dispatch.Sent)) // its holder was not disturbed
		if a := s.balances(); a.Canceled != 1 || a.Delivered != 2 || a.Pending != 2 {
			t.Errorf("accounting %+v", a)
		}
	})
}

func TestReopenBesideAnother(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		old := *s.raise(s.member("bob"))[0].TicketID
		s.move(dispatch.TicketClosed, old)
		young := *s.raise(s.member("bob"))[0].TicketID
		if young == old {
			t.Fatal("an alert joined a closed ticket")
		}
		_, errs, err := s.books.MoveTickets(s.ctx, dispatch.TicketMove{Tickets: refs(old), To: dispatch.TicketOpen, By: alice, At: s.now})
		s.must(err)
		wantRefused(t, errs[0], dispatch.CodeInvalidState)
		if errs[0] != nil && !strings.Contains(errs[0].Error(), "T-2") {
			t.Errorf("the refusal does not name the other ticket: %v", errs[0])
		}
		s.move(dispatch.TicketClosed, young)
		s.move(dispatch.TicketOpen, old)
		if r := s.raise(s.member("bob"))[0]; *r.TicketID != old {
			t.Errorf("after the reopening an alert went to %s, want the reopened one", *r.TicketID)
		}
	})
}

// TestReopenAgainstRaise: in two processes at once, a closed ticket is reopened
// while its key opens a new one. One comes first; never are two open.
func TestReopenAgainstRaise(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		other := s.open()
		for i := range 20 {
			key := fmt.Sprint(i)
			old := *s.raise(s.member(key))[0].TicketID
			s.move(dispatch.TicketClosed, old)
			m := s.member(key)
			var both sync.WaitGroup
			both.Go(func() {
				if r := other.Raise(s.ctx, []dispatch.Raising{m})[0]; r.Err != nil {
					t.Error("raise:", r.Err)
				}
			})
			both.Go(func() {
				_, errs, err := s.books.MoveTickets(s.ctx, dispatch.TicketMove{Tickets: refs(old), To: dispatch.TicketOpen, By: alice, At: s.now})
				if err != nil {
					t.Error("reopen:", err)
				} else if errs[0] != nil {
					wantRefused(t, errs[0], dispatch.CodeInvalidState)
				}
			})
			both.Wait()
		}
		if n := s.count("SELECT COUNT(*) FROM tickets WHERE status <> 'CLOSED'"); n != 20 {
			t.Errorf("%d tickets are open, want one for each of 20 keys", n)
		}
		s.balances()
	})
}

func TestMoveRepeated(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		id := *s.raise(s.member("bob"))[0].TicketID
		move := dispatch.TicketMove{Tickets: refs(id, "tkt_none"), To: dispatch.TicketClosed, By: alice, At: s.now, Repeat: repeatOf("k", "input")}
		first, _, err := s.books.MoveTickets(s.ctx, move)
		s.must(err)
		s.move(dispatch.TicketOpen, id)
		again, errs, err := s.books.MoveTickets(s.ctx, move)
		s.must(errors.Join(err, errs[0]))
		wantRefused(t, errs[1], dispatch.CodeNotFound)
		if again[0].ID != first[0].ID || again[0].Status != dispatch.TicketOpen {
			t.Errorf("the repeat closed the ticket again: %+v", again[0])
		}
		s.wantEvents(dispatch.EventOpened, dispatch.EventStatusChanged, dispatch.EventStatusChanged)
		move.Repeat = repeatOf("k", "other")
		if _, _, err := s.books.MoveTickets(s.ctx, move); !errors.Is(err, dispatch.ErrKeyReused) {
			t.Errorf("the key with another input gave %v, want ErrKeyReused", err)
		}
	})
}

func TestAssignTickets(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		id := *s.raise(s.member("bob"))[0].TicketID
		s.pass(time.Minute)
		dana, comment := "dana", "yours"
		assign := func(to *string) dispatch.Ticket {
			t.Helper()
			tickets, errs, err := s.books.AssignTickets(s.ctx, []string{id, "tkt_none"}, to, &comment, alice, s.now)
			s.must(errors.Join(err, errs[0]))
			wantRefused(t, errs[1], dispatch.CodeNotFound)
			return tickets[0]
		}
		if got := assign(&dana); *got.Assignee != dana || got.Version != 2 || !got.UpdatedAt.Equal(s.now) {
			t.Errorf("assigned: %+v", got)
		}
		assign(&dana)
		assign(nil)
		s.wantEvents(dispatch.EventOpened, dispatch.EventAssigned, dispatch.EventAssigned)
		lines := s.events()
		if lines[1].AssigneeBefore != nil || *lines[1].Assignee != dana || *lines[1].Text != comment || *lines[2].AssigneeBefore != dana || lines[2].Assignee != nil {
			t.Errorf("the ledger says %+v", lines[1:])
		}
	})
}

func TestCommentOnTicket(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		id := *s.raise(s.member("bob"))[0].TicketID
		for range 2 {
			ticket, err := s.books.CommentOnTicket(s.ctx, id, "looks harmless", alice, s.now, repeatOf("k", "input"))
			if err != nil || ticket.ID != id || ticket.Version != 1 {
				t.Errorf("commented: %+v, %v", ticket, err)
			}
		}
		s.wantEvents(dispatch.EventOpened, dispatch.EventCommented)
		if e := s.events()[1]; *e.Text != "looks harmless" || e.By != alice {
			t.Errorf("the ledger says %+v", e)
		}
		_, err := s.books.CommentOnTicket(s.ctx, "tkt_none", "?", alice, s.now, nil)
		wantRefused(t, err, dispatch.CodeNotFound)
	})
}

func TestTicketByNumber(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		id := *s.raise(s.member("bob"))[0].TicketID
		if ticket, err := s.books.TicketByNumber(s.ctx, 1); err != nil || ticket.ID != id {
			t.Errorf("T-1 is %+v, %v", ticket, err)
		}
		if _, err := s.books.TicketByNumber(s.ctx, 2); !errors.Is(err, dispatch.ErrNotFound) {
			t.Errorf("T-2 gave %v, want ErrNotFound", err)
		}
	})
}
