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
	seal       *seal
	key        string // tells the message from all others to the same recipient
	urgent     bool
	loose      bool // nothing is to follow
	p          dispatch.Parcel
}

// recipient is one address, which gets a message of its own.
type recipient struct {
	address string
	copy    bool // has it for information: cc or bcc
	verdict verdict
}

// letter is the one that tells an alert.
func (m *messenger) letter(s *ConfigSettings, p dispatch.Parcel) *letter {
	l := m.blank(s, p)
	l.key, l.body, l.urgent = p.DeliveryID, compose(s, p), p.Alert.Severity == dispatch.Critical
	return l
}

// blank is a letter with nothing but those it is from and to.
func (m *messenger) blank(s *ConfigSettings, p dispatch.Parcel) *letter {
	l := &letter{instance: m.world.Instance, from: m.from, replyTo: m.replyTo, seal: m.seal, loose: s.Updates == updatesNever, p: p}
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
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(l.body.boundary(l.key)))
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
	if above := l.above(r); len(above) > 0 {
		m.SetGenHeader(gomail.HeaderInReplyTo, above[len(above)-1])
		m.SetGenHeader(gomail.HeaderReferences, strings.Join(above, " "))
	}
	if l.urgent {
		m.SetImportance(gomail.ImportanceHigh)
	}
	m.SetBodyString(gomail.TypeTextPlain, l.body.text)
	if l.body.html != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, l.body.html)
	}
	l.seal.on(m)
	var out bytes.Buffer
	_, err := m.WriteTo(&out)
	return out.Bytes(), err
}

// id is the Message-ID without its brackets, the same at every attempt.
func (l *letter) id(r *recipient) string { return l.idOf(l.key, r) }

func (l *letter) idOf(key string, r *recipient) string {
	sum := sha256.Sum256([]byte(strings.ToLower(r.address)))
	return plain(key) + "." + hex.EncodeToString(sum[:6]) + "@" + l.domain()
}

// above are the ids of the messages that this one stands below, the nearest
// last: the thread's root, and the first message as the recipient has it (RFC
// 5322, 3.6.4). None without a ticket.
func (l *letter) above(r *recipient) []string {
	root := l.thread()
	if root == "" {
		return nil
	}
	if l.p.Link == nil || l.p.Link.DeliveryID == "" || l.p.Link.DeliveryID == l.key {
		return []string{root}
	}
	return []string{root, "<" + l.idOf(l.p.Link.DeliveryID, r) + ">"}
}

// ref names the whole thread, so that a ticket has one copy with an API config
// however many messages there are; without a ticket, the message of one
// recipient.
func (l *letter) ref(first *recipient) dispatch.Ref {
	ref := dispatch.Ref{ID: l.thread(), Loose: l.loose}
	switch {
	case l.p.Link != nil: // what it was named before, it is named still
		ref.ID = l.p.Link.ExternalID
	case ref.ID == "":
		ref.ID = "<" + l.id(first) + ">"
	}
	return ref
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
