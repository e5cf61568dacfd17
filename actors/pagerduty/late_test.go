package pagerduty

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	account "tocsin/fake/pagerduty"
)

// TestLateWebhook: after five minutes an event is not believed; the incident is
// looked at, and how it stands now is told.
func TestLateWebhook(t *testing.T) {
	then := time.Now().Add(-time.Hour)
	a := started(t, account.Options{APIKey: token, Now: func() time.Time { return then }})
	a.HoldWebhooks()
	to := heardBy(t, a, token)
	trigger(t, to.m, 1)
	must(t, a.Acknowledge("Q0000000000001", "PUSR001"), a.Resolve("Q0000000000001", "PUSR002"))
	hooks := a.TakeWebhooks()
	for _, w := range []int{1, 2} {
		if status, err := a.Send(t.Context(), hooks[w]); status != http.StatusAccepted {
			t.Fatalf("status %d, error %v", status, err)
		}
	}
	got := to.wait(t, 2)
	for i, by := range []string{"", "John Roe"} {
		c := got[i]
		if c.Status != dispatch.TicketClosed || !c.Level || c.AskedAt.IsZero() || !c.At.IsZero() || c.By != by || c.EventID == "" {
			t.Errorf("%d: %+v, want closed by %q, as it stands", i, c, by)
		}
	}
}

// TestLateAndMerged: an incident that went into another one meanwhile is resolved,
// and closes no ticket.
func TestLateAndMerged(t *testing.T) {
	then := time.Now().Add(-time.Hour)
	a := started(t, account.Options{APIKey: token, Now: func() time.Time { return then }})
	a.HoldWebhooks()
	to := heardBy(t, a, token)
	trigger(t, to.m, 1)
	trigger(t, to.m, 2)
	must(t, a.Acknowledge("Q0000000000001", "PUSR001"), a.Merge("Q0000000000001", "Q0000000000002", "PUSR001"))
	if status, err := a.Send(t.Context(), a.TakeWebhooks()[2]); status != http.StatusAccepted {
		t.Fatalf("status %d, error %v", status, err)
	}
	if c := to.wait(t, 1)[0]; c.Status != "" || c.Word != "" || !slices.Equal(c.Also, []string{"Q0000000000002"}) {
		t.Errorf("change %+v", c)
	}
}

// TestLateAndReplaced: the incident of a late event is resolved, and another one
// has been opened for one of its tickets since: that one is not closed by it.
func TestLateAndReplaced(t *testing.T) {
	then := time.Now().Add(-time.Hour)
	a := started(t, account.Options{APIKey: token, Grouping: true, Now: func() time.Time { return then }})
	a.HoldWebhooks()
	to := heardBy(t, a, token)
	to.known = func(context.Context, string) (bool, error) { return true, nil }
	for _, id := range []string{"Q0000000000001", "Q0000000000002"} {
		p := config(exam.Parcel(1))
		p.TicketURL = "https://tocsin.example.com/tickets/" + p.Ticket.ID
		if out := to.m.Deliver(t.Context(), p); out.Kind() != dispatch.OutcomeDelivered {
			t.Fatal(out.Err())
		}
		must(t, a.Resolve(id, "PUSR001"))
	}
	trigger(t, to.m, 1)
	trigger(t, to.m, 2)
	must(t, a.Resolve("Q0000000000003", "PUSR001"))
	trigger(t, to.m, 2)
	hooks := a.TakeWebhooks()
	for _, w := range []int{0, 1, 5} { // the first opens and ends, the third ends
		if status, err := a.Send(t.Context(), hooks[w]); status != http.StatusAccepted {
			t.Fatalf("status %d, error %v", status, err)
		}
	}
	got := to.wait(t, 3)
	for _, c := range got[:2] {
		if c.Status != "" || c.Word != "" || c.URL != "" || len(c.Also)+len(c.TicketIDs) > 0 {
			t.Errorf("%+v, want no news of what was replaced", c)
		}
	}
	if want := []string{"srv-1:" + exam.Parcel(1).Ticket.ID}; got[2].Status != dispatch.TicketClosed || !slices.Equal(got[2].Names, want) {
		t.Errorf("%+v, want %v to be closed alone", got[2], want)
	}
}

// TestLateWithoutToken: with nobody to ask, a late event is told as it came.
func TestLateWithoutToken(t *testing.T) {
	c := receive(t, hearing(t, nil, hookSecrets("")), webhookFile(t, "incident.acknowledged.by-person.json"))
	if c.Level || c.At.IsZero() || c.Status != dispatch.TicketAcknowledged {
		t.Errorf("change %+v", c)
	}
}

// TestAskingBack: a question that is needed and has no answer now asks for the
// webhook again; one that is not needed, or will never have one, does not.
func TestAskingBack(t *testing.T) {
	body := webhookFile(t, "incident.resolved.by-person.json")
	known := func(context.Context, string) (bool, error) { return true, nil }
	for _, row := range []struct {
		name  string
		known func(context.Context, string) (bool, error)
		step  fake.Step
		want  int
	}{
		{"unknown, busy", unknown, fake.Step{Status: 429, Times: -1}, 503},
		{"unknown, broken", unknown, fake.Step{Reset: true, Times: -1}, 503},
		{"unknown, no such token", unknown, fake.Step{Status: 401, Times: -1}, 0},
		{"unknown, not PagerDuty", unknown, fake.Step{Status: 200, Body: "<html>", Times: -1}, 0},
		{"known, alerts busy", known, fake.Step{Path: "/incidents/Q1EXAMPLEINC01/alerts", Status: 500, Times: -1}, 0},
		{"late, incident busy", known, fake.Step{Path: "/incidents/Q1EXAMPLEINC01", Status: 500, Times: -1}, 503},
		{"books busy", func(context.Context, string) (bool, error) { return false, errors.New("busy") }, fake.Step{}, 503},
	} {
		a := started(t, account.Options{APIKey: token})
		a.Play(row.step)
		r := signed(body, hookSecret)
		r.Known = row.known
		changes, reply := opened(t, a, hookSecrets(token)).(*messenger).Receive(t.Context(), r)
		if reply.Status != row.want || (len(changes) == 1) != (row.want == 0) {
			t.Errorf("%s: status %d with %d changes, want %d", row.name, reply.Status, len(changes), row.want)
		}
	}
}
