package sentinelone

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

// maxNote is the length that we keep a note to; the console's own is not known.
const maxNote = 4000

// reference marks a note of ours. A note is not idempotent: before one is
// written it is looked for by this.
func reference(p dispatch.Parcel) string { return "[ref " + p.DeliveryID + "]" }

func noteText(c *ConfigSettings, p dispatch.Parcel) string {
	mark := reference(p)
	return strings.TrimSpace(clip.Characters(c.Note, maxNote-len(mark)-1) + " " + mark)
}

func (w *work) note(ctx context.Context) dispatch.Outcome {
	var notes page[struct{ Text string }]
	newest := url.Values{"sortBy": {"createdAt"}, "sortOrder": {"desc"}, "limit": {"1000"}}
	out := w.ask(ctx, "/threats/"+w.threat.ID+"/notes", newest, rightView, &notes)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	for _, n := range notes.Data {
		if strings.Contains(n.Text, reference(w.parcel)) {
			return out
		}
	}
	count, out := w.act(ctx, "/threats/notes", rightView, w.threat.ID, object{"text": noteText(w.config, w.parcel)})
	if out.Kind() == dispatch.OutcomeDelivered && count == 0 && !isBare(out) {
		return dispatch.Refused(fmt.Errorf("the console wrote no note on threat %s; check that the token's role may", w.threat.ID)).Over(out.Exchange())
	}
	return w.noted(out, "a note was written")
}

// isBare tells whether a write was answered without a body, so without a count.
func isBare(out dispatch.Outcome) bool { return strings.TrimSpace(out.Exchange().Response) == "" }

// noted keeps for the ledger what was done, when it was.
func (w *work) noted(out dispatch.Outcome, text string) dispatch.Outcome {
	if out.Kind() == dispatch.OutcomeDelivered {
		w.asked(text)
	}
	return out
}

// settle is the outcome of a write that may have changed nothing: already so, not
// found and not visible all look alike, so the threat is read back.
func (w *work) settle(ctx context.Context, count int, out dispatch.Outcome, text, right string, holds func(t *threat) bool) dispatch.Outcome {
	if out.Kind() != dispatch.OutcomeDelivered || count > 0 {
		return w.noted(out, text)
	}
	t, out := w.messenger.threat(ctx, w.threat.ID)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case t == nil:
		return dispatch.Refused(fmt.Errorf("threat %s is not there any more, or the token does not see it", w.threat.ID)).Over(out.Exchange()).Gone()
	case !holds(t):
		return dispatch.Refused(fmt.Errorf("the console changed nothing at threat %s: it was not so that %s; check the permission %s and that the operation is possible there", t.ID, text, right)).Over(out.Exchange())
	default:
		w.threat = t
		return w.noted(out, text)
	}
}

func (w *work) link(ctx context.Context) dispatch.Outcome {
	if w.parcel.Ticket == nil {
		return passed()
	}
	id := "T-" + strconv.Itoa(w.parcel.Ticket.Number)
	if w.threat.Info.ExternalTicketID == id {
		return passed()
	}
	count, out := w.act(ctx, "/threats/external-ticket-id", rightTicket, w.threat.ID, object{"externalTicketId": id})
	return w.settle(ctx, count, out, "ticket id "+id+" was set", rightTicket, func(t *threat) bool { return t.Info.ExternalTicketID == id })
}

func (w *work) setStatus(ctx context.Context) dispatch.Outcome {
	if w.parcel.Ticket == nil {
		return passed()
	}
	return w.setIncident(ctx, w.parcel.Ticket.Status)
}

// setIncident brings the threat to a ticket's status, whatever it has; the
// verdict of a close goes with it.
func (w *work) setIncident(ctx context.Context, status dispatch.TicketStatus) dispatch.Outcome {
	word, verdict := words[status], ""
	if status == dispatch.TicketClosed {
		verdict = w.config.CloseVerdict
	}
	holds := func(t *threat) bool {
		return t.Info.IncidentStatus == word && (verdict == "" || t.Info.AnalystVerdict == verdict)
	}
	if holds(w.threat) {
		return passed()
	}
	data, right := object{"incidentStatus": word}, rightStatus
	if verdict != "" {
		data["analystVerdict"] = verdict
		right += " and " + rightVerdict
	}
	count, out := w.act(ctx, "/threats/incident", right, w.threat.ID, data)
	out = w.settle(ctx, count, out, "status "+word+" was set", right, holds)
	if out.Kind() == dispatch.OutcomeDelivered {
		w.threat.Info.IncidentStatus = word
		if verdict != "" {
			w.threat.Info.AnalystVerdict = verdict
		}
	}
	return out
}

func (w *work) setVerdict(ctx context.Context) dispatch.Outcome {
	verdict := w.config.Verdict
	if w.threat.Info.AnalystVerdict == verdict {
		return passed()
	}
	count, out := w.act(ctx, "/threats/analyst-verdict", rightVerdict, w.threat.ID, object{"analystVerdict": verdict})
	out = w.settle(ctx, count, out, "verdict "+verdict+" was set", rightVerdict, func(t *threat) bool { return t.Info.AnalystVerdict == verdict })
	if out.Kind() == dispatch.OutcomeDelivered {
		w.threat.Info.AnalystVerdict = verdict
	}
	return out
}

// mitigate queues the work at the host; whether it worked shows later. One that
// is queued or done is not asked for again.
func (w *work) mitigate(ctx context.Context) dispatch.Outcome {
	action := w.config.Mitigation
	begun := func(t *threat) bool {
		return slices.ContainsFunc(t.Mitigations, func(m struct{ Action, Status string }) bool {
			return m.Action == action && m.Status != "failed"
		})
	}
	if begun(w.threat) {
		return passed()
	}
	right := "Threats." + strings.TrimSuffix(action, "-remediation")
	count, out := w.act(ctx, "/threats/mitigate/"+action, right, w.threat.ID, object{})
	return w.settle(ctx, count, out, action+" was requested", right, begun)
}

// block puts a hash on the blocklist of the host's site. One that is on it is
// blocked.
func (w *work) block(ctx context.Context, hash, site, system string) dispatch.Outcome {
	hash = strings.TrimSpace(hash)
	if !sha1Form.MatchString(hash) {
		return dispatch.Refused(fmt.Errorf("settings.hash gave %q, which is not a SHA-1 of 40 hexadecimal digits", dispatch.Cut(hash, 100)))
	}
	if !idForm.MatchString(site) {
		return dispatch.Refused(fmt.Errorf("the console does not tell the site of %s, so there is no blocklist to put the hash on", w.target))
	}
	body := object{
		"data":   object{"value": strings.ToLower(hash), "type": "black_hash", "osType": system, "source": "tocsin", "description": reference(w.parcel)},
		"filter": object{"siteIds": []string{site}},
	}
	out := w.send(ctx, request{method: http.MethodPost, path: "/restrictions", body: body, right: "to add to the blocklist"}, &struct{}{})
	if out.Exchange().HTTPStatus == http.StatusBadRequest && strings.Contains(out.Exchange().Response, "Already exists") {
		return dispatch.Delivered(dispatch.Ref{}).Over(out.Exchange())
	}
	return w.noted(out, "hash "+strings.ToLower(hash)+" was put on the blocklist of site "+site)
}
