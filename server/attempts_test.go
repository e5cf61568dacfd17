package server

import (
	"strings"
	"testing"
	"time"

	"tocsin/fake"
	"tocsin/fake/webhook"
)

// hooked is a program with one action that delivers all to a receiver.
func hooked(t *testing.T, steps ...fake.Step) (api, *webhook.Receiver) {
	t.Helper()
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	hook.Play(steps...)
	if err := hook.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hook.Close(); err != nil {
			t.Error(err)
		}
	})
	a := open(t, nil)
	a.hook(hook.URL())
	return a, hook
}

// hook configures an action that delivers every alert to a receiver.
func (a api) hook(url string) {
	a.t.Helper()
	actor := a.made("createActor", "actor", map[string]any{
		"type": "webhook", "name": "Receiver", "settings": map[string]any{"url": url}, "secrets": map[string]any{"signingSecret": signingSecret},
	})
	config := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": "webhook", "actorId": actor})
	a.made("createAction", "action", map[string]any{"name": "All", "allModels": true, "apiConfigIds": []string{config}})
}

type attempts struct {
	Deliveries struct {
		Nodes []struct {
			ID, Status, Reason string
			Attempts           []struct {
				Number                   int
				StartedAt                time.Time
				Outcome, Error, Response string
				HTTPStatus               int `json:"httpStatus"`
				DurationMs               float64
				Request                  struct{ Method string }
			}
		}
	}
}

const attemptsOf = `query($id: ID!) { deliveries(filter: {alertId: $id}) { nodes { id status reason
	attempts { number startedAt outcome error response httpStatus durationMs request } } } }`

// TestThreeAttempts: 500, then 429 with Retry-After, then 200 are three attempts
// on record and one message sent.
func TestThreeAttempts(t *testing.T) {
	a, hook := hooked(t, fake.Step{Status: 500, Body: "out of order"}, fake.Step{Status: 429, Headers: map[string]string{"Retry-After": "1"}})
	r := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"})
	var data attempts
	a.eventually("the delivery", attemptsOf, map[string]any{"id": r.AlertID}, &data, func() bool { return data.Deliveries.Nodes[0].Status == "DELIVERED" })
	all := data.Deliveries.Nodes[0].Attempts
	if len(all) != 3 || all[0].HTTPStatus != 500 || all[1].HTTPStatus != 429 || all[2].HTTPStatus != 200 {
		t.Fatalf("attempts %+v", all)
	}
	if all[0].Outcome != "DEFERRED" || all[1].Outcome != "DEFERRED" || all[2].Outcome != "DELIVERED" || all[0].Response != "out of order" || all[0].Error == "" {
		t.Errorf("attempts %+v", all)
	}
	if waited := all[2].StartedAt.Sub(all[1].StartedAt); waited < time.Second || waited > 5*time.Second {
		t.Errorf("the third attempt came %v after the second, which asked for one second", waited)
	}
	if taken := hook.Taken(); len(taken) != 1 || taken[0].Copies != 1 || taken[0].ID != data.Deliveries.Nodes[0].ID {
		t.Errorf("the receiver took %+v, want one message with the delivery's id", taken)
	}
}

// TestRefusedAndMended: 400 fails at once, says so on the page, and a person
// sends it again after the receiver is mended.
func TestRefusedAndMended(t *testing.T) {
	a, hook := hooked(t, fake.Step{Status: 400, Body: "no such field"})
	r := a.raise(map[string]any{"behaviorModel": "Model", "summary": "Sign-in"})
	var data attempts
	a.eventually("the failure", attemptsOf, map[string]any{"id": r.AlertID}, &data, func() bool { return data.Deliveries.Nodes[0].Status == "FAILED" })
	d := data.Deliveries.Nodes[0]
	if len(d.Attempts) != 1 || d.Attempts[0].Outcome != "REFUSED" || !strings.Contains(d.Attempts[0].Response, "no such field") {
		t.Errorf("attempts %+v", d.Attempts)
	}
	var page struct {
		Notifications struct {
			Nodes []struct{ Title, Message, Category string }
		}
	}
	a.ask(`{ notifications { nodes { title message category } } }`, nil, &page)
	if len(page.Notifications.Nodes) != 1 || !strings.Contains(page.Notifications.Nodes[0].Title, "failed") {
		t.Errorf("notifications %+v, want one about the failure", page)
	}
	a.ask(`mutation($id: ID!) { retryDeliveries(input: {ids: [$id]}) { affected deliveries { status } userErrors { message path } } }`, map[string]any{"id": d.ID}, nil)
	a.eventually("the second try", attemptsOf, map[string]any{"id": r.AlertID}, &data, func() bool { return data.Deliveries.Nodes[0].Status == "DELIVERED" })
	if taken := hook.Taken(); len(taken) != 1 || taken[0].ID != d.ID {
		t.Errorf("the receiver took %+v", taken)
	}
}
