package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

// shelf is what stands in the books, in memory, for lists to be held against.
type shelf struct {
	tickets    []dispatch.Ticket
	alerts     []dispatch.Alert
	deliveries []dispatch.Delivery
	lines      []dispatch.TicketEvent
}

var (
	listModels  = []string{"Sign-in", "Übertragung großer Mengen", "Port scan"}
	listKeys    = []string{"bob", "eve", "10.0.0.7", "DB-1"}
	listPeople  = []string{"dana", "erin"}
	listWords   = []string{"failed", "fail", "sign", "Zürich", "ΣΟΦΌΣ", "x1", "host-7", "日本"}
	listTexts   = []string{"", "f", "fail", "FAILED sign", "zür", "σοφ", "7", "日", "sign-in bob", "nothing", "%", "'"}
	listMoments = 40 // so few that many things happen at once
)

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// maybeOne is nil as often as not.
func maybeOne[T any](r *rand.Rand, of []T) *T {
	if r.IntN(2) == 0 {
		return nil
	}
	v := pick(r, of)
	return &v
}

func someTitle(r *rand.Rand) string {
	return pick(r, listWords) + " " + pick(r, listWords) + ", " + pick(r, listWords)
}

// fill puts random things into the books, past all rules.
func (s *stage) fill(n int) shelf {
	s.t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	var f shelf
	moment := func() time.Time { return noon.Add(time.Duration(r.IntN(listMoments)) * time.Second) }
	for i := range n {
		at := moment()
		ticket := dispatch.Ticket{
			ID: fmt.Sprintf("tkt_%d", i), Number: i + 1, Title: someTitle(r), Status: pick(r, []dispatch.TicketStatus{"OPEN", "ACKNOWLEDGED", "CLOSED", "CLOSED"}),
			Severity: pick(r, dispatch.Severities), BehaviorModel: pick(r, listModels), Key: maybeOne(r, listKeys), Assignee: maybeOne(r, listPeople),
			DedupKey: fmt.Sprint(i), AlertCount: 1, OpenedAt: at, UpdatedAt: moment(), Version: 1,
		}
		f.tickets = append(f.tickets, ticket)
		f.lines = append(f.lines, dispatch.TicketEvent{
			Seq: int64(i + 1), ID: fmt.Sprintf("evt_%d", i), Kind: pick(r, []dispatch.TicketEventKind{dispatch.EventStatusChanged, dispatch.EventAssigned, dispatch.EventOpened}),
			At: at, By: alice, TicketID: pick(r, f.tickets).ID, StatusBefore: maybeOne(r, []dispatch.TicketStatus{"OPEN", "CLOSED"}),
			Status: ticket.Status, Severity: ticket.Severity, Assignee: ticket.Assignee, AssigneeBefore: maybeOne(r, listPeople), TicketVersion: 1,
		})
		alert := dispatch.Alert{
			ID: fmt.Sprintf("alr_%d", i), BehaviorModel: pick(r, listModels), Key: maybeOne(r, listKeys), Severity: pick(r, dispatch.Severities), Risks: []string{},
			Summary: someTitle(r), Description: maybeOne(r, listWords), Attributes: dispatch.JSON("{}"), DedupKey: fmt.Sprint(i), OccurredAt: at, ReceivedAt: moment(), RaisedBy: alice,
		}
		if r.IntN(2) == 0 {
			alert.TicketID = &f.tickets[r.IntN(i+1)%10].ID
		}
		f.alerts = append(f.alerts, alert)
		f.deliveries = append(f.deliveries, dispatch.Delivery{
			ID: fmt.Sprintf("dlv_%d", i), Kind: dispatch.Notify, Status: pick(r, []dispatch.DeliveryStatus{"PENDING", "DELIVERED", "FAILED", "CANCELED", "SKIPPED", "UNCERTAIN"}),
			ActionID: maybeOne(r, []string{"acn_1", "acn_2"}), APIConfigID: pick(r, []string{"cfg_1", "cfg_2"}), ActorID: pick(r, []string{"act_1", "act_2"}),
			AlertID: pick(r, f.alerts).ID, TicketID: alert.TicketID, CreatedAt: moment(),
		})
	}
	s.must(s.books.writer.write(s.ctx, nil, f.write))
	return f
}

func (f shelf) write(ctx context.Context, t *tx) error {
	var tickets []sqlc.Ticket
	var alerts []sqlc.Alert
	var deliveries []sqlc.Delivery
	var ticketIDs, alertIDs []string
	for i := range f.tickets {
		tickets, ticketIDs = append(tickets, ticketRow(f.tickets[i], nil)), append(ticketIDs, f.tickets[i].ID)
		alerts, alertIDs = append(alerts, alertRow(f.alerts[i])), append(alertIDs, f.alerts[i].ID)
		deliveries = append(deliveries, deliveryRow(f.deliveries[i]))
		e := f.lines[i]
		line := t.noteTicket(e.Kind, nil, f.tickets[i], e.By, e.At)
		line.ID, line.TicketID, line.StatusBefore, line.AssigneeBefore = e.ID, e.TicketID, maybe(e.StatusBefore, text), e.AssigneeBefore
	}
	return errors.Join(
		ticketTable.insert(ctx, t.session, tickets), t.indexWords(ctx, "tickets", ticketIDs),
		alertTable.insert(ctx, t.session, alerts), t.indexWords(ctx, "alerts", alertIDs),
		deliveryTable.insert(ctx, t.session, deliveries),
	)
}

// subject is what a filter looks at and what never changes.
func (f shelf) subject(ticketID string) dispatch.TicketSubject {
	i := slices.IndexFunc(f.tickets, func(t dispatch.Ticket) bool { return t.ID == ticketID })
	return subject(f.tickets[i])
}

// chosen draws a filter's list: absent, empty, or some values, a strange one too.
func chosen[T ~string](rt *rapid.T, label string, of []T) []T {
	switch rapid.IntRange(0, 5).Draw(rt, label+"?") {
	case 0:
		return append(rapid.SliceOfN(rapid.SampledFrom(of), 1, 4).Draw(rt, label), "strange")
	case 1, 2:
		return rapid.SliceOfN(rapid.SampledFrom(of), 1, 3).Draw(rt, label)
	case 3:
		return rapid.SampledFrom([][]T{nil, {}}).Draw(rt, label)
	default:
		return nil
	}
}

func chance[T any](rt *rapid.T, label string, of *rapid.Generator[T]) *T {
	if rapid.IntRange(0, 2).Draw(rt, label+"?") > 0 {
		return nil
	}
	v := of.Draw(rt, label)
	return &v
}

var someMoment = rapid.Custom(func(rt *rapid.T) time.Time {
	return noon.Add(time.Duration(rapid.IntRange(-1, listMoments+1).Draw(rt, "second")) * time.Second)
})

func someTicketFilter(rt *rapid.T) dispatch.TicketFilter {
	return dispatch.TicketFilter{
		IDs:      chosen(rt, "ids", []string{"tkt_1", "tkt_2", "tkt_30", "tkt_31", "tkt_99"}),
		Statuses: chosen(rt, "statuses", []dispatch.TicketStatus{"OPEN", "ACKNOWLEDGED", "CLOSED"}), Severities: chosen(rt, "severities", dispatch.Severities),
		BehaviorModels: chosen(rt, "models", listModels), Keys: chosen(rt, "keys", listKeys), Assignees: chosen(rt, "assignees", listPeople),
		IsUnassigned: chance(rt, "unassigned", rapid.Bool()), OpenedSince: chance(rt, "since", someMoment), OpenedUntil: chance(rt, "until", someMoment),
		Text: chance(rt, "text", rapid.SampledFrom(listTexts)),
	}
}

// leaf through a list page by page, and return all ids; each page has at most
// what was asked for, and the cursor of any item goes on behind it.
func leaf[T any](rt *rapid.T, ids func(T) string, read func(dispatch.Page) (dispatch.List[T], error)) []string {
	got := []string{}
	p := dispatch.Page{First: rapid.IntRange(1, 30).Draw(rt, "first")}
	for pages := 0; ; pages++ {
		if pages > 2000 {
			rt.Fatalf("the list does not end")
		}
		l, err := read(p)
		if err != nil {
			rt.Fatal(err)
		}
		if len(l.Items) > p.First || len(l.Cursors) != len(l.Items) {
			rt.Fatalf("a page of %d has %d items and %d cursors", p.First, len(l.Items), len(l.Cursors))
		}
		keep, next := len(l.Items), l.End
		if keep > 1 && rapid.Bool().Draw(rt, "from the middle") {
			keep = rapid.IntRange(1, keep-1).Draw(rt, "keep")
			next = l.Cursors[keep-1]
		}
		for _, item := range l.Items[:keep] {
			got = append(got, ids(item))
		}
		if keep == len(l.Items) && !l.HasNext {
			return got
		}
		if next == p.After {
			rt.Fatalf("the page after %q ends where it began, and says that there is more", next)
		}
		p.After = next
	}
}

func wantIDs(rt *rapid.T, want, got []string) {
	if diff := gocmp.Diff(want, got); diff != "" {
		rt.Fatalf("the list is not what it should be (-want +got):\n%s", diff)
	}
}

// wantCount holds a count against the whole.
func wantCount(rt *rapid.T, whole int, read func(limit int) (dispatch.Count, error)) {
	for _, limit := range []int{1, 7, 10_000} {
		c, err := read(limit)
		switch {
		case err != nil:
			rt.Fatal(err)
		case c.Exact && c.Rows != whole, c.Rows > min(whole, limit), limit > whole && limit == 10_000 && !c.Exact:
			rt.Fatalf("counted up to %d: %+v, of %d", limit, c, whole)
		}
	}
}

func TestListOfTickets(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		f := s.fill(300)
		if raced {
			fewerChecks(t)
		}
		rapid.Check(t, func(rt *rapid.T) {
			filter := someTicketFilter(rt)
			order := dispatch.TicketOrder{
				Field:     rapid.SampledFrom([]dispatch.TicketOrderField{"", dispatch.ByOpenedAt, dispatch.ByUpdatedAt, dispatch.BySeverity}).Draw(rt, "field"),
				Direction: rapid.SampledFrom([]dispatch.OrderDirection{"", dispatch.Ascending, dispatch.Descending}).Draw(rt, "direction"),
			}
			got := leaf(rt, func(x dispatch.Ticket) string { return x.ID }, func(p dispatch.Page) (dispatch.List[dispatch.Ticket], error) {
				l, _, err := s.books.Tickets(s.ctx, filter, order, p)
				return l, err
			})
			want := f.wantTickets(filter, order)
			wantIDs(rt, want, got)
			wantCount(rt, len(want), func(limit int) (dispatch.Count, error) { return s.books.CountTickets(s.ctx, filter, limit) })
		})
	})
}

// wantTickets chooses by the rule that subscriptions follow.
func (f shelf) wantTickets(filter dispatch.TicketFilter, o dispatch.TicketOrder) []string {
	var all []dispatch.Ticket
	for _, t := range f.tickets {
		if filter.Matches(dispatch.TicketEvent{TicketID: t.ID, Status: t.Status, Severity: t.Severity, Assignee: t.Assignee, Subject: subject(t)}, false) {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b dispatch.Ticket) int {
		var c int
		switch o.Field {
		case dispatch.ByUpdatedAt:
			c = a.UpdatedAt.Compare(b.UpdatedAt)
		case dispatch.BySeverity:
			c = cmp.Or(a.Severity.Rank()-b.Severity.Rank(), a.OpenedAt.Compare(b.OpenedAt))
		default:
			c = a.OpenedAt.Compare(b.OpenedAt)
		}
		if c = cmp.Or(c, a.Number-b.Number); o.Direction != dispatch.Ascending {
			return -c
		}
		return c
	})
	ids := []string{}
	for _, t := range all {
		ids = append(ids, t.ID)
	}
	return ids
}

func TestListOfAlerts(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		f := s.fill(300)
		if raced {
			fewerChecks(t)
		}
		rapid.Check(t, func(rt *rapid.T) {
			filter := dispatch.AlertFilter{
				BehaviorModels: chosen(rt, "models", listModels), Keys: chosen(rt, "keys", listKeys), Severities: chosen(rt, "severities", dispatch.Severities),
				Since: chance(rt, "since", someMoment), Until: chance(rt, "until", someMoment), Text: chance(rt, "text", rapid.SampledFrom(listTexts)),
				TicketID: chance(rt, "ticket", rapid.SampledFrom([]string{"tkt_1", "tkt_2", "tkt_none"})),
			}
			got := leaf(rt, func(x dispatch.Alert) string { return x.ID }, func(p dispatch.Page) (dispatch.List[dispatch.Alert], error) {
				return s.books.Alerts(s.ctx, filter, p)
			})
			want := f.wantAlerts(filter)
			wantIDs(rt, want, got)
			wantCount(rt, len(want), func(limit int) (dispatch.Count, error) { return s.books.CountAlerts(s.ctx, filter, limit) })
		})
	})
}

func among[T comparable](list []T, v *T) bool {
	return list == nil || (v != nil && slices.Contains(list, *v))
}

func (f shelf) wantAlerts(filter dispatch.AlertFilter) []string {
	ids := []string{}
	places := map[string]int{}
	for i, a := range f.alerts {
		places[a.ID] = i
		if among(filter.BehaviorModels, &a.BehaviorModel) && among(filter.Keys, a.Key) && among(filter.Severities, &a.Severity) &&
			(filter.Since == nil || !a.ReceivedAt.Before(*filter.Since)) && (filter.Until == nil || a.ReceivedAt.Before(*filter.Until)) &&
			(filter.Text == nil || dispatch.MatchWords(*filter.Text, dispatch.AlertWords(a))) &&
			(filter.TicketID == nil || (a.TicketID != nil && *a.TicketID == *filter.TicketID)) {
			ids = append(ids, a.ID)
		}
	}
	slices.SortFunc(ids, func(x, y string) int {
		a, b := places[x], places[y]
		return -cmp.Or(f.alerts[a].ReceivedAt.Compare(f.alerts[b].ReceivedAt), a-b)
	})
	return ids
}

func TestListOfDeliveries(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		f := s.fill(300)
		if raced {
			fewerChecks(t)
		}
		rapid.Check(t, func(rt *rapid.T) {
			of := func(label string, values ...string) *string { return chance(rt, label, rapid.SampledFrom(values)) }
			filter := dispatch.DeliveryFilter{
				Statuses: chosen(rt, "statuses", []dispatch.DeliveryStatus{"PENDING", "DELIVERED", "FAILED", "CANCELED", "SKIPPED", "UNCERTAIN"}),
				Kinds:    chosen(rt, "kinds", []dispatch.DeliveryKind{dispatch.Notify}), ActorID: of("actor", "act_1", "act_2", "act_none"),
				APIConfigID: of("config", "cfg_1", "cfg_2"), ActionID: of("action", "acn_1", "acn_none"), TicketID: of("ticket", "tkt_1", "tkt_none"),
				AlertID: of("alert", "alr_1", "alr_none"), Since: chance(rt, "since", someMoment), Until: chance(rt, "until", someMoment),
			}
			got := leaf(rt, func(x dispatch.Delivery) string { return x.ID }, func(p dispatch.Page) (dispatch.List[dispatch.Delivery], error) {
				return s.books.Deliveries(s.ctx, filter, p)
			})
			want := f.wantDeliveries(filter)
			wantIDs(rt, want, got)
			wantCount(rt, len(want), func(limit int) (dispatch.Count, error) { return s.books.CountDeliveries(s.ctx, filter, limit) })
		})
	})
}

func (f shelf) wantDeliveries(filter dispatch.DeliveryFilter) []string {
	ids := []string{}
	places := map[string]int{}
	for i, d := range f.deliveries {
		places[d.ID] = i
		if filter.Matches(d, d.Status) {
			ids = append(ids, d.ID)
		}
	}
	slices.SortFunc(ids, func(x, y string) int {
		a, b := places[x], places[y]
		return -cmp.Or(f.deliveries[a].CreatedAt.Compare(f.deliveries[b].CreatedAt), a-b)
	})
	return ids
}

func TestListOfTicketEvents(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		f := s.fill(300)
		if raced {
			fewerChecks(t)
		}
		rapid.Check(t, func(rt *rapid.T) {
			filter := dispatch.TicketEventFilter{
				TicketID: chance(rt, "ticket", rapid.SampledFrom([]string{"tkt_1", "tkt_2", "tkt_none"})),
				Kinds:    chosen(rt, "kinds", []dispatch.TicketEventKind{dispatch.EventStatusChanged, dispatch.EventAssigned, dispatch.EventOpened}),
				Ticket:   chance(rt, "filter", rapid.Custom(someTicketFilter)),
			}
			direction := rapid.SampledFrom([]dispatch.OrderDirection{dispatch.Ascending, dispatch.Descending}).Draw(rt, "direction")
			got := leaf(rt, func(x dispatch.TicketEvent) string { return fmt.Sprint(x.ID, x.MatchesNow) }, func(p dispatch.Page) (dispatch.List[dispatch.TicketEvent], error) {
				return s.books.TicketEvents(s.ctx, filter, direction, p)
			})
			want := f.wantLines(filter, direction)
			wantIDs(rt, want, got)
			wantCount(rt, len(want), func(limit int) (dispatch.Count, error) { return s.books.CountTicketEvents(s.ctx, filter, limit) })
		})
	})
}

func (f shelf) wantLines(filter dispatch.TicketEventFilter, d dispatch.OrderDirection) []string {
	ids := []string{}
	for _, e := range f.lines {
		e.Subject = f.subject(e.TicketID)
		now, before := true, true
		if filter.Ticket != nil {
			now, before = filter.Ticket.Matches(e, false), filter.Ticket.Matches(e, true)
		}
		if among(filter.Kinds, &e.Kind) && (filter.TicketID == nil || *filter.TicketID == e.TicketID) && (now || before) {
			ids = append(ids, fmt.Sprint(e.ID, now))
		}
	}
	if d != dispatch.Ascending {
		slices.Reverse(ids)
	}
	return ids
}

// TestRangeChangesOnTheWay: a cursor is good under another filter, which holds.
func TestRangeChangesOnTheWay(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		f := s.fill(100)
		for _, o := range []dispatch.TicketOrder{{Direction: dispatch.Ascending}, {Direction: dispatch.Descending}} {
			l, _, err := s.books.Tickets(s.ctx, dispatch.TicketFilter{}, o, dispatch.Page{First: 1})
			s.must(err)
			since, until := noon.Add(10*time.Second), noon.Add(30*time.Second)
			narrow := dispatch.TicketFilter{OpenedSince: &since, OpenedUntil: &until}
			rest, _, err := s.books.Tickets(s.ctx, narrow, o, dispatch.Page{First: 100, After: l.End})
			s.must(err)
			if got, want := len(rest.Items), len(f.wantTickets(narrow, o)); got != want {
				t.Errorf("%s: behind the first of all tickets there are %d of the range, want %d", o.Direction, got, want)
			}
		}
	})
}

func TestCursorOfAnotherList(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.raise(s.member("a"), s.member("b"))
		l, _, err := s.books.Tickets(s.ctx, dispatch.TicketFilter{}, dispatch.TicketOrder{}, dispatch.Page{First: 1})
		s.must(err)
		for _, cursor := range []string{l.End, "nonsense", dispatch.Cursor(alertList, "1", "2"), dispatch.Cursor(alertList, "1", "2", "x"), dispatch.LedgerCursor(1)} {
			_, err := s.books.Alerts(s.ctx, dispatch.AlertFilter{}, dispatch.Page{First: 1, After: cursor})
			if !errors.Is(err, dispatch.ErrCursor) {
				t.Errorf("alerts after %q: %v, want ErrCursor", cursor, err)
			}
		}
		_, _, err = s.books.Tickets(s.ctx, dispatch.TicketFilter{}, dispatch.TicketOrder{Field: dispatch.BySeverity}, dispatch.Page{First: 1, After: l.End})
		if !errors.Is(err, dispatch.ErrCursor) {
			t.Errorf("a cursor of another order gave %v, want ErrCursor", err)
		}
	})
}
