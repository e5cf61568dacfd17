// Package webhook delivers alerts and changes of tickets to any HTTP endpoint in
// the form of the Standard Webhooks specification, signed where a secret is
// given, and takes signed callbacks that change a ticket. It follows no redirect
// and retries nothing itself.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Kind is the webhook on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "webhook", Title: "Webhook",
		Description:    "Sends the alert and each change of its ticket as JSON to a web address, in the form and with the signature of Standard Webhooks, and takes signed callbacks that move the ticket.",
		SetupHelp:      setupHelp,
		Settings:       &Settings{Method: http.MethodPost},
		ConfigSettings: &ConfigSettings{EventType: "alert.raised", Envelope: standard, ContentType: "application/json", Updates: true},
		DefaultName:    "Webhook-Default",
		Capabilities:   []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate, dispatch.CanReceive},
		AtOnce:         64,
		Idempotent:     true, // receivers know a repeat by its webhook-id
		Patience:       dispatch.Patience{First: 5 * time.Second, Most: time.Hour},
		Open:           open,
	}
}

const setupHelp = `Give the address that takes the alerts. It must answer with a status from 200 to 299; redirects are not followed.

Every request carries ` + "`webhook-id`" + ` (the same when an alert is sent again) and ` + "`webhook-timestamp`" + `.
With a signing secret it also carries ` + "`webhook-signature`" + `, which any Standard Webhooks library verifies.
A secret is ` + "`whsec_`" + ` and 24 to 64 random bytes in base64, for example from
` + "`echo whsec_$(openssl rand -base64 32)`" + `.

To change over to a new secret, give the old one as the previous: both sign until you take it out.
A secret that begins with ` + "`whsk_`" + ` signs with an ed25519 key; a test of the actor tells the public key for the receiver.

An API config may ask for the form of CloudEvents instead, or give a body of its own, such as
` + "`{\"text\": \"{{.Alert.Summary}}\"}`" + `. Nothing follows a body of its own when the ticket changes.

When a ticket changes, the receiver gets an event ` + "`ticket.updated`" + ` with its status.
To change the ticket from there, give an inbound secret, and send to the actor's inbound address, signed in the same way,
` + "`{\"ticketId\": \"tkt_…\", \"status\": \"ACKNOWLEDGED\", \"by\": \"jdoe\", \"comment\": \"on it\"}`" + `, with ` + "`OPEN`, `ACKNOWLEDGED` or `CLOSED`" + `.
Instead of ` + "`ticketId`" + ` you may send ` + "`externalId`" + `: the ` + "`id`" + ` that you answered with, as JSON, when you took the alert; a ` + "`url`" + ` in that answer is shown with the ticket.

An address on your own network must be allowed by the operator with ` + "`--allow-outbound`" + `.`

type messenger struct {
	world   dispatch.World
	method  string
	url     *url.URL
	by      []signer // none when unsigned
	inbound []byte   // nil when nothing is taken in
	header  map[string]string
	mask    call.Mask
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open webhook: settings are %T", settings)
	}
	u, err := call.Address("settings.url", s.URL)
	if err != nil {
		return nil, err
	}
	by, err := s.signers()
	if err != nil {
		return nil, err
	}
	inbound, err := s.inboundKey()
	if err != nil {
		return nil, err
	}
	if err := checkHeaders(s.Headers); err != nil {
		return nil, err
	}
	return &messenger{
		world: w, method: s.Method, url: u, by: by, inbound: inbound, header: s.Headers, mask: call.Hide(s.secrets(u)...),
	}, nil
}

// Deliver sends the alert once. Any status from 200 to 299 means delivered. The
// ticket's id names the copy, so that alerts of one ticket share it.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of a webhook", p.Settings))
	}
	if s.Body != "" {
		l, err := s.own()
		return m.deliver(ctx, p, s, l, err)
	}
	l, err := alertEvent(s.EventType, p).write(s.Envelope, m.world.Instance)
	return m.deliver(ctx, p, s, l, err)
}

func (m *messenger) deliver(ctx context.Context, p dispatch.Parcel, s *ConfigSettings, l letter, err error) dispatch.Outcome {
	if err != nil {
		return dispatch.Refused(fmt.Errorf("write the message: %w", err))
	}
	c, out := m.send(ctx, p.DeliveryID, l)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	return dispatch.Delivered(refOf(p.Ticket, s, c.Body())).Over(c.Exchange())
}

// send sends a letter once.
func (m *messenger) send(ctx context.Context, id string, l letter) (*call.Call, dispatch.Outcome) {
	r, err := m.request(ctx, id, time.Now(), l)
	if err != nil {
		return nil, dispatch.Refused(fmt.Errorf("make the request: %w", err))
	}
	c := call.New(m.world.HTTP, m.mask)
	response, err := c.Do(r)
	if err == nil {
		defer response.Body.Close()
	}
	return c, judge(c)
}

func (m *messenger) request(ctx context.Context, id string, now time.Time, l letter) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, m.method, m.url.String(), bytes.NewReader(l.body))
	if err != nil {
		return nil, err
	}
	for name, value := range l.header {
		r.Header.Set(name, value)
	}
	for name, value := range m.header {
		r.Header.Set(name, value)
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", timestamp)
	if len(m.by) > 0 {
		r.Header.Set("Webhook-Signature", signatures(m.by, id, timestamp, l.body))
	}
	return r, nil
}

// Test opens a connection, with TLS where the address asks for it, and sends
// nothing: no request to a webhook is without effect.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	port := m.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[m.url.Scheme]
	}
	conn, err := m.world.Dial(ctx, "tcp", net.JoinHostPort(m.url.Hostname(), port))
	if err != nil {
		return call.Unreached(m.url.Host, m.mask, err)
	}
	defer conn.Close()
	if m.url.Scheme == "https" {
		secured := tls.Client(conn, &tls.Config{ServerName: m.url.Hostname(), MinVersion: tls.VersionTLS12})
		if err := secured.HandshakeContext(ctx); err != nil {
			return call.Unreached(m.url.Host, m.mask, err)
		}
	}
	return dispatch.Delivered(dispatch.Ref{}).Over(dispatch.Exchange{
		Response: m.url.Host + " accepts connections; nothing was sent, so whether it takes alerts is not known. Test an API config to send one." + m.keys(),
	})
}

// keys are the public keys by which a receiver verifies, as sentences.
func (m *messenger) keys() string {
	var text strings.Builder
	for _, s := range m.by {
		if key := s.public(); key != "" {
			text.WriteString(" Public key: " + key)
		}
	}
	return text.String()
}
