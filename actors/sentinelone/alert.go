package sentinelone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/dispatch"
)

// alert is what we read of a Unified Alert; the schema differs between consoles,
// so it is little.
type alert struct {
	ID, Name, Status, AnalystVerdict, TicketID string
	UpdatedAt                                  time.Time
}

const alertFields = "{ id name status analystVerdict ticketId updatedAt }"

// alertStatuses are read; FALSE_POSITIVE is an older console's and never written.
var alertStatuses = map[string]dispatch.TicketStatus{
	"NEW": dispatch.TicketOpen, "IN_PROGRESS": dispatch.TicketAcknowledged,
	"RESOLVED": dispatch.TicketClosed, "FALSE_POSITIVE": dispatch.TicketClosed,
}

var alertWords = map[dispatch.TicketStatus]string{
	dispatch.TicketOpen: "NEW", dispatch.TicketAcknowledged: "IN_PROGRESS", dispatch.TicketClosed: "RESOLVED",
}

// alertVerdicts are those of alerts that a threat's verdicts stand for.
var alertVerdicts = map[string]string{
	"undefined": "UNDEFINED", "true_positive": "TRUE_POSITIVE_UNDEFINED", "false_positive": "FALSE_POSITIVE_UNDEFINED",
	"suspicious": "TRUE_POSITIVE_BENIGN_BUT_SUSPICIOUS",
}

func (a *alert) ref() dispatch.Ref {
	return dispatch.Ref{ID: a.ID, Word: a.word(), Shows: alertStatuses[a.Status]}
}

func (a *alert) word() string {
	if a.AnalystVerdict == "" || a.AnalystVerdict == "UNDEFINED" {
		return a.Status
	}
	return a.Status + ", " + a.AnalystVerdict
}

func (a *alert) facts() string {
	return fmt.Sprintf("alert %s, verdict %s, status %s", a.Name, a.AnalystVerdict, a.Status)
}

// alert is the one of an id; nil when there is none, or the token does not see it.
func (m *messenger) alert(ctx context.Context, id string) (*alert, dispatch.Outcome) {
	var found struct{ Alert json.RawMessage }
	said, out := m.graphql(ctx, "query Alert($id: ID!) { alert(id: $id) "+alertFields+" }", object{"id": id}, &found)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return nil, out
	case said != "":
		return nil, dispatch.Refused(errors.New("the console did not show the alert: " + said)).Over(out.Exchange())
	case len(found.Alert) == 0:
		return nil, dispatch.Deferred(errors.New("the console's answer holds no alert")).Over(out.Exchange())
	}
	var a *alert
	if err := json.Unmarshal(found.Alert, &a); err != nil {
		return nil, dispatch.Deferred(errors.New("the console's answer holds no alert that can be read")).Over(out.Exchange())
	}
	return a, out
}

func (w *work) onAlert(ctx context.Context) dispatch.Outcome {
	if !uuidForm.MatchString(w.target) {
		return dispatch.Refused(fmt.Errorf("settings.target gave %q, which is not an alert's UUID; check where the alert names it", dispatch.Cut(w.target, 100)))
	}
	a, out := w.alert(ctx, w.target)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	w.last = out.Exchange()
	if a == nil {
		return dispatch.Refused(fmt.Errorf("the console shows no alert %s; check the id, and what the token sees", w.target)).Over(w.last)
	}
	if w.parcel.Test {
		return w.preview(a.facts())
	}
	out = w.operate(ctx, func(ctx context.Context, op string) dispatch.Outcome { return w.onAlertDo(ctx, a, op) })
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	ref := a.ref()
	ref.Loose = !w.config.Updates
	return dispatch.Delivered(ref).Over(w.last).Noting(w.audit(a.facts()))
}

func (w *work) onAlertDo(ctx context.Context, a *alert, op string) dispatch.Outcome {
	switch op {
	case opNote:
		return w.alertNote(ctx, a)
	case opLink:
		if w.parcel.Ticket == nil {
			return passed()
		}
		id := "T-" + strconv.Itoa(w.parcel.Ticket.Number)
		return w.alertSet(ctx, a, "setTicketId", "ticketId", id, &a.TicketID)
	case opStatus:
		if w.parcel.Ticket == nil {
			return passed()
		}
		return w.alertStatus(ctx, a, w.parcel.Ticket.Status)
	case opVerdict:
		return w.alertSet(ctx, a, "analystVerdictUpdate", "analystVerdict", alertVerdicts[w.config.Verdict], &a.AnalystVerdict)
	case opIsolate, opRelease, opScan, opMitigate, opBlock:
		return dispatch.Refused(fmt.Errorf("the operation %s is not offered for Unified Alerts; take it out of settings.operations", op))
	default:
		return unknownOperation(op)
	}
}

// alertNote writes a note unless one with the delivery's reference is there.
func (w *work) alertNote(ctx context.Context, a *alert) dispatch.Outcome {
	var notes struct {
		AlertNotes struct{ Data []struct{ Text string } }
	}
	said, out := w.graphql(ctx, "query Notes($alertId: ID!) { alertNotes(alertId: $alertId) { data { text } } }", object{"alertId": a.ID}, &notes)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case said != "":
		return dispatch.Refused(errors.New("the console did not show the alert's notes: " + said)).Over(out.Exchange())
	}
	for _, n := range notes.AlertNotes.Data {
		if strings.Contains(n.Text, reference(w.parcel)) {
			return out
		}
	}
	out = w.trigger(ctx, a.ID, "S1/alert/addNote", object{"note": object{"value": noteText(w.config, w.parcel)}})
	return w.noted(out, "a note was written")
}

// alertSet sets one value of an alert, unless it has it, and keeps it in field.
func (w *work) alertSet(ctx context.Context, a *alert, action, name, value string, field *string) dispatch.Outcome {
	if *field == value {
		return passed()
	}
	out := w.trigger(ctx, a.ID, "S1/alert/"+action, object{name: object{"value": value}})
	if out.Kind() == dispatch.OutcomeDelivered {
		*field = value
	}
	return w.noted(out, name+" "+value+" was set")
}

// alertStatus sets a status, with a close the verdict, and waits until it shows.
func (w *work) alertStatus(ctx context.Context, a *alert, status dispatch.TicketStatus) dispatch.Outcome {
	if verdict := alertVerdicts[w.config.CloseVerdict]; status == dispatch.TicketClosed && verdict != "" {
		if out := w.alertSet(ctx, a, "analystVerdictUpdate", "analystVerdict", verdict, &a.AnalystVerdict); out.Kind() != dispatch.OutcomeDelivered {
			return out
		}
	}
	if alertStatuses[a.Status] == status {
		return passed()
	}
	out := w.alertSet(ctx, a, "statusUpdate", "status", alertWords[status], &a.Status)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	return w.appears(ctx, a)
}

// appears reads an alert until it shows its new status: what the console took, it
// shows after up to five seconds.
func (w *work) appears(ctx context.Context, a *alert) dispatch.Outcome {
	for wait := 250 * time.Millisecond; ; wait *= 2 {
		now, out := w.alert(ctx, a.ID)
		switch {
		case out.Kind() != dispatch.OutcomeDelivered:
			return out
		case now == nil:
			return dispatch.Refused(fmt.Errorf("alert %s is not there any more", a.ID)).Over(out.Exchange()).Gone()
		case now.Status == a.Status:
			return out
		case wait > 4*time.Second:
			return dispatch.Deferred(fmt.Errorf("the console took the status %s of alert %s and does not show it yet", a.Status, a.ID)).After(pause).Over(out.Exchange())
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return dispatch.Deferred(fmt.Errorf("the time given ended before alert %s showed its status", a.ID)).Over(out.Exchange())
		}
	}
}

func (w *work) updateAlert(ctx context.Context) dispatch.Outcome {
	a, out := w.alert(ctx, w.target)
	switch {
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case a == nil:
		return dispatch.Refused(fmt.Errorf("the console shows no alert %s any more", w.target)).Over(out.Exchange()).Gone()
	}
	read := out.Exchange()
	if out = w.alertStatus(ctx, a, w.parcel.Ticket.Status); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if out.Exchange().HTTPStatus == 0 {
		out = out.Over(read)
	}
	return dispatch.Delivered(a.ref()).Over(out.Exchange())
}

// alertsAtOnce is how many alerts one query asks for; more may be too complex for it.
const alertsAtOnce = 25

// askAlerts asks how alerts stand. One that is missing beside an error is not
// said to be gone.
func (m *messenger) askAlerts(ctx context.Context, ids []string) ([]dispatch.StatusChange, dispatch.Outcome) {
	var changes []dispatch.StatusChange
	out := passed()
	for some := range slices.Chunk(ids, alertsAtOnce) {
		var query strings.Builder
		query.WriteString("query Alerts {")
		for i, id := range some {
			fmt.Fprintf(&query, " a%d: alert(id: %q) %s", i, id, alertFields)
		}
		asked := time.Now()
		var found map[string]*alert
		var said string
		if said, out = m.graphql(ctx, query.String()+" }", object{}, &found); out.Kind() != dispatch.OutcomeDelivered {
			return changes, out
		}
		for i, id := range some {
			a, told := found["a"+strconv.Itoa(i)]
			switch {
			case a != nil:
				changes = append(changes, dispatch.StatusChange{
					At: a.UpdatedAt, Names: []string{id}, Status: alertStatuses[a.Status], Word: a.word(), Text: a.facts(), Level: true, AskedAt: asked,
				})
			case told && said == "":
				changes = append(changes, dispatch.StatusChange{Names: []string{id}, Level: true, AskedAt: asked, Gone: true})
			}
		}
	}
	return changes, out
}
