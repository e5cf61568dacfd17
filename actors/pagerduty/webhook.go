package pagerduty

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"

	"tocsin/dispatch"
)

// webhook is one event of PagerDuty's, as far as it is looked at.
// Source: developer.pagerduty.com, Webhooks v3 overview, webhook payload.
type webhook struct {
	ID         string     `json:"id"`
	Type       string     `json:"event_type"`
	OccurredAt string     `json:"occurred_at"`
	Agent      *reference `json:"agent"`
	// Client repeats what the event that opened the incident said of itself. That
	// is not documented, and has been seen.
	Client *struct {
		URL string `json:"url"`
	} `json:"client"`
	Data subject `json:"data"`
}

type reference struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Summary string `json:"summary"`
	HTMLURL string `json:"html_url"`
}

// subject is the incident, or what was added to one.
type subject struct {
	ID            string      `json:"id"`
	HTMLURL       string      `json:"html_url"`
	Status        string      `json:"status"`
	IncidentKey   string      `json:"incident_key"`
	Assignees     []reference `json:"assignees"`
	ResolveReason *struct {
		Type     string    `json:"type"`
		Incident reference `json:"incident"`
	} `json:"resolve_reason"`
	Incident *reference `json:"incident"` // of a note
	Content  string     `json:"content"`
	Trimmed  bool       `json:"trimmed"`
}

// Event types that are about the status of an incident, and those that are
// worth a line on the ledger.
const (
	eventTriggered      = "incident.triggered"
	eventUnacknowledged = "incident.unacknowledged"
	eventReassigned     = "incident.reassigned"
	eventEscalated      = "incident.escalated"
	eventAnnotated      = "incident.annotated"
)

// told are the statuses that events stand for; "" is news without one.
var told = map[string]dispatch.TicketStatus{
	eventTriggered: dispatch.TicketOpen, "incident.acknowledged": dispatch.TicketAcknowledged,
	eventUnacknowledged: dispatch.TicketOpen, "incident.resolved": dispatch.TicketClosed, "incident.reopened": dispatch.TicketOpen,
	eventReassigned: "", eventEscalated: "", eventAnnotated: "",
}

// eventTypes are what a subscription asks for.
var eventTypes = []string{
	eventTriggered, "incident.acknowledged", eventUnacknowledged, "incident.resolved", "incident.reopened",
	eventReassigned, eventEscalated, eventAnnotated,
}

const (
	mergeReason      = "merge_resolve_reason"
	agentUser        = "user_reference"
	agentIntegration = "inbound_integration_reference"
)

// webhookIn reads a body. Whatever is not an event about one of our matters is
// not ok; PagerDuty adds types and fields as it likes.
func webhookIn(body []byte) (w webhook, ok bool) {
	var head struct {
		Event json.RawMessage `json:"event"`
	}
	var kind struct {
		Type string `json:"event_type"`
	}
	if json.Unmarshal(body, &head) != nil || json.Unmarshal(head.Event, &kind) != nil {
		return w, false
	}
	if _, ok := told[kind.Type]; !ok {
		return w, false
	}
	return w, json.Unmarshal(head.Event, &w) == nil && idForm.MatchString(w.incident().ID)
}

// incident is what the event is about.
func (w webhook) incident() reference {
	if w.Data.Incident != nil {
		return *w.Data.Incident
	}
	return reference{ID: w.Data.ID, HTMLURL: w.Data.HTMLURL}
}

// merged is the incident that this one went into. A merge comes as a resolve by
// the person who merged, though nothing is resolved.
func (w webhook) merged() (into reference, ok bool) {
	r := w.Data.ResolveReason
	if r == nil || r.Type != mergeReason {
		return reference{}, false
	}
	return r.Incident, true
}

// at is the time of the event; zero when it cannot be read.
func (w webhook) at() time.Time {
	at, err := time.Parse(time.RFC3339Nano, w.OccurredAt)
	if err != nil {
		return time.Time{}
	}
	return at
}

// by is the person who did it; "" for machines.
func (w webhook) by() string {
	if w.Agent == nil || w.Agent.Type != agentUser {
		return ""
	}
	return w.Agent.Summary
}

// text is what the event says beside a status.
func (w webhook) text() string {
	switch into, merged := w.merged(); {
	case merged:
		name := into.Summary
		if name == "" {
			name = into.ID
		}
		return "merged into " + name
	case w.Type == eventReassigned:
		return "reassigned to " + w.assignees()
	case w.Type == eventEscalated:
		return "escalated to " + w.assignees()
	case w.Type == eventUnacknowledged && w.Agent == nil:
		return "the acknowledgement has timed out"
	case w.Type == eventAnnotated && w.Data.Trimmed:
		return "note: " + w.Data.Content + " … [cut]"
	case w.Type == eventAnnotated:
		return "note: " + w.Data.Content
	default:
		return ""
	}
}

func (w webhook) assignees() string {
	var names []string
	for _, a := range w.Data.Assignees {
		names = append(names, a.Summary)
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

var ticketPath = regexp.MustCompile(`/tickets/(tkt_[0-9a-z-]+)$`)

// tickets are those of ours that the incident's client is the address of. Only
// the end of the address is looked at: the hub takes a ticket that this actor
// has a copy of.
func (w webhook) tickets() []string {
	if w.Type != eventTriggered || w.Client == nil {
		return nil
	}
	u, err := url.Parse(w.Client.URL)
	if err != nil || u.Host == "" {
		return nil
	}
	found := ticketPath.FindStringSubmatch(u.Path)
	if found == nil {
		return nil
	}
	return found[1:]
}
