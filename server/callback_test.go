package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tocsin/fake/webhook"
)

// TestTwoWayWebhook: a home-made system moves the ticket by signed callbacks, as
// often as it likes with the same one, and is told of what happens here.
func TestTwoWayWebhook(t *testing.T) {
	const inboundSecret = "whsec_AgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE="
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	started(t, hook)
	a := open(t, nil)
	_, inbound := a.twoWay("webhook", map[string]any{
		"settings": map[string]any{"url": hook.URL()},
		"secrets":  map[string]any{"signingSecret": signingSecret, "inboundSecret": inboundSecret},
	}, map[string]any{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := a.socket(ctx, statusEvents, nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in", "key": "alice"}).TicketID
	if l := a.inSync(ticket); l.ExternalID != ticket {
		t.Errorf("the copy is called %s", l.ExternalID)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	call := func(c webhook.Callback, want int) func() error {
		return func() error {
			status, answer, err := c.Send(ctx, client, inbound)
			if err == nil && status != want {
				err = fmt.Errorf("the callback is answered %d %s", status, answer)
			}
			return err
		}
	}
	said := func(status string) string {
		return `{"ticketId": "` + ticket + `", "status": "` + status + `", "by": "jdoe"}`
	}
	acknowledged := webhook.Callback{Secret: inboundSecret, ID: "msg_1", Body: said("acknowledged")}
	wantTold(t, events, "ACKNOWLEDGED", call(acknowledged, http.StatusAccepted))
	wantTold(t, events, "CLOSED", call(webhook.Callback{Secret: inboundSecret, ID: "msg_2", Body: said("CLOSED")}, http.StatusAccepted))
	for _, refused := range []func() error{
		call(acknowledged, http.StatusAccepted), // the same once more changes nothing
		call(webhook.Callback{Secret: signingSecret, ID: "msg_3", Body: said("OPEN")}, http.StatusUnauthorized),
		call(webhook.Callback{Secret: inboundSecret, ID: "msg_4", Body: said("asleep")}, http.StatusBadRequest),
	} {
		if err := refused(); err != nil {
			t.Error(err)
		}
	}
	wantTold(t, events, "OPEN", call(webhook.Callback{Secret: inboundSecret, ID: "msg_5", Body: said("OPEN")}, http.StatusAccepted))

	a.moveTicket("acknowledgeTickets", ticket)
	a.eventually("the receiver that hears of it", `{ server { version } }`, nil, new(any), func() bool {
		taken := hook.Taken()
		var last struct {
			Type string
			Data struct{ Ticket struct{ ID, Status string } }
		}
		err := json.Unmarshal(taken[len(taken)-1].Body, &last)
		return err == nil && last.Type == "ticket.updated" && last.Data.Ticket.ID == ticket && last.Data.Ticket.Status == "ACKNOWLEDGED"
	})
}
