package pagerduty_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/fake/pagerduty"
)

// TestWebhooksComeAgain after 429, 5xx and silence, with the same id, while later
// ones of the incident wait and those of others do not.
func TestWebhooksComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := hooked(t, pagerduty.Options{}, 503, 429, 0)
		began := time.Now()
		event(t, a, "trigger", "one")
		event(t, a, "acknowledge", "one")
		if _, err := a.Webhooks.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		event(t, a, "trigger", "two")
		flush(t, a)
		var one []string
		ids := map[string]bool{}
		for _, w := range a.Webhooks.All() {
			if w.Incident == incident {
				one = append(one, fmt.Sprintf("%s %d", w.Event, w.Status))
				if w.Event == "incident.triggered" {
					ids[w.Header.Get("X-Webhook-Id")] = true
				}
			}
		}
		if last := one[len(one)-2:]; last[0] != "incident.triggered 202" || last[1] != "incident.acknowledged 202" || len(ids) != 1 {
			t.Errorf("tries of the first incident: %v, with %d ids", one, len(ids))
		}
		if n := len(a.Webhooks.All()); n != 6 || time.Since(began) < 6*time.Second {
			t.Errorf("%d tries in %s: %v", n, time.Since(began), sent(a))
		}
	})
}

// TestWebhooksAreDropped at any other 4xx; three in a row end the subscription,
// and what is lost is lost, until a person enables it.
func TestWebhooksAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, id, _ := hooked(t, pagerduty.Options{APIKey: "key-1"}, 401, 202, 404, 400, 403)
		event(t, a, "trigger", "one")
		for range 6 {
			flush(t, a, a.Note(incident, "PUSR001", "note"))
		}
		want := []string{"triggered 401", "annotated 202", "annotated 404", "annotated 400", "annotated 403"}
		if got := sent(a); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook_subscriptions/"+id+"/enable", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer key-1")
		a.ServeHTTP(&silent{header: http.Header{}}, r)
		flush(t, a, a.Note(incident, "PUSR001", "note"))
		if got := sent(a); len(got) != len(want)+1 {
			t.Errorf("after it was enabled: %v", got)
		}
	})
}

// TestWebhooksAreGivenUp after two days, and not held up by a closed account.
func TestWebhooksAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := hooked(t, pagerduty.Options{}, slices.Repeat([]int{500}, 5000)...)
		event(t, a, "trigger", "one")
		began := time.Now()
		flush(t, a)
		if d := time.Since(began); d < 48*time.Hour || d > 49*time.Hour {
			t.Errorf("given up after %s", d)
		}
		event(t, a, "trigger", "two")
		_ = a.Close() // returns though the webhook is not taken
	})
}

// TestHeldWebhooks go out in any order, late, and more than once.
func TestHeldWebhooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := hooked(t, pagerduty.Options{IncidentDelay: time.Second})
		a.HoldWebhooks()
		event(t, a, "trigger", "one")
		event(t, a, "acknowledge", "one")
		flush(t, a)
		if got := sent(a); len(got) != 0 {
			t.Errorf("sent while held: %v", got)
		}
		held := a.TakeWebhooks()
		for _, w := range []pagerduty.Webhook{held[1], held[0], held[1]} {
			if status, err := a.Send(t.Context(), w); status != http.StatusAccepted {
				t.Errorf("status %d, error %v", status, err)
			}
		}
		event(t, a, "resolve", "one")
		a.ReleaseWebhooks()
		began := time.Now()
		flush(t, a)
		want := []string{"acknowledged 202", "triggered 202", "acknowledged 202", "resolved 202"}
		if got := sent(a); !slices.Equal(got, want) || time.Since(began) < time.Second {
			t.Errorf("%v after %s, want %v when the incident is there", got, time.Since(began), want)
		}
	})
}

// TestTwoSignatures: while a secret is replaced there is one of each.
func TestTwoSignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, id, old := hooked(t, pagerduty.Options{})
		added := a.Rotate(id)
		event(t, a, "trigger", "one")
		flush(t, a)
		w := a.Webhooks.All()[0]
		if got := w.Header.Get("X-PagerDuty-Signature"); got != pagerduty.Sign(w.Body, old, added) || strings.Count(got, "v1=") != 2 {
			t.Errorf("signatures %s", got)
		}
	})
}

// TestMergedAndGrouped: alerts move with a merge, which comes as a resolve; one
// that joins an incident is told to nobody, and the incident ends with the last.
func TestMergedAndGrouped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := hooked(t, pagerduty.Options{})
		event(t, a, "trigger", "one")
		event(t, a, "trigger", "two")
		flush(t, a) // incidents have no order among each other
		flush(t, a, a.Merge(incident, "Q0000000000002", "PUSR001"))
		all := a.Webhooks.All()
		text := string(all[len(all)-1].Body)
		if !strings.Contains(text, "merge_resolve_reason") || !strings.Contains(text, "incident.resolved") || !strings.Contains(text, "Q0000000000002") {
			t.Errorf("merge: %s", text)
		}
		event(t, a, "resolve", "two")
		if got := a.Incidents()[1]; got.Status != pagerduty.Triggered || len(got.Alerts) != 2 {
			t.Errorf("with one alert left: %+v", got)
		}
		event(t, a, "resolve", "one")
		if got := a.Incidents(); got[1].Status != pagerduty.Resolved || got[0].MergedInto != got[1].ID {
			t.Errorf("with none left: %+v", got)
		}
		flush(t, a)
	})
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := hooked(t, pagerduty.Options{Grouping: true})
		event(t, a, "trigger", "one")
		event(t, a, "trigger", "two")
		flush(t, a)
		if got := a.Incidents(); len(got) != 1 || len(got[0].Alerts) != 2 || len(sent(a)) != 1 {
			t.Errorf("%d incidents, webhooks %v", len(got), sent(a))
		}
	})
}

// TestPeopleDoWhatThePageOffers and nothing else.
func TestPeopleDoWhatThePageOffers(t *testing.T) {
	a := pagerduty.New(pagerduty.Options{})
	defer a.Close()
	event(t, a, "trigger", "one")
	for name, err := range map[string]error{
		"reopen what is open":     a.Reopen(incident, "PUSR001"),
		"time out what is open":   a.AckTimeout(incident),
		"an incident of nobody's": a.Resolve("Q9", "PUSR001"),
		"a user of nobody's":      a.Resolve(incident, "PX"),
		"merge with itself":       a.Merge(incident, incident, "PUSR001"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := a.Resolve(incident, "PUSR001"); err != nil {
		t.Fatal(err)
	}
	if a.Resolve(incident, "PUSR001") == nil || a.Acknowledge(incident, "PUSR001") == nil {
		t.Error("what is resolved can be resolved or acknowledged")
	}
}
