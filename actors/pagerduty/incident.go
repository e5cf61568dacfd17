package pagerduty

import (
	"cmp"
	"context"
	"slices"

	"github.com/PagerDuty/go-pagerduty"

	"tocsin/dispatch"
)

// incident is what the REST API says of one.
type incident struct {
	id     string
	url    string
	word   string
	status dispatch.TicketStatus // of the incident, or of the alert that was asked for
	into   string                // the incident that it was merged into; "" when it was not
}

func (i *incident) ref() dispatch.Ref {
	return dispatch.Ref{URL: i.url, Also: []string{i.id}, Word: i.word}
}

func incidentFrom(from pagerduty.Incident) *incident {
	i := &incident{id: from.ID, url: from.HTMLURL, word: from.Status, status: statuses[from.Status]}
	if from.ResolveReason.Type == mergeReason {
		i.into = from.ResolveReason.Incident.ID
	}
	return i
}

// incidentOf is the newest incident that holds the alert with a dedup key, with
// the alert's status when it is resolved there before the incident is; nil when
// there is none.
func (m *messenger) incidentOf(ctx context.Context, key string) (*incident, dispatch.Outcome) {
	if key == "" { // an empty filter would find the incidents of others
		return nil, dispatch.Delivered(dispatch.Ref{})
	}
	c := m.call()
	// Without a range the REST API looks back one month.
	found, err := m.client(c).ListIncidentsWithContext(ctx, pagerduty.ListIncidentsOptions{
		IncidentKey: key, DateRange: "all", SortBy: "created_at:desc", Limit: 5,
	})
	out := read(answered(c))
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	if err != nil {
		return nil, dispatch.Refused(c.Error("this is not an answer of PagerDuty; check settings.apiUrl")).Over(c.Exchange())
	}
	slices.SortFunc(found.Incidents, func(a, b pagerduty.Incident) int { return cmp.Compare(b.IncidentNumber, a.IncidentNumber) })
	for _, each := range found.Incidents {
		i, held := m.holding(ctx, each, key)
		if i != nil || held.Kind() != dispatch.OutcomeDelivered {
			return i, held
		}
	}
	return nil, out
}

// holding is the incident if it holds the alert. The filter is PagerDuty's
// promise; that the alert is ours is looked at.
func (m *messenger) holding(ctx context.Context, from pagerduty.Incident, key string) (*incident, dispatch.Outcome) {
	i := incidentFrom(from)
	if from.IncidentKey == key {
		return i, dispatch.Delivered(dispatch.Ref{})
	}
	alerts, out := m.alertsOf(ctx, i.id, key)
	at := slices.IndexFunc(alerts, func(a alert) bool { return a.key == key })
	if out.Kind() != dispatch.OutcomeDelivered || at < 0 {
		return nil, out
	}
	// An open incident without an open alert was opened again by a person.
	if alerts[at].isResolved() && from.AlertCounts.Triggered > 0 {
		i.status, i.word = dispatch.TicketClosed, wordResolved
	}
	return i, out
}

// incidentByID asks how an incident stands.
func (m *messenger) incidentByID(ctx context.Context, id string) (*incident, dispatch.Outcome) {
	c := m.call()
	found, err := m.client(c).GetIncidentWithContext(ctx, id)
	out := read(answered(c))
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	if err != nil || found.ID != id {
		return nil, dispatch.Refused(c.Error("this is not an answer of PagerDuty; check settings.apiUrl")).Over(c.Exchange())
	}
	return incidentFrom(*found), out
}

// read is the outcome of a call that changes nothing, and may be repeated
// whatever became of it.
func read(out dispatch.Outcome) dispatch.Outcome {
	if out.Kind() == dispatch.OutcomeUncertain {
		return dispatch.Deferred(out.Err()).Over(out.Exchange())
	}
	return out
}
