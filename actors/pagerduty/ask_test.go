package pagerduty

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	account "tocsin/fake/pagerduty"
)

func copies(t *testing.T, numbers ...int) []dispatch.TicketLink {
	t.Helper()
	var all []dispatch.TicketLink
	for _, n := range numbers {
		all = append(all, dispatch.TicketLink{ID: fmt.Sprint(n), ExternalID: "srv-1:" + exam.Parcel(n).Ticket.ID})
	}
	return all
}

// TestAsk tells how the newest incident of each copy stands. An alert that is
// resolved in an open incident is closed; what is not found is left out.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := account.New(account.Options{APIKey: token})
		m := piped(t, a)
		for n := range 4 {
			trigger(t, m, n)
		}
		must(t, a.Acknowledge("Q0000000000002", "PUSR001"), a.Resolve("Q0000000000003", "PUSR001"), a.Merge("Q0000000000001", "Q0000000000002", "PUSR001"))
		trigger(t, m, 2) // again: another incident with the same key
		updated(t, m, 0, dispatch.TicketOpen, dispatch.TicketClosed)
		before := time.Now()
		got := map[string]string{}
		changes, out := m.Ask(t.Context(), append(copies(t, 0, 1, 2, 3, 9), copies(t, 3)...))
		for _, c := range changes {
			got[strings.Join(c.Names, " ")] = fmt.Sprintf("%s %s %s", c.Status, c.Word, strings.Join(c.Also, " "))
			if !c.Level || c.AskedAt.Before(before) || c.URL == "" || !c.At.IsZero() {
				t.Errorf("change %+v", c)
			}
		}
		want := []string{"CLOSED resolved Q0000000000002", "ACKNOWLEDGED acknowledged Q0000000000002", "OPEN triggered Q0000000000005", "OPEN triggered Q0000000000004"}
		for n, text := range want {
			if name := copies(t, n)[0].ExternalID; got[name] != text {
				t.Errorf("%d: %q, want %q", n, got[name], text)
			}
		}
		if len(changes) != len(want) || out.Kind() != dispatch.OutcomeDelivered {
			t.Errorf("%d changes, %v %v", len(changes), out.Kind(), out.Err())
		}
	})
}

// TestReopened: an incident that a person opened again is open, whether its
// alerts are or not.
func TestReopened(t *testing.T) {
	for _, stay := range []bool{false, true} {
		a := started(t, account.Options{APIKey: token, AlertsStay: stay})
		to := heardBy(t, a, token)
		trigger(t, to.m, 1)
		must(t, a.Resolve("Q0000000000001", "PUSR001"), a.Reopen("Q0000000000001", "PUSR001"), a.Acknowledge("Q0000000000001", "PUSR001"))
		name := copies(t, 1)[0].ExternalID
		if c := to.wait(t, 4)[3]; c.Status != dispatch.TicketAcknowledged || !slices.Equal(c.Names, []string{name}) {
			t.Errorf("alerts stay %v: %+v", stay, c)
		}
		changes, out := to.m.Ask(t.Context(), copies(t, 1))
		if out.Kind() != dispatch.OutcomeDelivered || len(changes) != 1 || changes[0].Status != dispatch.TicketAcknowledged {
			t.Errorf("alerts stay %v: asked, %+v %v", stay, changes, out.Err())
		}
	}
}

// TestAskLeavesOut: nothing is asked without a token, with an empty key, which
// would find the incidents of others, and of what was written a moment ago, which
// may not be there yet.
func TestAskLeavesOut(t *testing.T) {
	a := started(t, account.Options{APIKey: token, IncidentDelay: time.Hour})
	without := opened(t, a, hookSecrets("")).(dispatch.Asker)
	if changes, out := without.Ask(t.Context(), copies(t, 1)); len(changes) > 0 || out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("without a token: %v %v", changes, out.Err())
	}
	m := opened(t, a, hookSecrets(token)).(*messenger)
	now := time.Now()
	written := copies(t, 1)[0]
	written.WroteAt = &now
	if changes, out := m.Ask(t.Context(), []dispatch.TicketLink{{ID: "1"}, written}); len(changes) > 0 || out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("%v %v", changes, out.Err())
	}
	if n := len(a.Requests.All()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
	trigger(t, m, 2)
	if changes, out := m.Ask(t.Context(), copies(t, 2)); len(changes) > 0 || out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("before the incident is there: %v %v", changes, out.Err())
	}
}

// TestAskLooksAtTheKey: an answer with incidents of others is not believed.
func TestAskLooksAtTheKey(t *testing.T) {
	a := started(t, account.Options{APIKey: token})
	m := opened(t, a, hookSecrets(token)).(*messenger)
	enqueue(t, a, account.Event{RoutingKey: key, Action: "trigger", DedupKey: "other", Payload: account.Payload{Summary: "s", Source: "x", Severity: "info"}})
	a.Play(fake.Step{Path: "/incidents", Status: 200, Body: `{"incidents":[{"id":"Q0000000000001","status":"resolved"}]}`})
	if changes, out := m.Ask(t.Context(), copies(t, 1)); len(changes) > 0 || out.Kind() != dispatch.OutcomeDelivered {
		t.Errorf("%v %v", changes, out.Err())
	}
	a.Play(fake.Step{Path: "/incidents", Status: 200, Body: `{"incidents":[{"id":"Q1/../../users","status":"resolved"}]}`})
	if _, out := m.Ask(t.Context(), copies(t, 1)); out.Kind() != dispatch.OutcomeRefused {
		t.Errorf("an id that is a path: %v %v", out.Kind(), out.Err())
	}
}

// TestAskObeys: a rate limit ends the round and says when to go on; the time
// given is kept, and what does not fit in has its turn another time.
func TestAskObeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := account.New(account.Options{APIKey: token, RateLimit: 5})
		m := piped(t, a)
		var all []int
		for n := range 100 {
			trigger(t, m, n)
			all = append(all, n)
		}
		changes, out := m.Ask(t.Context(), copies(t, all...))
		if out.Kind() != dispatch.OutcomeDeferred || out.Wait() <= 0 || out.Wait() > time.Minute || len(changes) != 2 {
			t.Errorf("%d changes, %v, wait %s", len(changes), out.Kind(), out.Wait())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := account.New(account.Options{APIKey: token})
		m := piped(t, a)
		var all []int
		for n := range 100 {
			trigger(t, m, n)
			all = append(all, n)
		}
		asked := map[string]bool{}
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			changes, out := m.Ask(ctx, copies(t, all...))
			if out.Kind() != dispatch.OutcomeDelivered || ctx.Err() != nil || len(changes) < 20 {
				t.Fatalf("%d changes, %v %v", len(changes), out.Kind(), out.Err())
			}
			for _, c := range changes {
				asked[c.Names[0]] = true
			}
			cancel()
		}
		if len(asked) < 95 {
			t.Errorf("after 20 rounds %d of 100 had their turn", len(asked))
		}
	})
}
