package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	"tocsin/fake"
	account "tocsin/fake/pagerduty"
)

const hookSecret = "gn50M3gVn06a86IyOauUEiRnnQVTnuikdtBMa/dgVZVraEz2sKMpUrLRZaIRh3Df"

// vector is a webhook whose signature is known.
type vector struct {
	Name     string
	BodyFile string `json:"body_file"`
	Secret   string
	Headers  map[string]string
	Expect   string
}

func vectors(t *testing.T) []vector {
	t.Helper()
	var all struct{ Vectors []vector }
	if err := json.Unmarshal(webhookFile(t, "vectors.json"), &all); err != nil || len(all.Vectors) < 40 {
		t.Fatalf("%d vectors, error %v", len(all.Vectors), err)
	}
	return all.Vectors
}

func webhookFile(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata/webhooks", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestSignatures: what is signed is taken, whatever it is, and nothing else is;
// nor is anything while there is no secret.
func TestSignatures(t *testing.T) {
	for _, v := range vectors(t) {
		m := hearing(t, nil, map[string]dispatch.Secret{"integrationKey": key, "webhookSecret": dispatch.Secret(v.Secret)})
		body := webhookFile(t, v.BodyFile)
		want := http.StatusUnauthorized
		if v.Expect == "valid" {
			want = 0 // 202
		}
		header := http.Header{}
		for name, value := range v.Headers {
			header.Set(name, value)
		}
		if _, reply := m.Receive(t.Context(), inbound(header, body)); reply.Status != want {
			t.Errorf("%s: status %d, want %d", v.Name, reply.Status, want)
		}
		flipped := slices.Clone(body)
		flipped[len(flipped)/2] ^= 1
		if _, reply := m.Receive(t.Context(), inbound(header, flipped)); reply.Status != http.StatusUnauthorized {
			t.Errorf("%s with a bit flipped: status %d", v.Name, reply.Status)
		}
		none := hearing(t, nil, map[string]dispatch.Secret{"integrationKey": key})
		header.Set(signatureHeader, account.Sign(body, ""))
		if _, reply := none.Receive(t.Context(), inbound(header, body)); reply.Status != http.StatusUnauthorized {
			t.Errorf("%s without a secret: status %d", v.Name, reply.Status)
		}
	}
}

// TestSecretsSideBySide: while one subscription replaces another, both secrets
// are taken, and a signature may stand in a header of its own.
func TestSecretsSideBySide(t *testing.T) {
	m := hearing(t, nil, map[string]dispatch.Secret{"integrationKey": key, "webhookSecret": "old-secret\n new-secret "})
	body := webhookFile(t, "pagey.ping.json")
	for name, signatures := range map[string][]string{
		"old": {account.Sign(body, "old-secret")}, "new": {account.Sign(body, "new-secret")},
		"second header": {account.Sign(body, "other"), account.Sign(body, "new-secret")},
	} {
		if _, reply := m.Receive(t.Context(), inbound(http.Header{http.CanonicalHeaderKey(signatureHeader): signatures}, body)); reply.Status != 0 {
			t.Errorf("%s: status %d", name, reply.Status)
		}
	}
	if _, reply := m.Receive(t.Context(), signed(body, "old-secret\n new-secret ")); reply.Status != http.StatusUnauthorized {
		t.Errorf("both secrets as one: status %d", reply.Status)
	}
}

// TestWebhooks: what each published webhook changes, with nobody to ask.
func TestWebhooks(t *testing.T) {
	open, acknowledged, closed := dispatch.TicketOpen, dispatch.TicketAcknowledged, dispatch.TicketClosed
	for name, want := range map[string]dispatch.StatusChange{
		"incident.triggered.from-events-api":               {Status: open, Word: "triggered", Echo: true},
		"incident.triggered.from-events-api-orchestration": {Status: open, Word: "triggered", Echo: true},
		"incident.triggered.manual":                        {Status: open, Word: "triggered", By: "Jane Doe", Names: []string{"Q1EXAMPLEINC01", "d3640fbd41094207a1c11e58e46b1662"}},
		"incident.acknowledged.by-person":                  {Status: acknowledged, Word: "acknowledged", By: "Jane Doe"},
		"incident.acknowledged.by-our-event":               {Status: acknowledged, Word: "acknowledged", Echo: true},
		"incident.acknowledged.by-our-rest-call":           {Status: acknowledged, Word: "acknowledged", By: "Alert Dispatch Bot"},
		"incident.resolved.by-person":                      {Status: closed, Word: "resolved", By: "Jane Doe"},
		"incident.resolved.by-our-event":                   {Status: closed, Word: "resolved", Echo: true},
		"incident.reopened":                                {Status: open, Word: "triggered", By: "Jane Doe"},
		"incident.reassigned":                              {Word: "triggered", By: "Jane Doe", Text: "reassigned to John Roe"},
		"incident.escalated":                               {Word: "triggered", Text: "escalated to John Roe"},
		"incident.annotated":                               {By: "Jane Doe", Text: "note: Looking at it now"},
		"incident.annotated.resolution-note":               {By: "Jane Doe", Text: "note: Resolution Note: Restarted the job"},
	} {
		body := webhookFile(t, name+".json")
		var sent struct {
			Event struct {
				ID string
				At time.Time `json:"occurred_at"`
			}
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatal(err)
		}
		want.EventID, want.At, want.Also, want.URL = sent.Event.ID, sent.Event.At, []string{"Q1EXAMPLEINC01"}, "https://acme.pagerduty.com/incidents/Q1EXAMPLEINC01"
		if want.Names == nil {
			want.Names = want.Also
		}
		got := receive(t, hearing(t, nil, hookSecrets("")), body)
		if name == "incident.annotated.resolution-note" {
			want.Text = got.Text
			if !strings.HasPrefix(got.Text, "note: Resolution Note: ") {
				t.Errorf("note of a resolve: %q", got.Text)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestWebhooksOfNoMatter are taken and change nothing, whether they are known or
// not, and even if they are not JSON: a refusal would count against the subscription.
func TestWebhooksOfNoMatter(t *testing.T) {
	m := hearing(t, nil, hookSecrets(""))
	bodies := map[string]string{
		"no JSON": "hello", "null": "null", "list": "[]", "no event": "{}", "a text": `{"event":"x"}`,
		"unknown type":  `{"event":{"event_type":"incident.eaten","data":{"id":"Q1"}}}`,
		"other shape":   `{"event":{"event_type":"incident.resolved","data":"x"}}`,
		"no incident":   `{"event":{"event_type":"incident.resolved","data":{}}}`,
		"id with slash": `{"event":{"event_type":"incident.resolved","data":{"id":"../users"}}}`,
	}
	for _, v := range vectors(t) {
		if name := strings.TrimSuffix(v.BodyFile, ".json"); v.Expect == "valid" && !isTold(name) {
			bodies[name] = string(webhookFile(t, v.BodyFile))
		}
	}
	if len(bodies) < 25 {
		t.Fatalf("only %d bodies", len(bodies))
	}
	for name, body := range bodies {
		changes, reply := m.Receive(t.Context(), signed([]byte(body), hookSecret))
		if len(changes) != 0 || reply.Status != 0 {
			t.Errorf("%s: %v, status %d", name, changes, reply.Status)
		}
	}
}

func isTold(name string) bool {
	for kind := range told {
		if name == kind || strings.HasPrefix(name, kind+".") {
			return true
		}
	}
	return false
}

// TestWords: what happens without a person, and by a merge, says so.
func TestWords(t *testing.T) {
	a := started(t, account.Options{})
	to := heard(t, a)
	trigger(t, to.m, 1)
	trigger(t, to.m, 2)
	must(t, a.Acknowledge("Q0000000000001", "PUSR001"), a.AckTimeout("Q0000000000001"), a.Merge("Q0000000000001", "Q0000000000002", "PUSR001"))
	var texts []string
	for _, c := range to.wait(t, 5) {
		if c.Names[0] == "Q0000000000001" && c.Status != dispatch.TicketOpen || c.Text != "" {
			texts = append(texts, fmt.Sprintf("%s: %q %q %v", c.By, c.Status, c.Text, c.Also))
		}
	}
	want := []string{
		`Jane Doe: "ACKNOWLEDGED" "" [Q0000000000001]`,
		`: "OPEN" "the acknowledgement has timed out" [Q0000000000001]`,
		`Jane Doe: "" "merged into jdoe logged in from Oslo and Lagos within 10 minutes" [Q0000000000002]`,
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTicketOfAnIncident: the address of the ticket comes back with the incident.
// Only that of a ticket counts.
func TestTicketOfAnIncident(t *testing.T) {
	a := started(t, account.Options{})
	to := heard(t, a)
	p := config(exam.Parcel(1))
	p.TicketURL = "https://tocsin.example.com/base/tickets/" + p.Ticket.ID
	if out := to.m.Deliver(t.Context(), p); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	if got := to.wait(t, 1)[0]; !slices.Equal(got.TicketIDs, []string{p.Ticket.ID}) || !got.Echo {
		t.Errorf("tickets %v, echo %v", got.TicketIDs, got.Echo)
	}
	for _, address := range []string{
		"/tickets/" + p.Ticket.ID, "https://tocsin.example.com/tickets/1001", "https://x.example.com/?/tickets/" + p.Ticket.ID,
		"https://tocsin.example.com/tickets/" + p.Ticket.ID + "/x", "http://%", "",
	} {
		w := webhook{Type: eventTriggered}
		if err := json.Unmarshal(fmt.Appendf(nil, `{"client": {"url": %q}}`, address), &w); err != nil {
			t.Fatal(err)
		}
		if got := w.tickets(); got != nil {
			t.Errorf("%q: tickets %v", address, got)
		}
	}
}

// TestGrouped: with a token, a change of an incident is one of all its alerts,
// also of those that came to a known incident later and stand on a second page.
func TestGrouped(t *testing.T) {
	a := started(t, account.Options{APIKey: token, Grouping: true, RateLimit: 9999})
	to := heardBy(t, a, token)
	var want []string
	for n := range 130 {
		trigger(t, to.m, n)
		want = append(want, "srv-1:"+exam.Parcel(n).Ticket.ID)
	}
	must(t, a.Acknowledge("Q0000000000001", "PUSR001"))
	if got := to.wait(t, 2)[1]; !slices.Equal(got.Names, want) || got.Also[0] != "Q0000000000001" {
		t.Errorf("%d names, want those of %d alerts; also %v", len(got.Names), len(want), got.Also)
	}
	resolve := dispatch.StatusUpdate{Ticket: *exam.Parcel(0).Ticket, Link: dispatch.TicketLink{ExternalID: want[0]}, Settings: &ConfigSettings{}}
	resolve.Ticket.Status = dispatch.TicketClosed
	if out := to.m.Update(t.Context(), resolve); out.Kind() != dispatch.OutcomeDelivered {
		t.Fatal(out.Err())
	}
	must(t, a.AckTimeout("Q0000000000001"), a.Acknowledge("Q0000000000001", "PUSR001"))
	if got := to.wait(t, 4)[3]; !slices.Equal(got.Names, want[1:]) {
		t.Errorf("%d names after one alert was resolved, want %d", len(got.Names), len(want)-1)
	}
}

// TestLargeAlerts: an alert carries all details that were sent. What does not fit
// into one answer is still found.
func TestLargeAlerts(t *testing.T) {
	a := started(t, account.Options{APIKey: token, Grouping: true})
	m := opened(t, a, hookSecrets(token)).(*messenger)
	for n := range 4 {
		p := config(exam.Parcel(n))
		p.Alert.Attributes = dispatch.JSON(`{"blob": "` + strings.Repeat("x", 40_000*(n%3)) + `"}`)
		if out := m.Deliver(t.Context(), p); out.Kind() != dispatch.OutcomeDelivered {
			t.Fatal(out.Err())
		}
	}
	alerts, out := m.alertsOf(t.Context(), "Q0000000000001", "")
	if out.Kind() != dispatch.OutcomeDelivered || len(alerts) != 4 {
		t.Fatalf("%d alerts, %v", len(alerts), out.Err())
	}
	for n, got := range alerts {
		if got.key != "srv-1:"+exam.Parcel(n).Ticket.ID {
			t.Errorf("alert %d is %+v", n, got)
		}
	}
}

// TestEchoes: what an integration or the token's user does is ours, but not what
// an integration does that none of our alerts came through.
func TestEchoes(t *testing.T) {
	a := started(t, account.Options{APIKey: token, Grouping: true})
	secrets := hookSecrets(token)
	m := openedWith(t, a, `"from": "alert-dispatch@example.com"`, secrets).(*messenger)
	trigger(t, m, 1)
	foreign := account.Event{
		RoutingKey: strings.Repeat("f", 32), Action: "trigger", DedupKey: "disk-full",
		Payload: account.Payload{Summary: "disk full", Source: "db", Severity: "info"},
	}
	enqueue(t, a, foreign)
	to := &ear{m: m}
	to.listen(t, a)
	foreign.Action = "acknowledge"
	enqueue(t, a, foreign)
	must(t, a.AckTimeout("Q0000000000001"))
	updated(t, m, 1, dispatch.TicketOpen, dispatch.TicketAcknowledged)
	must(t, a.AckTimeout("Q0000000000001"), a.Acknowledge("Q0000000000001", "PBOT001"), a.AckTimeout("Q0000000000001"), a.Acknowledge("Q0000000000001", "PUSR001"))
	var got []bool
	for _, c := range to.wait(t, 7) {
		if c.Status == dispatch.TicketAcknowledged {
			got = append(got, c.Echo)
		}
	}
	if want := []bool{false, true, true, false}; !slices.Equal(got, want) {
		t.Errorf("echoes %v of another integration, our event, our user and Jane, want %v", got, want)
	}
	if n := requests(a, "/users/me"); n != 1 {
		t.Errorf("asked %d times who we are, want once", n)
	}
}

// TestAccountToken: a token that belongs to no user is asked once who it is.
func TestAccountToken(t *testing.T) {
	a := started(t, account.Options{APIKey: token, AccountKey: true})
	m := openedWith(t, a, `"from": "jane@example.com"`, hookSecrets(token)).(*messenger)
	for range 2 {
		if c := receive(t, m, webhookFile(t, "incident.acknowledged.by-person.json")); c.Echo || c.By != "Jane Doe" {
			t.Errorf("change %+v", c)
		}
	}
	if n := requests(a, "/users/me"); n != 1 {
		t.Errorf("asked %d times who we are, want once", n)
	}
}

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
