package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/fake/pagerduty"
	"tocsin/fake/sentinelone"
	"tocsin/fake/slack"
)

// tellAtOnce is how soon a subscription must tell what a webhook brought.
const tellAtOnce = 100 * time.Millisecond

// started opens a vendor until the test ends.
func started(t *testing.T, vendor interface {
	Start(addr string) error
	Close() error
},
) {
	t.Helper()
	if err := vendor.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vendor.Close(); err != nil {
			t.Error(err)
		}
	})
}

// twoWay sets up an actor with an API config and an action for everything, and
// returns the actor's id and where its webhooks go.
func (a api) twoWay(kind string, actor, config map[string]any) (id, inbound string) {
	a.t.Helper()
	actor["type"], actor["name"] = kind, "The "+kind
	id = a.made("createActor", "actor", actor)
	cfg := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": kind, "actorId": id, "settings": config})
	a.made("createAction", "action", map[string]any{"name": "To " + kind, "allModels": true, "apiConfigIds": []string{cfg}})
	var data struct {
		Actor struct{ InboundURL, Sync string }
	}
	a.ask(`query($id: ID!) { actor(id: $id) { inboundUrl sync } }`, map[string]any{"id": id}, &data)
	if data.Actor.Sync != "BOTH" {
		a.t.Errorf("the actor's sync is %q", data.Actor.Sync)
	}
	return id, data.Actor.InboundURL
}

// link is a ticket's copy as the API shows it.
type link struct{ ExternalID, ExternalStatus, ExternalURL, State string }

// inSync waits for the ticket's copy to agree with it.
func (a api) inSync(ticket string) link {
	a.t.Helper()
	var data struct{ Ticket struct{ Links []link } }
	a.eventually("a link in sync", `query($id: ID!) { ticket(id: $id) { links { externalId externalStatus externalUrl state } } }`,
		map[string]any{"id": ticket}, &data, func() bool {
			return len(data.Ticket.Links) > 0 && data.Ticket.Links[0].State == "IN_SYNC"
		})
	return data.Ticket.Links[0]
}

const statusEvents = `subscription { ticketEvents(kinds: [STATUS_CHANGED]) { cursor kind status statusBefore ticket { id status } } }`

// wantTold does something outside and wants the subscription to tell the status.
func wantTold(t *testing.T, events <-chan event, want string, do func() error) {
	t.Helper()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	e := next(t, events)
	if e.Status != want {
		t.Errorf("the subscription tells %s, want %s", e.Status, want)
	}
	if took := time.Since(began); took > tellAtOnce && !raced {
		t.Errorf("the subscription told it after %v, want at most %v", took, tellAtOnce)
	}
}

// TestTwoWaySlack: what a person presses in Slack happens to the ticket, what
// happens to the ticket shows in the message.
func TestTwoWaySlack(t *testing.T) {
	w := slack.New(slack.Options{Token: "xoxb-test"})
	started(t, w)
	a := open(t, nil)
	_, inbound := a.twoWay("slack", map[string]any{
		"settings": map[string]any{"apiUrl": w.URL() + "/api/"},
		"secrets":  map[string]any{"botToken": "xoxb-test", "signingSecret": "8f742231b10e8888abcd99yyyzzz85a5"},
	}, map[string]any{"channel": "#alerts"})
	w.Ask(inbound)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := a.socket(ctx, statusEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in", "key": "alice"}).TicketID
	a.inSync(ticket)
	m := w.Messages()[0]
	click := func(action string) func() error {
		return func() error { return w.Click(ctx, m.Channel, m.TS, action, "U061F7AUR") }
	}
	shows := func(text string) {
		t.Helper()
		a.eventually("the message that shows "+text, `{ server { version } }`, nil, new(any), func() bool {
			return strings.Contains(fmt.Sprintf("%s", w.Messages()[0].Attachments), text)
		})
	}
	wantTold(t, events, "ACKNOWLEDGED", click("acknowledge"))
	shows("Acknowledged by Jane Doe")
	wantTold(t, events, "CLOSED", click("close"))
	shows("Closed by Jane Doe")
	wantTold(t, events, "OPEN", click("reopen"))
	a.inSync(ticket)
	a.moveTicket("acknowledgeTickets", ticket)
	next(t, events)
	shows("Acknowledged by administrator")
	if n := len(w.Messages()); n != 1 {
		t.Errorf("%d messages, want the one that is kept up to date", n)
	}
}

// TestTwoWayPagerDuty: acknowledged, closed and reopened here and there; a merge
// does not close the ticket.
func TestTwoWayPagerDuty(t *testing.T) {
	p := pagerduty.New(pagerduty.Options{APIKey: "u+test"})
	started(t, p)
	a := open(t, nil)
	id, _ := a.twoWay("pagerduty", map[string]any{
		"settings": map[string]any{"eventsUrl": p.URL(), "apiUrl": p.URL(), "from": "alert-dispatch@example.com"},
		"secrets":  map[string]any{"integrationKey": integrationKey, "token": "u+test"},
	}, nil)
	a.ask(`mutation($id: ID!) { installActorWebhook(input: {id: $id}) { actor { id } userErrors { message path } } }`, map[string]any{"id": id}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := a.socket(ctx, statusEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in", "key": "alice"}).TicketID
	a.inSync(ticket)
	var incident string
	status := func(want string) {
		t.Helper()
		a.eventually("an incident that is "+want, `{ server { version } }`, nil, new(any), func() bool {
			all := p.Incidents()
			if len(all) == 0 {
				return false
			}
			last := all[len(all)-1]
			incident = last.ID
			return last.Status == want
		})
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	status("triggered")
	if l := a.inSync(ticket); l.ExternalURL == "" {
		t.Errorf("the link does not know where its incident is: %+v", l)
	}
	wantTold(t, events, "ACKNOWLEDGED", func() error { return p.Acknowledge(incident, "PUSR001") })
	a.moveTicket("closeTickets", ticket)
	next(t, events)
	status("resolved")
	a.moveTicket("reopenTickets", ticket)
	next(t, events)
	status("triggered")
	a.moveTicket("acknowledgeTickets", ticket)
	next(t, events)
	status("acknowledged")
	wantTold(t, events, "OPEN", func() error { return p.AckTimeout(incident) })
	other := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Another", "key": "bob"}).TicketID
	first := incident
	a.inSync(other)
	status("triggered")
	if err := p.Merge(first, incident, "PUSR001"); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var merged struct {
		Ticket struct {
			Status string
			Events struct{ Nodes []struct{ Text string } }
		}
	}
	a.ask(`query($id: ID!) { ticket(id: $id) { status events(kinds: [SYNCED_IN], first: 100) { nodes { text } } } }`, map[string]any{"id": ticket}, &merged)
	if merged.Ticket.Status != "OPEN" || !slices.ContainsFunc(merged.Ticket.Events.Nodes, func(n struct{ Text string }) bool { return strings.Contains(n.Text, "merged into") }) {
		t.Errorf("after a merge the ticket is %+v", merged.Ticket)
	}
	wantTold(t, events, "CLOSED", func() error { return p.Resolve(incident, "PUSR001") })
}

// TestTwoWaySentinelOne: a threat follows its ticket, and what is done with the
// threat in the console comes in by a refresh at once.
func TestTwoWaySentinelOne(t *testing.T) {
	c := sentinelone.New(sentinelone.Options{Token: "s1-test"})
	started(t, c)
	const threat = "225494730938493804"
	c.AddThreat(sentinelone.Threat{ID: threat})
	a := open(t, nil)
	a.twoWay("sentinelone", map[string]any{
		"settings": map[string]any{"url": c.URL()}, "secrets": map[string]any{"apiToken": "s1-test"},
	}, map[string]any{"target": "{{.Alert.Attributes.threatId}}"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := a.socket(ctx, statusEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket := a.raise(map[string]any{
		"behaviorModel": "Model", "summary": "Malware", "key": "WS-0142", "attributes": map[string]any{"threatId": threat},
	}).TicketID
	a.inSync(ticket)
	status := func(want string) {
		t.Helper()
		a.eventually("a threat that is "+want, `{ server { version } }`, nil, new(any), func() bool { return c.Threat(threat).Status == want })
	}
	a.moveTicket("acknowledgeTickets", ticket)
	next(t, events)
	status("in_progress")
	a.inSync(ticket)
	refresh := func() error {
		a.ask(`mutation($id: ID!) { refreshTicket(input: {id: $id}) { tickets { id } userErrors { message path } } }`, map[string]any{"id": ticket}, nil)
		return nil
	}
	c.SetStatus(threat, "resolved")
	wantTold(t, events, "CLOSED", refresh)
	c.SetStatus(threat, "unresolved")
	wantTold(t, events, "OPEN", refresh)
	a.moveTicket("closeTickets", ticket)
	next(t, events)
	status("resolved")
	if n := c.Threat(threat); len(n.Notes) != 1 || n.TicketID == "" {
		t.Errorf("the threat has the notes %+v and the ticket %q", n.Notes, n.TicketID)
	}
}
