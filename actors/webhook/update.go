package webhook

import (
	"context"
	"fmt"
	"time"

	"tocsin/dispatch"
)

// updated is the type of the event that tells a ticket's status.
const updated = "ticket.updated"

// Update sends the ticket as it is now. The receiver knows a repeat by its
// webhook-id.
func (m *messenger) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	s, ok := u.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of a webhook", u.Settings))
	}
	e := event{id: u.DeliveryID, name: updated, subject: "ticket/" + u.Ticket.ID, at: changed(u.Ticket), data: update{
		Alert:    reference{u.Alert.ID},
		Ticket:   ticketOf(&u.Ticket, u.TicketURL),
		Delivery: delivery{ID: u.DeliveryID, Attempt: u.Attempt},
	}}
	l, err := e.write(s.Envelope, m.world.Instance)
	if err != nil {
		return dispatch.Refused(fmt.Errorf("write the message: %w", err))
	}
	_, out := m.send(ctx, u.DeliveryID, l)
	return out
}

// changed is when the ticket became what it is.
func changed(t dispatch.Ticket) time.Time {
	if t.UpdatedAt.IsZero() {
		return t.OpenedAt
	}
	return t.UpdatedAt
}
