package jira

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tocsin/dispatch"
)

// transition is a way of a workflow from where an issue is.
type transition struct {
	ID     string           `json:"id"`
	Name   string           `json:"name"`
	To     state            `json:"to"`
	Fields map[string]field `json:"fields"`
	// Available is left out where it is so.
	Available *bool `json:"isAvailable"`
}

// field is one on the screen of a transition.
type field struct {
	Required   bool `json:"required"`
	HasDefault bool `json:"hasDefaultValue"`
	Allowed    []struct {
		Name string `json:"name"`
	} `json:"allowedValues"`
}

// Update brings the issue to a status of the category that the ticket's stands
// for. Which transitions there are depends on workflow and status, so it is asked
// each time; an issue that is there already is left as it is.
// Source: REST API v3, "Get transitions" and "Transition issue".
func (m *messenger) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	s, ok := u.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of Jira", u.Settings))
	}
	if err := s.check(); err != nil {
		return dispatch.Refused(err)
	}
	if !idForm.MatchString(u.Link.ExternalID) {
		return dispatch.Refused(fmt.Errorf("%q is not the id of an issue", dispatch.Cut(u.Link.ExternalID, 100)))
	}
	i, out := m.read(ctx, u.Link.ExternalID)
	if out.Kind() != dispatch.OutcomeDelivered {
		return m.orGone(ctx, out)
	}
	if i.Fields.Status.shows() == u.Ticket.Status {
		return dispatch.Delivered(m.ref(i)).Over(out.Exchange())
	}
	return m.move(ctx, s, i, u.Ticket.Status)
}

// move takes a transition.
func (m *messenger) move(ctx context.Context, s *ConfigSettings, i *issue, want dispatch.TicketStatus) dispatch.Outcome {
	var answer struct {
		Transitions []transition `json:"transitions"`
	}
	path := "/rest/api/3/issue/" + i.ID + "/transitions"
	out := m.ask(ctx, request{method: http.MethodGet, path: path, query: values("expand", "transitions.fields")}, &answer)
	if out.Kind() != dispatch.OutcomeDelivered {
		return m.orGone(ctx, out)
	}
	t, err := s.pick(answer.Transitions, i, want)
	if err != nil {
		return dispatch.Refused(err).Over(out.Exchange())
	}
	body := map[string]any{"transition": map[string]string{"id": t.ID}}
	if _, asked := t.Fields["resolution"]; asked && want == dispatch.TicketClosed && s.Resolution != "" {
		body["fields"] = map[string]any{"resolution": map[string]string{"name": s.Resolution}}
	}
	out = m.ask(ctx, request{method: http.MethodPost, path: path, body: body}, nil)
	switch {
	case out.Exchange().HTTPStatus == http.StatusBadRequest:
		return m.missed(ctx, i, out)
	case out.Kind() != dispatch.OutcomeDelivered:
		return m.orGone(ctx, out)
	}
	i.Fields.Status = t.To
	return dispatch.Delivered(m.ref(i)).Over(out.Exchange())
}

// missed is the outcome of a transition that was not taken: when the issue has
// been moved meanwhile, it is tried again from where it is now.
func (m *messenger) missed(ctx context.Context, before *issue, out dispatch.Outcome) dispatch.Outcome {
	now, asked := m.read(ctx, before.ID)
	if asked.Kind() == dispatch.OutcomeDelivered && now.Fields.Status.Name != before.Fields.Status.Name {
		return dispatch.Deferred(out.Err()).Over(out.Exchange())
	}
	return out
}

// pick chooses a transition: the one that the API config names, or the first that
// leads to the category and asks for nothing that cannot be given.
func (c *ConfigSettings) pick(all []transition, i *issue, want dispatch.TicketStatus) (transition, error) {
	all = slices.DeleteFunc(slices.Clone(all), func(t transition) bool { return t.Available != nil && !*t.Available })
	if name := strings.TrimSpace(c.Transitions[string(want)]); name != "" {
		return c.named(name, all, i, want)
	}
	var lacks error
	for _, t := range all {
		if t.To.shows() != want {
			continue
		}
		err := c.lacks(t, want)
		if err == nil {
			return t, nil
		}
		if lacks == nil {
			lacks = err
		}
	}
	if lacks != nil {
		return transition{}, lacks
	}
	return transition{}, fmt.Errorf("no transition leads from %q to the category %s, which %s stands for; there are %s: add one to the workflow, or move the issue in Jira",
		i.Fields.Status.Name, categoryNames[want], want, names(all))
}

// named is the transition that the API config names. One that leads elsewhere is
// not taken: the issue would come back as another status than the ticket's.
func (c *ConfigSettings) named(name string, all []transition, i *issue, want dispatch.TicketStatus) (transition, error) {
	at := slices.IndexFunc(all, func(t transition) bool { return t.ID == name || strings.EqualFold(t.Name, name) })
	if at < 0 {
		return transition{}, fmt.Errorf("settings.transitions has %q for %s, which there is not from %q; there are %s",
			name, want, i.Fields.Status.Name, names(all))
	}
	t := all[at]
	if t.To.shows() != want {
		return t, fmt.Errorf("settings.transitions has %q for %s, which leads to %q; name one that leads to the category %s",
			name, want, t.To.Name, categoryNames[want])
	}
	return t, c.lacks(t, want)
}

// lacks says what a transition asks for that cannot be given; nil when it can be
// taken.
func (c *ConfigSettings) lacks(t transition, want dispatch.TicketStatus) error {
	var missing []string
	for name, f := range t.Fields {
		switch {
		case !f.Required || f.HasDefault:
		case name == "resolution" && want == dispatch.TicketClosed:
			if c.Resolution == "" {
				return fmt.Errorf("the transition %q asks for a resolution; give settings.resolution, one of %s", t.Name, f.names())
			}
		default:
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("the transition %q asks for %s, which is not known here; take that off its screen, or name another in settings.transitions",
		t.Name, strings.Join(missing, ", "))
}

func (f field) names() string {
	var all []string
	for _, a := range f.Allowed {
		all = append(all, a.Name)
	}
	return dispatch.Cut(strings.Join(all, ", "), 300)
}

// names are the transitions as a person may name them.
func names(all []transition) string {
	if len(all) == 0 {
		return "none that the account may take"
	}
	var texts []string
	for _, t := range all {
		texts = append(texts, fmt.Sprintf("%s (%s, to %s)", t.Name, t.ID, t.To.Name))
	}
	return dispatch.Cut(strings.Join(texts, ", "), 500)
}
