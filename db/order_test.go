package db

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
)

// TestManyBehindOne: thousands of deliveries that wait for one of their ticket
// cost a claim nothing, hold no other ticket back, and each has its turn when the
// one before it has ended.
func TestManyBehindOne(t *testing.T) {
	const many = 3000
	s := onSQLite(t)
	var waiting []string
	for range many / 100 {
		members := make([]dispatch.Raising, 100)
		for i := range members {
			members[i] = s.member("storm")
		}
		for _, r := range s.books.Raise(s.ctx, members) {
			s.must(r.Err)
			waiting = append(waiting, r.DeliveryIDs...)
		}
	}
	other := s.queue("other")
	s.pass(time.Second)

	m := newMeter(t, strings.TrimPrefix(s.url, "sqlite:"))
	for name, a := range map[string]asked{
		"claim":   {claimSQL + " ORDER BY d.next_attempt_at, d.position LIMIT 10) SELECT position FROM due", []any{int64(0), post, ms(s.now)}},
		"nextDue": {queries(t)["NextDue"], []any{post}},
	} {
		w, err := m.run(a)
		s.must(err)
		if w.steps > 1000 {
			t.Errorf("%s takes %d steps with %d behind one", name, w.steps, many)
		}
	}
	if got := ids(s.claim(post, 10)); !slices.Equal(got, []string{waiting[0], other[0]}) {
		t.Fatalf("claimed %v, want the first of the ticket and that of the other", got)
	}
	if d := s.delivery(waiting[1]); d.NextAttemptAt != nil || d.Status != dispatch.Pending {
		t.Errorf("what waits says %s, next %v", d.Status, d.NextAttemptAt)
	}
	s.settleFirst(waiting[0], dispatch.Pending) // tried again: still the first
	if got := ids(s.claim(post, 10)); !slices.Equal(got, waiting[:1]) {
		t.Fatalf("after a failed attempt claimed %v", got)
	}
	s.settleFirst(waiting[0], dispatch.Sent)
	if got := ids(s.claim(post, 10)); !slices.Equal(got, waiting[1:2]) {
		t.Fatalf("after the first has ended claimed %v", got)
	}
	changed, err := s.books.CancelDeliveries(s.ctx, dispatch.Selection{IDs: []string{waiting[2]}}, "no", alice, s.now, 10)
	if s.must(err); len(changed) != 1 {
		t.Fatal("one that waits is not canceled")
	}
	s.settleFirst(waiting[1], dispatch.Failed)
	if got := ids(s.claim(post, 10)); !slices.Equal(got, waiting[3:4]) {
		t.Fatalf("past the canceled one claimed %v, want %s", got, fmt.Sprint(waiting[3]))
	}
	if h, err := s.books.Healths(s.ctx, []string{post}); err != nil || h[post].WaitingDeliveries != many-2-1+1 {
		t.Errorf("%d wait, %v", h[post].WaitingDeliveries, err)
	}
}

// settleFirst ends the attempt of a delivery that is out.
func (s *stage) settleFirst(id string, to dispatch.DeliveryStatus) {
	s.t.Helper()
	outcome := map[dispatch.DeliveryStatus]dispatch.OutcomeKind{
		dispatch.Pending: dispatch.OutcomeDeferred, dispatch.Sent: dispatch.OutcomeDelivered, dispatch.Failed: dispatch.OutcomeRefused,
	}[to]
	s.settle(s.settlement(dispatch.Claimed{Delivery: s.delivery(id)}, outcome, to))
}
