package db

import (
	"cmp"
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
	convert func(R) (N, error)
}

// AlertsOfTickets implements dispatch.ReadStore.
func (b *books) AlertsOfTickets(ctx context.Context, ticketIDs []string, first int) (map[string]dispatch.List[dispatch.Alert], error) {
	return firstPages(ctx, b, ticketIDs, first, nest[sqlc.Alert, dispatch.Alert]{
		list: alertList, index: "alerts_ticket", table: alertColumns(ctx), order: alertOrder, convert: alertOf,
		key: func(r sqlc.Alert) key { return key{0, r.ReceivedAt, r.Position} },
	})
}

// DeliveriesOfTickets implements dispatch.ReadStore.
func (b *books) DeliveriesOfTickets(ctx context.Context, ticketIDs []string, first int) (map[string]dispatch.List[dispatch.Delivery], error) {
	return firstPages(ctx, b, ticketIDs, first, nest[sqlc.Delivery, dispatch.Delivery]{
		list: deliveryList, index: "deliveries_ticket", table: deliveryColumns(ctx), order: deliveryOrder, convert: deliveryOf,
		key: func(r sqlc.Delivery) key { return key{0, r.CreatedAt, r.Position} },
	})
}

// nested is a thing with its place in the order, and that of its ticket.
type nested[N any] struct {
	ticket int
	key    key
	thing  N
}

// firstPages reads the first page of each ticket with one statement, which is
// the same for any number of them.
func firstPages[R, N any](ctx context.Context, b *books, tickets []string, first int, n nest[R, N]) (map[string]dispatch.List[N], error) {
	tickets = slices.Compact(slices.Sorted(slices.Values(tickets)))
	ids, err := json.Marshal(tickets)
	if err != nil {
		return nil, err
	}
	all, err := once(ctx, b, func(db sqlc.DBTX) (all []nested[N], err error) {
		var ticket int
		all = make([]nested[N], 0, len(tickets)*min(first, 2)) // most tickets have one alert, and a delivery or two
		statement := b.engine.firstOfEach(n.table.list("x"), n.table.name, n.index, n.order)
		err = n.table.scan(ctx, db, statement, []any{string(ids), int64(first + 1)}, func(row R) error {
			thing, err := n.convert(row)
			all = append(all, nested[N]{ticket, n.key(row), thing})
			return err
		}, &ticket)
		return all, err
	})
	if err != nil {
		return nil, err
	}
	return n.pages(ctx, tickets, all, first), nil
}

// pages makes a page of each ticket's things, which are one more when there are more.
func (n nest[R, N]) pages(ctx context.Context, tickets []string, all []nested[N], first int) map[string]dispatch.List[N] {
	places := make([]int, len(all)) // sorted instead of the things, which are large
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int {
		return cmp.Or(cmp.Compare(all[a].ticket, all[b].ticket), n.order.compare(all[a].key, all[b].key))
	})
	keys, things := make([]key, len(all)), make([]N, len(all))
	for i, place := range places {
		keys[i], things[i] = all[place].key, all[place].thing
	}
	pages := make(map[string]dispatch.List[N], len(tickets))
	end := 0
	for i, ticket := range tickets {
		begin := end
		for end < len(all) && all[places[end]].ticket == i {
			end++
		}
		s := search{first: first}
		c := s.cut(found{keys: keys[begin:end]})
		pages[ticket] = pageOf(ctx, c, n.list, things[begin:][:len(c.keys):len(c.keys)])
	}
	return pages
}
