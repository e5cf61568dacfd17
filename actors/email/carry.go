package email

import (
	"context"
	"time"

	"tocsin/dispatch"
)

// room is the time without which no further message is begun: one that is cut
// off after its last line leaves open whether it was taken.
const room = 4 * time.Second

// carry sends the letter to all who have no verdict yet, over as many
// connections as it takes, for as long as each connection brings it further.
func (m *messenger) carry(ctx context.Context, l *letter) {
	for len(l.waiting()) > 0 {
		if further := m.batch(ctx, l); !further || !enough(ctx) {
			return
		}
	}
}

// batch goes through one connection and tells whether it settled anything.
func (m *messenger) batch(ctx context.Context, l *letter) (further bool) {
	s, v := m.connect(ctx)
	if s == nil {
		l.all(v)
		return false
	}
	defer s.close()
	s.client.SkipSMTPUTF8(!l.beyondASCII())
	for _, r := range l.waiting() {
		if further && !enough(ctx) {
			return true
		}
		r.verdict = m.hand(s, l, r)
		if r.verdict.kind == dispatch.OutcomeMisconfigured {
			l.all(r.verdict)
			return false
		}
		further = further || !r.verdict.again
		if s.over {
			break
		}
	}
	if last := l.waiting(); !further && len(last) > 0 {
		l.all(last[0].verdict)
	}
	return further
}

// hand sends the letter to one recipient.
func (m *messenger) hand(s *session, l *letter, r *recipient) verdict {
	message, err := l.message(r, time.Now())
	if err != nil {
		return verdict{kind: dispatch.OutcomeRefused, text: "the message cannot be written: " + err.Error()}
	}
	if ok, _ := s.client.Extension("SMTPUTF8"); !ok && !ascii(r.address) {
		return verdict{kind: dispatch.OutcomeRefused, text: s.host + " takes no addresses with letters beyond ASCII (SMTPUTF8)"}
	}
	v := s.send(l.from.Address, r.address, message)
	if v.full && l.p.Attempt < fullTries {
		v.kind = dispatch.OutcomeDeferred
	}
	return v
}

// fullTries is how often a mailbox is tried that is full: it may be emptied.
const fullTries = 5

// enough tells whether there is time for another message.
func enough(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() == nil && (!limited || time.Until(deadline) > room)
}

// waiting are the recipients whom another connection may serve.
func (l *letter) waiting() []*recipient {
	var out []*recipient
	for _, r := range l.recipients {
		if r.verdict.kind == "" || r.verdict.again {
			out = append(out, r)
		}
	}
	return out
}

// all gives a verdict to those who have no final one.
func (l *letter) all(v verdict) {
	for _, r := range l.waiting() {
		r.verdict = v
	}
}

func (l *letter) beyondASCII() bool {
	if !ascii(l.from.Address) {
		return true
	}
	for _, r := range l.recipients {
		if !ascii(r.address) {
			return true
		}
	}
	return false
}

func ascii(text string) bool {
	for _, r := range text {
		if r > '~' {
			return false
		}
	}
	return true
}
