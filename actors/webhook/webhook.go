// Package webhook delivers alerts to any HTTP endpoint in the form of the
// Standard Webhooks specification, signed where a secret is given. It follows
// no redirect, retries nothing itself and receives nothing.
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
		Description:    "Sends the alert as JSON to a web address, in the form and with the signature of Standard Webhooks.",
		SetupHelp:      setupHelp,
		Settings:       &Settings{Method: http.MethodPost},
		ConfigSettings: &ConfigSettings{EventType: "alert.raised"},
		DefaultName:    "Webhook-Default",
		Capabilities:   []dispatch.Capability{dispatch.CanDeliver},
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

An address on your own network must be allowed by the operator with ` + "`--allow-outbound`" + `.`

type messenger struct {
	world  dispatch.World
	method string
	url    *url.URL
	key    []byte // nil when unsigned
	header map[string]string
	mask   call.Mask
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
	key, err := signingKey(string(s.SigningSecret))
	if err != nil {
		return nil, err
	}
	if err := checkHeaders(s.Headers); err != nil {
		return nil, err
	}
	return &messenger{world: w, method: s.Method, url: u, key: key, header: s.Headers, mask: call.Hide(s.secrets(u)...)}, nil
}

// Deliver sends the alert once. Any status from 200 to 299 means delivered.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of a webhook", p.Settings))
	}
	body, err := message(s.EventType, p)
	if err != nil {
		return dispatch.Refused(fmt.Errorf("write the alert as JSON: %w", err))
	}
	r, err := m.request(ctx, p.DeliveryID, time.Now(), body)
	if err != nil {
		return dispatch.Refused(fmt.Errorf("make the request: %w", err))
	}
	c := call.New(m.world.HTTP, m.mask)
	response, err := c.Do(r)
	if err == nil {
		defer response.Body.Close()
	}
	if c.Status() == http.StatusGone {
		return dispatch.Refused(c.Error("the receiver is gone for good; change the actor's url, or take it out of the action")).Over(c.Exchange())
	}
	return c.Outcome()
}

func (m *messenger) request(ctx context.Context, id string, now time.Time, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, m.method, m.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range m.header {
		r.Header.Set(name, value)
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", timestamp)
	if m.key != nil {
		r.Header.Set("Webhook-Signature", sign(m.key, id, timestamp, body))
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
		Response: m.url.Host + " accepts connections; nothing was sent, so whether it takes alerts is not known. Test an API config to send one.",
	})
}

// secrets are all that must not show in a record.
func (s *Settings) secrets(u *url.URL) []string {
	secrets := []string{string(s.SigningSecret), strings.TrimPrefix(string(s.SigningSecret), secretPrefix)}
	for _, value := range s.Headers {
		_, credential, _ := strings.Cut(value, " ") // what stands behind Bearer or Basic
		secrets = append(secrets, value, strings.TrimSpace(credential))
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	return secrets
}
