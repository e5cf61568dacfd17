package pagerduty

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// Limits of an event: the summary and the other texts in characters, the key
// and the whole in bytes. PagerDuty refuses what is over and cuts nothing.
const (
	maxSummary = 1024
	maxKey     = 255
	maxEvent   = 512_000
)

var severities = map[dispatch.Severity]string{
	dispatch.Critical: "critical", dispatch.High: "error", dispatch.Medium: "warning",
	dispatch.Low: "info", dispatch.Info: "info",
}

// event is the trigger of an alert, without the routing key. Details that make
// it too large are left out, and a note says so.
func event(instance string, s *ConfigSettings, p dispatch.Parcel) (*pagerduty.V2Event, error) {
	a := p.Alert
	summary := cmp.Or(strings.TrimSpace(s.Summary), a.Summary)
	if p.Test {
		summary = "[Test] " + summary
	}
	e := &pagerduty.V2Event{
		Action: "trigger", DedupKey: dedupKey(instance, p),
		Client: "Tocsin", ClientURL: p.TicketURL, Links: links(p),
		Payload: &pagerduty.V2Payload{
			Summary:   clip.Characters(summary, maxSummary),
			Source:    clip.Characters(cmp.Or(strings.TrimSpace(s.Source), "tocsin"), maxSummary),
			Severity:  cmp.Or(severities[a.Severity], "error"),
			Timestamp: a.OccurredAt.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
			Component: clip.Characters(s.Component, maxSummary),
			Group:     clip.Characters(s.Group, maxSummary),
			Class:     clip.Characters(s.Class, maxSummary),
			Details:   details(p),
		},
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if len(text) > maxEvent-maxKey { // the routing key is still to come
		e.Payload.Details = map[string]any{
			"note": fmt.Sprintf("the details are left out: with them the event has %d bytes, and PagerDuty takes %d", len(text), maxEvent),
		}
	}
	return e, nil
}

// dedupKey makes one alert there of one ticket here. A follow-up has the key of
// the copy, which may have come from another ticket; a test never joins one.
func dedupKey(instance string, p dispatch.Parcel) string {
	id := p.Alert.ID
	switch {
	case p.Link != nil && p.Link.ExternalID != "":
		return p.Link.ExternalID
	case p.Test:
		id = "test:" + cmp.Or(p.DeliveryID, p.Alert.ID)
	case p.Ticket != nil:
		id = p.Ticket.ID
	}
	key := instance + ":" + id
	return key[max(0, len(key)-maxKey):] // the end tells tickets apart
}

type eventLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

func links(p dispatch.Parcel) []any {
	var out []any
	if p.Ticket != nil && p.TicketURL != "" {
		out = append(out, eventLink{p.TicketURL, fmt.Sprintf("Ticket T-%d", p.Ticket.Number)})
	}
	if p.Alert.Link != nil && *p.Alert.Link != "" {
		out = append(out, eventLink{*p.Alert.Link, "Details"})
	}
	return out
}

// facts are what a person on call reads below the summary; those that are
// empty are left out.
type facts struct {
	BehaviorModel string        `json:"behavior_model"`
	Behavior      *string       `json:"behavior,omitempty"`
	Key           *string       `json:"key,omitempty"`
	KeyType       *string       `json:"key_type,omitempty"`
	Severity      string        `json:"severity"`
	RiskScore     *int          `json:"risk_score,omitempty"`
	Risks         []string      `json:"risks,omitempty"`
	Description   *string       `json:"description,omitempty"`
	Source        *string       `json:"source,omitempty"`
	Ticket        string        `json:"ticket,omitempty"`
	AlertID       string        `json:"alert_id"`
	ReceivedAt    time.Time     `json:"received_at"`
	Attributes    dispatch.JSON `json:"attributes,omitempty"`
}

func details(p dispatch.Parcel) facts {
	a := p.Alert
	f := facts{
		BehaviorModel: a.BehaviorModel, Behavior: a.Behavior, Key: a.Key, KeyType: a.KeyType,
		Severity: string(a.Severity), RiskScore: a.RiskScore, Risks: a.Risks, Description: a.Description,
		Source: a.Source, AlertID: a.ID, ReceivedAt: a.ReceivedAt.UTC(), Attributes: a.Attributes,
	}
	if p.Ticket != nil {
		f.Ticket = fmt.Sprintf("T-%d", p.Ticket.Number)
	}
	return f
}
