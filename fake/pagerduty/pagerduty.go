// Package pagerduty is a PagerDuty account as its Events API v2, its REST API and its Webhooks v3 show it. Well-formed
// events are answered 202, also those that are then dropped, and alerts and incidents follow from them; people work on the
// incidents; what happens is told to subscriptions by signed webhooks, again and again until they are taken. There is one
// service, and nobody is paged.
//
// Sources: PagerDuty developer-docs and api-schema as of August 2026; what is marked so, issue trackers of its clients or
// an assumption.
package pagerduty

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"tocsin/fake"
)

// Options of an account. The zero value is one with a bot, whose the key is, and two people.
type Options struct {
	APIKey     string // the REST key; default u+fakefakefakefakefake
	AccountKey bool   // the key is the account's and no user's: users/me is refused, and writes need From
	ReadOnly   bool   // the key may not write
	Users      []User // default the bot, Jane Doe and John Roe; the first one is the key's

	RateLimit     int           // REST calls a minute; default 960
	IncidentDelay time.Duration // after which an incident is seen; at PagerDuty about a second
	Grouping      bool          // a new alert joins the newest open incident
	AlertsStay    bool          // alerts of a reopened incident stay resolved; what PagerDuty does is not known

	Client     *http.Client     // sends webhooks; default one of its own
	RetryEvery time.Duration    // between two tries of a webhook; default a second, twice as long each time
	Now        func() time.Time // default time.Now; for webhooks that come late
}

// User is a person of the account, or a bot.
type User struct{ ID, Name, Email string }

func (o Options) withDefaults() Options {
	if o.APIKey == "" {
		o.APIKey = "u+fakefakefakefakefake"
	}
	if o.Users == nil {
		o.Users = []User{
			{"PBOT001", "Alert Dispatch Bot", "alert-dispatch@example.com"},
			{"PUSR001", "Jane Doe", "jane@example.com"},
			{"PUSR002", "John Roe", "john@example.com"},
		}
	}
	if o.RateLimit == 0 {
		o.RateLimit = 960
	}
	if o.RetryEvery == 0 {
		o.RetryEvery = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Account is the fake: the Events API under URL() + "/v2/enqueue" and the REST API under URL().
type Account struct {
	*fake.Server
	// Webhooks holds every try to send one.
	Webhooks fake.Log[Webhook]

	o    Options
	post *post

	mu            sync.Mutex
	incidents     []Incident
	dropped       []Event
	integrations  []string // routing keys in the order of their first event
	subscriptions []*subscription
	serial        int // of ids
	window        time.Time
	used          int // REST calls in the window
}

// New makes an account that takes every routing key of 32 characters; Start or Serve opens it.
func New(o Options) *Account {
	a := &Account{o: o.withDefaults()}
	a.post = newPost(a)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/enqueue", a.enqueue)
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /abilities":                          a.abilities,
		"GET /users/me":                           a.me,
		"GET /incidents":                          a.listIncidents,
		"GET /incidents/{id}":                     a.getIncident,
		"GET /incidents/{id}/alerts":              a.listAlerts,
		"PUT /incidents":                          a.putIncidents,
		"PUT /incidents/{id}":                     a.putIncident,
		"POST /incidents/{id}/notes":              a.postNote,
		"POST /webhook_subscriptions":             a.postSubscription,
		"GET /webhook_subscriptions":              a.listSubscriptions,
		"GET /webhook_subscriptions/{id}":         a.getSubscription,
		"DELETE /webhook_subscriptions/{id}":      a.deleteSubscription,
		"POST /webhook_subscriptions/{id}/enable": a.enableSubscription,
		"POST /webhook_subscriptions/{id}/ping":   a.pingSubscription,
		"/": func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusNotFound, codeNotFound, "Not Found")
		},
	} {
		mux.HandleFunc(pattern, a.allowed(handler))
	}
	a.Server = fake.NewServer(mux)
	return a
}

// Close ends the account: it sends no webhook any more and returns when none is on its way.
func (a *Account) Close() error {
	a.post.close()
	return a.Server.Close()
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
