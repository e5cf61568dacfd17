package dispatch_test

import (
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
)

func TestDeliveredAtOnce(t *testing.T) {
	onStage(t, func(s *stage) {
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		raised := s.raise("Sign-in", "bob")
		s.after(time.Millisecond)
		d := s.wantStatus(raised.DeliveryIDs[0], dispatch.Sent)
		if calls := s.post.seen(); len(calls) != 1 || calls[0].text != "Sign-in T-1" {
			t.Fatalf("calls %+v, want one that says Sign-in T-1", calls)
		}
		if deref(d.ExternalRef) != "ref "+d.ID {
			t.Errorf("external reference %q", deref(d.ExternalRef))
		}
		links, err := s.desk.LinksOf(s.t.Context(), []string{*raised.TicketID})
		s.must(err)
		if got := links[*raised.TicketID]; len(got) != 1 || got[0].ExternalID != "ref "+d.ID {
			t.Errorf("links %+v, want one to the reference", got)
		}
		if a := s.balances(); a.Promised != 1 || a.Delivered != 1 {
			t.Errorf("accounting %+v", a)
		}
	})
}

// TestTriesAgain: a receiver answers 500, then asks to wait, then takes it.
func TestTriesAgain(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Deferred(errNo), dispatch.Deferred(errNo).After(17*time.Minute))
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Hour)
		s.wantStatus(id, dispatch.Sent)
		calls := s.post.seen()
		if len(calls) != 3 || calls[0].id != calls[2].id {
			t.Fatalf("calls %+v, want three of one delivery", calls)
		}
		if first := calls[1].at.Sub(calls[0].at); first < time.Second/2 || first > time.Second+50*time.Millisecond {
			t.Errorf("the second attempt came after %v, want about a second", first)
		}
		if asked := calls[2].at.Sub(calls[1].at); asked < 17*time.Minute || asked > 17*time.Minute+time.Second {
			t.Errorf("the third attempt came after %v, want the 17 minutes that were asked for", asked)
		}
		attempts := s.attempts(id)
		if len(attempts) != 3 || *attempts[0].Outcome != dispatch.OutcomeDeferred || *attempts[2].Outcome != dispatch.OutcomeDelivered {
			t.Errorf("attempts %+v", attempts)
		}
		if deref(attempts[0].Error) != errNo.Error() || !attempts[1].StartedAt.Equal(calls[1].at.Truncate(time.Millisecond)) {
			t.Errorf("the record of attempts %+v does not say what happened when", attempts)
		}
	})
}

func TestRefusedTellsAPersonAndCanBeRetried(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Refused(errNo))
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Millisecond)
		s.wantStatus(id, dispatch.Failed)
		if notices := s.notices(); len(notices) != 1 || !strings.Contains(notices[0].Message, errNo.Error()) {
			t.Fatalf("notices %+v, want one with the reason", notices)
		}
		_, err := s.desk.RetryDeliveries(s.t.Context(), admin, dispatch.RetryDeliveriesInput{IDs: []string{id}})
		s.must(err)
		s.after(time.Millisecond)
		s.wantStatus(id, dispatch.Sent)
		if a := s.balances(); a.Promised != 1 || a.Delivered != 1 || a.Failed != 0 {
			t.Errorf("accounting %+v", a)
		}
	})
}

func TestGivenUpAfterADay(t *testing.T) {
	onStage(t, func(s *stage) {
		for range 200 {
			s.post.then(dispatch.Deferred(errNo))
		}
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(23 * time.Hour)
		s.wantStatus(id, dispatch.Pending)
		s.after(24 * time.Hour)
		d := s.wantStatus(id, dispatch.Failed)
		if !strings.Contains(deref(d.Reason), "given up after trying for 24h") {
			t.Errorf("reason %q", deref(d.Reason))
		}
		before := len(s.post.seen())
		_, err := s.desk.RetryDeliveries(s.t.Context(), admin, dispatch.RetryDeliveriesInput{IDs: []string{id}})
		s.must(err)
		s.after(8 * time.Second)
		if n := len(s.post.seen()) - before; n < 3 {
			t.Errorf("%d attempts in the first seconds after a person tried again, want 3", n)
		}
	})
}

func TestFallbackTakesOver(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Refused(errNo))
		second := s.config("talk", dispatch.CreateAPIConfigInput{})
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{FallbackID: &second.ID}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Millisecond)
		s.wantStatus(id, dispatch.Failed)
		if calls := s.talk.seen(); len(calls) != 1 {
			t.Fatalf("the fallback was called %d times", len(calls))
		}
		if a := s.balances(); a.Promised != 2 || a.Delivered != 1 || a.Failed != 1 {
			t.Errorf("accounting %+v", a)
		}
	})
}

// TestWeekendOfBadCredentials: nothing fails, a person is told once, and all
// goes out when the actor is mended.
func TestWeekendOfBadCredentials(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Misconfigured(errNo))
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		var ids []string
		for _, key := range []string{"a", "b", "c"} {
			ids = append(ids, s.raise("Sign-in", key).DeliveryIDs...)
			s.after(time.Hour)
		}
		s.after(72 * time.Hour)
		for _, id := range ids {
			s.wantStatus(id, dispatch.Pending)
		}
		if calls := s.post.seen(); len(calls) != 1 {
			t.Fatalf("a paused actor was called %d times", len(calls))
		}
		if notices := s.notices(); len(notices) != 1 || !strings.Contains(notices[0].Title, "paused") {
			t.Fatalf("notices %+v, want one about the pause", notices)
		}
		actor := dispatch.BuiltInActorID("post")
		health, err := s.desk.Healths(s.t.Context(), []string{actor})
		s.must(err)
		if h := health[actor]; h.Status != dispatch.HealthPaused || h.WaitingDeliveries != 3 {
			t.Errorf("health %+v, want PAUSED with 3 waiting", h)
		}
		result, err := s.desk.TestActor(s.t.Context(), admin, dispatch.TestActorInput{ID: &actor})
		if err != nil || !result.OK {
			t.Fatalf("test %+v, %v", result, err)
		}
		s.after(time.Millisecond)
		for _, id := range ids {
			s.wantStatus(id, dispatch.Sent)
		}
		s.balances()
	})
}

func TestPausedForLongUsesTheFallback(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Misconfigured(errNo), dispatch.Misconfigured(errNo))
		second := s.config("talk", dispatch.CreateAPIConfigInput{})
		name := "alone"
		alone := s.config("post", dispatch.CreateAPIConfigInput{Name: &name})
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{FallbackID: &second.ID}), alone)
		ids := s.raise("Sign-in", "bob").DeliveryIDs
		s.after(4 * time.Minute)
		if calls := s.talk.seen(); len(calls) != 0 {
			t.Fatal("the fallback was used before the pause was long")
		}
		if notices := s.notices(); len(notices) != 1 || !strings.Contains(notices[0].Title, "paused") {
			t.Errorf("notifications %+v, want one about the pause, though two calls failed at once", notices)
		}
		s.after(2 * time.Minute)
		if calls := s.talk.seen(); len(calls) != 1 {
			t.Fatalf("the fallback was used %d times, want once", len(calls))
		}
		statuses := map[dispatch.DeliveryStatus]int{}
		for _, id := range ids {
			statuses[s.delivery(id).Status]++
		}
		if statuses[dispatch.Failed] != 1 || statuses[dispatch.Pending] != 1 {
			t.Errorf("statuses %v: the one with a fallback ends, the other waits", statuses)
		}
		s.balances()
	})
}

func TestSlowActorDelaysNoOther(t *testing.T) {
	onStage(t, func(s *stage) {
		release := make(chan struct{})
		for range 100 {
			s.post.do(func(dispatch.Parcel) dispatch.Outcome {
				<-release
				return dispatch.Delivered(dispatch.Ref{})
			})
		}
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}), s.config("talk", dispatch.CreateAPIConfigInput{}))
		for i := range 100 {
			s.raise("Sign-in", string(rune('a'+i)))
		}
		s.after(time.Second)
		if calls := s.talk.seen(); len(calls) != 100 {
			t.Errorf("%d of 100 went out beside the actor that hangs", len(calls))
		}
		if calls := s.post.seen(); len(calls) != 32 {
			t.Errorf("%d calls at once through one actor, want 32", len(calls))
		}
		close(release)
		s.after(time.Second)
		if a := s.balances(); a.Delivered != 200 {
			t.Errorf("accounting %+v", a)
		}
	})
}

// TestOrder: within a ticket and an API config, what was promised first goes first.
func TestOrder(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Deferred(errNo), dispatch.Deferred(errNo))
		always := dispatch.RenotifyAlways
		s.action(func(in *dispatch.CreateActionInput) { in.Renotify = &always }, s.config("post", dispatch.CreateAPIConfigInput{}))
		s.raise("first", "bob")
		s.raise("second", "bob")
		s.raise("third", "bob")
		s.after(time.Minute)
		var order []string
		for _, c := range s.post.seen() {
			order = append(order, c.summary)
		}
		if got := strings.Join(order, " "); got != strings.Repeat("first ", 3)+"second third" {
			t.Errorf("the order was %q", got)
		}
	})
}

func TestCloseCancelsWhatWaits(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Misconfigured(errNo))
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		tried := s.raise("tried", "bob")
		s.after(time.Millisecond)
		waits := s.raise("waits", "eve")
		for _, r := range []dispatch.Raised{tried, waits} {
			_, err := s.desk.CloseTickets(s.t.Context(), admin, dispatch.TicketsInput{Tickets: []dispatch.TicketRef{{ID: *r.TicketID}}})
			s.must(err)
		}
		s.wantStatus(tried.DeliveryIDs[0], dispatch.Pending)
		s.wantStatus(waits.DeliveryIDs[0], dispatch.Canceled)
		s.balances()
	})
}

// TestActorFalls: a panic in a messenger loses nothing.
func TestActorFalls(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.do(func(dispatch.Parcel) dispatch.Outcome { panic("index out of range") })
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Minute)
		s.wantStatus(id, dispatch.Sent)
		if first := s.attempts(id)[0]; *first.Outcome != dispatch.OutcomeUncertain {
			t.Errorf("the attempt that fell is on record as %s", *first.Outcome)
		}
	})
}

// TestUncertain: where a repeat is seen, the API config says what becomes of a
// lost answer.
func TestUncertain(t *testing.T) {
	for policy, want := range map[string]dispatch.DeliveryStatus{"RESEND": dispatch.Sent, "PARK": dispatch.Failed} {
		onStage(t, func(s *stage) {
			s.talk.then(dispatch.Unsure(errNo))
			s.action(nil, s.config("talk", dispatch.CreateAPIConfigInput{Settings: dispatch.JSON(`{"onUncertain": "` + policy + `"}`)}))
			id := s.raise("Sign-in", "bob").DeliveryIDs[0]
			s.after(time.Millisecond)
			s.wantStatus(id, dispatch.Uncertain)
			s.balances()
			s.after(time.Minute)
			s.wantStatus(id, want)
			s.balances()
		})
	}
}

// TestLostProcess: attempts whose process died are on record as lost, and their
// deliveries go on as their kind allows.
func TestLostProcess(t *testing.T) {
	onStage(t, func(s *stage) {
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}), s.config("talk", dispatch.CreateAPIConfigInput{Settings: dispatch.JSON(`{"onUncertain": "PARK"}`)}))
		s.rest()
		ids := s.raise("Sign-in", "bob").DeliveryIDs
		now := time.Now().UTC()
		for _, kind := range []string{"post", "talk"} {
			claimed, err := s.store.Claim(s.t.Context(), dispatch.Claim{ActorID: dispatch.BuiltInActorID(kind), Now: now, Until: now.Add(time.Minute), Max: 10})
			if err != nil || len(claimed) != 1 {
				t.Fatalf("claimed %d, %v", len(claimed), err)
			}
		}
		s.work()
		s.after(time.Minute)
		for _, id := range ids {
			d, first := s.delivery(id), s.attempts(id)[0]
			if *first.Outcome != dispatch.OutcomeLost {
				t.Errorf("the attempt of the dead process is %s", *first.Outcome)
			}
			if want := map[string]dispatch.DeliveryStatus{"post": dispatch.Sent, "talk": dispatch.Failed}[d.ActorKind]; d.Status != want {
				t.Errorf("the delivery through %s is %s, want %s", d.ActorKind, d.Status, want)
			}
		}
		s.balances()
	})
}

// TestDrain: what is under way when the server ends is waited for.
func TestDrain(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.do(func(dispatch.Parcel) dispatch.Outcome {
			<-time.After(5 * time.Second)
			return dispatch.Delivered(dispatch.Ref{})
		})
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Second)
		s.rest()
		s.wantStatus(id, dispatch.Sent)
		s.work()
	})
}

func TestDeletedActorsDeliveriesFail(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Misconfigured(errNo))
		actor, err := s.desk.CreateActor(s.t.Context(), admin, dispatch.CreateActorInput{Type: "post", Name: "Second"})
		s.must(err)
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{ActorID: &actor.ID}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Millisecond)
		force := true
		_, err = s.desk.DeleteActor(s.t.Context(), admin, dispatch.DeleteInput{ID: actor.ID, Force: &force})
		s.must(err)
		s.after(time.Minute)
		if d := s.wantStatus(id, dispatch.Failed); !strings.Contains(deref(d.Reason), "deleted") {
			t.Errorf("reason %q", deref(d.Reason))
		}
		s.balances()
	})
}

// TestSentAsPromised: a change of the words does not change a promise made.
func TestSentAsPromised(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Deferred(errNo))
		config := s.config("post", dispatch.CreateAPIConfigInput{})
		s.action(nil, config)
		s.rest()
		s.raise("Sign-in", "bob")
		_, err := s.desk.UpdateAPIConfig(s.t.Context(), admin, dispatch.UpdateAPIConfigInput{ID: config.ID, Settings: dispatch.Given(dispatch.JSON(`{"text": "new words"}`))})
		s.must(err)
		s.work()
		s.after(time.Minute)
		for _, c := range s.post.seen() {
			if c.text != "Sign-in T-1" {
				t.Errorf("attempt %d said %q, want what was promised", c.attempt, c.text)
			}
		}
		s.raise("Later", "eve")
		s.after(time.Millisecond)
		if calls := s.post.seen(); calls[len(calls)-1].text != "new words" {
			t.Errorf("the next alert said %q", calls[len(calls)-1].text)
		}
	})
}
