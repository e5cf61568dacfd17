package db

import (
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/dispatch"
)

// check compares all of the books with all of the model.
func (m *model) check(rt *rapid.T) {
	got := m.stored(rt)
	if diff := gocmp.Diff(m.deliveries, got, gocmp.AllowUnexported(modelDelivery{})); diff != "" {
		rt.Fatalf("deliveries (-model +books):\n%s", diff)
	}
	held := map[string]string{}
	for _, d := range got {
		if !d.Leased.IsZero() {
			if other := held[d.line]; other != "" {
				rt.Fatalf("%s and %s of one line are out at once", other, d.ID)
			}
			held[d.line] = d.ID
		}
	}
	m.checkTickets(rt)
	m.checkAccounting(rt)
}

func (m *model) stored(rt *rapid.T) []*modelDelivery {
	b := m.store(rt)
	rows, err := deliveryTable.read(m.stage.ctx, b.pool, "WHERE x.actor_id = $1 ORDER BY x.position", m.actor)
	if err != nil {
		rt.Fatal(err)
	}
	all, err := each(rows, deliveryOf)
	if err != nil {
		rt.Fatal(err)
	}
	var got []*modelDelivery
	for i, d := range all {
		got = append(got, &modelDelivery{
			ID: d.ID, Status: d.Status, Attempt: d.Attempt, Leased: moot(d.LeasedUntil), Due: moot(d.NextAttemptAt), Ref: moot(d.ExternalRef),
			line: rows[i].OrderKey, ticketID: moot(d.TicketID), config: d.APIConfigID,
		})
	}
	return got
}

// moot is what is behind a pointer, zero for nil.
func moot[V any](p *V) (v V) {
	if p != nil {
		v = *p
	}
	return v
}

func (m *model) checkTickets(rt *rapid.T) {
	for _, want := range m.tickets {
		found, err := m.store(rt).TicketsByID(m.stage.ctx, []string{want.ID})
		if err != nil {
			rt.Fatal(err)
		}
		if t := found[want.ID]; t.Status != want.Status || t.AlertCount != want.Alerts || t.Version != want.Version {
			rt.Fatalf("the ticket is %s with %d alerts at version %d, want %+v", t.Status, t.AlertCount, t.Version, want)
		}
	}
}

func (m *model) checkAccounting(rt *rapid.T) {
	a, err := m.store(rt).Accounting(m.stage.ctx)
	if err != nil || !a.Balances() {
		rt.Fatalf("accounting %+v, %v", a, err)
	}
	want := m.before
	want.Promised += len(m.deliveries)
	for _, d := range m.deliveries {
		switch d.Status {
		case dispatch.Pending:
			want.Pending++
		case dispatch.Sent:
			want.Delivered++
		case dispatch.Failed:
			want.Failed++
		case dispatch.Canceled:
			want.Canceled++
		case dispatch.Uncertain:
			want.Uncertain++
		case dispatch.Skipped:
			want.Skipped++
		default:
			rt.Fatalf("a delivery is %s", d.Status)
		}
	}
	want.OldestPendingAt = a.OldestPendingAt
	if diff := gocmp.Diff(want, a); diff != "" {
		rt.Fatalf("accounting (-model +books):\n%s", diff)
	}
}

// checkStories reads what the ledger and the attempts tell of each life: it
// begins with the promise, makes only moves of the tables, and ends where the
// books say that it stands.
func (m *model) checkStories(rt *rapid.T) {
	s := m.stage
	for _, d := range m.deliveries {
		rows, err := deliveryEventTable.read(s.ctx, s.books.pool, "WHERE x.delivery_id = $1 ORDER BY x.seq", d.ID)
		if err != nil {
			rt.Fatal(err)
		}
		last := dispatch.DeliveryStatus("")
		for i, e := range rows {
			to := dispatch.DeliveryStatus(e.Status)
			if moot(e.StatusBefore) != string(last) || (i == 0) != (last == "") || (i > 0 && !dispatch.CanBecome(last, to)) {
				rt.Fatalf("the ledger tells of %s, which was %q: from %q to %s", d.ID, last, moot(e.StatusBefore), to)
			}
			last = to
		}
		if last != d.Status {
			rt.Fatalf("the ledger ends with %q, the delivery is %s", last, d.Status)
		}
		attempts := s.attempts(d.ID)
		for i, a := range attempts {
			runs := i == len(attempts)-1 && !d.Leased.IsZero()
			if a.Number != i+1 || (a.Outcome == nil) != runs {
				rt.Fatalf("attempt %d of %d: %+v, while the delivery is %+v", i+1, d.Attempt, a, *d)
			}
		}
		if len(attempts) != d.Attempt {
			rt.Fatalf("%d attempts on record, %d were made", len(attempts), d.Attempt)
		}
	}
	m.checkTicketStories(rt)
}

func (m *model) checkTicketStories(rt *rapid.T) {
	s := m.stage
	for _, ticket := range m.tickets {
		l, err := s.books.TicketEvents(s.ctx, dispatch.TicketEventFilter{TicketID: &ticket.ID}, dispatch.Ascending, dispatch.Page{First: 100})
		if err != nil {
			rt.Fatal(err)
		}
		status := dispatch.TicketOpen
		for i, e := range l.Items {
			switch {
			case (i == 0) != (e.Kind == dispatch.EventOpened):
				rt.Fatalf("line %d of a ticket is %s", i, e.Kind)
			case e.Kind == dispatch.EventStatusChanged && (*e.StatusBefore != status || !dispatch.CanMove(status, e.Status)):
				rt.Fatalf("the ledger tells of a ticket that was %s: from %s to %s", status, *e.StatusBefore, e.Status)
			}
			status = e.Status
		}
		if status != ticket.Status {
			rt.Fatalf("the ledger ends with %s, the ticket is %s", status, ticket.Status)
		}
	}
}
