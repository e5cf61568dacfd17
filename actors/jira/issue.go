package jira

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/actors/internal/preset"
	"tocsin/dispatch"
)

// label is on all issues of ours, so that webhooks and searches can be limited
// to them; property holds what tells an issue apart.
const (
	label    = "tocsin"
	property = "tocsin"
)

// mark is a delivery as a label, by which its issue is found again.
func mark(delivery string) string {
	sum := sha256.Sum256([]byte(delivery))
	return label + "-" + hex.EncodeToString(sum[:8])
}

// origin is the value of the property.
type origin struct {
	Delivery string `json:"delivery"`
	Ticket   string `json:"ticket,omitempty"`
	Alert    string `json:"alert,omitempty"`
}

// issue is one as Jira tells it.
type issue struct {
	ID     string `json:"id"`
	Key    string `json:"key"`
	Fields struct {
		Status  state `json:"status"`
		Updated stamp `json:"updated"`
	} `json:"fields"`
	Properties map[string]json.RawMessage `json:"properties"`
}

// state is a status with its category, the one word that is the same in all
// workflows.
type state struct {
	Name     string `json:"name"`
	Category struct {
		Key string `json:"key"`
	} `json:"statusCategory"`
}

// shows is the ticket's status that a state stands for; "" for none that is known.
func (s state) shows() dispatch.TicketStatus { return categories[s.Category.Key] }

var categories = map[string]dispatch.TicketStatus{
	"new": dispatch.TicketOpen, "undefined": dispatch.TicketOpen,
	"indeterminate": dispatch.TicketAcknowledged, "done": dispatch.TicketClosed,
}

var categoryNames = map[dispatch.TicketStatus]string{
	dispatch.TicketOpen: "To Do", dispatch.TicketAcknowledged: "In Progress", dispatch.TicketClosed: "Done",
}

// stamp is a time as Jira writes it; zero when it cannot be read.
type stamp struct{ time.Time }

// UnmarshalJSON reads 2026-11-22T09:30:00.000+0100, whose zone has no colon.
func (s *stamp) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	for _, form := range []string{"2006-01-02T15:04:05.000-0700", time.RFC3339} {
		if at, err := time.Parse(form, text); err == nil {
			s.Time = at
		}
	}
	return nil
}

func (m *messenger) ref(i *issue) dispatch.Ref {
	ref := dispatch.Ref{ID: i.ID, Word: i.Fields.Status.Name, Shows: i.Fields.Status.shows()}
	if i.Key != "" {
		ref.Also, ref.URL = []string{i.Key}, m.page(i.Key)
	}
	return ref
}

// page is where people read an issue.
func (m *messenger) page(key string) string {
	return strings.TrimSuffix(cmp.Or(m.settings.SiteURL, m.settings.URL), "/") + "/browse/" + key
}

// create makes the issue. Jira has no key against a second one: what can be
// looked for is put there with it.
func (m *messenger) create(ctx context.Context, s *ConfigSettings, p dispatch.Parcel) dispatch.Outcome {
	o := origin{Delivery: p.DeliveryID, Alert: p.Alert.ID}
	if p.Ticket != nil {
		o.Ticket = p.Ticket.ID
	}
	body := map[string]any{"fields": fields(s, p), "properties": []map[string]any{{"key": property, "value": o}}}
	var made issue
	out := m.ask(ctx, request{method: http.MethodPost, path: "/rest/api/3/issue", body: body, writes: true}, &made)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if !idForm.MatchString(made.ID) {
		return dispatch.Unsure(fmt.Errorf("the answer holds no id of an issue; check settings.url")).Over(out.Exchange())
	}
	if now, asked := m.read(ctx, made.ID); asked.Kind() == dispatch.OutcomeDelivered {
		made.Fields = now.Fields // without it the issue is taken to be open
	}
	ref := m.ref(&made)
	ref.Loose = p.Test
	return dispatch.Delivered(ref).Over(out.Exchange())
}

func fields(s *ConfigSettings, p dispatch.Parcel) map[string]any {
	summary := cmp.Or(preset.Plain(s.Summary), preset.Plain(p.Alert.Summary), p.Alert.BehaviorModel, "Alert")
	if p.Test {
		summary = "[Test] " + summary
	}
	all := map[string]any{
		"project": map[string]string{"key": s.Project}, "issuetype": map[string]string{"name": s.IssueType},
		"summary": cmp.Or(line(summary, maxSummary), "Alert"), "description": document(s.Description, preset.Of(s.Description, p), ""),
		"labels": append([]string{label, mark(p.DeliveryID)}, s.Labels...),
	}
	if name := s.Priorities[string(p.Alert.Severity)]; name != "" {
		all["priority"] = map[string]string{"name": name}
	}
	for name, text := range s.Fields {
		all[name] = value(text)
	}
	return all
}

// read asks how an issue stands; one that is not there is Refused.
func (m *messenger) read(ctx context.Context, id string) (*issue, dispatch.Outcome) {
	var i issue
	out := m.ask(ctx, request{method: http.MethodGet, path: "/rest/api/3/issue/" + id, query: values("fields", "status,updated")}, &i)
	if out.Kind() == dispatch.OutcomeDelivered && i.ID != id {
		return nil, dispatch.Deferred(fmt.Errorf("the answer is not about the issue %s; check settings.url", id)).Over(out.Exchange())
	}
	return &i, out
}

// find looks for the issue of a delivery; nil when no search finds one. Clones of
// an issue have its labels, too, so the property and then the lowest id decide.
func (m *messenger) find(ctx context.Context, delivery string) (*issue, dispatch.Outcome) {
	page, out := m.search(ctx, fmt.Sprintf("labels = %q ORDER BY created ASC", mark(delivery)), "")
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	for _, i := range page.Issues {
		var o origin
		if json.Unmarshal(i.Properties[property], &o) == nil && o.Delivery == delivery && idForm.MatchString(i.ID) {
			return &i, dispatch.Delivered(m.ref(&i)).Over(out.Exchange())
		}
	}
	return nil, out
}

// found is a page of a search.
type found struct {
	Issues []issue `json:"issues"`
	Next   string  `json:"nextPageToken"`
}

const pageSize = 100

func (m *messenger) search(ctx context.Context, jql, next string) (found, dispatch.Outcome) {
	body := map[string]any{"jql": jql, "maxResults": pageSize, "fields": []string{"status", "updated"}, "properties": []string{property}}
	if next != "" {
		body["nextPageToken"] = next
	}
	var page found
	out := m.ask(ctx, request{method: http.MethodPost, path: "/rest/api/3/search/jql", body: body}, &page)
	return page, out
}
