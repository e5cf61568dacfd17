package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestOverload raises far more than the books can take: what is too much is
// refused at once and says when to come again, what is accepted is stored and
// delivered soon, memory stays bounded, and a moment after all is as before.
func TestOverload(t *testing.T) {
	if raced {
		t.Skip("the time is the matter, and the race detector takes most of it")
	}
	overload(t, 4*time.Second)
}

// TestOverloadLong does so for a minute.
func TestOverloadLong(t *testing.T) {
	if os.Getenv("TOCSIN_LONG") == "" {
		t.Skip("takes a minute; set TOCSIN_LONG=1 to run it")
	}
	overload(t, time.Minute)
}

func overload(t *testing.T, lasting time.Duration) {
	const clients, batch = 96, 100 // more than twice what may be on its way at once
	way := newArrivals(t)
	p := &program{dir: t.TempDir()}
	p.start(t)
	defer p.end()
	p.deliverTo(way.url, "Loud")

	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	var accepted, refused atomic.Int64
	var refusals spans
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				began := time.Now()
				text := p.raiseBatch(t, fmt.Sprintf("flood %d %d", c, n), batch)
				switch {
				case strings.Contains(text, `"code":"OVERLOADED"`) && strings.Contains(text, `"retryAfter":1`):
					refused.Add(1)
					refusals.add(time.Since(began))
				case strings.Count(text, `"alertId":"alr_`) == batch:
					accepted.Add(batch)
				default:
					t.Errorf("answered %.300s", text)
				}
			}
		})
	}
	loud := 0
	for every := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil; <-every.C {
		loud += way.raise(p.api, fmt.Sprint("amid ", loud))
	}
	all.Wait()
	memory := resident(t, p.cmd.Process.Pid)
	back := time.Now()
	for slow := true; slow; {
		began := time.Now()
		slow = way.raise(p.api, fmt.Sprint("after ", began.UnixNano())) == 0 || time.Since(began) > 250*time.Millisecond
		loud++
		if time.Since(back) > 5*time.Second {
			t.Fatal("five seconds after the flood a raise still takes more than 250 ms")
		}
	}
	times := way.wait(t)
	var data struct {
		Alerts struct{ TotalCount int }
	}
	p.ask(`{ alerts(first: 1, filter: {behaviorModels: ["Quiet"]}) { totalCount } }`, nil, &data)
	if refused.Load() == 0 || refusals.at(0.99) > 2*time.Second {
		t.Errorf("%d refusals, p99 %v", refused.Load(), refusals.at(0.99))
	}
	if want := min(accepted.Load(), 10000); int64(data.Alerts.TotalCount) != want {
		t.Errorf("%d alerts were accepted, at least %d are to be in the books, %d are", accepted.Load(), want, data.Alerts.TotalCount)
	}
	if times.at(0.99) > 5*time.Second {
		t.Errorf("from raise to receiver p99 %v", times.at(0.99))
	}
	if memory > 700<<20 {
		t.Errorf("%d MiB are resident", memory>>20)
	}
	t.Logf("accepted %d alerts, refused %d batches (p99 %v); raise to receiver amid p50 %v, p99 %v of %d; %d MiB; normal after %v",
		accepted.Load(), refused.Load(), refusals.at(0.99), times.at(0.5), times.at(0.99), len(times.all), memory>>20, time.Since(back).Round(time.Millisecond))
}

// raiseBatch raises alerts that no action is for, and returns the answer.
func (a api) raiseBatch(t *testing.T, key string, n int) string {
	alerts := make([]map[string]any, n)
	for i := range alerts {
		alerts[i] = map[string]any{"behaviorModel": "Quiet", "summary": key, "key": fmt.Sprint(key, " ", i)}
	}
	_, text, err := a.post(t.Context(), `mutation($in: RaiseAlertsInput!) { raiseAlerts(input: $in) { results { alertId userErrors { message } } userErrors { message } } }`,
		map[string]any{"in": map[string]any{"alerts": alerts}})
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// deliverTo makes an action for one model that delivers to a webhook receiver.
func (a api) deliverTo(url, model string) (actor string) {
	a.t.Helper()
	actor = a.made("createActor", "actor", map[string]any{"type": "webhook", "name": "To " + model, "settings": map[string]any{"url": url}})
	config := a.made("createApiConfig", "apiConfig", map[string]any{"actorType": "webhook", "actorId": actor, "name": "To " + model})
	m := a.made("createBehaviorModel", "behaviorModel", map[string]any{"name": model})
	a.made("createAction", "action", map[string]any{"name": "For " + model, "behaviorModelIds": []string{m}, "apiConfigIds": []string{config}})
	return actor
}

// arrivals is a receiver that knows how long each alert was on its way.
type arrivals struct {
	url   string
	mu    sync.Mutex
	sent  map[string]time.Time // by summary
	times spans
	left  atomic.Int64
}

func newArrivals(t *testing.T) *arrivals {
	t.Helper()
	w := &arrivals{sent: map[string]time.Time{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct {
			Data struct{ Alert struct{ Summary string } }
		}
		_ = json.NewDecoder(r.Body).Decode(&event) // what is not understood never arrives
		w.mu.Lock()
		began, known := w.sent[event.Data.Alert.Summary]
		delete(w.sent, event.Data.Alert.Summary)
		w.mu.Unlock()
		if known {
			w.times.add(time.Since(began))
			w.left.Add(-1)
		}
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// raise raises one alert that is to arrive; it is 0 when that was refused.
func (w *arrivals) raise(a api, summary string) int {
	w.mu.Lock()
	w.sent[summary] = time.Now()
	w.mu.Unlock()
	_, text, err := a.post(a.t.Context(), `mutation($in: RaiseAlertInput!) { raiseAlert(input: $in) { alertId userErrors { message } } }`,
		map[string]any{"in": map[string]any{"behaviorModel": "Loud", "summary": summary, "key": summary}})
	if err == nil && strings.Contains(string(text), `"alertId":"alr_`) {
		w.left.Add(1)
		return 1
	}
	w.mu.Lock()
	delete(w.sent, summary)
	w.mu.Unlock()
	return 0
}

// wait waits until all have arrived.
func (w *arrivals) wait(t *testing.T) *spans {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); w.left.Load() > 0; {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%d alerts did not arrive", w.left.Load())
		}
	}
	return &w.times
}

// spans are lengths of time that many note.
type spans struct {
	mu  sync.Mutex
	all []time.Duration
}

func (s *spans) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, d)
}

// at is a quantile, 0 when there is nothing.
func (s *spans) at(q float64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return 0
	}
	slices.Sort(s.all)
	return s.all[int(q*float64(len(s.all)-1))].Round(10 * time.Microsecond)
}
