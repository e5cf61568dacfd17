// Package pagerduty is a PagerDuty account as the Events API v2 shows it: well-formed events are answered 202, also those
// that are then dropped, and alerts and incidents follow from them. Of the REST API it has the check of a key. It has no
// rate limits of its own, no services and no webhooks; an incident is there with the answer and not a second later.
//
// Sources: PagerDuty developer-docs and api-schema as of August 2026; what is marked so, issue trackers of its clients.
package pagerduty

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"

	"tocsin/fake"
)

// Options of an account.
type Options struct {
	APIKey string // the REST key; default u+fakefakefakefakefake
}

// Account is the fake: the Events API under URL() + "/v2/enqueue" and the REST API under URL().
type Account struct {
	*fake.Server
	key string

	mu        sync.Mutex
	incidents []Incident
	dropped   []Event
}

// New makes an account that takes every routing key of 32 characters; Start or Serve opens it.
func New(o Options) *Account {
	a := &Account{key: o.APIKey}
	if a.key == "" {
		a.key = "u+fakefakefakefakefake"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/enqueue", a.enqueue)
	mux.HandleFunc("GET /abilities", a.abilities)
	a.Server = fake.NewServer(mux)
	return a
}

// object is a JSON object of an answer.
type object = map[string]any

func reply(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// abilities is what clients call to check a key; it works with any key of the account.
func (a *Account) abilities(w http.ResponseWriter, r *http.Request) {
	if got := r.Header.Get("Authorization"); got != "Token token="+a.key && got != "Bearer "+a.key {
		reply(w, http.StatusUnauthorized, object{"error": object{"message": "Authentication failed", "code": 2006}})
		return
	}
	reply(w, http.StatusOK, object{"abilities": []string{"teams", "urgencies", "advanced_permissions"}})
}

func (a *Account) enqueue(w http.ResponseWriter, r *http.Request) {
	var event Event
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &event) != nil {
		reply(w, http.StatusBadRequest, object{
			"status": "Unrecognized object", "message": "Event object format is unrecognized", "errors": []string{"JSON parse error"},
		})
		return
	}
	if faults := event.faults(len(body)); len(faults) > 0 {
		reply(w, http.StatusBadRequest, object{
			"status": "invalid event", "message": "Event object is invalid", "errors": faults,
		})
		return
	}
	key := a.apply(event)
	reply(w, http.StatusAccepted, object{"status": "success", "message": "Event processed", "dedup_key": key})
}
