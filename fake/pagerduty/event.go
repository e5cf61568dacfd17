package pagerduty

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of the Events API v2, in characters; the body in bytes, where PagerDuty says 512 KB and its clients stop at this.
const (
	routingKeyLength = 32
	dedupKeyMax      = 255
	summaryMax       = 1024
	bodyMax          = 512_000
)

// Event is an event as it was sent.
type Event struct {
	RoutingKey string  `json:"routing_key"`
	Action     string  `json:"event_action"` // trigger, acknowledge or resolve
	DedupKey   string  `json:"dedup_key"`
	Client     string  `json:"client"`
	ClientURL  string  `json:"client_url"`
	Payload    Payload `json:"payload"`
	Links      []Link  `json:"links"`
	Images     []Image `json:"images"`
}

// Payload is what a trigger says about its alert.
type Payload struct {
	Summary   string          `json:"summary"`
	Source    string          `json:"source"`
	Severity  string          `json:"severity"`
	Timestamp string          `json:"timestamp"`
	Component string          `json:"component"`
	Group     string          `json:"group"`
	Class     string          `json:"class"`
	Details   json.RawMessage `json:"custom_details"`
}

// Link is a link of an event.
type Link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// Image is an image of an event.
type Image struct {
	Src  string `json:"src"`
	Href string `json:"href"`
	Alt  string `json:"alt"`
}

// faults are the texts of a 400. Known texts are in PagerDuty's spelling; that of dedup_key, severity, event_action and
// the body's size are assumed.
func (e Event) faults(size int) []string {
	var faults []string
	need := func(field, value string) {
		if strings.TrimSpace(value) == "" {
			faults = append(faults, fmt.Sprintf("'%s' is missing or blank", field))
		}
	}
	if size > bodyMax {
		faults = append(faults, "Event object is too large (maximum is 512 KB)")
	}
	need("routing_key", e.RoutingKey)
	if e.RoutingKey != "" && len(e.RoutingKey) != routingKeyLength {
		faults = append(faults, "Length of 'routing_key' is incorrect (should be 32 characters)")
	}
	if utf8.RuneCountInString(e.DedupKey) > dedupKeyMax {
		faults = append(faults, "'dedup_key' is too long (maximum is 255 characters)")
	}
	switch e.Action {
	case "trigger":
		need("payload.summary", e.Payload.Summary)
		need("payload.source", e.Payload.Source)
		faults = append(faults, e.Payload.faults()...)
	case "acknowledge", "resolve":
		need("dedup_key", e.DedupKey)
	default:
		faults = append(faults, "'event_action' is invalid (must be 'trigger', 'acknowledge' or 'resolve')")
	}
	return faults
}

func (p Payload) faults() []string {
	var faults []string
	if utf8.RuneCountInString(p.Summary) > summaryMax {
		faults = append(faults, "'summary' is too long (maiximum is 1024 characters)") // sic
	}
	if !slices.Contains([]string{"critical", "error", "warning", "info"}, p.Severity) {
		faults = append(faults, "'payload.severity' is invalid (must be 'critical', 'error', 'warning' or 'info')")
	}
	return faults
}
