package dispatch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
)

// withSystems is a stage with three external systems, an action that delivers
// to all of them, and a ticket that has a copy in each.
func withSystems(t *testing.T, test func(s *stage, ticket string)) {
	t.Helper()
	onStageWith(t, threeSystems(), func(s *stage) {
		var configs []dispatch.APIConfig
		for _, x := range s.systems {
			configs = append(configs, s.config(x.name, dispatch.CreateAPIConfigInput{}))
		}
		s.action(nil, configs...)
		ticket := *s.raise("Sign-in", "bob").TicketID
		s.after(time.Second)
		test(s, ticket)
	})
}

func (s *stage) wantTicket(id string, want dispatch.TicketStatus) dispatch.Ticket {
	s.t.Helper()
	found, err := s.desk.TicketsByID(s.t.Context(), []string{id})
	s.must(err)
	if got := found[id].Status; got != want {
		s.t.Fatalf("the ticket is %s, want %s", got, want)
	}
	return found[id]
}

// wantCopies holds the copies against a status.
func (s *stage) wantCopies(ticket string, want dispatch.TicketStatus) {
	s.t.Helper()
	for _, x := range s.systems {
		if got := x.status(x.name + " " + ticket); got != want {
			s.t.Errorf("%s has it as %q, want %s", x.name, got, want)
		}
	}
}

// ledger is what a ticket's ledger says, from a kind on, one line each.
func (s *stage) ledger(ticket string, kinds ...dispatch.TicketEventKind) []dispatch.TicketEvent {
	s.t.Helper()
	list, err := s.desk.TicketEvents(s.t.Context(), dispatch.TicketEventFilter{TicketID: &ticket, Kinds: kinds}, dispatch.Ascending, dispatch.Page{First: 100})
	s.must(err)
	return list.Items
}

func (s *stage) refs(ticket string) dispatch.TicketsInput {
	return dispatch.TicketsInput{Tickets: []dispatch.TicketRef{{ID: ticket}}}
}

// TestOutAndIn: what is done here is seen there, what is done there is seen here
// and in the other systems, and the ledger says who did it.
func TestOutAndIn(t *testing.T) {
	withSystems(t, func(s *stage, ticket string) {
		_, err := s.desk.AcknowledgeTickets(s.t.Context(), admin, s.refs(ticket))
		s.must(err)
		s.after(time.Second)
		s.wantCopies(ticket, dispatch.TicketAcknowledged)
		if out := s.ledger(ticket, dispatch.EventSyncedOut); len(out) != 3 {
			t.Errorf("%d lines of what went out, want 3", len(out))
		}
		signs := s.systems[0]
		signs.work(signs.name+" "+ticket, dispatch.TicketClosed)
		before := signs.updated()
		if reply := s.tell(signs, len(signs.events)-1); reply.Status != 202 {
			t.Errorf("the webhook was answered %+v", reply)
		}
		closed := s.wantTicket(ticket, dispatch.TicketClosed)
		if closed.ClosedBy.Name != "bob" || closed.ClosedBy.Kind != dispatch.FromActor {
			t.Errorf("closed by %+v", closed.ClosedBy)
		}
		s.after(time.Second)
		s.wantCopies(ticket, dispatch.TicketClosed)
		if signs.updated() != before {
			t.Error("the change went back to where it came from")
		}
		if in := s.ledger(ticket, dispatch.EventSyncedIn); len(in) != 1 || in[0].IgnoredBecause != nil || in[0].LinkID == nil {
			t.Errorf("what came in is on the ledger as %+v", in)
		}
		links, err := s.desk.LinksOf(s.t.Context(), []string{ticket})
		s.must(err)
		for _, l := range links[ticket] {
			if l.State != dispatch.LinkInSync {
				t.Errorf("the link to %s is %s", l.ActorName, l.State)
			}
		}
		s.balances()
	})
}

// TestIgnoredAndWhy: a repeat, an echo, news that is old and a move that is not
// allowed change nothing, and the ledger says why.
func TestIgnoredAndWhy(t *testing.T) {
	withSystems(t, func(s *stage, ticket string) {
		signs := s.systems[0]
		name := signs.name + " " + ticket
		signs.work(name, dispatch.TicketAcknowledged)
		old := len(signs.events) - 1
		s.after(time.Second)
		signs.work(name, dispatch.TicketClosed)
		s.tell(signs, old+1)
		s.tell(signs, old+1) // again
		s.tell(signs, old)   // late
		s.wantTicket(ticket, dispatch.TicketClosed)
		_, err := s.desk.ReopenTickets(s.t.Context(), admin, s.refs(ticket))
		s.must(err)
		s.after(time.Second)
		s.tell(signs, len(signs.events)-1) // our own reopening
		var why []string
		for _, e := range s.ledger(ticket, dispatch.EventSyncedIn) {
			why = append(why, deref(e.IgnoredBecause))
		}
		if len(why) != 3 || why[0] != "" || !strings.Contains(why[1], "older than what signs said") || !strings.Contains(why[2], "echo") {
			t.Errorf("what came in was ignored because %q", why)
		}
		if n := s.desk.TakenIn(dispatch.BuiltInActorID("signs")); n.Applied != 1 || n.Repeated != 1 || n.Ignored != 2 {
			t.Errorf("counted %+v", n)
		}
		s.wantTicket(ticket, dispatch.TicketOpen)
		s.wantCopies(ticket, dispatch.TicketOpen)
	})
}

// TestLateAcknowledge: an acknowledgement of a closed ticket does not undo the
// close, and the other side is set right.
func TestLateAcknowledge(t *testing.T) {
	withSystems(t, func(s *stage, ticket string) {
		echoes := s.systems[2]
		_, err := s.desk.CloseTickets(s.t.Context(), admin, s.refs(ticket))
		s.must(err)
		s.after(time.Second)
		echoes.work(echoes.name+" "+ticket, dispatch.TicketAcknowledged)
		s.tell(echoes, len(echoes.events)-1)
		s.wantTicket(ticket, dispatch.TicketClosed)
		s.after(time.Second)
		s.wantCopies(ticket, dispatch.TicketClosed)
	})
}

// TestClosedWhileBeingSent: a ticket that is closed while its alert is on its
// way, or waits for another try, leaves no open copy behind.
func TestClosedWhileBeingSent(t *testing.T) {
	for name, trouble := range map[string]func(x *system){
		"slow":     func(x *system) { x.slow = 5 * time.Second },
		"lost":     func(x *system) { x.faults = []fault{answerLost, answerLost} },
		"not sent": func(x *system) { x.faults = []fault{notSent, notSent, notSent} },
	} {
		t.Run(name, func(t *testing.T) {
			withSystems(t, func(s *stage, _ string) {
				for _, x := range s.systems {
					trouble(x)
				}
				ticket := *s.raise("Sign-in", "carol").TicketID
				s.after(100 * time.Millisecond)
				_, err := s.desk.CloseTickets(s.t.Context(), admin, s.refs(ticket))
				s.must(err)
				s.after(2 * time.Minute)
				s.wantCopies(ticket, dispatch.TicketClosed)
				s.balances()
			})
		})
	}
}

// TestClosedBeforeSent: what nobody has begun to send of a closed ticket is not sent.
func TestClosedBeforeSent(t *testing.T) {
	withSystems(t, func(s *stage, _ string) {
		for _, x := range s.systems {
			x.denied = true
		}
		s.raise("Sign-in", "dave") // pauses the actors
		s.after(time.Second)
		ticket := *s.raise("Sign-in", "erin").TicketID
		_, err := s.desk.CloseTickets(s.t.Context(), admin, s.refs(ticket))
		s.must(err)
		s.resume()
		s.after(time.Minute)
		s.wantCopies(ticket, "")
	})
}

// resume lets the systems work again and ends the pauses of their actors.
func (s *stage) resume() {
	s.t.Helper()
	for _, x := range s.systems {
		x.mu.Lock()
		x.denied = false
		x.mu.Unlock()
		id := dispatch.BuiltInActorID(x.name)
		_, err := s.desk.TestActor(s.t.Context(), admin, dispatch.TestActorInput{ID: &id})
		s.must(err)
	}
}

// TestReopenedElsewhere: a copy that is reopened there, when another ticket has
// taken the place of its own, belongs to that one from then on.
func TestReopenedElsewhere(t *testing.T) {
	withSystems(t, func(s *stage, first string) {
		_, err := s.desk.CloseTickets(s.t.Context(), admin, s.refs(first))
		s.must(err)
		s.after(time.Second)
		second := *s.raise("Sign-in", "bob").TicketID
		s.after(time.Second)
		_, err = s.desk.AcknowledgeTickets(s.t.Context(), admin, s.refs(second))
		s.must(err)
		s.after(time.Second)
		signs := s.systems[0]
		signs.work(signs.name+" "+first, dispatch.TicketOpen)
		s.tell(signs, len(signs.events)-1)
		s.after(time.Second)
		s.wantTicket(first, dispatch.TicketClosed)
		s.wantTicket(second, dispatch.TicketAcknowledged)
		in := s.ledger(first, dispatch.EventSyncedIn)
		if len(in) == 0 || !strings.Contains(deref(in[len(in)-1].IgnoredBecause), "has taken the place of T-1") {
			t.Errorf("the ledger says %+v", in)
		}
		if got := signs.status(signs.name + " " + first); got != dispatch.TicketAcknowledged {
			t.Errorf("the copy that was reopened is %s, want what its ticket is", got)
		}
	})
}

// TestMissedWebhook: what no webhook told is found by asking, within minutes or
// at once.
func TestMissedWebhook(t *testing.T) {
	withSystems(t, func(s *stage, ticket string) {
		signs := s.systems[0]
		signs.work(signs.name+" "+ticket, dispatch.TicketAcknowledged)
		_, err := s.desk.RefreshTicket(s.t.Context(), ticket)
		s.must(err)
		s.wantTicket(ticket, dispatch.TicketAcknowledged)
		signs.work(signs.name+" "+ticket, dispatch.TicketClosed)
		s.after(7 * time.Minute)
		s.wantTicket(ticket, dispatch.TicketClosed)
		if n := s.desk.TakenIn(dispatch.BuiltInActorID("signs")); n.Drifted != 2 {
			t.Errorf("counted %+v, want two that had drifted", n)
		}
	})
}

// TestPolled: what a system tells only when it is asked comes in with the poll.
func TestPolled(t *testing.T) {
	withSystems(t, func(s *stage, ticket string) {
		polled := s.systems[1]
		polled.work(polled.name+" "+ticket, dispatch.TicketAcknowledged)
		s.after(13 * time.Second)
		s.wantTicket(ticket, dispatch.TicketAcknowledged)
		s.after(time.Second)
		s.wantCopies(ticket, dispatch.TicketAcknowledged)
	})
}

// TestHourDown: everything that was meant for a system that is down for an hour
// arrives afterwards, in its order, once; and nobody else waits for it.
func TestHourDown(t *testing.T) {
	onStage(t, func(s *stage) {
		always := dispatch.RenotifyAlways
		s.action(func(in *dispatch.CreateActionInput) { in.Renotify = &always },
			s.config("post", dispatch.CreateAPIConfigInput{}), s.config("talk", dispatch.CreateAPIConfigInput{}))
		up := time.Now().Add(time.Hour)
		arrived := map[string][]string{}
		for range 100_000 {
			s.post.do(func(p dispatch.Parcel) dispatch.Outcome {
				if time.Now().Before(up) {
					return dispatch.Deferred(errNo)
				}
				arrived[*p.Alert.Key] = append(arrived[*p.Alert.Key], p.Alert.Summary)
				return dispatch.Delivered(dispatch.Ref{ID: p.DeliveryID})
			})
		}
		want := map[string][]string{}
		for i := range 60 {
			key := fmt.Sprint("key ", i%5)
			summary := fmt.Sprintf("alert %02d", i)
			want[key] = append(want[key], summary)
			s.raise(summary, key)
			s.after(time.Second)
		}
		if got := len(s.talk.seen()); got != 60 {
			t.Errorf("the other system got %d of 60 meanwhile", got)
		}
		s.after(4 * time.Hour)
		for key := range want {
			if !slices.Equal(arrived[key], want[key]) {
				t.Errorf("%s: arrived %q, want %q", key, arrived[key], want[key])
			}
		}
		if a := s.balances(); a.Delivered != 120 || a.Failed != 0 {
			t.Errorf("accounting %+v", a)
		}
	})
}

// TestWeekend: a weekend of bad credentials fails nothing; everything goes out
// when they are mended.
func TestWeekend(t *testing.T) {
	withSystems(t, func(s *stage, ticket string) {
		for _, x := range s.systems {
			x.denied = true
		}
		_, err := s.desk.AcknowledgeTickets(s.t.Context(), admin, s.refs(ticket))
		s.must(err)
		fresh := *s.raise("Sign-in", "frank").TicketID
		s.after(60 * time.Hour)
		if a := s.balances(); a.Failed != 0 || a.Pending != 6 {
			t.Errorf("accounting %+v, want everything to wait", a)
		}
		if n := len(s.notices()); n != 3 {
			t.Errorf("%d notices, want one for each actor", n)
		}
		s.resume()
		s.after(time.Minute)
		s.wantCopies(ticket, dispatch.TicketAcknowledged)
		s.wantCopies(fresh, dispatch.TicketOpen)
	})
}

// TestWornOut: an actor that has done nothing but fail for five days is disabled,
// with a notification; nothing is lost, and a test that passes resumes it.
func TestWornOut(t *testing.T) {
	if raced {
		t.Skip("five days of polls take minutes beside the race detector; the plain run has shown it")
	}
	onStage(t, func(s *stage) {
		failing := true
		for range 10_000 {
			s.post.do(func(p dispatch.Parcel) dispatch.Outcome {
				if failing {
					return dispatch.Deferred(errNo).After(time.Hour)
				}
				return dispatch.Delivered(dispatch.Ref{ID: p.DeliveryID})
			})
		}
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(6 * 24 * time.Hour)
		actor := dispatch.BuiltInActorID("post")
		h, err := s.desk.Healths(s.t.Context(), []string{actor})
		s.must(err)
		if h[actor].Status != dispatch.HealthDisabled {
			t.Errorf("the actor is %s", h[actor].Status)
		}
		if n := s.notices(); len(n) != 1 || !strings.Contains(n[0].Title, "is disabled") {
			t.Errorf("notices %+v", n)
		}
		calls := len(s.post.seen())
		s.after(24 * time.Hour)
		if again := len(s.post.seen()); again > calls+1 {
			t.Errorf("%d more calls to a disabled actor", again-calls)
		}
		failing = false
		_, err = s.desk.TestActor(s.t.Context(), admin, dispatch.TestActorInput{ID: &actor})
		s.must(err)
		s.after(time.Minute)
		s.wantStatus(id, dispatch.Sent)
	})
}

// TestSyncDirections: an actor whose sync is OUT is told and not heard, with IN
// it is heard and not told.
func TestSyncDirections(t *testing.T) {
	withSystems(t, func(s *stage, ticket string) {
		signs := s.systems[0]
		set := func(d dispatch.SyncDirection) {
			_, err := s.desk.UpdateActor(s.t.Context(), admin, dispatch.UpdateActorInput{ID: dispatch.BuiltInActorID("signs"), Sync: dispatch.Given(&d)})
			s.must(err)
		}
		set(dispatch.SyncOut)
		signs.work(signs.name+" "+ticket, dispatch.TicketAcknowledged)
		s.tell(signs, len(signs.events)-1)
		s.after(time.Second)
		s.wantTicket(ticket, dispatch.TicketOpen)
		s.wantCopies(ticket, dispatch.TicketOpen) // set right again
		set(dispatch.SyncIn)
		_, err := s.desk.AcknowledgeTickets(s.t.Context(), admin, s.refs(ticket))
		s.must(err)
		s.after(time.Second)
		if got := signs.status(signs.name + " " + ticket); got != dispatch.TicketOpen {
			t.Errorf("a system that is only heard was told: %s", got)
		}
		signs.work(signs.name+" "+ticket, dispatch.TicketClosed)
		s.tell(signs, len(signs.events)-1)
		s.wantTicket(ticket, dispatch.TicketClosed)
	})
}
