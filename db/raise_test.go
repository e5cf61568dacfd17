package db

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// events reads what the ledger says of tickets, from its beginning.
func (s *stage) events() []dispatch.TicketEvent {
	s.t.Helper()
	lines, err := s.books.TicketEventsAfter(s.ctx, 0, 10_000)
	s.must(err)
	return lines
}

func (s *stage) wantEvents(want ...dispatch.TicketEventKind) {
	s.t.Helper()
	var got []dispatch.TicketEventKind
	for _, e := range s.events() {
		got = append(got, e.Kind)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatal("ticket events (-want +got): ", diff)
	}
}

func TestRaiseKeepsEveryField(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		m := s.member("bob", postPage, postText)
		text, score := "größer als 'alles'; -- \"0\"", 77
		a := &m.Alert
		a.Behavior, a.KeyType, a.RiskScore, a.Description, a.Source, a.Link = &text, &text, &score, &text, &text, &text
		a.Payload, a.OccurredAt = dispatch.JSON(`{"n": 12345678901234567890, "s": "\ud83d\ude00"}`), s.now.Add(-time.Hour)
		m.Plan.NewTicket.RiskScore, m.Plan.NewTicket.KeyType = &score, &text
		m.Plan.Decisions[0].Problems = []string{"one", "two"}
		raised := s.raise(m)[0]

		alerts, err := s.books.AlertsByID(s.ctx, []string{a.ID})
		s.must(err)
		a.TicketID = raised.TicketID
		if diff := cmp.Diff(*a, alerts[a.ID]); diff != "" {
			t.Error("alert:", diff)
		}
		ticket := m.Plan.NewTicket
		ticket.Number = 1
		if diff := cmp.Diff(ticket, s.ticket(*raised.TicketID)); diff != "" {
			t.Error("ticket:", diff)
		}
		decisions, err := s.books.DecisionsOf(s.ctx, []string{a.ID})
		s.must(err)
		if diff := cmp.Diff(m.Plan.Decisions, decisions[a.ID]); diff != "" {
			t.Error("decisions:", diff)
		}
		deliveries, err := s.books.DeliveriesOf(s.ctx, []string{a.ID})
		s.must(err)
		want := m.Plan.Deliveries
		for i := range want {
			want[i].TicketID, want[i].NextAttemptAt = raised.TicketID, &want[i].CreatedAt
		}
		if diff := cmp.Diff(want, deliveries[a.ID]); diff != "" {
			t.Error("deliveries:", diff)
		}
		open, status := 1, dispatch.TicketOpen
		answer := dispatch.Raised{
			AlertID: a.ID, TicketID: &ticket.ID, TicketNumber: &open, TicketStatus: &status,
			DeliveryIDs: []string{want[0].ID, want[1].ID}, ActorIDs: []string{post},
		}
		if diff := cmp.Diff(answer, raised); diff != "" {
			t.Error("answer:", diff)
		}
	})
}

func TestAlertsJoinTheOpenTicket(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		first := s.raise(s.member("bob"))[0]
		s.pass(time.Minute)
		worse := s.member("bob")
		worse.Alert.Severity = dispatch.Critical
		second := s.raise(worse)[0]
		if *second.TicketID != *first.TicketID {
			t.Fatalf("the second alert opened %s beside %s", *second.TicketID, *first.TicketID)
		}
		ticket := s.ticket(*first.TicketID)
		if ticket.AlertCount != 2 || ticket.Severity != dispatch.Critical || ticket.Version != 2 || !ticket.LastAlertAt.Equal(s.now) {
			t.Errorf("the ticket is %+v after two alerts", ticket)
		}
		s.wantEvents(dispatch.EventOpened, dispatch.EventAlertJoined, dispatch.EventSeverityChanged)
		lines := s.events()
		if *lines[2].SeverityBefore != dispatch.Medium || lines[2].Severity != dispatch.Critical || *lines[2].AlertID != worse.Alert.ID {
			t.Errorf("the ledger says of the severity %+v", lines[2])
		}
		if lines[1].Severity != dispatch.Medium || lines[1].TicketVersion != 2 || lines[1].Subject.Title != "Sign-in of bob" {
			t.Errorf("the ledger says of the joining %+v", lines[1])
		}
	})
}

// TestRaiseTogetherOpensOneTicket: alerts of one key from two processes at once.
func TestRaiseTogetherOpensOneTicket(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		stores := []*books{s.books, s.open()}
		members := make([]dispatch.Raising, 60)
		for i := range members {
			members[i] = s.member(fmt.Sprintf("user-%d", i%3))
		}
		var all sync.WaitGroup
		for i, m := range members {
			all.Go(func() {
				if r := stores[i%2].Raise(s.ctx, []dispatch.Raising{m})[0]; r.Err != nil {
					t.Error(r.Err)
				}
			})
		}
		all.Wait()
		open, err := s.books.OpenTickets(s.ctx, []string{"user-0", "user-1", "user-2", "nobody"})
		s.must(err)
		var numbers []int
		for _, ticket := range open {
			numbers = append(numbers, ticket.Number)
			if ticket.AlertCount != 20 || ticket.Version != 20 || !ticket.Fired["acn_1"].Equal(s.now) {
				t.Errorf("T-%d has %d alerts and version %d, want 20; fired %v", ticket.Number, ticket.AlertCount, ticket.Version, ticket.Fired)
			}
		}
		if slices.Sort(numbers); !slices.Equal(numbers, []int{1, 2, 3}) {
			t.Errorf("the tickets have the numbers %v, want 1 to 3", numbers)
		}
		s.balances()
	})
}

func TestOneOpenTicketAKey(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.raise(s.member("bob"))
		a := s.alert("bob")
		row := ticketRow(openedBy(a), nil)
		row.Number = 99
		err := s.books.writer.write(s.ctx, nil, insertTicket(row))
		if err == nil || errors.Is(err, dispatch.ErrUnavailable) {
			t.Errorf("a second open ticket of one key gave %v", err)
		}
		row.Status = string(dispatch.TicketClosed)
		s.must(s.books.writer.write(s.ctx, nil, insertTicket(row)))
	})
}

func TestTicketOfASingleAlert(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.raise(s.member("bob"))
		var ids []string
		for range 2 {
			m := s.member("bob")
			m.Plan.Ticket = dispatch.PerAlert
			ids = append(ids, *s.raise(m)[0].TicketID)
		}
		s.raise(s.member("bob"))
		s.wantEvents(dispatch.EventOpened, dispatch.EventOpened, dispatch.EventOpened, dispatch.EventAlertJoined)
		for _, id := range ids {
			if ticket := s.ticket(id); ticket.AlertCount != 1 {
				t.Errorf("T-%d of a single alert has %d", ticket.Number, ticket.AlertCount)
			}
		}
		// Both can be closed, and opened again beside each other.
		for _, to := range []dispatch.TicketStatus{dispatch.TicketClosed, dispatch.TicketOpen} {
			_, errs, err := s.books.MoveTickets(s.ctx, dispatch.TicketMove{Tickets: refs(ids...), To: to, By: alice, At: s.now})
			if err := errors.Join(append(errs, err)...); err != nil {
				t.Errorf("move to %s: %v", to, err)
			}
		}
	})
}

func refs(ids ...string) []dispatch.TicketRef {
	all := make([]dispatch.TicketRef, len(ids))
	for i, id := range ids {
		all[i].ID = id
	}
	return all
}

func TestAlertWithoutATicket(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		m := s.member("bob")
		m.Plan = dispatch.Plan{Ticket: dispatch.NoTicket, Decisions: m.Plan.Decisions}
		m.Plan.Decisions[0].Verdict = dispatch.ConditionFalse
		r := s.raise(m)[0]
		if r.TicketID != nil || r.DeliveryIDs != nil {
			t.Errorf("an alert that no action fired for was answered %+v", r)
		}
		if found, err := s.books.AlertsByID(s.ctx, []string{r.AlertID}); err != nil || len(found) != 1 || found[r.AlertID].TicketID != nil {
			t.Errorf("it is stored as %+v, %v", found, err)
		}
		s.wantEvents()
	})
}

func TestRaiseRefusesAnOldConfiguration(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		old := s.member("bob")
		s.configure(dispatch.Nouns{BehaviorModels: []dispatch.BehaviorModel{newModel("One")}})
		results := s.books.Raise(s.ctx, []dispatch.Raising{s.member("eve"), old, s.member("dan")})
		if results[0].Err != nil || results[2].Err != nil || !errors.Is(results[1].Err, dispatch.ErrStale) {
			t.Errorf("results %v, %v, %v; want only the second to be stale", results[0].Err, results[1].Err, results[2].Err)
		}
		if n := s.count("SELECT COUNT(*) FROM alerts"); n != 2 {
			t.Errorf("%d alerts, want 2", n)
		}
	})
}

func TestPlanIsMadeAgainWhenTheTicketMoved(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		first := s.raise(s.member("bob"))[0]
		open, err := s.books.OpenTickets(s.ctx, []string{"bob"})
		s.must(err)
		seen := open["bob"]
		replanned := func(open *dispatch.OpenTicket) (m dispatch.Raising, asked *[]*dispatch.OpenTicket) {
			m, asked = s.member("bob"), &[]*dispatch.OpenTicket{}
			m.Open = open
			m.Replan = func(now *dispatch.OpenTicket) dispatch.Plan {
				*asked = append(*asked, now)
				return s.plan(m.Alert, postPage, postText)
			}
			return m, asked
		}

		m, asked := replanned(&seen)
		if r := s.raise(m)[0]; len(*asked) != 0 || len(r.DeliveryIDs) != 1 {
			t.Errorf("the plan was made again %d times for a ticket that had not moved", len(*asked))
		}
		m, asked = replanned(&seen) // by now it has another version
		r := s.raise(m)[0]
		if len(*asked) != 1 || (*asked)[0].Version != 2 || (*asked)[0].ID != *first.TicketID || len(r.DeliveryIDs) != 2 {
			t.Errorf("for a ticket that moved the plan was made on %+v, with %d deliveries", *asked, len(r.DeliveryIDs))
		}
		m, asked = replanned(nil)
		if s.raise(m); len(*asked) != 1 || (*asked)[0] == nil {
			t.Errorf("for a ticket that was opened meanwhile the plan was made on %+v", *asked)
		}
		s.move(dispatch.TicketClosed, *first.TicketID)
		m, asked = replanned(&seen)
		r = s.raise(m)[0]
		if len(*asked) != 1 || (*asked)[0] != nil || *r.TicketID == *first.TicketID {
			t.Errorf("for a ticket that was closed meanwhile the plan was made on %+v, with the ticket %s", *asked, *r.TicketID)
		}
		s.balances()
	})
}

// TestSecondOfAKeyInOneCallJoinsTheFirst: it was planned without a ticket, which
// the first of the same transaction has opened.
func TestSecondOfAKeyInOneCallJoinsTheFirst(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		m := []dispatch.Raising{s.member("bob"), s.member("bob")}
		asked := 0
		for i := range m {
			m[i].Replan = func(open *dispatch.OpenTicket) dispatch.Plan {
				asked++
				if open == nil || open.Version != 1 || !open.Fired["acn_1"].Equal(s.now) {
					t.Errorf("the plan was made on %+v, want the ticket as the first left it", open)
				}
				return s.plan(m[i].Alert, postText)
			}
		}
		raised := s.raise(m...)
		if asked != 1 || *raised[0].TicketID != *raised[1].TicketID {
			t.Errorf("planned again %d times, tickets %s and %s", asked, *raised[0].TicketID, *raised[1].TicketID)
		}
	})
}

func repeatOf(key, input string) *dispatch.Repeat {
	return &dispatch.Repeat{TokenID: "tok_1", Mutation: "raiseAlert", Key: key, Input: []byte(input), Expires: noon.Add(24 * time.Hour)}
}

func TestRaiseRepeated(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		member := func(r *dispatch.Repeat) dispatch.Raising {
			m := s.member("bob")
			m.Repeat = r
			return m
		}
		first := s.raise(member(repeatOf("k", "input")))[0]
		again := s.raise(member(repeatOf("k", "input")))[0]
		want := first
		want.IsRepeat, want.ActorIDs = true, nil
		if diff := cmp.Diff(want, again); diff != "" {
			t.Error("the repeat was answered otherwise (-first +repeat): ", diff)
		}
		if r := s.books.Raise(s.ctx, []dispatch.Raising{member(repeatOf("k", "other"))})[0]; !errors.Is(r.Err, dispatch.ErrKeyReused) {
			t.Errorf("the key with another input gave %v, want ErrKeyReused", r.Err)
		}
		token, mutation := repeatOf("k", "other"), repeatOf("k", "other")
		token.TokenID, mutation.Mutation = "tok_2", "other"
		for _, r := range s.raise(member(token), member(mutation)) {
			if r.IsRepeat {
				t.Error("a key was taken for that of another token or mutation")
			}
		}
		twice := s.raise(member(repeatOf("l", "x")), member(repeatOf("l", "x")))
		if twice[0].AlertID != twice[1].AlertID || twice[0].IsRepeat == twice[1].IsRepeat {
			t.Errorf("twice the same key in one call gave %+v", twice)
		}
		mixed := s.books.Raise(s.ctx, []dispatch.Raising{member(repeatOf("m", "x")), member(repeatOf("m", "y"))})
		if (mixed[0].Err == nil) == (mixed[1].Err == nil) {
			t.Errorf("one key with two inputs in one call gave %v and %v, want one refusal", mixed[0].Err, mixed[1].Err)
		}
		if n := s.count("SELECT COUNT(*) FROM alerts"); n != 5 {
			t.Errorf("%d alerts, want 5", n)
		}
		s.pass(24 * time.Hour)
		late := repeatOf("k", "other")
		late.Expires = s.now.Add(24 * time.Hour)
		if r := s.raise(member(late))[0]; r.IsRepeat {
			t.Error("a key was remembered for longer than it should be")
		}
		s.balances()
	})
}

// TestRepeatsAtOnce: a client that hears nothing asks again, of another process,
// while the first is still at it.
func TestRepeatsAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		stores := []*books{s.books, s.open()}
		results := make([]dispatch.Raised, 40)
		var all sync.WaitGroup
		for i := range results {
			m := s.member(fmt.Sprintf("key-%d", i)) // other dedup keys, so that no lock of a ticket helps
			m.Repeat = repeatOf("k", "input")
			all.Go(func() { results[i] = stores[i%2].Raise(s.ctx, []dispatch.Raising{m})[0] })
		}
		all.Wait()
		fresh := 0
		for _, r := range results {
			if r.Err != nil || r.AlertID != results[0].AlertID {
				t.Errorf("answers %s, %v and %s for one key", r.AlertID, r.Err, results[0].AlertID)
			}
			if !r.IsRepeat {
				fresh++
			}
		}
		if n := s.count("SELECT COUNT(*) FROM alerts"); n != 1 || fresh != 1 {
			t.Errorf("%d alerts, %d answers that say they are the first; want one", n, fresh)
		}
		s.balances()
	})
}

// TestKeysAreForgotten: as many expired keys go as new ones come.
func TestKeysAreForgotten(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		for i := range 30 {
			m := s.member("bob")
			m.Repeat = repeatOf(fmt.Sprint(i), "input")
			m.Repeat.Expires = s.now.Add(time.Minute)
			s.raise(m)
			s.pass(time.Minute)
		}
		if n := s.count("SELECT COUNT(*) FROM repeats"); n > 3 {
			t.Errorf("%d keys are kept, all but the last have expired", n)
		}
	})
}

func TestRaiseMany(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		members := make([]dispatch.Raising, 500)
		for i := range members {
			members[i] = s.member(fmt.Sprintf("user-%d", i), postPage, postText)
			members[i].Repeat = repeatOf(fmt.Sprint(i), "input")
		}
		members[499].Alert.ID = members[0].Alert.ID
		failed := 0
		for i, r := range s.books.Raise(s.ctx, members) {
			if r.Err != nil {
				failed++
			} else if r.AlertID != members[i].Alert.ID || *s.ticket(*r.TicketID).Key != *members[i].Alert.Key {
				t.Fatalf("the answer %d is about another alert", i)
			}
		}
		if failed != 1 {
			t.Errorf("%d of 500 failed, want the one whose id came twice", failed)
		}
		if a := s.balances(); a.Promised != 998 {
			t.Errorf("%d promised, want 998", a.Promised)
		}
	})
}

func TestRaiseRefusesWhatIsNoSeverity(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		m := s.member("bob")
		m.Alert.Severity = "DREADFUL"
		results := s.books.Raise(s.ctx, []dispatch.Raising{m, s.member("bob")})
		if results[0].Err == nil || results[1].Err != nil {
			t.Errorf("results %v and %v, want the first refused", results[0].Err, results[1].Err)
		}
		s.balances()
	})
}
