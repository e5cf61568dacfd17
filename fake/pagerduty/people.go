package pagerduty

import (
	"errors"
	"fmt"
	"slices"
)

// What people and time do. Who is the id of a user. An error says why PagerDuty's page would not offer it.

// Acknowledge has a person take an incident on, who is assigned to it then.
func (a *Account) Acknowledge(id, who string) error {
	return a.act(id, who, func(i *Incident, by agent) error {
		if i.Status == Resolved {
			return errors.New("it is resolved")
		}
		i.Assignees = []string{who}
		a.set(i, Acknowledged, "incident.acknowledged", by)
		return nil
	})
}

// Resolve has a person resolve an incident and its alerts.
func (a *Account) Resolve(id, who string) error {
	return a.act(id, who, func(i *Incident, by agent) error {
		if i.Status == Resolved {
			return errors.New("it is resolved")
		}
		a.set(i, Resolved, "incident.resolved", by)
		return nil
	})
}

// Reopen has a person open a resolved incident again.
func (a *Account) Reopen(id, who string) error {
	return a.act(id, who, func(i *Incident, by agent) error {
		if i.Status != Resolved {
			return errors.New("it is open")
		}
		a.set(i, Triggered, "incident.reopened", by)
		return nil
	})
}

// Merge has a person move the alerts of an incident into another, after which it is resolved.
func (a *Account) Merge(id, into, who string) error {
	return a.act(id, who, func(i *Incident, by agent) error {
		target := a.incident(into)
		if target == nil || target == i || target.Status == Resolved {
			return fmt.Errorf("%s is not another open incident", into)
		}
		target.Alerts = append(target.Alerts, i.Alerts...)
		i.Alerts, i.MergedInto = nil, target.ID
		a.set(i, Resolved, "incident.resolved", by)
		return nil
	})
}

// Reassign has a person give an incident to another one.
func (a *Account) Reassign(id, who, to string) error {
	return a.act(id, who, func(i *Incident, by agent) error {
		i.Assignees = []string{to}
		a.tell(i, "incident.reassigned", by)
		return nil
	})
}

// Note has a person write a note.
func (a *Account) Note(id, who, content string) error {
	return a.act(id, who, func(i *Incident, by agent) error {
		a.note(i, content, by)
		return nil
	})
}

// AckTimeout lets the time of an acknowledgement run out. That nobody is the agent of it is assumed.
func (a *Account) AckTimeout(id string) error {
	return a.act(id, "", func(i *Incident, by agent) error {
		if i.Status != Acknowledged {
			return errors.New("it is not acknowledged")
		}
		a.set(i, Triggered, "incident.unacknowledged", by)
		return nil
	})
}

// Escalate lets nobody answer, so that the next one is asked.
func (a *Account) Escalate(id, to string) error {
	return a.act(id, "", func(i *Incident, by agent) error {
		i.Assignees = []string{to}
		a.tell(i, "incident.escalated", by)
		return nil
	})
}

// act finds the incident and who acts on it; nobody is "".
func (a *Account) act(id, who string, do func(*Incident, agent) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.incident(id)
	if i == nil {
		return fmt.Errorf("incident %s is not there", id)
	}
	by := agent(nil)
	if who != "" {
		at := slices.IndexFunc(a.o.Users, func(u User) bool { return u.ID == who })
		if at < 0 {
			return fmt.Errorf("user %s is not there", who)
		}
		by = a.o.Users[at].reference()
	}
	if err := do(i, by); err != nil {
		return fmt.Errorf("incident %s: %w", id, err)
	}
	return nil
}

func (a *Account) note(i *Incident, content string, by agent) object {
	i.Notes = append(i.Notes, content)
	id := a.id("P", "NOTE")
	a.announce(i, "incident.annotated", by, nil, object{
		"incident": i.reference(), "id": id, "content": content, "trimmed": false, "type": "incident_note",
	})
	now := stamp(a.o.Now())
	return object{
		"id": id, "user": by, "channel": object{"summary": "The PagerDuty website or APIs"},
		"content": content, "created_at": now, "updated_at": now,
	}
}
