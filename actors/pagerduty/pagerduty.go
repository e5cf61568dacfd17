// Package pagerduty triggers alerts in PagerDuty through its Events API v2,
// carries the status of tickets there, and takes in what people do there, by
// Webhooks v3 and, with a token, by asking the REST API. It makes no incidents by
// the REST API and manages no services, schedules or users.
//
// Limits and answers are those of developer.pagerduty.com, "Events API v2",
// "Webhooks v3" and "REST API v2", as of 2026.
package pagerduty

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/PagerDuty/go-pagerduty"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Kind is PagerDuty on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "pagerduty", Title: "PagerDuty",
		Description: "Triggers an alert on a PagerDuty service, one for each ticket, and keeps ticket and incident the same.",
		SetupHelp:   setupHelp,
		Settings: &Settings{
			EventsURL: "https://events.pagerduty.com", APIURL: "https://api.pagerduty.com",
		},
		ConfigSettings: &ConfigSettings{Summary: "{{.Alert.Summary}}", Source: "tocsin"},
		DefaultName:    "PagerDuty-Default",
		Capabilities:   []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate, dispatch.CanReceive, dispatch.CanPoll},
		Idempotent:     true, // a repeat has the same dedup_key and joins the open alert
		Open:           open,
	}
}

const setupHelp = `1. In PagerDuty open the service, **Integrations**, **Add an integration**, **Events API V2**.
2. Copy the **Integration Key**, 32 characters, as integrationKey. Alerts go out with it alone, and so do acknowledge, close and reopen.
3. Accounts in the EU region set the addresses ` + "`https://events.eu.pagerduty.com`" + ` and ` + "`https://api.eu.pagerduty.com`" + `.

To hear of what people do in PagerDuty:

1. Open **Integrations**, **Generic Webhooks (v3)**, **New Webhook**.
2. Give this actor's inboundUrl as **Webhook URL** and the service as **Scope**, and select the events *incident.triggered, acknowledged, unacknowledged, resolved, reopened, reassigned, escalated* and *annotated*.
3. PagerDuty shows the secret of the webhook once: copy it as webhookSecret. While one webhook replaces another, give both secrets with a space between them.

With a REST API token (**Integrations**, **API Access Keys**) installActorWebhook does these steps, for the service of serviceId or the whole account. The token also lets the connection be tested without an alert, finds the tickets of incidents that group several alerts, and asks how incidents stand where a webhook was missed; read-only is enough for that. An acknowledgement can only be taken back with a token that may write and the email of a user in from.

This was built from PagerDuty's documentation and from published webhook bodies and was not run against a live account.`

type messenger struct {
	world    dispatch.World
	settings *Settings
	mask     call.Mask

	mu  sync.Mutex
	bot *string // the id of the token's user, once it is known; "" when it has none
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open pagerduty: settings are %T", settings)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &messenger{world: w, settings: s, mask: s.mask()}, nil
}

// Deliver triggers an alert. PagerDuty takes an event before it looks at it
// closely, so delivered means accepted. A follow-up goes to the ticket's alert,
// which stays acknowledged when it is; of a resolved one it opens another.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of PagerDuty", p.Settings))
	}
	ref := dispatch.Ref{Word: wordTriggered}
	if p.Link != nil {
		switch p.Link.Seen {
		case dispatch.TicketAcknowledged:
			ref.Shows, ref.Word = dispatch.TicketAcknowledged, wordAcknowledged
		case dispatch.TicketClosed: // said, for else the copy is taken to be closed still
			ref.Shows = dispatch.TicketOpen
		case dispatch.TicketOpen:
		}
	}
	return m.trigger(ctx, s, p, ref)
}

// trigger sends what opens an alert, or joins the open one.
func (m *messenger) trigger(ctx context.Context, s *ConfigSettings, p dispatch.Parcel, ref dispatch.Ref) dispatch.Outcome {
	e, err := event(m.world.Instance, s, p)
	if err != nil {
		return dispatch.Refused(fmt.Errorf("write the alert as JSON: %w", err))
	}
	return m.send(ctx, e, ref)
}

// send hands an event over; ref is what is known of the copy once it is taken.
func (m *messenger) send(ctx context.Context, e *pagerduty.V2Event, ref dispatch.Ref) dispatch.Outcome {
	e.RoutingKey = string(m.settings.IntegrationKey)
	c := m.call()
	answer, err := m.client(c).ManageEventWithContext(ctx, e)
	out := judge(c)
	if out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if err != nil || answer.Status != "success" {
		return dispatch.Unsure(c.Error("this is not an answer of PagerDuty; check the network, and settings.eventsUrl")).Over(c.Exchange())
	}
	ref.ID = cmp.Or(answer.DedupKey, e.DedupKey)
	return dispatch.Delivered(ref).Over(c.Exchange())
}

// Test asks what the account may do. Without a token there is nothing to ask:
// only an event would show whether the integration key is known.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	if m.settings.Token == "" {
		return dispatch.Delivered(dispatch.Ref{}).Over(dispatch.Exchange{
			Response: "The integration key has the right form. Whether PagerDuty knows it shows only when an alert is sent; with a REST API token the connection can be tested.",
		})
	}
	c := m.call()
	_, err := m.client(c).ListAbilitiesWithContext(ctx)
	out := judge(c)
	switch {
	case isForbidden(c):
		return dispatch.Misconfigured(c.Error(badToken)).Over(c.Exchange())
	case out.Kind() != dispatch.OutcomeDelivered:
		return out
	case err != nil:
		return dispatch.Refused(c.Error("this is not an answer of PagerDuty; check settings.apiUrl")).Over(c.Exchange())
	}
	kept := c.Exchange()
	kept.Response = "Logged in with the token; the integration key has the right form. No alert was sent."
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}

func (m *messenger) call() *call.Call { return call.New(m.world.HTTP, m.mask) }

// client is made for each call: the call is what it talks through, and what
// keeps the answer's text, which the library drops.
func (m *messenger) client(c *call.Call) *pagerduty.Client {
	client := pagerduty.NewClient(string(m.settings.Token),
		pagerduty.WithV2EventsAPIEndpoint(strings.TrimSuffix(m.settings.EventsURL, "/")),
		pagerduty.WithAPIEndpoint(m.api()))
	client.HTTPClient = c
	return client
}

func (m *messenger) api() string { return strings.TrimSuffix(m.settings.APIURL, "/") }

// do makes a REST call that the library has no method for, or one whose answer
// it reads too strictly.
func (m *messenger) do(c *call.Call, r *http.Request) dispatch.Outcome {
	response, err := m.client(c).Do(r, true)
	if err == nil {
		_ = response.Body.Close() // the call has read it
	}
	return answered(c)
}
