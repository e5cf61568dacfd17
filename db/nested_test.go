package db

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tocsin/dispatch"
)

// TestFirstPagesOfTickets: the pages of many tickets at once are those of each
// alone.
func TestFirstPagesOfTickets(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		ids := []string{"tkt_none"}
		for i := range 4 {
			for range 2*i + 1 {
				raised := s.raise(s.member(fmt.Sprint("key ", i), postPage, postText))
				ids = append(ids, *raised[0].TicketID)
			}
		}
		for _, first := range []int{1, 3, 100} {
			alerts, err := s.books.AlertsOfTickets(s.ctx, ids, first)
			s.must(err)
			deliveries, err := s.books.DeliveriesOfTickets(s.ctx, ids, first)
			s.must(err)
			for _, id := range ids {
				a, err := s.books.Alerts(s.ctx, dispatch.AlertFilter{TicketID: &id}, dispatch.Page{First: first})
				s.must(err)
				if diff := cmp.Diff(a, alerts[id], cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%d alerts of %s (-alone +together): %s", first, id, diff)
				}
				d, err := s.books.Deliveries(s.ctx, dispatch.DeliveryFilter{TicketID: &id}, dispatch.Page{First: first})
				s.must(err)
				if diff := cmp.Diff(d, deliveries[id], cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%d deliveries of %s (-alone +together): %s", first, id, diff)
				}
			}
		}
	})
}
