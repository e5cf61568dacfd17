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
