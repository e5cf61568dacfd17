package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"tocsin/dispatch"
)

// What PagerDuty calls the states of an incident.
const (
	wordTriggered    = "triggered"
	wordAcknowledged = "acknowledged"
	wordResolved     = "resolved"
)

var statuses = map[string]dispatch.TicketStatus{
	wordTriggered: dispatch.TicketOpen, wordAcknowledged: dispatch.TicketAcknowledged, wordResolved: dispatch.TicketClosed,
}

// Update brings the incident to the ticket's status by events with the key that
// made the alert. An incident that was resolved stays so: a new one takes its
// place. Only the REST API can take an acknowledgement back. A trigger too many
// joins the open alert, so one is sent wherever the incident may be resolved.
// Source: developer.pagerduty.com, Events API v2, event action.
func (m *messenger) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	s, ok := u.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of PagerDuty", u.Settings))
	}
	want := u.Ticket.Status
	if want == dispatch.TicketClosed {
		return m.move(ctx, u, "resolve", wordResolved)
	}
	out := dispatch.Delivered(dispatch.Ref{Word: wordTriggered})
	if mayShow(u.Link, dispatch.TicketClosed) {
		out = m.again(ctx, s, u)
	}
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case want == dispatch.TicketAcknowledged:
		return m.move(ctx, u, "acknowledge", wordAcknowledged)
	case u.Link.Seen != dispatch.TicketClosed && mayShow(u.Link, dispatch.TicketAcknowledged):
		return m.takeBack(ctx, s, u)
	default:
		return out
	}
}

// mayShow tells whether the copy shows a status, or may: by the last word that
// came from there, or because it was set there and the answer was lost.
func mayShow(l dispatch.TicketLink, s dispatch.TicketStatus) bool {
	if l.Seen == s || (l.ExternalStatus != nil && statuses[*l.ExternalStatus] == s) {
		return true
	}
	return slices.ContainsFunc(l.Echoes, func(w dispatch.Written) bool {
		return w.Status == s && l.WroteAt != nil && w.At.After(*l.WroteAt)
	})
}

// isSettling tells that the REST API may not know yet what was written there.
func isSettling(l dispatch.TicketLink) bool {
	return l.WroteAt != nil && time.Since(*l.WroteAt) < settling
}

func (m *messenger) move(ctx context.Context, u dispatch.StatusUpdate, action, word string) dispatch.Outcome {
	return m.send(ctx, &pagerduty.V2Event{Action: action, DedupKey: u.Link.ExternalID}, dispatch.Ref{Word: word})
}

// again triggers the alert anew, under the key that it had.
func (m *messenger) again(ctx context.Context, s *ConfigSettings, u dispatch.StatusUpdate) dispatch.Outcome {
	p := dispatch.Parcel{DeliveryID: u.DeliveryID, Alert: u.Alert, Ticket: &u.Ticket, TicketURL: u.TicketURL, Link: &u.Link}
	return m.trigger(ctx, s, p, dispatch.Ref{Word: wordTriggered})
}

// takeBack brings an acknowledged incident back to triggered.
func (m *messenger) takeBack(ctx context.Context, s *ConfigSettings, u dispatch.StatusUpdate) dispatch.Outcome {
	if m.settings.Token == "" || m.settings.From == "" {
		return dispatch.Refused(errors.New("the Events API cannot take an acknowledgement back: give secrets.token and settings.from, or reassign the incident in PagerDuty"))
	}
	i, out := m.incidentOf(ctx, u.Link.ExternalID)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case isSettling(u.Link) && (i == nil || i.status == dispatch.TicketClosed):
		return dispatch.Deferred(errors.New("PagerDuty does not show yet what was sent a moment ago")).After(settling).Over(out.Exchange())
	case i == nil:
		return dispatch.Refused(errors.New("secrets.token sees no incident with this ticket's alert; check that it is of the same account as secrets.integrationKey")).Over(out.Exchange())
	case i.status == dispatch.TicketClosed:
		return m.again(ctx, s, u)
	case i.status == dispatch.TicketOpen:
		return dispatch.Delivered(i.ref()).Over(out.Exchange())
	default:
		return m.put(ctx, i)
	}
}

func (m *messenger) put(ctx context.Context, i *incident) dispatch.Outcome {
	c := m.call()
	wanted := []pagerduty.ManageIncidentsOptions{{ID: i.id, Status: wordTriggered}}
	_, _ = m.client(c).ManageIncidentsWithContext(ctx, m.settings.From, wanted) // the call knows better what was answered
	out := answered(c)
	f := faultOf(c.Body())
	switch {
	case out.Kind() == dispatch.OutcomeDelivered, f.is(notAcknowledged, "not acknowledged"):
		i.word = wordTriggered
		return dispatch.Delivered(i.ref()).Over(c.Exchange())
	case f.is(alreadyResolved, "Already Resolved"):
		return dispatch.Deferred(out.Err()).Over(c.Exchange()) // the next try finds it resolved and triggers a new one
	default:
		return out
	}
}
