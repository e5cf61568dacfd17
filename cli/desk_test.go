package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// request is a raiseAlerts that came.
type request struct {
	at     time.Time
	size   int
	keys   []string
	header http.Header
}

// desk answers raiseAlerts as the contract has it, one after the other.
type desk struct {
	mu       sync.Mutex
	requests []request
	taken    map[string]bool
	refuse   func(w http.ResponseWriter, r request) bool // answers in its place
	problem  func(key string) (message, field string)    // what the caller can correct
	after    func()                                      // once the alerts are taken, before the answer
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent struct {
		Query     string
		Variables struct {
			Input struct {
				Alerts []struct{ IdempotencyKey string }
			}
		}
	}
	if err != nil || json.Unmarshal(body, &sent) != nil || !strings.HasPrefix(sent.Query, "mutation(") {
		http.Error(w, "what is this", http.StatusBadRequest)
		return
	}
	got := request{at: time.Now(), size: len(body), header: r.Header}
	for _, a := range sent.Variables.Input.Alerts {
		got.keys = append(got.keys, a.IdempotencyKey)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests = append(d.requests, got)
	if d.refuse == nil || !d.refuse(w, got) {
		d.take(w, got)
	}
}

func (d *desk) take(w http.ResponseWriter, r request) {
	if d.taken == nil {
		d.taken = map[string]bool{}
	}
	type results = []map[string]any
	list := results{}
	for i, key := range r.keys {
		one := map[string]any{"isRepeat": d.taken[key], "userErrors": results{}}
		message, field := "", ""
		if d.problem != nil {
			message, field = d.problem(key)
		}
		if message != "" {
			one["userErrors"] = results{{"message": message, "path": []string{"input", "alerts", fmt.Sprint(i), field}}}
		} else {
			d.taken[key] = true
		}
		list = append(list, one)
	}
	if d.after != nil {
		d.after()
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"raiseAlerts": map[string]any{"results": list, "userErrors": results{}}}})
}

// sizes are how many alerts each request held.
func (d *desk) sizes() (out []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.requests {
		out = append(out, len(r.keys))
	}
	return out
}
