package pagerduty

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/actors/internal/exam"
	"tocsin/dispatch"
	account "tocsin/fake/pagerduty"
)

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
