package db

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/dispatch"
)

// model is what the books should hold of one actor, told simply.
type model struct {
	stage      *stage
	stores     []*books // two processes on one database
	actor      string
	keys       []string // dedup keys
	tickets    []*modelTicket
	deliveries []*modelDelivery // in the order promised
	claims     []dispatch.Claimed
	before     dispatch.Accounting
}

type modelTicket struct {
	ID       string
	Key      string
	Status   dispatch.TicketStatus
	Alerts   int
	Version  int
	perAlert bool
}

type modelDelivery struct {
	ID       string
	Status   dispatch.DeliveryStatus
	Attempt  int
	Leased   time.Time // zero: nobody holds it
	Due      time.Time // zero: it is finished, or waits for an earlier one of its line
	Ref      string
	line     string
	ticketID string
	config   string
}

func (d *modelDelivery) isUnfinished() bool {
	return d.Status == dispatch.Pending || d.Status == dispatch.Uncertain
}

// become moves a delivery, which the table must allow. The first of its line that
// waits for it is due when it has ended.
func (m *model) become(rt *rapid.T, d *modelDelivery, to dispatch.DeliveryStatus, due time.Time) {
	if d.Status != to && !dispatch.CanBecome(d.Status, to) {
		rt.Fatalf("the model moves a delivery from %s to %s", d.Status, to)
	}
	d.Status, d.Leased, d.Due = to, time.Time{}, time.Time{}
	if d.isUnfinished() {
		d.Due = due
		return
	}
	if next := m.firstOf(d.line); next != nil && next.Due.IsZero() {
		next.Due = m.now()
	}
}

// firstOf is the first delivery of a line that has not ended.
func (m *model) firstOf(line string) *modelDelivery {
	i := slices.IndexFunc(m.deliveries, func(d *modelDelivery) bool { return d.line == line && d.isUnfinished() })
	if i < 0 {
		return nil
	}
	return m.deliveries[i]
}

// TestLivesOfDeliveriesAndTickets runs the two tables of dispatch against the
// books: raises, claims, crashes, settlements of every outcome in time and late,
// cancels, retries, and tickets that are moved meanwhile, from two processes.
func TestLivesOfDeliveriesAndTickets(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		if !s.isSQLite() || raced {
			fewerChecks(t)
		}
		stores := []*books{s.books, s.open()}
		rapid.Check(t, func(rt *rapid.T) {
			m := beginModel(s, stores)
			rt.Repeat(map[string]func(*rapid.T){
				"raise": m.raise, "claim": m.claim, "claim more": m.claim, "settle": m.settle, "settle another": m.settle,
				"time passes": m.pass, "crash": m.recover, "cancel": m.cancel, "retry": m.retry, "move ticket": m.move, "": m.check,
			})
			m.checkStories(rt)
		})
	})
}

// fewerChecks leaves a fifth of what rapid does, until the test ends.
func fewerChecks(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks").Value
	before := checks.String()
	n, err := strconv.Atoi(before)
	if err != nil {
		t.Fatal(err)
	}
	if err := checks.Set(strconv.Itoa(max(n/5, 1))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Set(before) })
}

func beginModel(s *stage, stores []*books) *model {
	s.t.Helper()
	before, err := s.books.Accounting(s.ctx)
	s.must(err)
	m := &model{stage: s, stores: stores, actor: dispatch.NewID(dispatch.PrefixActor), before: before}
	for i := range 2 {
		m.keys = append(m.keys, fmt.Sprint(m.actor, " key ", i))
	}
	return m
}

func (m *model) store(rt *rapid.T) *books {
	return m.stores[rapid.IntRange(0, len(m.stores)-1).Draw(rt, "store")]
}

func (m *model) now() time.Time { return m.stage.now }

func (m *model) pass(rt *rapid.T) {
	m.stage.pass(rapid.SampledFrom([]time.Duration{time.Millisecond, 2 * time.Second, lease / 2, lease + time.Second}).Draw(rt, "time"))
}

func (m *model) open(key string) *modelTicket {
	i := slices.IndexFunc(m.tickets, func(t *modelTicket) bool {
		return t.Key == key && !t.perAlert && t.Status != dispatch.TicketClosed
	})
	if i < 0 {
		return nil
	}
	return m.tickets[i]
}

func (m *model) raise(rt *rapid.T) {
	key := rapid.SampledFrom(m.keys).Draw(rt, "key")
	policy := rapid.SampledFrom([]dispatch.TicketPolicy{dispatch.PerDedupKey, dispatch.PerDedupKey, dispatch.PerAlert, dispatch.NoTicket}).Draw(rt, "policy")
	configs := rapid.SampledFrom([][]string{{postPage}, {postPage, postText}}).Draw(rt, "configs")
	r := m.stage.member(key, configs...)
	r.Plan.Ticket = policy
	for i := range r.Plan.Deliveries {
		r.Plan.Deliveries[i].ActorID = m.actor
	}
	raised := m.store(rt).Raise(m.stage.ctx, []dispatch.Raising{r})[0]
	if raised.Err != nil {
		rt.Fatal(raised.Err)
	}
	m.promise(rt, m.belong(rt, r, raised), r.Plan.Deliveries...)
	for _, d := range m.deliveries[len(m.deliveries)-len(r.Plan.Deliveries):] {
		if m.stage.isSQLite() && m.firstOf(d.line) != d {
			d.Due = time.Time{}
		}
	}
}

// belong is the id of the ticket that an alert opened or joined, "" for none.
func (m *model) belong(rt *rapid.T, r dispatch.Raising, raised dispatch.Raised) string {
	if r.Plan.Ticket == dispatch.NoTicket {
		if raised.TicketID != nil {
			rt.Fatalf("an alert that should have none got the ticket %s", *raised.TicketID)
		}
		return ""
	}
	current := m.open(r.Alert.DedupKey)
	if current == nil || r.Plan.Ticket == dispatch.PerAlert {
		current = &modelTicket{ID: r.Plan.NewTicket.ID, Key: r.Alert.DedupKey, Status: dispatch.TicketOpen, perAlert: r.Plan.Ticket == dispatch.PerAlert}
		m.tickets = append(m.tickets, current)
	}
	current.Alerts++
	current.Version++
	if *raised.TicketID != current.ID {
		rt.Fatalf("an alert went to the ticket %s, want %s", *raised.TicketID, current.ID)
	}
	return current.ID
}

func (m *model) promise(_ *rapid.T, ticketID string, all ...dispatch.Delivery) {
	for _, d := range all {
		if d.TicketID = nil; ticketID != "" {
			d.TicketID = &ticketID
		}
		m.deliveries = append(m.deliveries, &modelDelivery{
			ID: d.ID, Status: dispatch.Pending, Due: d.CreatedAt, line: d.OrderKey(), ticketID: ticketID, config: d.APIConfigID,
		})
	}
}

// isFree tells whether a delivery may be claimed: due, held by nobody, and the
// first of its line, none of which is out.
func (m *model) isFree(i int) bool {
	d := m.deliveries[i]
	if !d.isUnfinished() || !d.Leased.IsZero() || d.Due.IsZero() || d.Due.After(m.now()) {
		return false
	}
	for j, other := range m.deliveries {
		if other.line == d.line && other.isUnfinished() && (j < i || !other.Leased.IsZero()) {
			return false
		}
	}
	return true
}

func (m *model) claim(rt *rapid.T) {
	most := rapid.IntRange(1, 4).Draw(rt, "most")
	var want []*modelDelivery
	for i, d := range m.deliveries {
		if m.isFree(i) {
			want = append(want, d)
		}
	}
	slices.SortStableFunc(want, func(a, b *modelDelivery) int { return a.Due.Compare(b.Due) })
	want = want[:min(most, len(want))]
	claimed, err := m.store(rt).Claim(m.stage.ctx, dispatch.Claim{ActorID: m.actor, Now: m.now(), Until: m.now().Add(lease), Max: most})
	if err != nil {
		rt.Fatal(err)
	}
	wantIDs := []string{}
	for _, d := range want {
		wantIDs = append(wantIDs, d.ID)
		d.Attempt++
		d.Leased = m.now().Add(lease)
	}
	if diff := gocmp.Diff(wantIDs, ids(claimed)); diff != "" {
		rt.Fatalf("claimed (-want +got):\n%s", diff)
	}
	m.claims = append(m.claims, claimed...)
}

func (m *model) delivery(id string) *modelDelivery {
	return m.deliveries[slices.IndexFunc(m.deliveries, func(d *modelDelivery) bool { return d.ID == id })]
}

// settle ends a claim of any age, by any move that the table has for it; those
// that are settled already come too late as well.
func (m *model) settle(rt *rapid.T) {
	if len(m.claims) == 0 {
		rt.Skip("nobody has claimed")
	}
	c := rapid.SampledFrom(m.claims).Draw(rt, "claim")
	move, to := someMove(rt, c.Delivery.Status)
	e := m.stage.settlement(c, dispatch.OutcomeDeferred, to)
	e.Move, e.NextAt = move, nil
	due := m.now().Add(rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(rt, "wait"))
	if to == dispatch.Pending || to == dispatch.Uncertain {
		e.NextAt = &due
	}
	if rapid.Bool().Draw(rt, "reference") {
		e.Ref.ID = fmt.Sprintf("ref %d", c.Delivery.Attempt)
	}
	d := m.delivery(c.Delivery.ID)
	if to == dispatch.Failed && rapid.Bool().Draw(rt, "fallback") {
		next := c.Delivery
		next.ID, next.APIConfigID, next.FallbackOf, next.Status = dispatch.NewID(dispatch.PrefixDelivery), "cfg_fallback", &d.ID, dispatch.Pending
		next.Attempt, next.LeasedUntil, next.NextAttemptAt, next.CreatedAt, next.ExternalRef = 0, nil, nil, m.now(), nil
		e.Fallback = &next
	}
	err := m.store(rt).Settle(m.stage.ctx, []dispatch.Settlement{e})[0]
	if d.Attempt != c.Delivery.Attempt || d.Leased.IsZero() {
		if !errors.Is(err, dispatch.ErrFenced) {
			rt.Fatalf("a settlement that came too late gave %v", err)
		}
		d.Ref = cmp.Or(d.Ref, e.Ref.ID)
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	m.become(rt, d, to, due)
	d.Ref = cmp.Or(e.Ref.ID, d.Ref)
	if e.Fallback != nil {
		m.promise(rt, d.ticketID, *e.Fallback)
	}
}

// someMove draws what a courier may say of a delivery that it has claimed.
func someMove(rt *rapid.T, from dispatch.DeliveryStatus) (dispatch.DeliveryMove, dispatch.DeliveryStatus) {
	var moves []dispatch.DeliveryMove
	for move := range dispatch.DeliveryMoves[from] {
		if move != dispatch.MoveLost && move != dispatch.MoveCancel && move != dispatch.MoveSuperseded {
			moves = append(moves, move)
		}
	}
	slices.Sort(moves)
	move := rapid.SampledFrom(moves).Draw(rt, "move")
	return move, rapid.SampledFrom(dispatch.DeliveryMoves[from][move]).Draw(rt, "to")
}

// recover finds the deliveries whose couriers have died.
func (m *model) recover(rt *rapid.T) {
	to := rapid.SampledFrom(dispatch.DeliveryMoves[dispatch.Pending][dispatch.MoveLost]).Draw(rt, "to")
	want := 0
	for _, d := range m.deliveries {
		if !d.Leased.IsZero() && d.Leased.Before(m.now()) {
			want++
			next := to
			if d.Status == dispatch.Uncertain {
				next = dispatch.Uncertain
			}
			m.become(rt, d, next, m.now())
		}
	}
	n, err := m.store(rt).Recover(m.stage.ctx, m.actor, m.now(), m.now(), to)
	if err != nil || n != want {
		rt.Fatalf("recovered %d, %v; want %d", n, err, want)
	}
}

// some draws a choice of deliveries: some by id, or all of the actor.
func (m *model) some(rt *rapid.T) (dispatch.Selection, func(*modelDelivery) bool) {
	if len(m.deliveries) == 0 || rapid.Bool().Draw(rt, "all") {
		return dispatch.Selection{Filter: &dispatch.DeliveryFilter{ActorID: &m.actor}}, func(*modelDelivery) bool { return true }
	}
	var chosen []string
	for _, d := range rapid.SliceOfN(rapid.SampledFrom(m.deliveries), 1, 3).Draw(rt, "deliveries") {
		chosen = append(chosen, d.ID)
	}
	return dispatch.Selection{IDs: chosen}, func(d *modelDelivery) bool { return slices.Contains(chosen, d.ID) }
}

func (m *model) cancel(rt *rapid.T) {
	selection, isChosen := m.some(rt)
	limit := rapid.IntRange(1, 5).Draw(rt, "limit")
	var want []string
	for _, d := range m.deliveries {
		if isChosen(d) && d.Status == dispatch.Pending && d.Leased.IsZero() && len(want) < limit {
			m.become(rt, d, dispatch.Canceled, time.Time{})
			want = append(want, d.ID)
		}
	}
	changed, err := m.store(rt).CancelDeliveries(m.stage.ctx, selection, "no", alice, m.now(), limit)
	m.wantChanged(rt, want, changed, err)
}

func (m *model) retry(rt *rapid.T) {
	selection, isChosen := m.some(rt)
	limit := rapid.IntRange(1, 5).Draw(rt, "limit")
	var want []string
	for _, d := range m.deliveries {
		if isChosen(d) && (d.Status == dispatch.Failed || d.Status == dispatch.Canceled) && len(want) < limit {
			m.become(rt, d, dispatch.Pending, m.now())
			want = append(want, d.ID)
		}
	}
	changed, err := m.store(rt).RetryDeliveries(m.stage.ctx, selection, nil, alice, m.now(), limit)
	m.wantChanged(rt, want, changed, err)
}

func (m *model) wantChanged(rt *rapid.T, want []string, changed []dispatch.Delivery, err error) {
	if err != nil {
		rt.Fatal(err)
	}
	got := deliveryIDs(changed)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		rt.Fatalf("changed %v, want %v", got, want)
	}
}

// move moves a ticket to any status, whatever it has.
func (m *model) move(rt *rapid.T) {
	if len(m.tickets) == 0 {
		rt.Skip("there is no ticket")
	}
	ticket := rapid.SampledFrom(m.tickets).Draw(rt, "ticket")
	to := rapid.SampledFrom([]dispatch.TicketStatus{dispatch.TicketOpen, dispatch.TicketAcknowledged, dispatch.TicketClosed}).Draw(rt, "to")
	_, errs, err := m.store(rt).MoveTickets(m.stage.ctx, dispatch.TicketMove{Tickets: refs(ticket.ID), To: to, By: alice, At: m.now()})
	if err != nil {
		rt.Fatal(err)
	}
	replaced := ticket.Status == dispatch.TicketClosed && !ticket.perAlert && m.open(ticket.Key) != nil
	switch {
	case ticket.Status == to:
		if errs[0] != nil {
			rt.Fatalf("the status that it has already: %v", errs[0])
		}
		return
	case !dispatch.CanMove(ticket.Status, to) || replaced:
		if !isRefusal(errs[0]) {
			rt.Fatalf("%s → %s gave %v, want a refusal", ticket.Status, to, errs[0])
		}
		return
	case errs[0] != nil:
		rt.Fatal(errs[0])
	}
	ticket.Status = to
	ticket.Version++
	for _, d := range m.deliveries {
		if to == dispatch.TicketClosed && d.ticketID == ticket.ID && d.Status == dispatch.Pending && d.Attempt == 0 && d.Leased.IsZero() {
			m.become(rt, d, dispatch.Canceled, time.Time{})
		}
	}
}
