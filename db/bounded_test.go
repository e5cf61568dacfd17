package db

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// crowd is how many rows of each sort the lists are walked through.
const crowd = 100_000

// fillCrowd puts a crowd of each sort into the books, with few rows of all that
// a filter can name: each rare value is one of some thousand, and so are the
// words "rare" and "seldom".
func (s *stage) fillCrowd() {
	s.t.Helper()
	from := noon.UnixMilli() - crowd*1000
	at := fmt.Sprintf("%d + 1000 * (i / 3)", from)
	one := func(of int, rare, common string) string {
		return fmt.Sprintf("CASE WHEN i %% %d = %d THEN %s ELSE %s END", of, of/3, rare, common)
	}
	words := "' common host' || (i % 1000) || " + one(7001, "' rare'", "''") + " || " + one(8009, "' seldom'", "''")
	rows := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " + fmt.Sprint(crowd) + ") "
	for _, statement := range []string{
		rows + `INSERT INTO tickets (number, id, title, status, severity, behavior_model, entity_key, dedup_key, assignee, alert_count, opened_at, updated_at, version, fired, words)
SELECT i, 'tkt_' || i, 'common host', ` + one(5003, "'OPEN'", one(5009, "'ACKNOWLEDGED'", "'CLOSED'")) + ", " + one(6007, "4", one(6011, "0", "2")) + ", " +
			one(9001, "'rare'", "'common'") + ", " + one(8501, "'rare'", one(2, "'common'", "NULL")) + ", 'key_' || i, " + one(7507, "'dana'", one(2, "'erin'", "NULL")) +
			", 1, " + at + ", " + at + ", 1, '{}', " + words + " FROM n",
		rows + `INSERT INTO alerts (id, behavior_model, entity_key, severity, risks, summary, attributes, dedup_key, occurred_at, received_at, raised_by, ticket_id, words)
SELECT 'alr_' || i, ` + one(9001, "'rare'", "'common'") + ", " + one(8501, "'rare'", "'common'") + ", " + one(6007, "4", "2") + ", '[]', 'common host', '{}', 'key', " +
			at + ", " + at + `, '{"kind":"TOKEN","name":"x"}', ` + one(7993, "'tkt_1'", "'tkt_2'") + ", " + words + " FROM n",
		rows + `INSERT INTO deliveries (id, kind, status, action_id, api_config_id, api_config_name, api_config_version, actor_id, actor_name, actor_kind, alert_id, ticket_id, order_key, attempt, trying, next_attempt_at, created_at)
SELECT 'dlv_' || i, 'NOTIFY', ` + one(5003, "'FAILED'", one(5009, "'PENDING'", "'DELIVERED'")) + ", " + one(6007, "'rare'", "'common'") + ", " + one(9001, "'rare'", "'common'") +
			", 'x', 1, " + one(8501, "'rare'", "'common'") + ", 'x', 'x', " + one(7507, "'rare'", "'common'") + ", " + one(7993, "'rare'", "'common'") + ", 'dlv_' || i, 0, 0, 0, " + at + " FROM n",
		rows + `INSERT INTO ticket_events (seq, id, kind, happened_at, origin, ticket_id, status, severity, assignee, ticket_version)
SELECT i, 'evt_' || i, ` + one(5003, "'ASSIGNED'", "'ALERT_JOINED'") + ", " + at + `, '{"kind":"TOKEN","name":"x"}', ` + one(6007, "'tkt_1'", "'tkt_' || (2 + i % 50000)") + ", 'OPEN', 2, NULL, 1 FROM n",
		rows + `INSERT INTO notifications (seq, id, title, message, severity, category, source, created_at, read_at)
SELECT i + 100000, 'ntf_' || i, 'x', 'x', 2, 'x', 'x', ` + at + ", " + one(5003, "NULL", "1") + " FROM n",
		s.books.engine.indexWords["tickets"], s.books.engine.indexWords["alerts"],
		"UPDATE counters SET value = 200000 WHERE name = 'ledger'",
	} {
		s.change(statement)
	}
}

// asking is a list or a count as it may be asked for.
type asking struct {
	name string
	most int // rows that may be visited
	page func(db sqlc.DBTX, after string) (end string, more bool, err error)
}

const (
	askedFor = 10 // rows of a page
	pages    = 2
	countTo  = 100
)

// atom is a single test of a filter; those of one group exclude each other.
type atom[F any] struct {
	group, name string
	set         func(*F)
}

// named is a filter made of some atoms.
type named[F any] struct {
	name   string
	filter F
	atoms  int
}

// filters are all of no atom, of one and of two.
func filters[F any](atoms []atom[F]) []named[F] {
	all := []named[F]{{name: "all"}}
	for i, a := range atoms {
		one := named[F]{name: a.name, atoms: 1}
		a.set(&one.filter)
		all = append(all, one)
		for _, b := range atoms[i+1:] {
			if a.group == b.group {
				continue
			}
			two := named[F]{name: a.name + ", " + b.name, atoms: 2}
			a.set(&two.filter)
			b.set(&two.filter)
			all = append(all, two)
		}
	}
	return all
}

var directions = []dispatch.OrderDirection{dispatch.Ascending, dispatch.Descending}

// theRange is a sixth of all, in the middle.
func theRange() (since, until *time.Time) {
	return new(noon.Add(-crowd * time.Second).Add(crowd / 6 * time.Second)), new(noon.Add(-crowd * time.Second).Add(crowd / 4 * time.Second))
}

var ticketAtoms = []atom[dispatch.TicketFilter]{
	{"ids", "two ids", func(f *dispatch.TicketFilter) { f.IDs = []string{"tkt_7", "tkt_50000"} }},
	{"keys", "rare key", func(f *dispatch.TicketFilter) { f.Keys = []string{"rare"} }},
	{"keys", "common key", func(f *dispatch.TicketFilter) { f.Keys = []string{"common", "rare"} }},
	{"models", "rare model", func(f *dispatch.TicketFilter) { f.BehaviorModels = []string{"rare"} }},
	{"models", "common model", func(f *dispatch.TicketFilter) { f.BehaviorModels = []string{"common"} }},
	{"people", "rare person", func(f *dispatch.TicketFilter) { f.Assignees = []string{"dana"} }},
	{"people", "common person", func(f *dispatch.TicketFilter) { f.Assignees = []string{"erin"} }},
	{"people", "unassigned", func(f *dispatch.TicketFilter) { f.IsUnassigned = new(true) }},
	{"people", "assigned", func(f *dispatch.TicketFilter) { f.IsUnassigned = new(false) }},
	{"statuses", "open", func(f *dispatch.TicketFilter) { f.Statuses = []dispatch.TicketStatus{"OPEN", "ACKNOWLEDGED"} }},
	{"statuses", "closed", func(f *dispatch.TicketFilter) { f.Statuses = []dispatch.TicketStatus{"CLOSED"} }},
	{"severities", "critical", func(f *dispatch.TicketFilter) { f.Severities = []dispatch.Severity{dispatch.Critical} }},
	{"severities", "medium", func(f *dispatch.TicketFilter) { f.Severities = []dispatch.Severity{dispatch.Medium, dispatch.Info} }},
	{"text", "rare word", func(f *dispatch.TicketFilter) { f.Text = new("rare") }},
	{"text", "common word", func(f *dispatch.TicketFilter) { f.Text = new("common") }},
	{"text", "rare words", func(f *dispatch.TicketFilter) { f.Text = new("seldom rar") }},
	{"range", "range", func(f *dispatch.TicketFilter) { f.OpenedSince, f.OpenedUntil = theRange() }},
}

// ticketAskings are all filters in all orders, every other one from the end.
func (s *stage) ticketAskings() []asking {
	var all []asking
	for i, n := range filters(ticketAtoms) {
		for _, field := range []dispatch.TicketOrderField{dispatch.ByOpenedAt, dispatch.ByUpdatedAt, dispatch.BySeverity} {
			o := dispatch.TicketOrder{Field: field, Direction: directions[i%2]}
			list := ticketListName(o)
			all = append(all, asking{"tickets, " + n.name + ", " + list, askedFor * 50, func(db sqlc.DBTX, after string) (string, bool, error) {
				search, w := ticketSearch(s.books.engine, n.filter, o)
				return readPage(s.ctx, db, search, w, list, after, ticketTable, func(r sqlc.Ticket) int64 { return r.Number }, ticketOf)
			}})
		}
		if n.atoms < 2 {
			search, w := ticketSearch(s.books.engine, n.filter, dispatch.TicketOrder{})
			all = append(all, counting(s.ctx, "tickets, "+n.name, search, w))
		}
	}
	return all
}

func readPage[R, N any](ctx context.Context, db sqlc.DBTX, s *search, w []way, name, after string, t table[R], number func(R) int64, convert func(R) (N, error)) (end string, more bool, err error) {
	if s.after, err = keyOfCursor(name, after); err != nil {
		return "", false, err
	}
	s.first = askedFor
	l, err := list(ctx, db, s, name, w, t, number, convert)
	return l.End, l.HasNext, err
}

func counting(ctx context.Context, name string, s *search, w []way) asking {
	return asking{"count of " + name, 10*countTo + 1, func(db sqlc.DBTX, _ string) (string, bool, error) {
		_, err := s.count(ctx, db, w[0], countTo)
		return "", false, err
	}}
}

var alertAtoms = []atom[dispatch.AlertFilter]{
	{"ticket", "rare ticket", func(f *dispatch.AlertFilter) { f.TicketID = new("tkt_1") }},
	{"ticket", "common ticket", func(f *dispatch.AlertFilter) { f.TicketID = new("tkt_2") }},
	{"keys", "rare key", func(f *dispatch.AlertFilter) { f.Keys = []string{"rare"} }},
	{"keys", "common key", func(f *dispatch.AlertFilter) { f.Keys = []string{"common"} }},
	{"models", "rare model", func(f *dispatch.AlertFilter) { f.BehaviorModels = []string{"rare"} }},
	{"models", "common model", func(f *dispatch.AlertFilter) { f.BehaviorModels = []string{"common"} }},
	{"severities", "critical", func(f *dispatch.AlertFilter) { f.Severities = []dispatch.Severity{dispatch.Critical} }},
	{"severities", "medium", func(f *dispatch.AlertFilter) { f.Severities = []dispatch.Severity{dispatch.Medium} }},
	{"text", "rare word", func(f *dispatch.AlertFilter) { f.Text = new("rare") }},
	{"text", "common word", func(f *dispatch.AlertFilter) { f.Text = new("common") }},
	{"text", "rare words", func(f *dispatch.AlertFilter) { f.Text = new("seldom rar") }},
	{"range", "range", func(f *dispatch.AlertFilter) { f.Since, f.Until = theRange() }},
}

func (s *stage) alertAskings() []asking {
	var all []asking
	for _, n := range filters(alertAtoms) {
		all = append(all, asking{"alerts, " + n.name, askedFor * 50, func(db sqlc.DBTX, after string) (string, bool, error) {
			search, w := alertSearch(s.books.engine, n.filter)
			return readPage(s.ctx, db, search, w.chosen(alertBase(w)), alertList, after, alertTable, func(r sqlc.Alert) int64 { return r.Position }, alertOf)
		}})
		if n.atoms < 2 {
			search, w := alertSearch(s.books.engine, n.filter)
			all = append(all, counting(s.ctx, "alerts, "+n.name, search, w.chosen(alertBase(w))))
		}
	}
	return all
}

var deliveryAtoms = []atom[dispatch.DeliveryFilter]{
	{"alert", "rare alert", func(f *dispatch.DeliveryFilter) { f.AlertID = new("rare") }},
	{"alert", "common alert", func(f *dispatch.DeliveryFilter) { f.AlertID = new("common") }},
	{"ticket", "rare ticket", func(f *dispatch.DeliveryFilter) { f.TicketID = new("rare") }},
	{"ticket", "common ticket", func(f *dispatch.DeliveryFilter) { f.TicketID = new("common") }},
	{"action", "rare action", func(f *dispatch.DeliveryFilter) { f.ActionID = new("rare") }},
	{"action", "common action", func(f *dispatch.DeliveryFilter) { f.ActionID = new("common") }},
	{"config", "rare config", func(f *dispatch.DeliveryFilter) { f.APIConfigID = new("rare") }},
	{"config", "common config", func(f *dispatch.DeliveryFilter) { f.APIConfigID = new("common") }},
	{"actor", "rare actor", func(f *dispatch.DeliveryFilter) { f.ActorID = new("rare") }},
	{"actor", "common actor", func(f *dispatch.DeliveryFilter) { f.ActorID = new("common") }},
	{"statuses", "failed", func(f *dispatch.DeliveryFilter) {
		f.Statuses = []dispatch.DeliveryStatus{dispatch.Failed, dispatch.Uncertain}
	}},
	{"statuses", "delivered", func(f *dispatch.DeliveryFilter) { f.Statuses = []dispatch.DeliveryStatus{dispatch.Sent} }},
	{"kinds", "kind", func(f *dispatch.DeliveryFilter) { f.Kinds = []dispatch.DeliveryKind{dispatch.Notify} }},
	{"kinds", "no kind", func(f *dispatch.DeliveryFilter) { f.Kinds = []dispatch.DeliveryKind{"NONE"} }},
	{"range", "range", func(f *dispatch.DeliveryFilter) { f.Since, f.Until = theRange() }},
}

func (s *stage) deliveryAskings() []asking {
	var all []asking
	for _, n := range filters(deliveryAtoms) {
		all = append(all, asking{"deliveries, " + n.name, askedFor * 50, func(db sqlc.DBTX, after string) (string, bool, error) {
			search, w := deliverySearch(s.books.engine, n.filter)
			return readPage(s.ctx, db, search, w, deliveryList, after, deliveryTable, func(r sqlc.Delivery) int64 { return r.Position }, deliveryOf)
		}})
		if n.atoms < 2 {
			search, w := deliverySearch(s.books.engine, n.filter)
			all = append(all, counting(s.ctx, "deliveries, "+n.name, search, w))
		}
	}
	return all
}

var eventAtoms = []atom[dispatch.TicketEventFilter]{
	{"ticket", "rare ticket", func(f *dispatch.TicketEventFilter) { f.TicketID = new("tkt_1") }},
	{"ticket", "another ticket", func(f *dispatch.TicketEventFilter) { f.TicketID = new("tkt_7") }},
	{"kinds", "rare kind", func(f *dispatch.TicketEventFilter) { f.Kinds = []dispatch.TicketEventKind{dispatch.EventAssigned} }},
	{"kinds", "common kind", func(f *dispatch.TicketEventFilter) {
		f.Kinds = []dispatch.TicketEventKind{dispatch.EventAlertJoined, dispatch.EventOpened}
	}},
	{"filter", "rare tickets", func(f *dispatch.TicketEventFilter) {
		f.Ticket = &dispatch.TicketFilter{BehaviorModels: []string{"rare"}}
	}},
	{"filter", "tickets by id", func(f *dispatch.TicketEventFilter) {
		f.Ticket = &dispatch.TicketFilter{IDs: []string{"tkt_1", "tkt_9"}}
	}},
}

func (s *stage) eventAskings() []asking {
	var all []asking
	for _, n := range filters(eventAtoms) {
		for _, d := range directions {
			all = append(all, asking{"ticket events, " + n.name + ", " + string(d), askedFor * 50, func(db sqlc.DBTX, after string) (string, bool, error) {
				search, w, err := eventPage(s.books.engine, n.filter, d, dispatch.Page{First: askedFor, After: after})
				if err != nil {
					return "", false, err
				}
				l, err := search.events(s.ctx, db, w, n.filter, askedFor)
				return l.End, l.HasNext, err
			}})
		}
		if n.filter.Ticket == nil {
			search, w := eventSearch(s.books.engine, n.filter, dispatch.Descending)
			all = append(all, counting(s.ctx, "ticket events, "+n.name, search, w))
		}
	}
	return all
}

func (s *stage) notificationAskings() []asking {
	var all []asking
	for name, unread := range map[string]*bool{"all": nil, "unread": new(true), "read": new(false)} {
		search, w := notificationSearch(s.books.engine, unread)
		all = append(all, counting(s.ctx, "notifications, "+name, search, w),
			asking{"notifications, " + name, askedFor * 50, func(db sqlc.DBTX, after string) (string, bool, error) {
				search, w := notificationSearch(s.books.engine, unread)
				return readPage(s.ctx, db, search, w, notificationList, after, notificationTable, func(r sqlc.Notification) int64 { return r.Seq }, notificationOf)
			}})
	}
	return all
}

// TestListsAreBounded: whatever is asked for, a page visits at most fifty rows
// for each row of it, and a count ten for each that it may count to.
func TestListsAreBounded(t *testing.T) {
	if raced {
		t.Skip("counts rows, which the race detector has no part in and makes take minutes")
	}
	eachEngine(t, func(t *testing.T, s *stage) {
		s.fillCrowd()
		all := slices.Concat(s.ticketAskings(), s.alertAskings(), s.deliveryAskings(), s.eventAskings(), s.notificationAskings())
		visited := s.visitor(t)
		s.wantBounded(all, visited)
		if s.isSQLite() {
			return
		}
		s.change("ANALYZE") // with what the database knows of the rows by then
		var some []asking
		for i := 0; i < len(all); i += 4 {
			some = append(some, all[i])
		}
		s.wantBounded(some, visited)
	})
}

func (s *stage) wantBounded(all []asking, visited func(name string, a asked) int) {
	s.t.Helper()
	begin, statements := time.Now(), 0
	worst, worstName := 0.0, ""
	for _, a := range all {
		after := ""
		for range pages {
			db := &recorder{DBTX: s.books.pool}
			end, more, err := a.page(db, after)
			if err != nil {
				s.t.Fatalf("%s: %v", a.name, err)
			}
			rows := 0
			for _, q := range db.asked {
				rows += visited(a.name, q)
			}
			statements += len(db.asked)
			if rows > a.most {
				s.t.Errorf("%s: %d rows were visited, of at most %d", a.name, rows, a.most)
			}
			if share := float64(rows) / float64(a.most); share > worst {
				worst, worstName = share, a.name
			}
			if !more {
				break
			}
			after = end
		}
	}
	s.t.Logf("%d lists and counts, %d statements in %v; the hardest used %.0f %% of its limit: %s", len(all), statements, time.Since(begin), 100*worst, worstName)
}

// visitor gives a function that tells how many rows a statement visits.
func (s *stage) visitor(t *testing.T) func(name string, a asked) int {
	if !s.isSQLite() {
		return func(name string, a asked) int { return s.visitedOnPostgres(name, a) }
	}
	m := newMeter(t, strings.TrimPrefix(s.url, "sqlite:"))
	known := map[string]bool{}
	return func(name string, a asked) int {
		if !known[a.statement] {
			known[a.statement] = true
			s.wantWalks(name, a)
		}
		w, err := m.run(a)
		s.must(err)
		return max(w.rows, w.steps/stepsARow)
	}
}

// stepsARow is what the machine of SQLite takes for a row, with many tests
// beside it, at most. Less than that tells that only the rows given, and those
// counted, were looked at.
const stepsARow = 32

// inOrderOfKey are the tables whose lists may follow the primary key: it is the order.
var inOrderOfKey = []string{"FROM ticket_events x", "FROM notifications x"}

// wantWalks holds that SQLite walks indexes, and sorts nothing.
func (s *stage) wantWalks(name string, a asked) {
	s.t.Helper()
	for _, line := range s.explain(a) {
		isScan := strings.HasPrefix(line, "SCAN x") && !slices.ContainsFunc(inOrderOfKey, func(part string) bool { return strings.Contains(a.statement, part) })
		if isScan || strings.Contains(line, "TEMP B-TREE") || strings.Contains(line, "AUTOMATIC") {
			s.t.Errorf("%s: SQLite means to %s, for %s", name, line, a.statement)
		}
	}
}

// explained is a node of what PostgreSQL did.
type explained struct {
	Kind      string      `json:"Node Type"`
	Relation  string      `json:"Relation Name"`
	Rows      float64     `json:"Actual Rows"`
	Loops     float64     `json:"Actual Loops"`
	Filtered  float64     `json:"Rows Removed by Filter"`
	Rechecked float64     `json:"Rows Removed by Index Recheck"`
	Plans     []explained `json:"Plans"`
}

// visits are the rows that were read of tables. The tables of words are an
// index of our own making.
func (e explained) visits() float64 {
	visits := 0.0
	if e.Relation != "" && !strings.HasSuffix(e.Relation, "_words") {
		visits = (e.Rows + e.Filtered + e.Rechecked) * e.Loops
	}
	for _, p := range e.Plans {
		visits += p.visits()
	}
	return visits
}

// kinds are the sorts of nodes of a plan.
func (e explained) kinds() []string {
	all := []string{e.Kind}
	for _, p := range e.Plans {
		all = append(all, p.kinds()...)
	}
	return all
}

// visitedOnPostgres asks the database itself, and holds that it sorts nothing.
func (s *stage) visitedOnPostgres(name string, a asked) int {
	s.t.Helper()
	var text string
	s.must(s.books.pool.QueryRowContext(s.ctx, "EXPLAIN (ANALYZE, FORMAT JSON) "+a.statement, a.args...).Scan(&text))
	var plans []struct{ Plan explained }
	s.must(json.Unmarshal([]byte(text), &plans))
	for _, kind := range plans[0].Plan.kinds() {
		if kind == "Sort" || kind == "Incremental Sort" || kind == "Seq Scan" {
			s.t.Errorf("%s: PostgreSQL did a %s, for %s", name, kind, a.statement)
		}
	}
	return int(plans[0].Plan.visits())
}
