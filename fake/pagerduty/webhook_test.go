package pagerduty_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/PagerDuty/go-pagerduty/webhookv3"

	"tocsin/fake"
	"tocsin/fake/pagerduty"
)

// hooked is an account with one receiver, in a bubble: answers are the statuses
// that it gives in turn, then 202; 0 is silence.
func hooked(t *testing.T, o pagerduty.Options, answers ...int) (a *pagerduty.Account, id, secret string) {
	t.Helper()
	pipe := fake.NewPipe()
	turn := make(chan int, len(answers))
	for _, status := range answers {
		turn <- status
	}
	receiver := fake.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case status := <-turn:
			if status == 0 {
				<-r.Context().Done()
				return
			}
			w.WriteHeader(status)
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	receiver.Serve(pipe)
	o.Client = &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext}}
	a = pagerduty.New(o)
	t.Cleanup(func() { _ = a.Close(); _ = receiver.Close(); _ = pipe.Close() })
	id, secret = a.Subscribe(receiver.URL() + "/hooks/1")
	return a, id, secret
}

// event hands an event over without a network.
func event(t *testing.T, a *pagerduty.Account, action, dedup string) {
	t.Helper()
	body, err := json.Marshal(pagerduty.Event{
		RoutingKey: routingKey, Action: action, DedupKey: dedup, Client: "Tocsin", ClientURL: "https://tocsin.example.com/tickets/" + dedup,
		Payload: pagerduty.Payload{Summary: "s", Source: "x", Severity: "info"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v2/enqueue", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	w := &silent{header: http.Header{}}
	a.ServeHTTP(w, r)
	if w.status != http.StatusAccepted {
		t.Fatalf("status %d", w.status)
	}
}

// silent is a response that nobody reads.
type silent struct {
	header http.Header
	status int
}

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) Write(p []byte) (int, error) { return len(p), nil }
func (s *silent) WriteHeader(status int)      { s.status = status }

// sent are the tries so far, as "type status".
func sent(a *pagerduty.Account) []string {
	var out []string
	for _, w := range a.Webhooks.All() {
		out = append(out, fmt.Sprintf("%s %d", strings.TrimPrefix(w.Event, "incident."), w.Status))
	}
	return out
}

func flush(t *testing.T, a *pagerduty.Account, errs ...error) {
	t.Helper()
	for _, err := range append(errs, a.Flush(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestWebhooksLookAsThoseOfTheContract compares keys and types of what is sent,
// and checks signatures by PagerDuty's own library.
func TestWebhooksLookAsThoseOfTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, id, secret := hooked(t, pagerduty.Options{})
		event(t, a, "trigger", "one")
		event(t, a, "acknowledge", "one")
		flush(t, a, a.AckTimeout(incident), a.Acknowledge(incident, "PBOT001"), a.Reassign(incident, "PUSR001", "PUSR002"),
			a.Note(incident, "PUSR001", "Looking"), a.Resolve(incident, "PUSR001"), a.Reopen(incident, "PUSR001"), a.Escalate(incident, "PUSR002"))
		event(t, a, "resolve", "one")
		a.Ping(id)
		flush(t, a)
		for i, want := range []string{
			"incident.triggered.from-events-api", "incident.acknowledged.by-our-event", "incident.escalated", // which has no agent, as a timeout
			"incident.acknowledged.by-our-rest-call", "incident.reassigned", "incident.annotated", "incident.resolved.by-person",
			"incident.reopened", "incident.escalated", "incident.resolved.by-our-event", "pagey.ping",
		} {
			got := a.Webhooks.All()
			slices.SortStableFunc(got, func(x, y pagerduty.Webhook) int { return strings.Compare(y.Incident, x.Incident) })
			w := got[i]
			example, it := parse(t, file(t, "webhooks/"+want)), parse(t, string(w.Body))
			if diff := unlike("", example, it); len(diff) > 0 {
				t.Errorf("%s as %s: %v", w.Event, want, diff)
			}
			if kind(example, "agent") != kind(it, "agent") || kind(example, "client") != kind(it, "client") {
				t.Errorf("%s as %s: agent %q, client %q", w.Event, want, kind(it, "agent"), kind(it, "client"))
			}
			r := &http.Request{Header: w.Header, Body: io.NopCloser(bytes.NewReader(w.Body))}
			if err := webhookv3.VerifySignature(r, secret); err != nil {
				t.Errorf("%s: %v", w.Event, err)
			}
		}
	})
}

// kind is the type of an event's agent, or that there is none.
func kind(body any, name string) string {
	it, ok := body.(map[string]any)["event"].(map[string]any)[name].(map[string]any)
	if !ok {
		return "none"
	}
	text, _ := it["type"].(string)
	return text
}

// TestSignaturesAreThoseOfTheContract signs what is signed there.
func TestSignaturesAreThoseOfTheContract(t *testing.T) {
	var all struct {
		Vectors []struct {
			Name, Secret, Expect string
			BodyFile             string `json:"body_file"`
			Headers              map[string]string
		}
	}
	if err := json.Unmarshal([]byte(file(t, "webhooks/vectors")), &all); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, v := range all.Vectors {
		if v.Expect != "valid" || !slices.Contains([]string{"incident.annotated", "pagey.ping", "incident.reopened"}, v.Name) {
			continue
		}
		n++
		body := file(t, "webhooks/"+strings.TrimSuffix(v.BodyFile, ".json"))
		if got := pagerduty.Sign([]byte(body), v.Secret); got != v.Headers["X-PagerDuty-Signature"] {
			t.Errorf("%s: %s", v.Name, got)
		}
	}
	if n != 3 {
		t.Errorf("%d vectors", n)
	}
}

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
