package pagerduty

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"tocsin/dispatch"
)

// PagerDuty waits five seconds for an answer and tries for two days. What comes
// late may not be true any more.
const (
	patience = 3 * time.Second
	lateness = 5 * time.Minute
)

// Receive takes a webhook in. All that is authentic is answered 202, known to us
// or not: three refusals in a row end the subscription for a day. When a question
// to the REST API is needed and does not succeed now, PagerDuty hears 503 and
// comes again. Source: developer.pagerduty.com, Webhooks v3 overview.
func (m *messenger) Receive(ctx context.Context, r dispatch.Inbound) ([]dispatch.StatusChange, dispatch.Reply) {
	if !m.isAuthentic(r) {
		return nil, dispatch.Reply{Status: http.StatusUnauthorized, Body: "the webhook is not signed with one of this actor's webhook secrets\n"}
	}
	w, ok := webhookIn(r.Body)
	if !ok {
		return nil, dispatch.Reply{}
	}
	w.ID = cmp.Or(w.ID, r.Header.Get("X-Webhook-Id"))
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	change, ok := m.change(ctx, w, r.Known)
	if !ok {
		return nil, dispatch.Reply{Status: http.StatusServiceUnavailable, Body: "not now; try again\n"}
	}
	return []dispatch.StatusChange{change}, dispatch.Reply{}
}

// knows tells whether a copy goes by a name.
type knows = func(ctx context.Context, name string) (bool, error)

// change is what an event says; not ok when that cannot be known now.
func (m *messenger) change(ctx context.Context, w webhook, known knows) (dispatch.StatusChange, bool) {
	about := w.incident()
	c := dispatch.StatusChange{
		EventID: w.ID, At: w.at(), Names: []string{about.ID}, TicketIDs: w.tickets(), Status: told[w.Type], Word: w.Data.Status,
		By: w.by(), Text: w.text(), Also: []string{about.ID}, URL: about.HTMLURL,
	}
	if w.Data.IncidentKey != "" {
		c.Names = append(c.Names, w.Data.IncidentKey)
	}
	into, merged := w.merged()
	if merged {
		c.Status, c.Word, c.Also, c.URL = "", "", also(into.ID), into.HTMLURL
	}
	isKnown, err := anyOf(ctx, c.Names, known)
	if err != nil {
		return c, false
	}
	var alerts []alert
	if m.settings.Token != "" && !(isKnown && c.Status == "") && (len(c.TicketIDs) == 0 || m.isLate(c)) {
		var out dispatch.Outcome
		alerts, out = m.alertsOf(ctx, cmp.Or(into.ID, about.ID), "") // a merge takes the alerts along
		if out.Kind() != dispatch.OutcomeDelivered && !m.goOn(ctx, out, isKnown) {
			return c, false
		}
	}
	c.Names = namesOf(c, alerts)
	c.Echo = m.isEcho(ctx, w, alerts)
	if !m.isLate(c) {
		return c, true
	}
	return m.now(ctx, c, about.ID, known)
}

// also is an incident's id as a further name.
func also(id string) []string {
	if !idForm.MatchString(id) {
		return nil
	}
	return []string{id}
}

func anyOf(ctx context.Context, names []string, known knows) (bool, error) {
	for _, name := range names {
		if is, err := known(ctx, name); is || err != nil {
			return is, err
		}
	}
	return false, nil
}

// goOn tells whether to take an event without the answer to a question. A token
// that is not accepted will not be so tomorrow either, and PagerDuty would try in
// vain until it ends the subscription.
func (m *messenger) goOn(ctx context.Context, out dispatch.Outcome, isKnown bool) bool {
	if out.Kind() == dispatch.OutcomeDeferred && !isKnown {
		return false
	}
	m.world.Log.WarnContext(ctx, "a webhook of PagerDuty is taken in without asking back", "error", out.Err())
	return true
}

// namesOf are the names of the copies that a change is about. One incident may
// hold alerts of several tickets, so those it holds now are better than what was
// known of it. An alert that is resolved beside open ones stays so.
func namesOf(c dispatch.StatusChange, alerts []alert) []string {
	if len(alerts) == 0 {
		return c.Names
	}
	var keys []string
	hasOpen := slices.ContainsFunc(alerts, func(a alert) bool { return !a.isResolved() })
	for _, a := range alerts {
		stays := a.isResolved() && hasOpen && c.Status == dispatch.TicketAcknowledged
		if a.key != "" && !stays && !slices.Contains(keys, a.key) {
			keys = append(keys, a.key)
		}
	}
	return keys
}

// isEcho tells whether an event is our own doing that comes back. An incident is
// triggered by events alone. Events by an integration are ours unless the alerts
// say that ours came through another one; a user may be that of the token.
func (m *messenger) isEcho(ctx context.Context, w webhook, alerts []alert) bool {
	switch {
	case w.Type == eventTriggered:
		return w.by() == ""
	case w.Agent == nil:
		return false
	case w.Agent.Type == agentUser:
		return m.isBot(ctx, w.Agent.ID)
	case w.Agent.Type != agentIntegration:
		return false
	}
	var ours []string
	for _, a := range alerts {
		if a.integration != "" && strings.HasPrefix(a.key, m.world.Instance+":") {
			ours = append(ours, a.integration)
		}
	}
	return len(ours) == 0 || slices.Contains(ours, w.Agent.ID)
}

// isLate tells whether a change of a status is to be looked at again.
func (m *messenger) isLate(c dispatch.StatusChange) bool {
	return m.settings.Token != "" && c.Status != "" && !c.At.IsZero() && time.Since(c.At) > lateness
}

// now is how the incident stands, in the place of an event that came late.
func (m *messenger) now(ctx context.Context, c dispatch.StatusChange, id string, known knows) (dispatch.StatusChange, bool) {
	asked := time.Now()
	i, out := m.incidentByID(ctx, id)
	if out.Kind() != dispatch.OutcomeDelivered {
		return c, m.goOn(ctx, out, false)
	}
	if i.status != c.Status {
		c.By, c.Text = "", ""
	}
	c.Status, c.Word, c.Level, c.AskedAt, c.At, c.Echo = i.status, i.word, true, asked, time.Time{}, false
	if i.into != "" {
		c.Status, c.Word, c.Also = "", "", also(i.into)
		return c, true
	}
	if i.status != dispatch.TicketClosed {
		return c, true
	}
	return m.lasting(ctx, c, id, known)
}

// lasting is how a resolved incident stands, for the copies that it still is. The
// next event with the key of a resolved alert opens another incident, and what
// the one before says then is no news.
func (m *messenger) lasting(ctx context.Context, c dispatch.StatusChange, id string, known knows) (dispatch.StatusChange, bool) {
	var names []string
	anyReplaced := false
	for _, name := range c.Names {
		is, err := known(ctx, name)
		if err != nil {
			return c, false
		}
		if name == id || !is {
			names = append(names, name)
			continue
		}
		replaced, ok := m.isReplaced(ctx, id, name)
		if !ok {
			return c, false
		}
		if replaced {
			anyReplaced = true
			continue
		}
		names = append(names, name)
	}
	if anyReplaced { // its id and its ticket mean the same copies
		c.TicketIDs = nil
		names = slices.DeleteFunc(names, func(name string) bool { return name == id })
	}
	if len(names) == 0 {
		c.Status, c.Word, c.URL, c.Also = "", "", "", nil
		return c, true
	}
	c.Names = names
	return c, true
}

// isReplaced tells whether a newer incident has the alert with a key; not ok when
// that cannot be known now.
func (m *messenger) isReplaced(ctx context.Context, id, key string) (is, ok bool) {
	newest, out := m.incidentOf(ctx, key)
	if out.Kind() != dispatch.OutcomeDelivered {
		return false, m.goOn(ctx, out, false)
	}
	return newest != nil && newest.id != id, true
}

// isBot tells whether a user is that of the token, who writes nothing unless
// settings.from says so. It is asked once.
func (m *messenger) isBot(ctx context.Context, id string) bool {
	if m.settings.Token == "" || m.settings.From == "" {
		return false
	}
	if m.me() == nil {
		c := m.call()
		user, err := m.client(c).GetCurrentUserWithContext(ctx, pagerduty.GetCurrentUserOptions{})
		switch out := answered(c); {
		case out.Kind() == dispatch.OutcomeDelivered && err == nil:
			m.know(user.ID)
		case out.Kind() == dispatch.OutcomeRefused: // a token of the account belongs to no user
			m.know("")
		default:
			return false
		}
	}
	return *m.me() == id
}

func (m *messenger) me() *string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bot
}

func (m *messenger) know(bot string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bot = &bot
}
