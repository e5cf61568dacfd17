package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// load raises alerts through the lives of a program, each under a key of its
// own. A call that was not answered is made again with the same idempotency
// keys in the next life, as a careful client does it.
type load struct {
	api    api
	client *http.Client

	mu       sync.Mutex
	calls    int
	made     int               // keys so far
	open     [][]string        // the keys of calls that were not answered
	answered map[string]string // alert id by key
	keys     []string          // that are answered, in the order of the answers
	asked    int               // answered calls that were made again
	odd      []string          // answers that must not be
}

func newLoad(a api) *load {
	return &load{api: a, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}, answered: map[string]string{}}
}

// batch is how many alerts a call of many raises.
const batch = 20

// live raises from clients of single alerts and from clients of batches until
// the server is gone or ctx ends.
func (l *load) live(ctx context.Context, singles, batches int) {
	var clients sync.WaitGroup
	for i := range singles + batches {
		n := 1
		if i >= singles {
			n = batch
		}
		clients.Go(func() {
			for l.call(ctx, l.next(n)) {
			}
		})
	}
	clients.Wait()
	l.client.CloseIdleConnections()
}

// next takes a call that is still open, else makes one; every tenth is one that
// was answered already.
func (l *load) next(n int) (keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := len(l.open) - 1; last >= 0 {
		keys, l.open = l.open[last], l.open[:last]
		return keys
	}
	if l.calls++; l.calls%10 == 0 && len(l.keys) > 0 {
		l.asked++
		return []string{l.keys[l.calls*7919%len(l.keys)]}
	}
	for range n {
		l.made++
		keys = append(keys, fmt.Sprintf("raise %d", l.made))
	}
	return keys
}

// call raises a call's alerts; false when the server is gone.
func (l *load) call(ctx context.Context, keys []string) bool {
	ids, err := l.raise(ctx, keys)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.open = append(l.open, keys)
		return false
	}
	for i, key := range keys {
		l.note(key, ids[i])
	}
	return true
}

func (l *load) note(key, id string) {
	before, known := l.answered[key]
	switch {
	case id == "":
		l.odd = append(l.odd, key+" was refused")
	case known && before != id:
		l.odd = append(l.odd, fmt.Sprintf("%s was answered with %s, then with %s", key, before, id))
	case !known:
		l.answered[key] = id
		l.keys = append(l.keys, key)
	}
}

// raise raises one alert, or many in one call, and returns their ids; an error
// when no whole answer came.
func (l *load) raise(ctx context.Context, keys []string) ([]string, error) {
	alerts := make([]map[string]any, len(keys))
	for i, key := range keys {
		alerts[i] = map[string]any{"behaviorModel": "Model", "summary": key, "key": key, "idempotencyKey": key}
	}
	query, in := `mutation($in: RaiseAlertInput!) { raiseAlert(input: $in) { alertId userErrors { message } } }`, any(alerts[0])
	if len(keys) > 1 {
		query, in = `mutation($in: RaiseAlertsInput!) { raiseAlerts(input: $in) { results { alertId } userErrors { message } } }`, map[string]any{"alerts": alerts}
	}
	type result struct{ AlertID string }
	var answer struct {
		Data *struct {
			RaiseAlert  result
			RaiseAlerts struct{ Results []result }
		}
	}
	if err := l.post(ctx, query, in, &answer); err != nil {
		return nil, err
	}
	if answer.Data == nil {
		return make([]string, len(keys)), nil
	}
	ids := []string{answer.Data.RaiseAlert.AlertID}
	if len(keys) > 1 {
		ids = ids[:0]
		for _, r := range answer.Data.RaiseAlerts.Results {
			ids = append(ids, r.AlertID)
		}
	}
	if len(ids) != len(keys) {
		return make([]string, len(keys)), nil
	}
	return ids, nil
}

func (l *load) post(ctx context.Context, query string, in, answer any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"in": in}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.api.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+l.api.token)
	r.Header.Set("Content-Type", "application/json")
	got, err := l.client.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	return json.NewDecoder(got.Body).Decode(answer)
}

// finish makes the open calls once more, of a server that lives.
func (l *load) finish(t *testing.T) {
	t.Helper()
	open := l.open
	l.open = nil
	for _, keys := range open {
		l.call(t.Context(), keys)
	}
	for _, keys := range l.open {
		t.Errorf("%v are still not answered", keys)
	}
	for _, what := range l.odd {
		t.Error(what)
	}
}
