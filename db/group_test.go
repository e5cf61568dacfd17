package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"tocsin/dispatch"
)

// hold keeps the writer busy until release, so that calls meet meanwhile.
func (s *stage) hold() (release func()) {
	s.t.Helper()
	began, gate := make(chan struct{}), make(chan struct{})
	var held sync.WaitGroup
	held.Go(func() {
		err := s.books.writer.write(s.ctx, nil, func(context.Context, *tx) error {
			close(began)
			<-gate
			return nil
		})
		if err != nil {
			s.t.Error("the held job:", err)
		}
	})
	<-began
	return func() {
		close(gate)
		held.Wait()
	}
}

// met waits until that many calls wait for the writer.
func (s *stage) met(n int) {
	w := s.books.writer
	for {
		w.mu.Lock()
		waiting := len(w.waiting)
		w.mu.Unlock()
		if waiting == n {
			return
		}
		runtime.Gosched()
	}
}

// transactions counts those that begin from now on.
func (s *stage) transactions() *int {
	n := new(int)
	begin := s.books.writer.begin
	s.books.writer.begin = func(ctx context.Context) (session, error) {
		*n++
		return begin(ctx)
	}
	return n
}

// raiseTogether raises members at the same moment, each in a call of its own.
func (s *stage) raiseTogether(members []dispatch.Raising) []dispatch.Raised {
	s.t.Helper()
	release := s.hold()
	results := make([]dispatch.Raised, len(members))
	var all sync.WaitGroup
	for i, m := range members {
		all.Go(func() { results[i] = s.books.Raise(s.ctx, []dispatch.Raising{m})[0] })
	}
	s.met(len(members))
	release()
	all.Wait()
	return results
}

func (s *stage) hundred() []dispatch.Raising {
	members := make([]dispatch.Raising, 100)
	for i := range members {
		members[i] = s.member(fmt.Sprintf("user-%d", i%40))
	}
	return members
}

func TestCallsThatMeetShareATransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		members := s.hundred()
		n := s.transactions()
		for i, r := range s.raiseTogether(members) {
			if r.Err != nil || r.AlertID != members[i].Alert.ID {
				t.Errorf("raise %d got %s, %v; want %s", i, r.AlertID, r.Err, members[i].Alert.ID)
			}
		}
		if *n != 2 { // that of the held job, and one for all
			t.Errorf("100 raises that met took %d transactions, want 1", *n-1)
		}
		if got := s.count("SELECT COUNT(*) FROM tickets"); got != 40 {
			t.Errorf("%d tickets for 40 keys", got)
		}
		if a := s.balances(); a.Promised != 100 || a.Pending != 100 {
			t.Errorf("accounting %+v, want 100 promised", a)
		}
	})
}

// TestOneBadMemberFailsAlone: what the database itself refuses of one caller is
// no other caller's business.
func TestOneBadMemberFailsAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		taken := s.raise(s.member("first"))[0]
		members := s.hundred()
		members[57].Alert.ID = taken.AlertID
		for i, r := range s.raiseTogether(members) {
			switch {
			case i == 57 && (r.Err == nil || errors.Is(r.Err, dispatch.ErrUnavailable)):
				t.Errorf("the alert whose id is taken got %v", r.Err)
			case i != 57 && r.Err != nil:
				t.Errorf("raise %d failed with its neighbor: %v", i, r.Err)
			}
		}
		if got := s.count("SELECT COUNT(*) FROM alerts"); got != 100 {
			t.Errorf("%d alerts, want 100", got)
		}
		if a := s.balances(); a.Promised != 100 {
			t.Errorf("%d deliveries promised, want 100", a.Promised)
		}
	})
}

// TestOneBadJobFailsAlone: the same for all that is no raise.
func TestOneBadJobFailsAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		release := s.hold()
		n := s.transactions()
		errs := make([]error, 20)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				id := fmt.Sprintf("ntf_%d", i)
				if i == 7 {
					id = "ntf_6"
				}
				errs[i] = s.books.writer.write(s.ctx, nil, func(ctx context.Context, t *tx) error {
					_, err := t.session.ExecContext(ctx, "INSERT INTO counters (name, value) VALUES ($1, 0)", id)
					return err
				})
			})
		}
		s.met(len(errs))
		release()
		all.Wait()
		failed := 0
		for _, err := range errs {
			if err != nil {
				failed++
			}
		}
		if failed != 1 || (errs[6] == nil) == (errs[7] == nil) {
			t.Errorf("%d of 20 jobs failed, want one of the two that write the same", failed)
		}
		if *n != 1 {
			t.Errorf("20 jobs took %d transactions, want one with a savepoint for each", *n)
		}
	})
}

func TestPanicFailsAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		members := s.hundred()
		members[3].Open = &dispatch.OpenTicket{} // no longer there, so that it is planned again
		members[3].Replan = func(*dispatch.OpenTicket) dispatch.Plan { panic("a plan that cannot be made") }
		for i, r := range s.raiseTogether(members) {
			if failed := r.Err != nil; failed != (i == 3) {
				t.Errorf("raise %d: %v", i, r.Err)
			}
			if i == 3 && !strings.Contains(r.Err.Error(), "a plan that cannot be made") {
				t.Errorf("the one that panicked heard %v", r.Err)
			}
		}
		s.raise(s.member("later")) // the writer still has a leader
		s.balances()
	})
}

// TestCallerGivesUp: he stops waiting, and does not know the outcome; what he
// asked for is done all the same.
func TestCallerGivesUp(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		m := s.member("bob")
		release := s.hold()
		ctx, giveUp := context.WithCancel(s.ctx)
		var call sync.WaitGroup
		call.Go(func() {
			r := s.books.Raise(ctx, []dispatch.Raising{m})[0]
			if !errors.Is(r.Err, dispatch.ErrOutcomeUnknown) || !errors.Is(r.Err, context.Canceled) {
				t.Errorf("who gave up heard %v", r.Err)
			}
		})
		s.met(1)
		giveUp()
		call.Wait()
		release()
		s.raise(s.member("eve"))
		if found, err := s.books.AlertsByID(s.ctx, []string{m.Alert.ID}); err != nil || len(found) != 1 {
			t.Errorf("the alert of who gave up: %v, %v", found, err)
		}
		s.balances()
	})
}

// TestNobodyWaitsForADeadDatabase: when no transaction can begin, all who wait
// hear of it after one try, not each after a try of his own.
func TestNobodyWaitsForADeadDatabase(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		members := s.hundred()
		begin, tries := s.books.writer.begin, 0
		release := s.hold()
		s.books.writer.begin = func(context.Context) (session, error) {
			tries++
			return nil, sql.ErrConnDone
		}
		var all sync.WaitGroup
		for _, m := range members {
			all.Go(func() {
				r := s.books.Raise(s.ctx, []dispatch.Raising{m})[0]
				if !errors.Is(r.Err, dispatch.ErrUnavailable) {
					t.Errorf("a caller heard %v, want ErrUnavailable", r.Err)
				}
			})
		}
		s.met(len(members))
		release()
		all.Wait()
		if tries != 1 {
			t.Errorf("%d tries to begin, want 1", tries)
		}
		s.books.writer.begin = begin
		s.raise(s.member("after")) // it has come back
	})
}

func TestClosedBooks(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		m := s.member("bob")
		release := s.hold()
		var call, closing sync.WaitGroup
		call.Go(func() {
			if r := s.books.Raise(s.ctx, []dispatch.Raising{m})[0]; r.Err != nil {
				t.Error("who came before the close heard", r.Err)
			}
		})
		s.met(1)
		closing.Go(func() { s.must(s.books.Close()) })
		release()
		call.Wait()
		closing.Wait()
		if r := s.books.Raise(s.ctx, []dispatch.Raising{m})[0]; !errors.Is(r.Err, dispatch.ErrUnavailable) {
			t.Errorf("who came after the close heard %v, want ErrUnavailable", r.Err)
		}
	})
}
