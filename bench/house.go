package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// house is our server at work.
type house struct {
	*process
	token string
}

// open starts the server on a new directory; its first start tells the token.
func open(ctx context.Context, dir string) (*house, error) {
	p, err := start(ctx, "/readyz", func(addr string) []string {
		return []string{"serve", "--data", dir, "--listen", addr, "--allow-outbound", "127.0.0.1"}
	})
	if err != nil {
		return nil, err
	}
	return &house{p, regexp.MustCompile(`tocsin_[\w-]+`).FindString(p.printed())}, nil
}

// nowhere is an address that no receiver has, for an actor that is never to reach one.
const nowhere = "http://127.0.0.1:9/"

// openHeld starts a server whose deliveries are promised and never carried, so
// that nothing else moves.
func openHeld(ctx context.Context, dir string, configs int) (*house, error) {
	h, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	actor, err := h.configure(ctx, nowhere, configs)
	if err != nil {
		return nil, err
	}
	return h, h.enable(ctx, actor, false)
}

func (h *house) enable(ctx context.Context, actor string, yes bool) error {
	return h.ask(ctx, `mutation($id: ID!, $yes: Boolean!) { updateActor(input: {id: $id, enabled: $yes}) { userErrors { message } } }`,
		map[string]any{"id": actor, "yes": yes}, nil)
}

// fill raises the alerts of a series in batches.
func (h *house) fill(ctx context.Context, series string, rows int) error {
	for n := 0; n < rows; {
		batch := make([]map[string]any, 0, 500)
		for ; n < rows && len(batch) < 500; n++ {
			batch = append(batch, alert(series, n))
		}
		if err := h.ask(ctx, batchMutation, map[string]any{"in": map[string]any{"alerts": batch}}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) url() string { return "http://" + h.addr + "/graphql" }

// ask runs an operation that must go well.
func (h *house) ask(ctx context.Context, query string, variables map[string]any, data any) error {
	text, err := post(ctx, h.url(), h.token, body(query, variables), `"data"`)
	if err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage
		Errors []json.RawMessage
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Errors) > 0 || strings.Contains(string(text), `"userErrors":[{`) {
		return fmt.Errorf("%s was answered with %s", query, text)
	}
	if data == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, data)
}

func body(query string, variables any) []byte {
	text, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil // what is marshalled is written here, and always can be
	}
	return text
}

// create makes a configured thing and returns its id.
func (h *house) create(ctx context.Context, mutation, noun string, input map[string]any) (string, error) {
	var data map[string]map[string]json.RawMessage
	title := strings.ToUpper(mutation[:1]) + mutation[1:]
	query := fmt.Sprintf(`mutation($in: %sInput!) { %s(input: $in) { %s { id } userErrors { message path } } }`, title, mutation, noun)
	if err := h.ask(ctx, query, map[string]any{"in": input}, &data); err != nil {
		return "", err
	}
	var thing struct{ ID string }
	err := json.Unmarshal(data[mutation][noun], &thing)
	return thing.ID, err
}

// configure sets up an action with a condition that delivers each alert to a
// receiver through some API configs. It returns the actor's id.
func (h *house) configure(ctx context.Context, receiver string, configs int) (string, error) {
	actor, err := h.create(ctx, "createActor", "actor", map[string]any{"type": "webhook", "name": "Receiver", "settings": map[string]any{"url": receiver}})
	if err != nil {
		return "", err
	}
	ids := make([]string, configs)
	for i := range ids {
		ids[i], err = h.create(ctx, "createApiConfig", "apiConfig", map[string]any{"actorType": "webhook", "actorId": actor, "name": fmt.Sprint("Config ", i)})
		if err != nil {
			return "", err
		}
	}
	_, err = h.create(ctx, "createAction", "action", map[string]any{
		"name": "All that is severe", "allModels": true, "condition": `alert.severity in ["HIGH", "CRITICAL"]`, "apiConfigIds": ids,
	})
	return actor, err
}

const raiseMutation = `mutation($in: RaiseAlertInput!) { raiseAlert(input: $in) { alertId ticketId ticketNumber deliveryCount isRepeat userErrors { code message path } } }`

// alert is the n-th alert, of an entity of its own.
func alert(series string, n int) map[string]any {
	return map[string]any{
		"behaviorModel": "O365_Impossible_Travel", "behavior": "account login", "summary": fmt.Sprintf("Sign-in from two continents by user %d", n),
		"key": fmt.Sprintf("%s-%d@example.com", series, n), "keyType": "username", "severity": "HIGH", "riskScore": 83,
		"risks": []string{"Impossible travel", "New device"}, "source": "bench", "link": "https://siem.example.com/event/1",
		"attributes": map[string]any{"country": "PE", "ip": "203.0.113.7", "devices": 2},
	}
}

// delivered waits until all that was promised is delivered.
func (h *house) delivered(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var data struct {
			Accounting struct{ Promised, Delivered int }
		}
		if err := h.ask(ctx, `{ accounting { promised delivered } }`, nil, &data); err != nil {
			return err
		}
		if data.Accounting.Delivered == data.Accounting.Promised {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
