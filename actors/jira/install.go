package jira

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"tocsin/dispatch"
)

// Install makes an admin webhook for the issues of ours, with a secret of our own
// making, and gives that behind those that are there: an earlier webhook goes on
// until a person deletes it. It takes the token of an administrator.
// Source: developer.atlassian.com, "Webhooks", registering by the REST API.
func (m *messenger) Install(ctx context.Context, inboundURL string) (map[string]dispatch.Secret, dispatch.Outcome) {
	if u, err := url.Parse(inboundURL); err != nil || u.Host == "" {
		return nil, dispatch.Refused(errors.New("this server has no public address that Jira could call; set one and try again"))
	}
	secret := rand.Text() + rand.Text()
	body := map[string]any{
		"name": "Tocsin " + m.world.Instance, "url": inboundURL, "events": []string{eventUpdated, eventDeleted},
		"filters": map[string]string{"issue-related-events-section": `labels = "` + label + `"`}, "excludeBody": false, "secret": secret,
	}
	out := m.ask(ctx, request{method: http.MethodPost, path: "/rest/webhooks/1.0/webhook", body: body, writes: true, secret: secret}, nil)
	if status := out.Exchange().HTTPStatus; status == http.StatusForbidden || status == http.StatusNotFound {
		return nil, dispatch.Refused(errors.New("the account is no administrator of Jira; give the token of one, or set the webhook up by hand")).Over(out.Exchange())
	}
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	kept := strings.Join(append(m.settings.webhookSecrets(), secret), " ")
	return map[string]dispatch.Secret{"webhookSecret": dispatch.Secret(kept)}, dispatch.Delivered(dispatch.Ref{})
}
