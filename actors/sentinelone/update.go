package sentinelone

import (
	"context"
	"fmt"

	"tocsin/dispatch"
)

// Update sets the threat's incident status, and with a close its verdict,
// whatever they were before.
func (m *messenger) Update(ctx context.Context, u dispatch.StatusUpdate) dispatch.Outcome {
	s, ok := u.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of SentinelOne", u.Settings))
	}
	w := &work{messenger: m, config: s, target: u.Link.ExternalID}
	w.parcel = dispatch.Parcel{DeliveryID: u.DeliveryID, Alert: u.Alert, Ticket: &u.Ticket, TicketURL: u.TicketURL}
	if uuidForm.MatchString(w.target) {
		return w.updateAlert(ctx)
	}
	t, out := m.threat(ctx, w.target)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case t == nil:
		return dispatch.Refused(fmt.Errorf("the console shows no threat %s any more", w.target)).Over(out.Exchange()).Gone()
	}
	w.threat = t
	read := out.Exchange()
	if out = w.setIncident(ctx, u.Ticket.Status); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if out.Exchange().HTTPStatus == 0 {
		out = out.Over(read)
	}
	return dispatch.Delivered(m.ref(w.threat)).Over(out.Exchange())
}
