package pagerduty

import (
	"crypto/rand"
	"fmt"
	"slices"
)

// The states of incidents; alerts know only the first and the last.
const (
	Triggered    = "triggered"
	Acknowledged = "acknowledged"
	Resolved     = "resolved"
)

// Incident is what a person at PagerDuty works on.
type Incident struct {
	ID     string
	Status string
	Alerts []Alert
}

// Alert is what events with one routing key and dedup key add up to, from a trigger to its resolve.
type Alert struct {
	Event         // the last trigger: it replaces what earlier ones said
	Status string // Triggered or Resolved
	Events int    // how many events it took in
}

// Incidents returns all incidents in the order of their opening, as they stand now.
func (a *Account) Incidents() []Incident {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Clone(a.incidents)
	for i := range all {
		all[i].Alerts = slices.Clone(all[i].Alerts)
	}
	return all
}

// Dropped returns the events that were answered 202 and had no effect: an acknowledge or resolve for which no alert is
// open under that routing key and dedup key.
func (a *Account) Dropped() []Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.dropped)
}

// apply does what a valid event asks for and returns its dedup key.
func (a *Account) apply(e Event) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.DedupKey == "" {
		e.DedupKey = rand.Text()
	}
	incident, alert := a.open(e.RoutingKey, e.DedupKey)
	switch {
	case alert == nil && e.Action == "trigger":
		a.incidents = append(a.incidents, Incident{
			ID: fmt.Sprintf("Q%013d", len(a.incidents)+1), Status: Triggered,
			Alerts: []Alert{{Event: e, Status: Triggered, Events: 1}},
		})
	case alert == nil:
		a.dropped = append(a.dropped, e)
	default:
		alert.Events++
		incident.move(alert, e)
	}
	return e.DedupKey
}

// move follows an event about an open alert: acknowledge acts on the incident, resolve on the alert.
func (i *Incident) move(alert *Alert, e Event) {
	switch e.Action {
	case "trigger":
		alert.Event = e
	case "acknowledge":
		i.Status = Acknowledged
	case "resolve":
		alert.Status = Resolved
		if !slices.ContainsFunc(i.Alerts, func(x Alert) bool { return x.Status != Resolved }) {
			i.Status = Resolved
		}
	}
}

// open finds the open alert of the two keys; nil when there is none.
func (a *Account) open(routingKey, dedupKey string) (*Incident, *Alert) {
	for i := range a.incidents {
		for j := range a.incidents[i].Alerts {
			alert := &a.incidents[i].Alerts[j]
			if alert.RoutingKey == routingKey && alert.DedupKey == dedupKey && alert.Status != Resolved {
				return &a.incidents[i], alert
			}
		}
	}
	return nil, nil
}
