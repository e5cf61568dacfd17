// Package email sends alerts, and what becomes of their tickets, as mail over an
// SMTP server, one message a recipient. It receives nothing: an address that a
// server takes and another one bounces later is told to the sender's mailbox
// alone. It signs with DKIM where it has a key, encrypts nothing and fetches no
// OAuth tokens.
//
// Rules are those of RFC 5321 (SMTP), 5322 (messages), 3207 (STARTTLS), 3463
// (status codes), 3834 (automatic messages), 4954 (AUTH), 6376 and 8301 (DKIM).
package email

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Kind is email on the notice board. The messengers that one Kind opens share
// what they remember of deliveries that reached only some of their recipients.
func Kind() dispatch.Kind {
	reached := &memory{}
	return dispatch.Kind{
		Name: "email", Title: "Email",
		Description:    "Sends the alert by email through your mail server, one message to each recipient, and the ticket's status in the same thread.",
		SetupHelp:      setupHelp,
		BuiltIn:        true,
		Settings:       &Settings{TLS: startTLS, Auth: authAuto, FromName: "Tocsin"},
		ConfigSettings: &ConfigSettings{Uncertain: dispatch.Resend, Updates: updatesAlways},
		DefaultName:    "Email-Default",
		Capabilities:   []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate},
		// A receiver may know a repeat by its Message-ID, but none must, so the
		// kind is not Idempotent and the API config says what to do in doubt.
		// Greylisting ends after minutes (RFC 6647), a broken line in seconds.
		Patience: dispatch.Patience{First: 15 * time.Second, Most: time.Hour},
		Open: func(settings any, w dispatch.World) (dispatch.Messenger, error) {
			return open(settings, w, reached)
		},
	}
}

const setupHelp = `1. Give the mail server's **host** and the address that mail comes **from**. Bounces go to that address.
2. Give **user name** and **password** if the server asks for them. Accounts with two-step verification need an app password.
3. Keep TLS at STARTTLS (port 587), or choose IMPLICIT (port 465). Mail is never sent in clear text unless you choose NONE, which suits a relay on your own network.
4. Most mail servers sign with DKIM themselves. Where yours does not, give a private key as **dkimKey**, and the name of its public half in DNS as **dkimSelector**.
5. A server whose certificate your own authority signed needs that authority's certificate under **ca**.

A server on your own network must be allowed by the operator with ` + "`--allow-outbound`" + `.
Until host and sender are set, email waits and says so; nothing is lost.

Each recipient gets a message of their own, so an address that is refused keeps it from nobody else: the delivery counts as done when
at least one **to** address has it, and a notification names those that were refused. A retry goes only to those who do not have it yet.
After a restart of this server between two tries that is not known any more, and some may get a message twice, both with the same ` + "`Message-ID`" + `.

When the ticket is acknowledged, closed or opened again, a message in the same thread says so and by whom, unless the API config's **updates** says otherwise.`

type messenger struct {
	world   dispatch.World
	s       *Settings
	from    *mail.Address
	replyTo *mail.Address // nil when there is none
	roots   *x509.CertPool
	seal    *seal // nil when nothing is signed
	mask    call.Mask
	reached *memory
	turns   chan struct{} // holds one for each connection that is open
}

// connections is how many the server sees from one actor at once. Exchange
// Online takes three for each mailbox (learn.microsoft.com, sending limits).
const connections = 3

// longest is how long a delivery is held here; its lease runs meanwhile.
const longest = 8 * time.Second

func open(settings any, w dispatch.World, reached *memory) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open email: settings are %T", settings)
	}
	m := &messenger{
		world: w, s: s, mask: call.Hide(string(s.Password), string(s.DKIMKey)), reached: reached, turns: make(chan struct{}, connections),
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	var err error
	if m.from, err = address("settings.from", s.From); err != nil {
		return nil, err
	}
	m.from.Name = cmp.Or(m.from.Name, oneLine(s.FromName))
	if s.ReplyTo != "" {
		if m.replyTo, err = address("settings.replyTo", s.ReplyTo); err != nil {
			return nil, err
		}
	}
	if m.seal, err = s.seal(m.from.Address); err != nil {
		return nil, err
	}
	m.roots, err = roots(s.CA)
	return m, err
}

// Deliver sends the alert to each recipient who does not have it yet. What the
// server answered for each of them is in the attempt's record.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of email", p.Settings))
	}
	return m.send(ctx, m.letter(s, p))
}

// send carries a letter to each recipient who does not have it yet, and
// remembers who has it.
func (m *messenger) send(ctx context.Context, l *letter) dispatch.Outcome {
	leave, err := m.enter(ctx)
	if err != nil {
		return dispatch.Deferred(err).After(longest)
	}
	defer leave()
	m.reached.recall(l.key, l.recipients)
	m.carry(ctx, l)
	out := m.outcome(l)
	m.reached.keep(l.key, l.recipients, out.Kind() == dispatch.OutcomeDelivered)
	if out.Kind() == dispatch.OutcomeDelivered {
		m.notice(ctx, l)
	}
	return out
}

// Test logs in and sends nothing.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	leave, err := m.enter(ctx)
	if err != nil {
		return dispatch.Deferred(err)
	}
	defer leave()
	s, v := m.connect(ctx)
	if s == nil {
		return v.outcome(m.mask.Text(v.text))
	}
	defer s.close()
	if err := s.client.Noop(); err != nil {
		v = s.judge(atHello, err)
		return v.outcome(m.mask.Text(v.text))
	}
	return dispatch.Delivered(dispatch.Ref{}).Over(dispatch.Exchange{
		Response: m.mask.Text(fmt.Sprintf("%s %s; no mail was sent.", m.server(), s.manner)),
	})
}

// enter waits for a connection's turn. What cannot have one soon comes back
// later, so that its lease does not run out meanwhile.
func (m *messenger) enter(ctx context.Context) (leave func(), err error) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case m.turns <- struct{}{}:
		return func() { <-m.turns }, nil
	case <-timer.C:
		return nil, fmt.Errorf("%d connections to the mail server are in use, and others come first", connections)
	case <-ctx.Done():
		return nil, errors.New("the time given ended before it was this message's turn")
	}
}

// server is the address to dial.
func (m *messenger) server() string {
	port := m.s.Port
	if port == 0 {
		port = map[string]int{startTLS: 587, implicitTLS: 465, noTLS: 25}[m.s.TLS]
	}
	return net.JoinHostPort(strings.Trim(m.s.Host, "[]"), fmt.Sprint(port))
}
