// Package pagerduty triggers alerts in PagerDuty through its Events API v2. It
// resolves and acknowledges nothing and reads no incidents.
//
// Limits and answers are those of developer.pagerduty.com, "Events API v2" and
// "Send an alert event", as of 2026.
package pagerduty

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Kind is PagerDuty on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "pagerduty", Title: "PagerDuty",
		Description: "Triggers an alert on a PagerDuty service, one for each ticket.",
		SetupHelp:   setupHelp,
		Settings: &Settings{
			EventsURL: "https://events.pagerduty.com", APIURL: "https://api.pagerduty.com",
		},
		ConfigSettings: &ConfigSettings{Summary: "{{.Alert.Summary}}", Source: "tocsin"},
		DefaultName:    "PagerDuty-Default",
		Capabilities:   []dispatch.Capability{dispatch.CanDeliver},
		Idempotent:     true, // a repeat has the same dedup_key and joins the open alert
		Open:           open,
	}
}

const setupHelp = `1. In PagerDuty open the service, **Integrations**, **Add an integration**, **Events API V2**.
2. Copy the **Integration Key**, 32 characters.
3. Accounts in the EU region set the addresses ` + "`https://events.eu.pagerduty.com`" + ` and ` + "`https://api.eu.pagerduty.com`" + `.

With a REST API token (**Integrations**, **API Access Keys**, read-only is enough) the connection can be tested without an alert.`

type messenger struct {
	world    dispatch.World
	settings *Settings
	mask     call.Mask
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open pagerduty: settings are %T", settings)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &messenger{world: w, settings: s, mask: call.Hide(string(s.IntegrationKey), string(s.Token))}, nil
}

// Deliver triggers an alert. PagerDuty takes an event before it looks at it
// closely, so delivered means accepted.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of PagerDuty", p.Settings))
	}
	e, err := event(m.world.Instance, s, p)
	if err != nil {
		return dispatch.Refused(fmt.Errorf("write the alert as JSON: %w", err))
	}
	e.RoutingKey = string(m.settings.IntegrationKey)
	c := call.New(m.world.HTTP, m.mask)
	answer, err := m.client(c).ManageEventWithContext(ctx, e)
	out := judge(c)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if err != nil || answer.Status != "success" {
		return dispatch.Unsure(c.Error("this is not an answer of PagerDuty; check the network, and settings.eventsUrl")).Over(c.Exchange())
	}
	return dispatch.Delivered(dispatch.Ref{ID: cmp.Or(answer.DedupKey, e.DedupKey)}).Over(c.Exchange())
}

// Test asks what the account may do. Without a token there is nothing to ask:
// only an event would show whether the integration key is known.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	if m.settings.Token == "" {
		return dispatch.Delivered(dispatch.Ref{}).Over(dispatch.Exchange{
			Response: "The integration key has the right form. Whether PagerDuty knows it shows only when an alert is sent; with a REST API token the connection can be tested.",
		})
	}
	c := call.New(m.world.HTTP, m.mask)
	_, err := m.client(c).ListAbilitiesWithContext(ctx)
	out := judge(c)
	switch {
	case c.Status() == http.StatusUnauthorized || c.Status() == http.StatusForbidden:
		return dispatch.Misconfigured(c.Error("secrets.token is not accepted; copy an API access key of this account again")).Over(c.Exchange())
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case err != nil:
		return dispatch.Refused(c.Error("this is not an answer of PagerDuty; check settings.apiUrl")).Over(c.Exchange())
	}
	kept := c.Exchange()
	kept.Response = "Logged in with the token; the integration key has the right form. No alert was sent."
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}

// client is made for each call: the call is what it talks through, and what
// keeps the answer's text, which the library drops.
func (m *messenger) client(c *call.Call) *pagerduty.Client {
	client := pagerduty.NewClient(string(m.settings.Token),
		pagerduty.WithV2EventsAPIEndpoint(strings.TrimSuffix(m.settings.EventsURL, "/")),
		pagerduty.WithAPIEndpoint(strings.TrimSuffix(m.settings.APIURL, "/")))
	client.HTTPClient = c
	return client
}

// pause is what PagerDuty advises to wait after a rate limit, for which it
// promises no Retry-After.
const pause = 30 * time.Second

func judge(c *call.Call) dispatch.Outcome {
	out := c.Outcome()
	switch c.Status() {
	case http.StatusTooManyRequests:
		return out.After(cmp.Or(out.Wait(), reset(c), pause))
	case http.StatusBadRequest:
		return refusal(c).Over(c.Exchange())
	default:
		return out
	}
}

// reset is the REST API's own header for a rate limit, in seconds.
func reset(c *call.Call) time.Duration {
	seconds, err := strconv.Atoi(c.Header().Get("Ratelimit-Reset"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// refusal says why PagerDuty does not take an event, in its own words.
func refusal(c *call.Call) dispatch.Outcome {
	var answer struct {
		Status, Message string
		Errors          json.RawMessage // a list of texts, or a text, or absent
	}
	if json.Unmarshal(c.Body(), &answer) != nil || answer.Status+answer.Message == "" {
		return dispatch.Refused(c.Error(""))
	}
	text := strings.Join(words(answer.Errors), ", ")
	err := errors.New(dispatch.Cut(c.Error(strings.Join(filled(answer.Status, answer.Message, text), ": ")).Error(), 1000))
	if strings.Contains(text, "routing_key") {
		return dispatch.Misconfigured(fmt.Errorf("secrets.integrationKey is not accepted; copy it again from the service's integrations: %w", err))
	}
	return dispatch.Refused(err)
}

// words are the texts of a list, or what there is instead.
func words(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []string{text}
	}
	return []string{string(raw)}
}

func filled(texts ...string) []string {
	var out []string
	for _, text := range texts {
		if text != "" {
			out = append(out, text)
		}
	}
	return out
}
