package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestBadReceivers: beside a receiver that never answers and one that asks for
// patience for ever, each with a heap of deliveries, alerts reach the others as
// soon as without them.
func TestBadReceivers(t *testing.T) {
	if raced {
		t.Skip("the time is the matter, and the race detector takes most of it")
	}
	const rounds, each, heap = 4, 40, 100
	a := open(t, nil)
	way := newArrivals(t)
	a.deliverTo(way.url, "Loud")
	gone := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-gone:
		case <-r.Context().Done():
		}
	}))
	defer hangs.Close()
	defer close(gone)
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer busy.Close()
	bad := []string{a.deliverTo(hangs.URL, "Hangs"), a.deliverTo(busy.URL, "Busy")}
	enable := func(yes bool) {
		for _, id := range bad {
			a.ask(`mutation($id: ID!, $yes: Boolean!) { updateActor(input: {id: $id, enabled: $yes}) { userErrors { message } } }`, map[string]any{"id": id, "yes": yes}, nil)
		}
	}
	enable(false)
	for i := range heap {
		for _, model := range []string{"Hangs", "Busy"} {
			a.raise(map[string]any{"behaviorModel": model, "summary": "heap", "key": fmt.Sprint(model, i)})
		}
	}
	measure := func(name string) []time.Duration {
		before := len(way.times.all)
		for i := range each {
			if way.raise(a, fmt.Sprint(name, i)) == 0 {
				t.Fatal("a raise was refused")
			}
			way.wait(t)
		}
		return way.times.all[before:]
	}
	var without, with spans
	for round := range rounds { // in turns, since the machine is not the same from second to second
		enable(false)
		without.all = append(without.all, measure(fmt.Sprint("without ", round))...)
		enable(true)
		with.all = append(with.all, measure(fmt.Sprint("with ", round))...)
	}
	if with.at(0.5) > 2*without.at(0.5)+10*time.Millisecond {
		t.Errorf("raise to receiver takes %v beside bad ones, %v without", with.at(0.5), without.at(0.5))
	}
	var data struct {
		Accounting struct{ Promised, Delivered, Pending, Failed int }
	}
	a.eventually("the settlement of all that arrived, with the heaps pending", `{ accounting { promised delivered pending failed } }`, nil, &data, func() bool {
		n := data.Accounting
		return n.Pending == 2*heap && n.Failed == 0 && n.Delivered == n.Promised-2*heap
	})
	t.Logf("raise to receiver: p50 %v, p95 %v without bad receivers; p50 %v, p95 %v beside them", without.at(0.5), without.at(0.95), with.at(0.5), with.at(0.95))
}
