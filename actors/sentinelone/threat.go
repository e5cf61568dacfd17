package sentinelone

import (
	"context"
	"errors"
	"strings"
	"time"

	"tocsin/dispatch"
)

// Permissions by the names that the console's API gives them.
const (
	rightView    = "Threats.view"
	rightStatus  = "Threats.updateIncidentStatus"
	rightVerdict = "Threats.updateAnalystVerdict"
	rightTicket  = "Threats.updateExternalTicketId"
)

// The words of a threat's incident status.
const (
	unresolved = "unresolved"
	inProgress = "in_progress"
	resolved   = "resolved"
)

var statuses = map[string]dispatch.TicketStatus{
	unresolved: dispatch.TicketOpen, inProgress: dispatch.TicketAcknowledged, resolved: dispatch.TicketClosed,
}

var words = map[dispatch.TicketStatus]string{
	dispatch.TicketOpen: unresolved, dispatch.TicketAcknowledged: inProgress, dispatch.TicketClosed: resolved,
}

// threat is what we read of a threat.
type threat struct {
	ID   string
	Info struct {
		ThreatName, Classification, AnalystVerdict, IncidentStatus string
		MitigationStatus, SHA1, ExternalTicketID                   string
		UpdatedAt                                                  time.Time
	} `json:"threatInfo"`
	Agent struct {
		AgentID, AgentComputerName, AgentNetworkStatus, AgentOSType, SiteID string
	} `json:"agentRealtimeInfo"`
	Mitigations []struct{ Action, Status string } `json:"mitigationStatus"`
}

// word is how the console says that a threat stands.
func (t *threat) word() string {
	if v := t.Info.AnalystVerdict; v != "" && v != "undefined" {
		return t.Info.IncidentStatus + ", " + v
	}
	return t.Info.IncidentStatus
}

// facts are what a person wants to know of a threat, in one line.
func (t *threat) facts() string {
	var out []string
	for _, fact := range [][2]string{
		{"classification", t.Info.Classification},
		{"verdict", t.Info.AnalystVerdict},
		{"status", t.Info.IncidentStatus},
		{"mitigation", t.Info.MitigationStatus},
		{"host " + t.Agent.AgentComputerName, t.Agent.AgentNetworkStatus},
	} {
		if fact[1] != "" {
			out = append(out, strings.TrimSpace(fact[0])+" "+fact[1])
		}
	}
	return strings.Join(out, ", ")
}

// ref is the copy that a threat is. A status that is not known tells nothing.
func (m *messenger) ref(t *threat) dispatch.Ref {
	return dispatch.Ref{
		ID: t.ID, Word: t.word(), Shows: statuses[t.Info.IncidentStatus],
		URL: strings.TrimSuffix(m.settings.URL, "/") + "/incidents/threats/" + t.ID + "/overview",
	}
}

// page is one answer of a list.
type page[T any] struct {
	Data       []T
	Pagination struct{ NextCursor *string }
}

// threats are those of the ids that the token sees.
func (m *messenger) threats(ctx context.Context, ids ...string) ([]threat, dispatch.Outcome) {
	var found page[threat]
	out := m.ask(ctx, "/threats", m.scoped("ids", strings.Join(ids, ","), "limit", "1000"), rightView, &found)
	if out.Kind() == dispatch.OutcomeDelivered && found.Data == nil { // no list is not an empty one, which says that all are gone
		return nil, dispatch.Deferred(errors.New("the console's answer holds no list of threats")).Over(out.Exchange())
	}
	return found.Data, out
}

// threat is the one of an id; nil when there is none, or the token does not see it.
func (m *messenger) threat(ctx context.Context, id string) (*threat, dispatch.Outcome) {
	found, out := m.threats(ctx, id)
	for i := range found {
		if found[i].ID == id {
			return &found[i], out
		}
	}
	return nil, out
}
