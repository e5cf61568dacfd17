package db

import (
	"cmp"
	"context"
	"slices"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

var ticketStatuses = []any{"OPEN", "ACKNOWLEDGED", "CLOSED"}

func ticketTests(f dispatch.TicketFilter) []clause {
	var c []clause
	if f.IDs != nil {
		c = append(c, oneOf("id", f.IDs, textual))
	}
	if f.Keys != nil {
		c = append(c, oneOf("entity_key", f.Keys, textual))
	}
	if f.BehaviorModels != nil {
		c = append(c, oneOf("behavior_model", f.BehaviorModels, textual))
	}
	if f.Assignees != nil {
		c = append(c, oneOf("assignee", f.Assignees, textual))
	}
	if f.IsUnassigned != nil {
		test := "x.assignee IS NOT NULL"
		if *f.IsUnassigned {
			test = "x.assignee IS NULL"
		}
		c = append(c, clause{column: "unassigned", sql: func(*engine, *[]any) string { return test }})
	}
	if f.Statuses != nil {
		c = append(c, oneOf("status", f.Statuses, textual))
	}
	if f.Severities != nil {
		c = append(c, oneOf("severity", f.Severities, rankOf))
	}
	if f.Text != nil {
		c = append(c, wordsTest(*f.Text)...)
	}
	return c
}

func ticketSearch(e *engine, f dispatch.TicketFilter, o dispatch.TicketOrder) (*search, []way) {
	w := ways{clauses: ticketTests(f)}
	w.among("id")
	if i := w.index("words"); i >= 0 {
		w.all = append(w.all, wordsWay("tickets", "number", *f.Text, i))
	}
	s := &search{
		engine: e, table: "tickets", clauses: w.clauses, rangeOf: "opened_at", since: maybeMS(f.OpenedSince), until: maybeMS(f.OpenedUntil),
		order: order{at: "opened_at", number: "number", descending: o.Direction != dispatch.Ascending},
	}
	switch o.Field {
	case dispatch.ByUpdatedAt:
		s.order.at = "updated_at"
		w.sets()
		return s, w.chosen(w.byStatus("tickets_updated"))
	case dispatch.BySeverity:
		s.order.lead = "severity"
		w.sets()
		return s, w.chosen(w.byStatusAndSeverity())
	default:
		w.along("entity_key", "tickets_entity_key")
		w.byAssignee(f)
		w.along("behavior_model", "tickets_behavior_model")
		if f.Severities != nil {
			return s, w.chosen(w.byStatusAndSeverity())
		}
		return s, w.chosen(w.byStatus("tickets_status"))
	}
}

// sets are the ways of the orders that have no index for them.
func (w *ways) sets() {
	w.among("entity_key")
	w.among("assignee")
	w.among("behavior_model")
}

// byAssignee walks what some people have, or what nobody has, by status.
func (w *ways) byAssignee(f dispatch.TicketFilter) {
	statuses, does := w.domain("status", ticketStatuses)
	if i := w.index("assignee"); i >= 0 {
		w.all = append(w.all, way{
			index: "tickets_assignee", columns: []string{"assignee", "status"}, domains: [][]any{w.clauses[i].values, statuses},
			does: append(slices.Clone(does), i),
		})
	}
	if i := w.index("unassigned"); i >= 0 && *f.IsUnassigned {
		w.all = append(w.all, way{
			index: "tickets_unassigned", columns: []string{"status"}, domains: [][]any{statuses}, fixed: "x.assignee IS NULL",
			does: append(slices.Clone(does), i),
		})
	}
}

// byStatus walks all tickets, by status.
func (w *ways) byStatus(index string) way {
	statuses, does := w.domain("status", ticketStatuses)
	return way{index: index, columns: []string{"status"}, domains: [][]any{statuses}, does: slices.Clone(does)}
}

// byStatusAndSeverity walks all tickets, by both.
func (w *ways) byStatusAndSeverity() way {
	base := w.byStatus("tickets_severity")
	severities, does := w.domain("severity", severityRanks)
	base.columns, base.domains, base.does = append(base.columns, "severity"), append(base.domains, severities), append(base.does, does...)
	return base
}

func ticketListName(o dispatch.TicketOrder) string {
	direction := dispatch.Descending
	if o.Direction == dispatch.Ascending {
		direction = dispatch.Ascending
	}
	field := o.Field
	if field == "" {
		field = dispatch.ByOpenedAt
	}
	return "tickets " + string(field) + " " + string(direction)
}

// Tickets implements dispatch.ReadStore.
func (b *books) Tickets(ctx context.Context, f dispatch.TicketFilter, o dispatch.TicketOrder, p dispatch.Page) (l dispatch.List[dispatch.Ticket], head int64, err error) {
	s, w := ticketSearch(b.engine, f, o)
	name := ticketListName(o)
	if s.after, err = keyOfCursor(name, p.After); err != nil {
		return l, 0, err
	}
	s.first = pageSize(p)
	err = b.snapshot(ctx, func(q *sqlc.Queries, db sqlc.DBTX) error {
		if head, err = q.Counter(ctx, ledgerCounter); err != nil {
			return err
		}
		l, err = list(ctx, db, s, name, w, ticketColumns(ctx), func(r sqlc.Ticket) int64 { return r.Number }, ticketOf)
		return err
	})
	return l, head, err
}

// CountTickets implements dispatch.ReadStore.
func (b *books) CountTickets(ctx context.Context, f dispatch.TicketFilter, limit int) (dispatch.Count, error) {
	s, w := ticketSearch(b.engine, f, dispatch.TicketOrder{})
	return s.count(ctx, b.pool, w[0], limit)
}

// ledgerShare is how many lines of the ledger are loaded for each row asked for
// where tickets are filtered; each comes with its ticket.
const ledgerShare = 7

func eventSearch(e *engine, f dispatch.TicketEventFilter, d dispatch.OrderDirection) (*search, []way) {
	w := ways{}
	if f.TicketID != nil {
		w.clauses = append(w.clauses, oneOf("ticket_id", []string{*f.TicketID}, textual))
	} else if f.Ticket != nil && f.Ticket.IDs != nil {
		w.clauses = append(w.clauses, oneOf("ticket_id", f.Ticket.IDs, textual))
	}
	if f.Kinds != nil {
		w.clauses = append(w.clauses, oneOf("kind", f.Kinds, textual))
	}
	w.along("ticket_id", "ticket_events_ticket")
	w.along("kind", "ticket_events_kind")
	s := &search{
		engine: e, table: "ticket_events", clauses: w.clauses,
		order: order{at: "seq", number: "seq", descending: d != dispatch.Ascending},
	}
	return s, w.chosen(way{})
}

// eventPage is the search of one page. With a filter of tickets it finds more
// lines than asked for, to be tested.
func eventPage(e *engine, f dispatch.TicketEventFilter, d dispatch.OrderDirection, p dispatch.Page) (*search, []way, error) {
	s, w := eventSearch(e, f, d)
	if p.After != "" {
		seq, err := dispatch.LedgerSeq(p.After)
		if err != nil {
			return nil, nil, err
		}
		s.after = &key{0, seq, seq}
	}
	if s.first = pageSize(p); f.Ticket != nil {
		s.budget = (perRow - 2*ledgerShare) * s.first
		s.first *= ledgerShare
	}
	return s, w, nil
}

// TicketEvents implements dispatch.ReadStore. What a filter of tickets says is
// tested here by the rule that subscriptions follow, on each line that was walked.
func (b *books) TicketEvents(ctx context.Context, f dispatch.TicketEventFilter, d dispatch.OrderDirection, p dispatch.Page) (l dispatch.List[dispatch.TicketEvent], err error) {
	s, w, err := eventPage(b.engine, f, d, p)
	if err != nil {
		return l, err
	}
	err = b.snapshot(ctx, func(q *sqlc.Queries, db sqlc.DBTX) error {
		if s.after != nil {
			if err := b.from(ctx, q, s.after[2]); err != nil {
				return err
			}
		}
		l, err = s.events(ctx, db, w, f, pageSize(p))
		return err
	})
	return l, err
}

func (s *search) events(ctx context.Context, db sqlc.DBTX, w []way, f dispatch.TicketEventFilter, first int) (l dispatch.List[dispatch.TicketEvent], err error) {
	walked, err := s.look(ctx, db, w)
	if err != nil {
		return l, err
	}
	c := s.cut(walked)
	seqs := make([]int64, len(c.keys))
	place := make(map[int64]int, len(c.keys))
	for i, k := range c.keys {
		seqs[i], place[k[2]] = k[2], i
	}
	rows, err := readBy(ctx, db, ticketEventTable, "seq", seqs, "")
	if err != nil {
		return l, err
	}
	slices.SortFunc(rows, func(a, b sqlc.TicketEvent) int { return cmp.Compare(place[a.Seq], place[b.Seq]) })
	lines, err := withSubjects(ctx, db, rows)
	if err != nil {
		return l, err
	}
	lines = matching(lines, f.Ticket)
	if len(lines) > first {
		lines, c.hasNext = lines[:first], true
		c.end = &key{0, 0, lines[first-1].Seq}
	}
	return eventList(lines, c.end, c.hasNext), nil
}

func eventList(lines []dispatch.TicketEvent, end *key, hasNext bool) dispatch.List[dispatch.TicketEvent] {
	l := dispatch.List[dispatch.TicketEvent]{Items: lines, Cursors: make([]string, len(lines)), HasNext: hasNext}
	for i, e := range lines {
		l.Cursors[i] = e.Cursor()
	}
	if end != nil {
		l.End = dispatch.LedgerCursor(end[2])
	}
	return l
}

// matching keeps the lines whose ticket matched after or before them.
func matching(lines []dispatch.TicketEvent, f *dispatch.TicketFilter) []dispatch.TicketEvent {
	if f == nil {
		return lines
	}
	var kept []dispatch.TicketEvent
	for _, e := range lines {
		e.MatchesNow = f.Matches(e, false)
		if e.MatchesNow || f.Matches(e, true) {
			kept = append(kept, e)
		}
	}
	return kept
}

// CountTicketEvents implements dispatch.ReadStore. With a filter of tickets it
// reads the ledger from its end, up to the limit.
func (b *books) CountTicketEvents(ctx context.Context, f dispatch.TicketEventFilter, limit int) (dispatch.Count, error) {
	if f.Ticket == nil {
		s, w := eventSearch(b.engine, f, dispatch.Descending)
		return s.count(ctx, b.pool, w[0], limit)
	}
	var c dispatch.Count
	page := dispatch.Page{First: 500}
	for walked := 0; walked < limit; walked += page.First {
		l, err := b.TicketEvents(ctx, f, dispatch.Descending, page)
		if err != nil {
			return c, err
		}
		c.Rows += len(l.Items)
		if !l.HasNext || c.Rows > limit {
			return dispatch.Count{Rows: min(c.Rows, limit), Exact: !l.HasNext && c.Rows <= limit}, nil
		}
		page.After = l.End
	}
	return c, nil
}
