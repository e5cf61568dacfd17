package server

import (
	"context"
	"testing"
	"time"

	"tocsin/fake/jira"
)

// TestTwoWayJira: acknowledged, closed and reopened here and there; a further
// alert is a comment; what no webhook told is found by asking.
func TestTwoWayJira(t *testing.T) {
	const jane = "5b10a2844c20165700ede21g"
	s := jira.New(jira.Options{Token: "jira-test"})
	started(t, s)
	a := open(t, nil)
	id, _ := a.twoWay("jira", map[string]any{
		"settings": map[string]any{"url": s.URL(), "email": "bot@example.com"}, "secrets": map[string]any{"apiToken": "jira-test"},
	}, map[string]any{"project": "SEC"})
	a.ask(`mutation($id: ID!) { installActorWebhook(input: {id: $id}) { actor { id } userErrors { message path } } }`, map[string]any{"id": id}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := a.socket(ctx, statusEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in", "key": "alice"}).TicketID
	if l := a.inSync(ticket); l.ExternalID != "10001" || l.ExternalURL != s.URL()+"/browse/SEC-1" || l.ExternalStatus != "To Do" {
		t.Errorf("the link is %+v", l)
	}
	move := func(to string) func() error { return func() error { return s.Move("SEC-1", to, jane) } }
	status := func(want string) {
		t.Helper()
		a.eventually("an issue that is "+want, `{ server { version } }`, nil, new(any), func() bool { return s.Issues()[0].Status.Name == want })
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		a.inSync(ticket)
	}
	wantTold(t, events, "ACKNOWLEDGED", move("In Progress"))
	a.raise(map[string]any{"behaviorModel": "Model", "summary": "Again", "key": "alice", "severity": "CRITICAL"})
	a.eventually("a comment", `{ server { version } }`, nil, new(any), func() bool { return len(s.Issues()[0].Comments) == 1 })
	a.moveTicket("closeTickets", ticket)
	next(t, events)
	status("Done")
	wantTold(t, events, "OPEN", move("To Do"))
	a.moveTicket("acknowledgeTickets", ticket)
	next(t, events)
	status("In Progress")
	wantTold(t, events, "CLOSED", move("Done"))
	a.moveTicket("reopenTickets", ticket)
	next(t, events)
	status("To Do")
	if n := len(s.Issues()); n != 1 {
		t.Errorf("%d issues, want the one", n)
	}
}

// TestJiraWithoutWebhook: a refresh finds what was done there.
func TestJiraWithoutWebhook(t *testing.T) {
	s := jira.New(jira.Options{Token: "jira-test"})
	started(t, s)
	a := open(t, nil)
	a.twoWay("jira", map[string]any{
		"settings": map[string]any{"url": s.URL(), "email": "bot@example.com"}, "secrets": map[string]any{"apiToken": "jira-test"},
	}, map[string]any{"project": "SEC"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := a.socket(ctx, statusEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"}).TicketID
	a.inSync(ticket)
	wantTold(t, events, "CLOSED", func() error {
		err := s.Move("SEC-1", "Done", "5b10a2844c20165700ede21g")
		a.ask(`mutation($id: ID!) { refreshTicket(input: {id: $id}) { tickets { id } userErrors { message path } } }`, map[string]any{"id": ticket}, nil)
		return err
	})
}
