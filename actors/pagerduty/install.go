package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"tocsin/dispatch"
)

// subscription is what the REST API calls a webhook. The secret is in the answer
// that makes it and never again.
// Source: developer.pagerduty.com, create a webhook subscription.
type subscription struct {
	Type        string   `json:"type"`
	Description string   `json:"description"`
	Events      []string `json:"events"`
	Filter      filter   `json:"filter"`
	Method      method   `json:"delivery_method"`
}

type filter struct {
	Type string `json:"type"`
	ID   string `json:"id,omitempty"`
}

type method struct {
	Type   string `json:"type"`
	URL    string `json:"url"`
	Secret string `json:"secret,omitempty"`
}

type subscribing struct {
	Subscription subscription `json:"webhook_subscription"`
}

// Install makes a webhook subscription for the service, or for the account, and
// gives its secret behind those that are there: an earlier subscription goes on
// until a person deletes it.
func (m *messenger) Install(ctx context.Context, inboundURL string) (map[string]dispatch.Secret, dispatch.Outcome) {
	if m.settings.Token == "" {
		return nil, dispatch.Misconfigured(errors.New("secrets.token is missing; give a REST API token that may write, or set the webhook up in PagerDuty"))
	}
	if u, err := url.Parse(inboundURL); err != nil || u.Host == "" {
		return nil, dispatch.Refused(errors.New("this server has no public address that PagerDuty could call; set one and try again"))
	}
	text, err := json.Marshal(subscribing{m.wanted(inboundURL)})
	if err != nil {
		return nil, dispatch.Refused(fmt.Errorf("write the subscription as JSON: %w", err))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.api()+"/webhook_subscriptions", bytes.NewReader(text))
	if err != nil {
		return nil, dispatch.Refused(fmt.Errorf("ask for a webhook subscription: %w", err))
	}
	c := m.call()
	out := m.do(c, r)
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	var answer subscribing
	if json.Unmarshal(c.Body(), &answer) != nil || len(strings.Fields(answer.Subscription.Method.Secret)) != 1 {
		return nil, dispatch.Refused(errors.New("the answer holds no secret; look in PagerDuty whether there is a subscription, delete it, and set the webhook up by hand"))
	}
	secret := answer.Subscription.Method.Secret
	kept := strings.Join(append(m.settings.webhookSecrets(), secret), " ")
	return map[string]dispatch.Secret{"webhookSecret": dispatch.Secret(kept)}, dispatch.Delivered(dispatch.Ref{})
}

func (m *messenger) wanted(inboundURL string) subscription {
	s := subscription{
		Type: "webhook_subscription", Description: "Tocsin " + m.world.Instance, Events: eventTypes,
		Filter: filter{Type: "account_reference"}, Method: method{Type: "http_delivery_method", URL: inboundURL},
	}
	if m.settings.ServiceID != "" {
		s.Filter = filter{Type: "service_reference", ID: m.settings.ServiceID}
	}
	return s
}
