package slack

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"

	"github.com/slack-go/slack"

	"tocsin/dispatch"
)

// Receive takes clicks on buttons, signed with the app's secret not more than
// five minutes ago. What is authentic and not ours is answered 200 and changes
// nothing, since Slack shows any other answer to the person as an error.
// Source: docs.slack.dev, verifying requests from Slack, handling user interaction.
func (m *messenger) Receive(ctx context.Context, r dispatch.Inbound) ([]dispatch.StatusChange, dispatch.Reply) {
	if m.settings.SigningSecret != "" && r.Method == http.MethodGet && isCheck(r.Query) {
		return nil, dispatch.Reply{Status: http.StatusOK}
	}
	if !m.isAuthentic(r) {
		return nil, dispatch.Reply{Status: http.StatusUnauthorized, Body: "the request is not signed with this app's signing secret"}
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == "application/json" {
		return nil, m.hear(ctx, r.Body)
	}
	// The payload of the body alone: what stands in the address is not signed.
	form, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, dispatch.Reply{Status: http.StatusBadRequest, Body: "the form cannot be read"}
	}
	if form.Get("payload") == "" {
		return nil, dispatch.Reply{Status: http.StatusOK}
	}
	changes, err := m.changes(ctx, []byte(form.Get("payload")))
	switch {
	case errors.Is(err, errForeign):
		return nil, dispatch.Reply{Status: http.StatusForbidden, Body: err.Error()}
	case err != nil:
		return nil, dispatch.Reply{Status: http.StatusBadRequest, Body: err.Error()}
	default:
		return changes, dispatch.Reply{Status: http.StatusOK}
	}
}

// isCheck tells whether Slack only looks at the certificate.
func isCheck(query map[string][]string) bool {
	return len(query["ssl_check"]) == 1 && query["ssl_check"][0] == "1"
}

func (m *messenger) isAuthentic(r dispatch.Inbound) bool {
	if m.settings.SigningSecret == "" {
		return false
	}
	v, err := slack.NewSecretsVerifier(r.Header, string(m.settings.SigningSecret))
	if err != nil {
		return false
	}
	_, err = v.Write(r.Body)
	return err == nil && v.Ensure() == nil
}

// hear takes what Slack tells of the app itself: nothing of it is about a ticket.
// Source: docs.slack.dev, Events API.
func (m *messenger) hear(ctx context.Context, body []byte) dispatch.Reply {
	var e struct {
		Type, Challenge string
		Event           struct{ Type string }
	}
	if json.Unmarshal(body, &e) != nil {
		return dispatch.Reply{Status: http.StatusBadRequest, Body: "the event cannot be read"}
	}
	switch {
	case e.Type == "url_verification":
		return dispatch.Reply{Status: http.StatusOK, Type: "text/plain", Body: e.Challenge}
	case e.Event.Type == "app_uninstalled" || e.Event.Type == "tokens_revoked":
		m.world.Log.WarnContext(ctx, "slack says that the app was removed from the workspace, or its token revoked", "event", e.Event.Type)
	}
	return dispatch.Reply{Status: http.StatusOK}
}
