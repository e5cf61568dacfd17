package db

import (
	"context"
	"fmt"
	"strings"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// wordsTest asks that every word of a text begins one of the row's words; nil
// when the text has no word.
func wordsTest(query string) []clause {
	words := dispatch.Words(query)
	if len(words) == 0 {
		return nil
	}
	return []clause{{column: "words", sql: func(e *engine, args *[]any) string {
		parts := make([]string, len(words))
		for i, w := range words {
			parts[i] = e.contains + "(x.words, " + arg(args, " "+shorten(w)) + ") > 0"
		}
		return strings.Join(parts, " AND ")
	}}}
}

// wordsWay finds rows through the search, where they are few.
func wordsWay(table, number, query string, does int) way {
	return way{does: []int{does}, rows: func(e *engine, args *[]any, most int) string {
		var short []string
		for _, w := range dispatch.Words(query) {
			short = append(short, shorten(w))
		}
		return fmt.Sprintf("x.%s IN (%s LIMIT %d)", number, e.matching(table, arg(args, e.prefixes(short))), most)
	}}
}

// ways gathers the ways of a page, the most selective first; the last is the
// one that is always open.
type ways struct {
	clauses []clause
	all     []way
}

// index is the position of the clause on a column, -1 without one.
func (w *ways) index(column string) int {
	for i, c := range w.clauses {
		if c.column == column {
			return i
		}
	}
	return -1
}

// domain is the values that a column may have: those of its clause, or all.
func (w *ways) domain(column string, all []any) (values []any, does []int) {
	i := w.index(column)
	if i < 0 {
		return all, nil
	}
	return w.clauses[i].values, []int{i}
}

// along adds a walk of an index that begins with a column, if the filter names it.
func (w *ways) along(column, index string) {
	if i := w.index(column); i >= 0 {
		w.all = append(w.all, way{index: index, columns: []string{column}, domains: [][]any{w.clauses[i].values}, does: []int{i}})
	}
}

// among adds the set of rows with the column's values, if the filter names it.
func (w *ways) among(column string) {
	i := w.index(column)
	if i < 0 {
		return
	}
	c := w.clauses[i]
	w.all = append(w.all, way{does: []int{i}, rows: func(e *engine, args *[]any, _ int) string { return c.write(e, args) }})
}

// chosen are at most two of the ways, and the base.
func (w *ways) chosen(base way) []way {
	return append(w.all[:min(len(w.all), 2)], base)
}

var severityRanks = func() []any {
	ranks := make([]any, len(dispatch.Severities))
	for i := range ranks {
		ranks[i] = int64(i)
	}
	return ranks
}()

func rankOf(s dispatch.Severity) any { return rank(s) }

func pageSize(p dispatch.Page) int { return max(p.First, 1) }

// list reads a page: where its rows are, then the rows.
func list[R, N any](ctx context.Context, db sqlc.DBTX, s *search, name string, w []way, t table[R], number func(R) int64, convert func(R) (N, error)) (l dispatch.List[N], err error) {
	f, err := s.look(ctx, db, w)
	if err != nil {
		return l, err
	}
	c := s.cut(f)
	l = pageOf(ctx, c, name, make([]N, len(c.keys)))
	place := make(map[int64]int, len(c.keys))
	numbers := make([]int64, len(c.keys))
	for i, k := range c.keys {
		place[k[2]], numbers[i] = i, k[2]
	}
	err = scanBy(ctx, db, t, s.order.number, numbers, "", func(row R) (err error) {
		l.Items[place[number(row)]], err = convert(row)
		return err
	})
	return l, err
}

// pageOf is a page of things that are in the cut, or will be.
func pageOf[N any](ctx context.Context, c cut, name string, items []N) dispatch.List[N] {
	enough := dispatch.EnoughOf(ctx)
	l := dispatch.List[N]{Items: items, HasNext: c.hasNext}
	if !enough.NoCursors {
		l.Cursors = make([]string, len(c.keys))
		for i, k := range c.keys {
			l.Cursors[i] = k.cursor(name)
		}
	}
	if c.end != nil && !enough.NoEnd {
		l.End = c.end.cursor(name)
	}
	return l
}

// alerts

var alertOrder = order{at: "received_at", number: "position", descending: true}

func alertSearch(e *engine, f dispatch.AlertFilter) (*search, ways) {
	var c []clause
	if f.TicketID != nil {
		c = append(c, oneOf("ticket_id", []string{*f.TicketID}, textual))
	}
	if f.Keys != nil {
		c = append(c, oneOf("entity_key", f.Keys, textual))
	}
	if f.BehaviorModels != nil {
		c = append(c, oneOf("behavior_model", f.BehaviorModels, textual))
	}
	if f.Severities != nil {
		c = append(c, oneOf("severity", f.Severities, rankOf))
	}
	if f.Text != nil {
		c = append(c, wordsTest(*f.Text)...)
	}
	w := ways{clauses: c}
	if i := w.index("words"); i >= 0 {
		w.all = append(w.all, wordsWay("alerts", "position", *f.Text, i))
	}
	w.along("ticket_id", "alerts_ticket")
	w.along("entity_key", "alerts_entity_key")
	w.along("behavior_model", "alerts_behavior_model")
	return &search{
		engine: e, table: "alerts", clauses: c, rangeOf: "received_at", since: maybeMS(f.Since), until: maybeMS(f.Until),
		order: alertOrder,
	}, w
}

func alertBase(w ways) way {
	values, does := w.domain("severity", severityRanks)
	return way{index: "alerts_severity", columns: []string{"severity"}, domains: [][]any{values}, does: does}
}

const alertList = "alerts"

// Alerts implements dispatch.ReadStore.
func (b *books) Alerts(ctx context.Context, f dispatch.AlertFilter, p dispatch.Page) (l dispatch.List[dispatch.Alert], err error) {
	s, w := alertSearch(b.engine, f)
	if s.after, err = keyOfCursor(alertList, p.After); err != nil {
		return l, err
	}
	s.first = pageSize(p)
	err = b.snapshot(ctx, func(_ *sqlc.Queries, db sqlc.DBTX) error {
		l, err = list(ctx, db, s, alertList, w.chosen(alertBase(w)), alertColumns(ctx), func(r sqlc.Alert) int64 { return r.Position }, alertOf)
		return err
	})
	return l, err
}

// CountAlerts implements dispatch.ReadStore.
func (b *books) CountAlerts(ctx context.Context, f dispatch.AlertFilter, limit int) (dispatch.Count, error) {
	s, w := alertSearch(b.engine, f)
	return s.count(ctx, b.pool, w.chosen(alertBase(w))[0], limit)
}

// deliveries

var deliveryOrder = order{at: "created_at", number: "position", descending: true}

func deliveryTests(f dispatch.DeliveryFilter) []clause {
	var c []clause
	equal := func(column string, value *string) {
		if value != nil {
			c = append(c, oneOf(column, []string{*value}, textual))
		}
	}
	equal("alert_id", f.AlertID)
	equal("ticket_id", f.TicketID)
	equal("action_id", f.ActionID)
	equal("api_config_id", f.APIConfigID)
	equal("actor_id", f.ActorID)
	if f.Statuses != nil {
		c = append(c, oneOf("status", f.Statuses, textual))
	}
	if f.Kinds != nil {
		c = append(c, oneOf("kind", f.Kinds, textual))
	}
	s := search{rangeOf: "created_at", since: maybeMS(f.Since), until: maybeMS(f.Until)}
	return append(c, s.rangeTests()...)
}

var deliveryStatuses = []any{"PENDING", "DELIVERED", "FAILED", "CANCELED", "SKIPPED", "UNCERTAIN"}

func deliverySearch(e *engine, f dispatch.DeliveryFilter) (*search, []way) {
	since, until := f.Since, f.Until
	f.Since, f.Until = nil, nil
	w := ways{clauses: deliveryTests(f)}
	w.along("alert_id", "deliveries_alert")
	w.along("ticket_id", "deliveries_ticket")
	w.along("action_id", "deliveries_action")
	w.along("api_config_id", "deliveries_api_config")
	w.along("actor_id", "deliveries_actor")
	values, does := w.domain("status", deliveryStatuses)
	return &search{
		engine: e, table: "deliveries", clauses: w.clauses, rangeOf: "created_at", since: maybeMS(since), until: maybeMS(until),
		order: deliveryOrder,
	}, w.chosen(way{index: "deliveries_status", columns: []string{"status"}, domains: [][]any{values}, does: does})
}

const deliveryList = "deliveries"

// Deliveries implements dispatch.ReadStore.
func (b *books) Deliveries(ctx context.Context, f dispatch.DeliveryFilter, p dispatch.Page) (l dispatch.List[dispatch.Delivery], err error) {
	s, w := deliverySearch(b.engine, f)
	if s.after, err = keyOfCursor(deliveryList, p.After); err != nil {
		return l, err
	}
	s.first = pageSize(p)
	err = b.snapshot(ctx, func(_ *sqlc.Queries, db sqlc.DBTX) error {
		l, err = list(ctx, db, s, deliveryList, w, deliveryColumns(ctx), func(r sqlc.Delivery) int64 { return r.Position }, deliveryOf)
		return err
	})
	return l, err
}

// CountDeliveries implements dispatch.ReadStore.
func (b *books) CountDeliveries(ctx context.Context, f dispatch.DeliveryFilter, limit int) (dispatch.Count, error) {
	s, w := deliverySearch(b.engine, f)
	return s.count(ctx, b.pool, w[0], limit)
}

// notifications

func notificationSearch(e *engine, unread *bool) (*search, []way) {
	base := way{}
	switch {
	case unread == nil:
	case *unread:
		base.index, base.fixed = "notifications_unread", "x.read_at IS NULL"
	default:
		base.index, base.fixed = "notifications_read", "x.read_at IS NOT NULL"
	}
	return &search{engine: e, table: "notifications", order: order{at: "seq", number: "seq", descending: true}}, []way{base}
}

const notificationList = "notifications"

// Notifications implements dispatch.ReadStore.
func (b *books) Notifications(ctx context.Context, unread *bool, p dispatch.Page) (l dispatch.List[dispatch.Notification], err error) {
	s, w := notificationSearch(b.engine, unread)
	if s.after, err = keyOfCursor(notificationList, p.After); err != nil {
		return l, err
	}
	s.first = pageSize(p)
	err = b.snapshot(ctx, func(_ *sqlc.Queries, db sqlc.DBTX) error {
		l, err = list(ctx, db, s, notificationList, w, notificationTable, func(r sqlc.Notification) int64 { return r.Seq }, notificationOf)
		return err
	})
	return l, err
}

// CountNotifications implements dispatch.ReadStore.
func (b *books) CountNotifications(ctx context.Context, unread *bool, limit int) (dispatch.Count, error) {
	s, w := notificationSearch(b.engine, unread)
	return s.count(ctx, b.pool, w[0], limit)
}
