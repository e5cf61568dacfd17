package server

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"tocsin/fake/webhook"
)

// TestKilled kills the program with -9 in the middle of 5,000 raises with
// deliveries under way, starts it again, and joins three lists: what the
// client was answered, what the books hold, what the receiver got.
func TestKilled(t *testing.T) {
	const raises, killAt, clients = 5000, 2000, 32
	hook := webhook.New(webhook.Options{Secrets: []string{signingSecret}})
	if err := hook.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer hook.Close()
	p := &program{dir: t.TempDir()}
	p.start(t)
	p.hook(hook.URL())

	answered := p.raiseAll(t, raises, clients, killAt, p.kill)
	before := len(answered)
	if before < killAt || before == raises {
		t.Fatalf("%d of %d raises were answered before the kill", before, raises)
	}
	p.start(t)
	defer p.end()
	again := p.raiseAll(t, raises, clients, raises+1, nil) // the same keys once more
	for key, id := range answered {
		if again[key] != id {
			t.Fatalf("raise %s was answered with %s, after the kill with %s", key, id, again[key])
		}
	}
	if len(again) != raises {
		t.Fatalf("%d of %d raises are answered", len(again), raises)
	}

	var data struct {
		Accounting struct {
			Promised, Delivered int
			Balances            bool
		}
	}
	p.eventually("delivery of all", `{ accounting { promised delivered balances } }`, nil, &data,
		func() bool { return data.Accounting.Delivered == raises })
	if !data.Accounting.Balances || data.Accounting.Promised != raises {
		t.Errorf("accounting %+v, want %d promised", data.Accounting, raises)
	}
	joinLists(t, again, p.booked(), hook.Taken())
	repeats := 0
	for _, d := range hook.Taken() {
		repeats += d.Copies - 1
	}
	t.Logf("killed after %d answers; %d messages, %d repeats with the id of the first", before, len(hook.Taken()), repeats)
}

// raiseAll raises n alerts with keys of their own from some clients, and calls
// kill when that many are answered. It returns the alert id by key.
func (a api) raiseAll(t *testing.T, n, clients, killAt int, kill func()) map[string]string {
	t.Helper()
	var mu sync.Mutex
	answered := map[string]string{}
	var killing sync.Once
	var turn atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := turn.Add(1); i <= int64(n); i = turn.Add(1) {
				key := fmt.Sprintf("raise %d", i)
				id, ok := a.tryRaise(t.Context(), key)
				if !ok {
					continue
				}
				mu.Lock()
				answered[key] = id
				full := len(answered) == killAt
				mu.Unlock()
				if full {
					killing.Do(kill)
				}
			}
		})
	}
	all.Wait()
	return answered
}

// tryRaise raises an alert of its own key; false when the server is gone.
func (a api) tryRaise(ctx context.Context, key string) (id string, ok bool) {
	_, text, err := a.post(ctx, `mutation($in: RaiseAlertInput!) { raiseAlert(input: $in) { alertId userErrors { message } } }`,
		map[string]any{"in": map[string]any{"behaviorModel": "Model", "summary": key, "key": key, "idempotencyKey": key}})
	var answer struct {
		Data struct{ RaiseAlert struct{ AlertID string } }
	}
	if err != nil || json.Unmarshal(text, &answer) != nil {
		return "", false
	}
	return answer.Data.RaiseAlert.AlertID, answer.Data.RaiseAlert.AlertID != ""
}

// booked reads all deliveries from the books: alert id and status by delivery id.
func (a api) booked() map[string]string {
	a.t.Helper()
	out := map[string]string{}
	after := any(nil)
	for {
		var data struct {
			Deliveries struct {
				Nodes []struct {
					ID    string
					Alert struct{ ID string }
				}
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
			}
		}
		a.ask(`query($after: String) { deliveries(first: 100, after: $after) { nodes { id alert { id } } pageInfo { hasNextPage endCursor } } }`,
			map[string]any{"after": after}, &data)
		for _, d := range data.Deliveries.Nodes {
			out[d.ID] = d.Alert.ID
		}
		if !data.Deliveries.PageInfo.HasNextPage {
			return out
		}
		after = data.Deliveries.PageInfo.EndCursor
	}
}

// joinLists: each answered alert is in the books with its delivery, and each
// delivery of the books reached the receiver under its id, and no other did.
func joinLists(t *testing.T, answered, booked map[string]string, taken []webhook.Delivery) {
	t.Helper()
	delivered := map[string]bool{}
	for _, alert := range booked {
		delivered[alert] = true
	}
	for key, alert := range answered {
		if !delivered[alert] {
			t.Errorf("%s was answered with %s, which has no delivery in the books", key, alert)
		}
	}
	got := map[string]bool{}
	for _, d := range taken {
		got[d.ID] = true
		if booked[d.ID] == "" {
			t.Errorf("the receiver got %s, which the books do not hold", d.ID)
		}
	}
	for id := range booked {
		if !got[id] {
			t.Errorf("delivery %s never reached the receiver", id)
		}
	}
}
