package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"tocsin/dispatch"
)

// letter is one delivery's message before it is addressed to one recipient.
type letter struct {
	instance   string
	from       *mail.Address
	replyTo    *mail.Address
	to, cc     []*mail.Address
	recipients []*recipient
	body       body
	p          dispatch.Parcel
}

// recipient is one address, which gets a message of its own.
type recipient struct {
	address string
	copy    bool // has it for information: cc or bcc
	verdict verdict
}

func (m *messenger) letter(s *ConfigSettings, p dispatch.Parcel) *letter {
	l := &letter{instance: m.world.Instance, from: m.from, replyTo: m.replyTo, body: compose(s, p), p: p}
	l.to = l.add("to", s.To)
	l.cc = l.add("cc", s.Cc)
	l.add("bcc", s.Bcc)
	return l
}

// add takes a list of recipients, each once whatever lists they are in, and
// returns those of the list. An entry that is no address is refused on its own.
func (l *letter) add(field string, list []string) []*mail.Address {
	var out []*mail.Address
	for i, text := range list {
		found, err := address(fmt.Sprintf("settings.%s.%d", field, i), text)
		r := &recipient{address: oneLine(dispatch.Cut(text, maxAnswerShown)), copy: field != "to"}
		if err != nil {
			r.verdict = verdict{kind: dispatch.OutcomeRefused, text: err.Error()}
			l.recipients = append(l.recipients, r)
			continue
		}
		out = append(out, found)
		if r.address = found.Address; !l.has(r.address) {
			l.recipients = append(l.recipients, r)
		}
	}
	return out
}

func (l *letter) has(address string) bool {
	for _, r := range l.recipients {
		if strings.EqualFold(r.address, address) {
			return true
		}
	}
	return false
}

// message is the letter as one recipient gets it. Header names are ours, and no
// text of others goes where the library does not encode it.
func (l *letter) message(r *recipient, now time.Time) ([]byte, error) {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(l.body.boundary(l.p.DeliveryID)))
	m.FromMailAddress(l.from)
	m.ToMailAddress(l.to...)
	if len(l.cc) > 0 {
		m.CcMailAddress(l.cc...)
	}
	if l.replyTo != nil {
		m.ReplyToMailAddress(l.replyTo)
	}
	m.Subject(l.body.subject)
	m.SetMessageIDWithValue(l.id(r))
	m.SetDateWithValue(now)
	m.SetBulk() // Precedence and X-Auto-Response-Suppress: no holiday notes come back
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	if thread := l.thread(); thread != "" {
		m.SetGenHeader(gomail.HeaderInReplyTo, thread)
		m.SetGenHeader(gomail.HeaderReferences, thread)
	}
	if l.p.Alert.Severity == dispatch.Critical {
		m.SetImportance(gomail.ImportanceHigh)
	}
	m.SetBodyString(gomail.TypeTextPlain, l.body.text)
	if l.body.html != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, l.body.html)
	}
	var out bytes.Buffer
	_, err := m.WriteTo(&out)
	return out.Bytes(), err
}

// id is the Message-ID without its brackets, the same at every attempt.
func (l *letter) id(r *recipient) string {
	sum := sha256.Sum256([]byte(strings.ToLower(r.address)))
	return plain(l.p.DeliveryID) + "." + hex.EncodeToString(sum[:6]) + "@" + l.domain()
}

// thread is what all messages about one ticket answer to, so that a mailbox
// shows them as one conversation; "" without a ticket. No message bears it.
func (l *letter) thread() string {
	if l.p.Ticket == nil {
		return ""
	}
	return "<" + plain(l.p.Ticket.ID) + "@" + l.domain() + ">"
}

func (l *letter) domain() string {
	if name := plain(l.instance); name != "" {
		return name
	}
	return "tocsin"
}

// plain is a text without what may not stand in a Message-ID.
func plain(text string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r) {
			return r
		}
		return -1
	}, text), ".")
}
