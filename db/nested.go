package db

import (
	"context"
	"slices"
	"strings"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// AlertsOfTickets implements dispatch.ReadStore.
func (b *books) AlertsOfTickets(ctx context.Context, ticketIDs []string, first int) (map[string]dispatch.List[dispatch.Alert], error) {
	s, _ := alertSearch(b.engine, dispatch.AlertFilter{})
	s.first = first
	return firstPages(ctx, b.pool, s, alertList, "alerts_ticket", ticketIDs, alertTable, func(r sqlc.Alert) int64 { return r.Position }, alertOf)
}

// DeliveriesOfTickets implements dispatch.ReadStore.
func (b *books) DeliveriesOfTickets(ctx context.Context, ticketIDs []string, first int) (map[string]dispatch.List[dispatch.Delivery], error) {
	s, _ := deliverySearch(b.engine, dispatch.DeliveryFilter{})
	s.first = first
	return firstPages(ctx, b.pool, s, deliveryList, "deliveries_ticket", ticketIDs, deliveryTable, func(r sqlc.Delivery) int64 { return r.Position }, deliveryOf)
}

// firstPages reads the first page of each ticket along an index that begins
// with the ticket: where the rows of all are, then the rows. Neither moves nor
// goes between the two questions.
func firstPages[R, N any](ctx context.Context, db sqlc.DBTX, s *search, name, index string, tickets []string,
	t table[R], number func(R) int64, convert func(R) (N, error),
) (map[string]dispatch.List[N], error) {
	pages := make(map[string]dispatch.List[N], len(tickets))
	for some := range slices.Chunk(tickets, maxLegs) {
		each, err := s.firstOfEach(ctx, db, index, some)
		if err != nil {
			return nil, err
		}
		lists, err := load(ctx, db, s, name, each, t, number, convert)
		if err != nil {
			return nil, err
		}
		for i, ticket := range some {
			pages[ticket] = lists[i]
		}
	}
	return pages, nil
}

// firstOfEach finds each ticket's first rows, one more than a page has.
func (s *search) firstOfEach(ctx context.Context, db sqlc.DBTX, index string, tickets []string) ([]found, error) {
	w := way{index: index, columns: []string{"ticket_id"}}
	var args []any
	parts := make([]string, len(tickets))
	for i, ticket := range tickets {
		parts[i] = s.writeLeg(w, leg{values: []any{ticket}}, i, s.first+1, &args)
	}
	rows, err := s.readKeys(ctx, db, strings.Join(parts, " UNION ALL "), args)
	if err != nil {
		return nil, err
	}
	all := make([]found, len(tickets))
	for _, r := range rows {
		all[r.leg].keys = append(all[r.leg].keys, r.key)
	}
	for _, f := range all {
		slices.SortFunc(f.keys, s.order.compare)
	}
	return all, nil
}
