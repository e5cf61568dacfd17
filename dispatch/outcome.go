package dispatch

import (
	"time"
	"unicode/utf8"
)

// OutcomeKind is how an attempt ended.
type OutcomeKind string

// The outcome kinds. LOST is given by the books alone: the process died.
const (
	OutcomeDelivered     OutcomeKind = "DELIVERED"
	OutcomeDeferred      OutcomeKind = "DEFERRED"
	OutcomeRefused       OutcomeKind = "REFUSED"
	OutcomeMisconfigured OutcomeKind = "MISCONFIGURED"
	OutcomeUncertain     OutcomeKind = "UNCERTAIN"
	OutcomeLost          OutcomeKind = "LOST"
)

// Outcome is what the world answered; a Go error is our own failing. The zero
// Outcome is deferred: when in doubt, try again.
type Outcome struct {
	kind     OutcomeKind
	err      error
	ref      Ref
	after    time.Duration
	exchange Exchange
	note     string
	gone     bool
}

// Ref is what the receiver calls the thing it made.
type Ref struct {
	ID   string
	URL  string
	Data map[string]string // what a later update needs, such as Slack's channel and ts
	Also []string          // further names of the thing, by which what comes in may call it
	Word string            // what the receiver calls the state of it
	// Shows is the status that its state stands for; "" means OPEN after Deliver
	// and the ticket's status after Update.
	Shows TicketStatus
	// Loose says that nothing will follow it: no status is sent to it or expected.
	Loose bool
}

// Exchange is what went over the wire, for the attempt's record. Whoever fills
// it masks the secrets; it is cut to size when it is stored.
type Exchange struct {
	HTTPStatus int  // 0 when there was no HTTP answer
	Request    JSON // such as {"method": "POST", "url": …, "body": …}
	Response   string
}

// Delivered says that the receiver has it.
func Delivered(ref Ref) Outcome { return Outcome{kind: OutcomeDelivered, ref: ref} }

// Deferred says that it may succeed later.
func Deferred(err error) Outcome { return Outcome{kind: OutcomeDeferred, err: err} }

// Refused says that it never will succeed.
func Refused(err error) Outcome { return Outcome{kind: OutcomeRefused, err: err} }

// Misconfigured says that it never will until a person acts: it pauses the
// actor. The error names the field or the permission.
func Misconfigured(err error) Outcome { return Outcome{kind: OutcomeMisconfigured, err: err} }

// Unsure says that the answer was lost after a write: to be settled by
// asking, not by guessing.
func Unsure(err error) Outcome { return Outcome{kind: OutcomeUncertain, err: err} }

// After keeps the time that the receiver asked to wait.
func (o Outcome) After(d time.Duration) Outcome {
	o.after = d
	return o
}

// Over keeps what went over the wire.
func (o Outcome) Over(e Exchange) Outcome {
	o.exchange = e
	return o
}

// Noting says what the receiver told that belongs on the ticket's ledger.
func (o Outcome) Noting(text string) Outcome {
	o.note = text
	return o
}

// Gone says of a refused update that the copy is not there any more: it is
// detached, and nothing has failed.
func (o Outcome) Gone() Outcome {
	o.gone = true
	return o
}

// Kind is the outcome's kind; DEFERRED for the zero Outcome.
func (o Outcome) Kind() OutcomeKind {
	if o.kind == "" {
		return OutcomeDeferred
	}
	return o.kind
}

// Err is why it was not delivered; nil when it was.
func (o Outcome) Err() error { return o.err }

// Ref is what the receiver calls it; zero when nothing is known.
func (o Outcome) Ref() Ref { return o.ref }

// Note is what belongs on the ticket's ledger; "" when nothing does.
func (o Outcome) Note() string { return o.note }

// IsGone tells that the copy to update is not there any more.
func (o Outcome) IsGone() bool { return o.gone }

// Wait is the time that the receiver asked to wait; 0 when it did not.
func (o Outcome) Wait() time.Duration { return o.after }

// Exchange is what went over the wire.
func (o Outcome) Exchange() Exchange { return o.exchange }

// Limits of what an attempt's record keeps, in bytes.
const (
	maxRequestKept  = 32 << 10
	maxResponseKept = 4 << 10
	maxErrorKept    = 1 << 10
)

// Cut shortens a text to at most n bytes at a character's border and says so.
func Cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const note = "… [cut]"
	end := max(n-len(note), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + note
}
