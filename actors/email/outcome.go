package email

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tocsin/dispatch"
)

// outcome is the one outcome of all recipients. What may still come right
// counts before what never will: misconfigured, uncertain, deferred. Then the
// delivery is done when somebody it is addressed to has it; a copy is not
// enough. A test is stricter, as somebody is looking: it shows every refusal.
func (m *messenger) outcome(l *letter) dispatch.Outcome {
	l.fill()
	kept := m.exchange(l)
	for _, kind := range []dispatch.OutcomeKind{dispatch.OutcomeMisconfigured, dispatch.OutcomeUncertain, dispatch.OutcomeDeferred} {
		if l.count(kind) > 0 {
			return verdict{kind: kind}.outcome(m.mask.Text(l.trouble())).Over(kept).After(l.pause())
		}
	}
	first := l.first()
	if first == nil || l.p.Test && l.count(dispatch.OutcomeRefused) > 0 {
		return verdict{kind: dispatch.OutcomeRefused}.outcome(m.mask.Text(l.trouble())).Over(kept)
	}
	return dispatch.Delivered(l.ref(first)).Over(kept)
}

// pause is short when the time ended while all went well: the next attempt
// goes on with those who are left. Otherwise the kind's patience holds.
func (l *letter) pause() time.Duration {
	moved := false
	for _, r := range l.recipients {
		if r.verdict.kind == dispatch.OutcomeDeferred && r.verdict.text != outOfTime {
			return 0
		}
		moved = moved || r.verdict.kind == dispatch.OutcomeDelivered && !r.verdict.known
	}
	if moved && l.count(dispatch.OutcomeDeferred) > 0 {
		return time.Second
	}
	return 0
}

// fill gives a verdict to those whom no connection got to.
func (l *letter) fill() {
	for _, r := range l.recipients {
		if r.verdict.kind == "" {
			r.verdict = verdict{kind: dispatch.OutcomeDeferred, text: outOfTime}
		}
	}
}

const outOfTime = "the time given ended before its turn came"

func (l *letter) count(kind dispatch.OutcomeKind) int {
	n := 0
	for _, r := range l.recipients {
		if r.verdict.kind == kind {
			n++
		}
	}
	return n
}

// first is the first to whom it is addressed and who has it; nil when none has.
func (l *letter) first() *recipient {
	for _, r := range l.recipients {
		if !r.copy && r.verdict.kind == dispatch.OutcomeDelivered {
			return r
		}
	}
	return nil
}

// trouble names who does not have it and why, those with the same reason
// together.
func (l *letter) trouble() string {
	var reasons []string
	names := map[string][]string{}
	for _, r := range l.recipients {
		if v := r.verdict; v.kind != dispatch.OutcomeDelivered {
			if names[v.text] == nil {
				reasons = append(reasons, v.text)
			}
			names[v.text] = append(names[v.text], r.address)
		}
	}
	have := l.count(dispatch.OutcomeDelivered)
	if have == 0 && len(reasons) == 1 {
		return reasons[0]
	}
	parts := []string{fmt.Sprintf("%d of %d recipients have it", have, len(l.recipients))}
	for _, reason := range reasons {
		parts = append(parts, strings.Join(names[reason], ", ")+": "+reason)
	}
	return strings.Join(parts, "; ")
}

// exchange is the record of the attempt: the message once, and the answer for
// each recipient. Secrets are masked.
func (m *messenger) exchange(l *letter) dispatch.Exchange {
	var answers []string
	for _, r := range l.recipients {
		line := r.address + ": " + r.verdict.text
		if r.verdict.known {
			line += " (at an earlier attempt)"
		}
		answers = append(answers, line)
	}
	return dispatch.Exchange{Request: m.request(l), Response: m.mask.Text(strings.Join(answers, "\n"))}
}

// request is the message as a person wants to see it, in at most 32 KiB.
func (m *messenger) request(l *letter) dispatch.JSON {
	record := struct {
		Server  string   `json:"server"`
		TLS     string   `json:"tls"`
		From    string   `json:"from"`
		To      []string `json:"to"`
		Thread  string   `json:"thread,omitempty"`
		Subject string   `json:"subject"`
		Text    string   `json:"text"`
	}{m.server(), m.s.TLS, l.from.String(), nil, l.thread(), m.mask.Text(l.body.subject), ""}
	for _, r := range l.recipients {
		record.To = append(record.To, m.mask.Text(dispatch.Cut(r.address, maxAnswerShown)))
	}
	text := m.mask.Text(l.body.text)
	for size := maxRequest / 2; size > 0; size /= 2 { // how much fits depends on how much must be escaped
		record.Text = dispatch.Cut(text, size)
		if kept, err := json.Marshal(record); err == nil && len(kept) <= maxRequest {
			return kept
		}
	}
	return nil
}

const maxRequest = 32 << 10

// notice tells a person who was refused, though the delivery is done.
func (m *messenger) notice(ctx context.Context, l *letter) {
	if l.count(dispatch.OutcomeRefused) == 0 || m.world.Notify == nil {
		return
	}
	refused := "refused"
	n := dispatch.Notification{
		ID: dispatch.NewID(dispatch.PrefixNotification), Title: "An email did not reach every recipient",
		Message:  dispatch.Cut("Correct or remove the addresses in the API config. "+m.mask.Text(l.trouble()), maxNotice),
		Severity: dispatch.Medium, Category: "Delivery", SubCategory: &refused, Source: "Email",
		AlertID: &l.p.Alert.ID, DeliveryID: &l.p.DeliveryID, CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
	if l.p.Ticket != nil {
		n.TicketID = &l.p.Ticket.ID
	}
	if err := m.world.Notify(ctx, n); err != nil && m.world.Log != nil {
		m.world.Log.Warn("a notification about refused recipients was not written", "delivery", l.p.DeliveryID, "error", err)
	}
}

const maxNotice = 4_000
