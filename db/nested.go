package db

import (
	"context"
	"encoding/json"
	"slices"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// nest is how the first rows of what belongs to each of many tickets are found:
// along an index that begins with the ticket, in the order of the list.
type nest[R, N any] struct {
	list    string
	index   string
	table   table[R]
	order   order
	key     func(R) key
	ticket  func(R) *string
	convert func(R) (N, error)
}

// AlertsOfTickets implements dispatch.ReadStore.
func (b *books) AlertsOfTickets(ctx context.Context, ticketIDs []string, first int) (map[string]dispatch.List[dispatch.Alert], error) {
	return firstPages(ctx, b, ticketIDs, first, nest[sqlc.Alert, dispatch.Alert]{
		list: alertList, index: "alerts_ticket", table: alertColumns(ctx), order: alertOrder, convert: alertOf,
		key:    func(r sqlc.Alert) key { return key{0, r.ReceivedAt, r.Position} },
		ticket: func(r sqlc.Alert) *string { return r.TicketID },
	})
}

// DeliveriesOfTickets implements dispatch.ReadStore.
func (b *books) DeliveriesOfTickets(ctx context.Context, ticketIDs []string, first int) (map[string]dispatch.List[dispatch.Delivery], error) {
	return firstPages(ctx, b, ticketIDs, first, nest[sqlc.Delivery, dispatch.Delivery]{
		list: deliveryList, index: "deliveries_ticket", table: deliveryColumns(ctx), order: deliveryOrder, convert: deliveryOf,
		key:    func(r sqlc.Delivery) key { return key{0, r.CreatedAt, r.Position} },
		ticket: func(r sqlc.Delivery) *string { return r.TicketID },
	})
}

// firstPages reads the first page of each ticket with one statement, which is
// the same for any number of them.
func firstPages[R, N any](ctx context.Context, b *books, tickets []string, first int, n nest[R, N]) (map[string]dispatch.List[N], error) {
	tickets = slices.Compact(slices.Sorted(slices.Values(tickets)))
	ids, err := json.Marshal(tickets)
	if err != nil {
		return nil, err
	}
	rows := make(map[string][]R, len(tickets))
	_, err = once(ctx, b, func(db sqlc.DBTX) (struct{}, error) {
		statement := b.engine.firstOfEach(n.table.list("x"), n.table.name, n.index, n.order)
		return struct{}{}, n.table.scan(ctx, db, statement, []any{string(ids), int64(first + 1)}, func(row R) error {
			ticket := *n.ticket(row)
			rows[ticket] = append(rows[ticket], row)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	pages := make(map[string]dispatch.List[N], len(tickets))
	for _, ticket := range tickets {
		if pages[ticket], err = n.page(ctx, rows[ticket], first); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// page makes a page of a ticket's rows, which are one more when there are more.
func (n nest[R, N]) page(ctx context.Context, rows []R, first int) (l dispatch.List[N], err error) {
	slices.SortFunc(rows, func(a, b R) int { return n.order.compare(n.key(a), n.key(b)) })
	keys := make([]key, len(rows))
	for i, r := range rows {
		keys[i] = n.key(r)
	}
	s := search{first: first}
	l = pageOf[N](ctx, s.cut(found{keys: keys}), n.list)
	for i := range l.Items {
		if l.Items[i], err = n.convert(rows[i]); err != nil {
			return l, err
		}
	}
	return l, nil
}
