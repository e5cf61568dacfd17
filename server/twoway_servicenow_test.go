package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/fake/servicenow"
)

// TestTwoWayServiceNow: acknowledged, closed and reopened here and there; a further
// alert is a work note; what no business rule told is found by a refresh.
func TestTwoWayServiceNow(t *testing.T) {
	const secret = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0LXdpdGgtMzItYnl0ZXM="
	i := servicenow.New(servicenow.Options{Password: "servicenow-test", CloseCodes: []string{"Solution provided"}})
	started(t, i)
	a := open(t, nil)
	_, inbound := a.twoWay("servicenow", map[string]any{
		"settings": map[string]any{"url": i.URL(), "username": "tocsin"},
		"secrets":  map[string]any{"password": "servicenow-test", "webhookSecret": secret},
	}, map[string]any{"assignmentGroup": "Network"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := a.socket(ctx, statusEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in", "key": "alice"}).TicketID
	l := a.inSync(ticket)
	if l.ExternalStatus != "New" || !strings.Contains(l.ExternalURL, l.ExternalID) {
		t.Errorf("the link is %+v", l)
	}
	push := func() error {
		p, err := i.Push(l.ExternalID, secret)
		if err != nil {
			return err
		}
		status, body, err := p.Send(ctx, http.DefaultClient, inbound) //nolint:forbidigo // a test talks to itself
		if err == nil && status != http.StatusAccepted {
			err = fmt.Errorf("the push is answered %d %s", status, body)
		}
		return err
	}
	by := func(state string, tell func() error) func() error {
		return func() error {
			i.SetState(l.ExternalID, state, "beth.anglin")
			return tell()
		}
	}
	state := func(want string) {
		t.Helper()
		a.eventually("a record of state "+want, `{ server { version } }`, nil, new(any), func() bool { return i.Record(l.ExternalID).Columns["state"] == want })
		if err := push(); err != nil { // our own doing, told back
			t.Fatal(err)
		}
		a.inSync(ticket)
	}
	wantTold(t, events, "ACKNOWLEDGED", by("2", push))
	a.raise(map[string]any{"behaviorModel": "Model", "summary": "Again", "key": "alice", "severity": "CRITICAL"})
	a.eventually("a work note", `{ server { version } }`, nil, new(any), func() bool { return len(i.Notes(l.ExternalID)) == 1 })
	a.moveTicket("closeTickets", ticket)
	next(t, events)
	state("6")
	wantTold(t, events, "OPEN", by("1", push))
	a.moveTicket("acknowledgeTickets", ticket)
	next(t, events)
	state("2")
	wantTold(t, events, "CLOSED", by("7", func() error {
		a.ask(`mutation($id: ID!) { refreshTicket(input: {id: $id}) { tickets { id } userErrors { message path } } }`, map[string]any{"id": ticket}, nil)
		return nil
	}))
	a.moveTicket("reopenTickets", ticket)
	next(t, events)
	state("1")
	if n := len(i.Records("incident")); n != 1 {
		t.Errorf("%d records, want the one", n)
	}
}
