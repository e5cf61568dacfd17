package pagerduty

import (
	"fmt"
	"slices"
	"time"
)

// How things look on the wire. The account's pages are at site, its API at api whatever the fake's address is, as
// clients must not follow what they find there.
const (
	site = "https://acme.pagerduty.com"
	api  = "https://api.pagerduty.com"
)

// agent is who did something, as a reference; nil when nobody did.
type agent = object

func reference(kind, path, id, summary string) object {
	return object{"html_url": site + path + id, "id": id, "self": api + path + id, "summary": summary, "type": kind}
}

func (u User) reference() agent { return reference("user_reference", "/users/", u.ID, u.Name) }

func service() object { return reference("service_reference", "/services/", "PSVC001", "Payments") }

func policy() object {
	return reference("escalation_policy_reference", "/escalation_policies/", "PEPL001", "Default")
}

func team() object { return reference("team_reference", "/teams/", "PTEAM01", "SRE") }

func (i *Incident) reference() object {
	return reference("incident_reference", "/incidents/", i.ID, i.Title)
}

// integration is the one of a routing key; each key has its own.
func (a *Account) integration(routingKey string) agent {
	at := slices.Index(a.integrations, routingKey)
	if at < 0 {
		at = len(a.integrations)
		a.integrations = append(a.integrations, routingKey)
	}
	return reference("inbound_integration_reference", "/services/PSVC001/integrations/", fmt.Sprintf("PINT%03d", at+1), "Events API V2")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (a *Account) users(ids []string) []object {
	out := []object{}
	for _, u := range a.o.Users {
		if slices.Contains(ids, u.ID) {
			out = append(out, u.reference())
		}
	}
	return out
}

// resolveReason is null but for a merge.
func (a *Account) resolveReason(i *Incident) any {
	if i.MergedInto == "" {
		return nil
	}
	return object{"type": "merge_resolve_reason", "incident": a.incident(i.MergedInto).reference()}
}

// told is an incident as a webhook shows it. Its key is null, since its service makes alerts of events.
func (a *Account) told(i *Incident) object {
	return object{
		"id": i.ID, "type": "incident", "self": api + "/incidents/" + i.ID, "html_url": site + "/incidents/" + i.ID,
		"number": i.Number, "status": i.Status, "incident_key": nil, "created_at": stamp(i.opened), "title": i.Title,
		"service": service(), "assignees": a.users(i.Assignees), "escalation_policy": policy(), "teams": []object{team()},
		"priority": nil, "urgency": "high", "conference_bridge": nil, "resolve_reason": a.resolveReason(i),
		"incident_type": object{"name": "incident_default"},
	}
}

// shown is an incident as the REST API shows it.
func (a *Account) shown(i *Incident) object {
	open := 0
	for _, alert := range i.Alerts {
		if alert.Status != Resolved {
			open++
		}
	}
	assignments, acknowledgements := []object{}, []object{}
	for _, u := range a.users(i.Assignees) {
		assignments = append(assignments, object{"at": stamp(i.changed), "assignee": u})
	}
	if i.Status == Acknowledged {
		acknowledgements = append(acknowledgements, object{"at": stamp(i.changed), "acknowledger": i.by})
	}
	var resolved any
	if i.Status == Resolved {
		resolved = stamp(i.changed)
	}
	log := reference("trigger_log_entry_reference", "/log_entries/", "R"+i.ID, "Triggered through the API.")
	return object{
		"id": i.ID, "type": "incident", "summary": fmt.Sprintf("[#%d] %s", i.Number, i.Title),
		"self": api + "/incidents/" + i.ID, "html_url": site + "/incidents/" + i.ID,
		"incident_number": i.Number, "title": i.Title, "created_at": stamp(i.opened), "updated_at": stamp(i.changed),
		"status": i.Status, "incident_key": nil, "service": service(), "assignments": assignments,
		"assigned_via": "escalation_policy", "last_status_change_at": stamp(i.changed), "resolved_at": resolved,
		"first_trigger_log_entry": log, "alert_counts": object{"all": len(i.Alerts), "triggered": open, "resolved": len(i.Alerts) - open},
		"is_mergeable": true, "incident_type": object{"name": "incident_default"}, "escalation_policy": policy(),
		"teams": []object{team()}, "pending_actions": []object{}, "acknowledgements": acknowledgements,
		"last_status_change_by": i.by, "priority": nil, "resolve_reason": a.resolveReason(i), "urgency": "high",
	}
}

// alert is one of an incident's as the REST API shows it.
func (a *Account) alert(i *Incident, it Alert) object {
	contexts := []object{}
	for _, l := range it.Links {
		contexts = append(contexts, object{"type": "link", "href": l.Href, "text": l.Text})
	}
	var details any = object{}
	if len(it.Payload.Details) > 0 && string(it.Payload.Details) != "null" {
		details = it.Payload.Details
	}
	through := a.integration(it.RoutingKey)
	through["type"] = "events_api_v2_inbound_integration_reference"
	return object{
		"id": it.ID, "type": "alert", "summary": it.Payload.Summary, "self": api + "/alerts/" + it.ID,
		"html_url": site + "/alerts/" + it.ID, "created_at": stamp(it.opened), "status": it.Status, "alert_key": it.DedupKey,
		"service": service(), "body": object{"type": "alert_body", "contexts": contexts, "details": details},
		"incident": object{"id": i.ID, "type": "incident_reference"}, "suppressed": false, "severity": it.Payload.Severity,
		"integration": through,
	}
}
