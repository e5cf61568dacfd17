package pagerduty

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// eventTypes are those that this account sends; others may be asked for and do not come.
var eventTypes = []string{
	"incident.triggered", "incident.acknowledged", "incident.unacknowledged", "incident.resolved", "incident.reopened",
	"incident.reassigned", "incident.escalated", "incident.annotated", "incident.delegated", "incident.priority_updated",
	"incident.service_updated", "incident.responder.added", "incident.responder.replied", "incident.status_update_published",
	"service.updated", "pagey.ping",
}

// subscription is where webhooks go. With several secrets each webhook has a signature of each.
type subscription struct {
	id          string
	description string
	url         string
	events      []string
	filter      filter
	secrets     []string
	headers     []customHeader
	isDisabled  bool // three drops in a row did it
	drops       int  // in a row
}

type filter struct {
	ID   string `json:"id,omitempty"`
	Type string `json:"type"`
}

type customHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// asked is the body of a POST.
type asked struct {
	Subscription struct {
		Type        string   `json:"type"`
		Description string   `json:"description"`
		Events      []string `json:"events"`
		Filter      filter   `json:"filter"`
		Method      struct {
			Type    string         `json:"type"`
			URL     string         `json:"url"`
			Headers []customHeader `json:"custom_headers"`
		} `json:"delivery_method"`
	} `json:"webhook_subscription"`
}

func (in asked) fault() string {
	s := in.Subscription
	u, err := url.Parse(s.Method.URL)
	switch {
	case s.Type != "webhook_subscription":
		return "type must be webhook_subscription"
	case s.Method.Type != "http_delivery_method":
		return "delivery_method.type must be http_delivery_method"
	case err != nil || u.Host == "":
		return "delivery_method.url is invalid"
	case len(s.Events) == 0:
		return "events must have at least one item"
	case !slices.Contains([]string{"account_reference", "service_reference", "team_reference"}, s.Filter.Type):
		return "filter.type is invalid"
	case s.Filter.ID == "" && s.Filter.Type != "account_reference":
		return "filter.id is required"
	}
	for i, event := range s.Events {
		if !slices.Contains(eventTypes, event) || slices.Contains(s.Events[:i], event) {
			return fmt.Sprintf("events: %s is unknown, or there twice", event)
		}
	}
	return ""
}

// shown is a subscription; its secret only when it is made.
func (s *subscription) shown(secret any) object {
	return object{
		"delivery_method": object{
			"id": "PDLVRY" + s.id, "secret": secret, "temporarily_disabled": s.isDisabled, "type": "http_delivery_method",
			"url": s.url, "custom_headers": append([]customHeader{}, s.headers...),
		},
		"description": s.description, "events": s.events, "filter": s.filter, "id": s.id,
		"type": "webhook_subscription", "active": true,
	}
}

// Subscribe has a person make a webhook for some events of the account, or for all, and returns what the page shows once.
func (a *Account) Subscribe(to string, events ...string) (id, secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(events) == 0 {
		events = eventTypes
	}
	s := a.subscribe(&subscription{url: to, events: events, filter: filter{Type: "account_reference"}})
	return s.id, s.secrets[0]
}

func (a *Account) subscribe(s *subscription) *subscription {
	s.id, s.secrets = a.id("P", "SUB"), []string{rand.Text() + rand.Text() + "/+" + rand.Text()[:10]}
	a.subscriptions = append(a.subscriptions, s)
	return s
}

// Rotate gives a subscription one more secret, and webhooks one more signature.
func (a *Account) Rotate(id string) (secret string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.subscription(id)
	if s == nil {
		return ""
	}
	secret = rand.Text() + rand.Text()
	s.secrets = append(s.secrets, secret)
	return secret
}

// Ping has a person press "Send Test Event".
func (a *Account) Ping(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.subscription(id); s != nil {
		a.ping(s)
	}
}

func (a *Account) subscription(id string) *subscription {
	at := slices.IndexFunc(a.subscriptions, func(s *subscription) bool { return s.id == id })
	if at < 0 {
		return nil
	}
	return a.subscriptions[at]
}

// postSubscription answers 201; the OpenAPI says 200, and servers have said both.
func (a *Account) postSubscription(w http.ResponseWriter, r *http.Request) {
	var in asked
	if !taken(w, r, &in) {
		return
	}
	if fault := in.fault(); fault != "" {
		refuse(w, http.StatusBadRequest, codeInvalid, "Invalid Input Provided", fault)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	want := in.Subscription
	s := a.subscribe(&subscription{
		description: want.Description, url: want.Method.URL, events: want.Events, filter: want.Filter, headers: want.Method.Headers,
	})
	reply(w, http.StatusOK, object{"webhook_subscription": s.shown(s.secrets[0])})
}

func (a *Account) listSubscriptions(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := []object{}
	for _, s := range a.subscriptions {
		all = append(all, s.shown(nil))
	}
	page(w, r.URL.Query(), "webhook_subscriptions", all)
}

func (a *Account) getSubscription(w http.ResponseWriter, r *http.Request) {
	a.withSubscription(w, r, func(s *subscription) {
		reply(w, http.StatusOK, object{"webhook_subscription": s.shown(nil)})
	})
}

func (a *Account) deleteSubscription(w http.ResponseWriter, r *http.Request) {
	a.withSubscription(w, r, func(s *subscription) {
		a.subscriptions = slices.DeleteFunc(a.subscriptions, func(x *subscription) bool { return x == s })
		w.WriteHeader(http.StatusNoContent)
	})
}

func (a *Account) enableSubscription(w http.ResponseWriter, r *http.Request) {
	a.withSubscription(w, r, func(s *subscription) {
		s.isDisabled, s.drops = false, 0
		reply(w, http.StatusOK, object{"webhook_subscription": s.shown(nil)})
	})
}

func (a *Account) pingSubscription(w http.ResponseWriter, r *http.Request) {
	a.withSubscription(w, r, func(s *subscription) {
		a.ping(s)
		w.WriteHeader(http.StatusAccepted)
	})
}

func (a *Account) withSubscription(w http.ResponseWriter, r *http.Request, do func(*subscription)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.subscription(r.PathValue("id"))
	if s == nil {
		refuse(w, http.StatusNotFound, codeNotFound, "Not Found")
		return
	}
	do(s)
}
