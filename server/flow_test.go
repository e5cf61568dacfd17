package server

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/fake/pagerduty"
	"tocsin/fake/slack"
	"tocsin/fake/smtp"
	"tocsin/fake/webhook"
)

const (
	signingSecret  = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
	integrationKey = "0123456789abcdef0123456789abcdef"
)

// outside is the world that the program talks to.
type outside struct {
	slack     *slack.Workspace
	pagerduty *pagerduty.Account
	mail      *smtp.Server
	hook      *webhook.Receiver
}

func world(t *testing.T) outside {
	t.Helper()
	mail, err := smtp.New(smtp.Options{Users: map[string]string{"tocsin": "pass word"}})
	if err != nil {
		t.Fatal(err)
	}
	o := outside{slack.New(slack.Options{Token: "xoxb-test"}), pagerduty.New(pagerduty.Options{}), mail, webhook.New(webhook.Options{Secrets: []string{signingSecret}})}
	for _, s := range []interface {
		Start(addr string) error
		Close() error
	}{o.slack, o.pagerduty, o.mail, o.hook} {
		if err := s.Start("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return o
}

// configure sets up an API config for each of the outside, and the page.
func (o outside) configure(a api) []string {
	actor := func(kind string, settings, secrets map[string]any) string {
		return a.made("createActor", "actor", map[string]any{"type": kind, "name": kind + " actor", "settings": settings, "secrets": secrets})
	}
	config := func(kind string, actorID any, settings map[string]any) string {
		in := map[string]any{"actorType": kind, "settings": settings}
		if actorID != nil {
			in["actorId"] = actorID
		}
		return a.made("createApiConfig", "apiConfig", in)
	}
	host, port, _ := net.SplitHostPort(o.mail.Addr())
	number, _ := strconv.Atoi(port)
	return []string{
		config("notification", nil, nil),
		config("webhook", actor("webhook", map[string]any{"url": o.hook.URL()}, map[string]any{"signingSecret": signingSecret}), nil),
		config("slack", actor("slack", map[string]any{"apiUrl": o.slack.URL() + "/api/"}, map[string]any{"botToken": "xoxb-test"}), map[string]any{"channel": "#alerts"}),
		config("pagerduty", actor("pagerduty", map[string]any{"eventsUrl": o.pagerduty.URL()}, map[string]any{"integrationKey": integrationKey}), nil),
		config("email", actor("email", map[string]any{"host": host, "port": number, "tls": "NONE", "username": "tocsin", "from": "tocsin@example.com"},
			map[string]any{"password": "pass word"}), map[string]any{"to": []string{"soc@example.com", "cto@example.com"}}),
	}
}

// TestWholeProgram: configure by mutations, raise, see each receiver get the
// right request, acknowledge and close the ticket, and see it all on a
// WebSocket and on server-sent events, one of which leaves and comes back.
func TestWholeProgram(t *testing.T) {
	o := world(t)
	a := open(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	action := a.made("createAction", "action", map[string]any{
		"name": "All channels", "allModels": true, "condition": `alert.severity in ["HIGH", "CRITICAL"]`, "apiConfigIds": o.configure(a),
	})
	kinds := `subscription($after: String) { ticketEvents(after: $after, kinds: [OPENED, STATUS_CHANGED]) { cursor kind status statusBefore ticket { id status } } }`
	socket, err := a.socket(ctx, kinds, nil)
	if err != nil {
		t.Fatal(err)
	}
	leave, left := context.WithCancel(ctx)
	sse, err := a.stream(leave, kinds, nil)
	if err != nil {
		t.Fatal(err)
	}

	r := a.raise(map[string]any{"behaviorModel": "Impossible_Travel", "summary": "Sign-in from Lima & Berlin", "key": "alice", "keyType": "username", "severity": "HIGH"})
	if r.TicketNumber != 1 || r.DeliveryCount != 5 {
		t.Fatalf("raised %+v, want T-1 and 5 deliveries", r)
	}
	first := next(t, sse)
	left()
	o.wantRequests(ctx, t, a, r)
	a.wantAllDelivered(action, 5)
	a.moveTicket("acknowledgeTickets", r.TicketID)
	a.moveTicket("closeTickets", r.TicketID)

	again, err := a.stream(ctx, kinds, map[string]any{"after": first.Cursor})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]event{
		"WebSocket": {next(t, socket), next(t, socket), next(t, socket)},
		"SSE":       {first, next(t, again), next(t, again)},
	}
	want := []string{"OPENED →OPEN", "STATUS_CHANGED OPEN→ACKNOWLEDGED", "STATUS_CHANGED ACKNOWLEDGED→CLOSED"}
	for name, events := range seen {
		for i, e := range events {
			if got := fmt.Sprintf("%s %s→%s", e.Kind, e.StatusBefore, e.Status); got != want[i] || e.Ticket.ID != r.TicketID {
				t.Errorf("%s event %d is %s of %s, want %s of %s", name, i, got, e.Ticket.ID, want[i], r.TicketID)
			}
		}
	}
}

// wantRequests waits for each receiver's request and looks at what it says.
func (o outside) wantRequests(ctx context.Context, t *testing.T, a api, r raised) {
	t.Helper()
	link := a.url + "/tickets/" + r.TicketID
	hook, err := o.hook.Requests.Wait(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if body := string(hook[0].Body); !strings.Contains(body, r.AlertID) || !strings.Contains(body, link) {
		t.Errorf("the webhook said %s", body)
	}
	if _, err := o.slack.Requests.Wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if m := o.slack.Messages(); len(m) != 1 || !strings.Contains(fmt.Sprint(m[0].Text, string(m[0].Attachments[0])), "Lima &amp; Berlin") {
		t.Errorf("Slack got %+v", m)
	}
	if _, err := o.pagerduty.Requests.Wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if i := o.pagerduty.Incidents(); len(i) != 1 || i[0].Alerts[0].Payload.Severity != "error" || i[0].Alerts[0].ClientURL != link || !strings.Contains(i[0].Alerts[0].DedupKey, r.TicketID) {
		t.Errorf("PagerDuty got %+v", i)
	}
	mails, err := o.mail.Messages.Wait(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mails {
		if len(m.To) != 1 || m.User != "tocsin" || !strings.Contains(m.Header.Get("Subject"), "T-1") {
			t.Errorf("mail to %v by %q: %q", m.To, m.User, m.Header.Get("Subject"))
		}
	}
}

func (a api) wantAllDelivered(action string, n int) {
	a.t.Helper()
	var data struct {
		Deliveries struct {
			Nodes []struct {
				Status, Reason string
				Attempts       []struct{ Outcome, Error, Response string }
			}
		}
		Accounting struct {
			Promised, Delivered int
			Balances            bool
		}
		Notifications struct {
			UnreadCount int
			Nodes       []struct {
				Title  string
				Ticket struct{ Number int }
			}
		}
	}
	a.eventually("delivery of all", `{ accounting { delivered } }`, nil, &data, func() bool { return data.Accounting.Delivered == n })
	a.ask(`query($id: ID!) { deliveries(filter: {actionId: $id}) { nodes { status reason attempts { outcome error response } } }
		accounting { promised delivered balances } notifications { unreadCount nodes { title ticket { number } } } }`,
		map[string]any{"id": action}, &data)
	for _, d := range data.Deliveries.Nodes {
		if d.Status != "DELIVERED" || len(d.Attempts) != 1 || d.Attempts[0].Outcome != "DELIVERED" {
			a.t.Errorf("delivery %+v", d)
		}
	}
	if !data.Accounting.Balances || data.Notifications.UnreadCount != 1 || data.Notifications.Nodes[0].Ticket.Number != 1 {
		a.t.Errorf("accounting %+v, notifications %+v", data.Accounting, data.Notifications)
	}
}
