package db

import (
	"slices"
	"testing"

	"tocsin/dispatch"
)

func TestRetryDeliveries(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		all := s.queue("a", "b", "c", "d")
		claimed := s.claim(post, 3)
		s.settle(s.settlement(claimed[0], dispatch.OutcomeRefused, dispatch.Failed), s.settlement(claimed[1], dispatch.OutcomeDelivered, dispatch.Sent))
		_, err := s.books.CancelDeliveries(s.ctx, dispatch.Selection{IDs: all[3:]}, "", alice, s.now, 10)
		s.must(err)

		retried, err := s.books.RetryDeliveries(s.ctx, dispatch.Selection{IDs: append(all, "dlv_none")}, nil, alice, s.now, 10)
		s.must(err)
		if got := deliveryIDs(retried); !slices.Equal(got, []string{all[0], all[3]}) {
			t.Fatalf("retried %v, want the failed one and the canceled one of %v", got, all)
		}
		for _, d := range retried {
			if d.Status != dispatch.Pending || d.FinishedAt != nil || !d.NextAttemptAt.Equal(s.now) || *d.Reason != "tried again by alice" {
				t.Errorf("retried %+v", d)
			}
		}
		if d := s.delivery(all[0]); d.Attempt != 1 {
			t.Errorf("a retried delivery has lost count of its attempts: %d", d.Attempt)
		}
		if a := s.balances(); a.Promised != 4 || a.Pending != 3 || a.Delivered != 1 {
			t.Errorf("accounting %+v", a)
		}
	})
}

func TestCancelDeliveries(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		all := s.queue("a", "b", "c", "d", "e")
		s.claim(post, 1)
		of := dispatch.Selection{Filter: &dispatch.DeliveryFilter{Statuses: []dispatch.DeliveryStatus{dispatch.Pending}}}
		canceled, err := s.books.CancelDeliveries(s.ctx, of, "no longer needed", alice, s.now, 2)
		s.must(err)
		if got := deliveryIDs(canceled); !slices.Equal(got, all[1:3]) || *canceled[0].Reason != "no longer needed" || canceled[0].FinishedAt == nil {
			t.Errorf("canceled %+v, want the oldest two that are not leased, %v", canceled, all[1:3])
		}
		again, err := s.books.CancelDeliveries(s.ctx, dispatch.Selection{IDs: all[:3]}, "", alice, s.now, 10)
		if err != nil || len(again) != 0 {
			t.Errorf("a leased and two canceled ones were canceled: %+v, %v", again, err)
		}
		none, err := s.books.CancelDeliveries(s.ctx, dispatch.Selection{IDs: []string{}}, "", alice, s.now, 10)
		if err != nil || len(none) != 0 {
			t.Errorf("no ids canceled %+v, %v", none, err)
		}
		if a := s.balances(); a.Canceled != 2 || a.Pending != 3 {
			t.Errorf("accounting %+v", a)
		}
	})
}

func deliveryIDs(all []dispatch.Delivery) []string {
	ids := make([]string, len(all))
	for i, d := range all {
		ids[i] = d.ID
	}
	return ids
}
