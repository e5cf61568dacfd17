package peplink

import (
	"context"
	"errors"
	"net/http"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// reboot restarts one device, once for a ticket. Source of the path: public
// clients that have it from the vendor's catalogue of calls.
func (m *messenger) reboot(ctx context.Context, s *ConfigSettings, p dispatch.Parcel) dispatch.Outcome {
	if !m.settings.AllowReboot {
		return dispatch.Refused(errors.New("reboot is not allowed: a person must turn settings.allowReboot of the actor on"))
	}
	d, out := m.theDevice(ctx, s)
	if out.Kind() != dispatch.OutcomeDelivered {
		return unlost(out)
	}
	ref := dispatch.Ref{ID: "reboot/" + d.ID.String(), Word: "rebooted"}
	switch {
	case p.Test:
		return found(out, "Found exactly one device, "+d.named()+". An alert would reboot it. Nothing was changed.")
	case p.Link != nil && p.Link.ExternalID == ref.ID:
		return dispatch.Delivered(ref).Over(out.Exchange()).Noting("InControl: " + d.named() + " was rebooted for this ticket before, and is not once more")
	}
	out = m.restart(ctx, d)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	return dispatch.Delivered(ref).Over(out.Exchange()).Noting("InControl: a reboot of " + d.named() + " was requested")
}

// restart asks for the reboot. Whatever does not say clearly that it was not
// done leaves it uncertain, so that it is never done twice.
func (m *messenger) restart(ctx context.Context, d device) dispatch.Outcome {
	out := m.send(ctx, http.MethodPost, m.place("g", d.group, "d", d.ID.String(), "tools", "reboot"), nil, nil)
	status := out.Exchange().HTTPStatus
	passing := call.Passing(status) && status != http.StatusTooManyRequests
	unread := status >= http.StatusOK && status < http.StatusMultipleChoices
	if out.Kind() == dispatch.OutcomeDeferred && (passing || unread) {
		return dispatch.Unsure(out.Err()).Over(out.Exchange())
	}
	return out
}

// found is the outcome of a test message, which looks and changes nothing.
func found(out dispatch.Outcome, text string) dispatch.Outcome {
	kept := out.Exchange()
	kept.Response = text
	return dispatch.Delivered(dispatch.Ref{Loose: true}).Over(kept).Noting(text)
}
