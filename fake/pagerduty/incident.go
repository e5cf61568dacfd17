package pagerduty

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// The states of incidents; alerts know only the first and the last.
const (
	Triggered    = "triggered"
	Acknowledged = "acknowledged"
	Resolved     = "resolved"
)

// Incident is what a person at PagerDuty works on.
type Incident struct {
	ID         string
	Number     int
	Title      string
	Status     string
	Alerts     []Alert
	Assignees  []string // ids of users; nobody when it is resolved
	MergedInto string   // the incident that its alerts went to
	Notes      []string

	opened, changed time.Time
	by              agent // of the last change
}

// Alert is what events with one routing key and dedup key add up to, from a trigger to its resolve.
type Alert struct {
	Event  // the last trigger: it replaces what earlier ones said
	ID     string
	Status string // Triggered or Resolved
	Events int    // how many events it took in

	opened time.Time
}

// Incidents returns all incidents in the order of their opening, as they stand now.
func (a *Account) Incidents() []Incident {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Clone(a.incidents)
	for i := range all {
		all[i].Alerts = slices.Clone(all[i].Alerts)
		all[i].Assignees = slices.Clone(all[i].Assignees)
		all[i].Notes = slices.Clone(all[i].Notes)
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
		a.trigger(e)
	case alert == nil:
		a.dropped = append(a.dropped, e)
	default:
		alert.Events++
		a.move(incident, alert, e)
	}
	return e.DedupKey
}

// trigger opens an alert, in an incident of its own or, with grouping, in an open one; that is told to nobody.
func (a *Account) trigger(e Event) {
	now := a.o.Now()
	alert := Alert{Event: e, ID: a.id("Q", "ALR"), Status: Triggered, Events: 1, opened: now}
	by := a.integration(e.RoutingKey)
	if a.o.Grouping {
		for i := range slices.Backward(a.incidents) {
			if a.incidents[i].Status != Resolved {
				a.incidents[i].Alerts = append(a.incidents[i].Alerts, alert)
				return
			}
		}
	}
	a.incidents = append(a.incidents, Incident{
		ID: fmt.Sprintf("Q%013d", len(a.incidents)+1), Number: len(a.incidents) + 1, Title: e.Payload.Summary, Status: Triggered,
		Alerts: []Alert{alert}, Assignees: []string{a.onCall().ID}, opened: now, changed: now, by: by,
	})
	a.tell(&a.incidents[len(a.incidents)-1], "incident.triggered", by)
}

// move follows an event about an open alert: acknowledge acts on the incident, resolve on the alert.
func (a *Account) move(i *Incident, alert *Alert, e Event) {
	by := a.integration(e.RoutingKey)
	switch e.Action {
	case "trigger":
		alert.Event = e
	case "acknowledge":
		if i.Status == Triggered {
			a.set(i, Acknowledged, "incident.acknowledged", by)
		}
	case "resolve":
		alert.Status = Resolved
		if !slices.ContainsFunc(i.Alerts, func(x Alert) bool { return x.Status != Resolved }) {
			a.set(i, Resolved, "incident.resolved", by)
		}
	}
}

// set changes the status of an incident and tells it. To resolve an incident resolves its alerts; to reopen it opens them
// again, unless they stay.
func (a *Account) set(i *Incident, status, event string, by agent) {
	if i.Status == Resolved || status == Resolved {
		for j := range i.Alerts {
			if status == Resolved || a.o.AlertsStay {
				i.Alerts[j].Status = Resolved
			} else {
				i.Alerts[j].Status = Triggered
			}
		}
		i.Assignees = []string{a.onCall().ID}
		if status == Resolved {
			i.Assignees = nil
		}
	}
	i.Status, i.changed, i.by = status, a.o.Now(), by
	a.tell(i, event, by)
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

// incident finds one that is seen by its id or number.
func (a *Account) incident(id string) *Incident {
	for i := range a.incidents {
		if it := &a.incidents[i]; (it.ID == id || fmt.Sprint(it.Number) == id) && a.isSeen(it) {
			return it
		}
	}
	return nil
}

func (a *Account) isSeen(i *Incident) bool { return !a.o.Now().Before(i.opened.Add(a.o.IncidentDelay)) }

// onCall is who incidents are assigned to.
func (a *Account) onCall() User { return a.o.Users[min(1, len(a.o.Users)-1)] }

func (a *Account) id(prefix, kind string) string {
	a.serial++
	return fmt.Sprintf("%s%s%08d", prefix, kind, a.serial)
}
