package pagerduty

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Webhook is an event on its way to a subscription, or one try to bring it there.
type Webhook struct {
	ID           string // the same at each try
	Subscription string
	Incident     string // "" for a ping
	Event        string // its type
	URL          string
	Header       http.Header
	Body         []byte
	Status       int   // of the answer; 0 when there was none
	Err          error // why there was none

	due time.Time // not before
}

// tell announces what became of an incident itself.
func (a *Account) tell(i *Incident, event string, by agent) {
	var client any
	if event == "incident.triggered" && len(i.Alerts) > 0 && i.Alerts[0].Client != "" {
		client = object{"name": i.Alerts[0].Client, "url": i.Alerts[0].ClientURL}
	}
	data := a.told(i)
	if event == "incident.reopened" {
		data["reopened_at"] = stamp(i.changed)
	}
	a.announce(i, event, by, client, data)
}

// announce puts an event into the queue of every subscription that asked for it.
func (a *Account) announce(i *Incident, event string, by agent, client any, data object) {
	body := a.envelope(event, "incident", by, client, data)
	for _, s := range a.subscriptions {
		if slices.Contains(s.events, event) && (s.filter.ID == "" || s.filter.ID == "PSVC001" || s.filter.ID == "PTEAM01") && !s.isDisabled {
			a.post.put(s.webhook(i.ID, event, body, i.opened.Add(a.o.IncidentDelay)))
		}
	}
}

func (a *Account) ping(s *subscription) {
	body := a.envelope("pagey.ping", "pagey", object{"id": a.onCall().ID, "type": "user_reference"}, nil,
		object{"message": "Hello from your friend Pagey!", "type": "ping"})
	a.post.put(s.webhook("", "pagey.ping", body, time.Time{}))
}

func (a *Account) envelope(event, resource string, by agent, client any, data object) []byte {
	var who any
	if by != nil {
		who = by
	}
	body, err := json.Marshal(object{"event": object{
		"id": "01" + rand.Text()[:24], "event_type": event, "resource_type": resource,
		"occurred_at": a.o.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "agent": who, "client": client, "data": data,
	}})
	if err != nil { // maps of plain values always marshal
		return nil
	}
	return body
}

// webhook is an event with the headers that it is sent with.
func (s *subscription) webhook(incident, event string, body []byte, due time.Time) Webhook {
	id := rand.Text()
	h := http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"PagerDuty-Webhook/V3.0"},
		"X-Webhook-Id": {id}, "X-Webhook-Subscription": {s.id},
	}
	h.Set("X-Pagerduty-Signature", Sign(body, s.secrets...))
	for _, custom := range s.headers {
		h.Set(custom.Name, custom.Value)
	}
	return Webhook{ID: id, Subscription: s.id, Incident: incident, Event: event, URL: s.url, Header: h, Body: body, due: due}
}

// Sign is the signature header of a body: one signature of each secret, whose text is the key.
func Sign(body []byte, secrets ...string) string {
	var all []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write(body) // a hash takes everything
		all = append(all, "v1="+hex.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, ",")
}

// ended keeps what became of a webhook; three that were dropped in a row disable the subscription.
func (a *Account) ended(w Webhook, isDropped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.subscription(w.Subscription)
	switch {
	case s == nil:
	case !isDropped:
		s.drops = 0
	default:
		s.drops++
		s.isDisabled = s.isDisabled || s.drops >= maxDrops
	}
}

// wanted tells whether a subscription takes webhooks: those of a disabled one are lost.
func (a *Account) wanted(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.subscription(id)
	return s != nil && !s.isDisabled
}
