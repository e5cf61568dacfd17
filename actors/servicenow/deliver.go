package servicenow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// Lengths of columns, in characters, as instances have them when they are
// delivered; what is longer would be cut there without a word.
const (
	maxTitle = 160
	maxText  = 4000
)

// Deliver makes a record, or adds a work note to the one that an earlier alert of
// the ticket made. A repeat looks first for what the attempt before has done.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of ServiceNow", p.Settings))
	}
	if err := s.check(); err != nil {
		return dispatch.Refused(err)
	}
	if p.Link != nil && !p.Test {
		if out := m.followUp(ctx, s, p); !out.IsGone() {
			return out
		}
	}
	if p.Attempt > 1 {
		if made, out := m.made(ctx, s.Table, p.DeliveryID); out.Kind() != dispatch.OutcomeDelivered || made != nil {
			return m.delivered(s, made, out)
		}
	}
	columns := s.columns(p)
	made, out := m.write(ctx, s.Table, "", columns)
	if note := dropped(made, s, columns); note != "" {
		return m.delivered(s, made, out).Noting(note)
	}
	return m.delivered(s, made, out)
}

// delivered is the outcome of a call that found or wrote a record.
func (m *messenger) delivered(s *ConfigSettings, r *record, out dispatch.Outcome) dispatch.Outcome {
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	ref := m.ref(r)
	ref.Loose = !s.Updates
	return dispatch.Delivered(ref).Over(out.Exchange())
}

// made is the record that an earlier attempt of a delivery made; nil when there is
// none. ServiceNow leaves out a condition that it does not understand and answers
// with all other records, so what it found is looked at again.
// Source: Table API, sysparm_query.
func (m *messenger) made(ctx context.Context, table, delivery string) (*record, dispatch.Outcome) {
	if !isPlain(delivery) {
		return nil, dispatch.Refused(fmt.Errorf("the delivery id %q cannot stand in a query", dispatch.Cut(delivery, 100)))
	}
	found, out := m.find(ctx, table, columnCorrelation+"="+delivery+"^ORDERBY"+columnID, 2, 0)
	for i := range found.list {
		r := &found.list[i]
		if r.value(columnCorrelation) == delivery && sysIDForm.MatchString(r.id()) {
			return r, out
		}
	}
	return nil, out
}

// columns are what a new record is made with. Those of settings.fields win.
func (c *ConfigSettings) columns(p dispatch.Parcel) map[string]string {
	title := strings.Join(strings.Fields(clean(c.ShortDescription)), " ")
	if p.Test {
		title = "[Test message of Tocsin] " + title
	}
	columns := map[string]string{
		"short_description": clip.Characters(title, maxTitle), "description": clip.Characters(strings.TrimSpace(clean(c.Description)), maxText),
		columnCorrelation: p.DeliveryID, columnDisplay: display,
		"category": c.Category, "assignment_group": c.AssignmentGroup,
		"urgency": c.Urgency[string(p.Alert.Severity)], "impact": c.Impact[string(p.Alert.Severity)],
	}
	for name, value := range columns {
		if value == "" {
			delete(columns, name)
		}
	}
	maps.Copy(columns, c.Fields)
	return columns
}

// clean is a text without control characters, which no column holds, but for line
// breaks and tabs.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// dropped says which columns the instance did not keep: it takes a name that it
// does not know, a group that is none or a column that is not there, without a
// word.
func dropped(made *record, c *ConfigSettings, sent map[string]string) string {
	if made == nil {
		return ""
	}
	var lost []string
	for name, value := range sent {
		_, isField := c.Fields[name]
		if (isField || name == "category" || name == "assignment_group") && value != "" && made.value(name) == "" {
			lost = append(lost, name)
		}
	}
	if lost == nil {
		return ""
	}
	slices.Sort(lost)
	return "ServiceNow did not keep " + strings.Join(lost, ", ") + " of " + made.value("number") + "; check the values and what the user may write"
}

// followUp tells the record of an earlier alert about this one, when it is told at
// all. It is gone when that record is.
func (m *messenger) followUp(ctx context.Context, s *ConfigSettings, p dispatch.Parcel) dispatch.Outcome {
	table := tableOf(p.Link, s)
	there, out := m.one(ctx, table, p.Link.ExternalID)
	if out.Kind() != dispatch.OutcomeDelivered || !s.WorkNotes {
		return m.delivered(s, there, out)
	}
	if p.Attempt > 1 && m.hasNote(ctx, there.id(), reference(p.DeliveryID)) {
		return m.delivered(s, there, out)
	}
	text := strings.Join(strings.Fields(clean(s.ShortDescription)), " ") + "\n" + strings.TrimSpace(clean(s.Description))
	note := clip.Characters(text, maxText-100) + "\n" + reference(p.DeliveryID)
	after, out := m.write(ctx, table, there.id(), map[string]string{columnNotes: note})
	return m.delivered(s, after, out)
}

// reference marks the note of a delivery, so that a repeat knows it.
func reference(delivery string) string { return "[ref " + delivery + "]" }

// tableOf is where the record of a link is.
func tableOf(l *dispatch.TicketLink, s *ConfigSettings) string {
	if table := l.Data[dataTable]; columnForm.MatchString(table) {
		return table
	}
	return s.Table
}
