// Package slack posts alerts to Slack channels as a bot. It posts one message
// a delivery and never changes it; it reads nothing back from Slack.
//
// Limits and errors are those of docs.slack.dev as of 2026: chat.postMessage,
// rate limits, reference of blocks.
package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Kind is Slack on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "slack", Title: "Slack",
		Description: "Posts the alert to a Slack channel, with its facts and a link to the ticket.",
		SetupHelp:   setupHelp,
		Settings:    &Settings{APIURL: slack.APIURL},
		ConfigSettings: &ConfigSettings{
			Channel: "#alerts", Text: "{{.Alert.Summary}}", Uncertain: dispatch.Resend,
		},
		DefaultName:  "Slack-Default",
		Capabilities: []dispatch.Capability{dispatch.CanDeliver},
		Open:         open,
	}
}

const setupHelp = `1. On [api.slack.com/apps](https://api.slack.com/apps) make an app for your workspace.
2. Under **OAuth & Permissions** add the bot scope ` + "`chat:write`" + `; with ` + "`chat:write.public`" + ` the bot also posts to public channels that it has not joined.
3. Install the app and copy the **Bot User OAuth Token**, which begins with ` + "`xoxb-`" + `.
4. Invite the bot to each channel: ` + "`/invite @your-app`" + `.`

type messenger struct {
	world dispatch.World
	token string
	url   string
	mask  call.Mask
	lanes lanes
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open slack: settings are %T", settings)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &messenger{
		world: w, token: string(s.BotToken), mask: call.Hide(string(s.BotToken)),
		url: strings.TrimSuffix(s.APIURL, "/") + "/", // the library appends the method's name
	}, nil
}

// Deliver posts one message. A channel takes one a second: a short wait is
// waited out here, a longer one is the outcome's.
func (m *messenger) Deliver(ctx context.Context, p dispatch.Parcel) dispatch.Outcome {
	s, ok := p.Settings.(*ConfigSettings)
	if !ok {
		return dispatch.Refused(fmt.Errorf("settings are %T, not those of Slack", p.Settings))
	}
	channel := strings.TrimSpace(s.Channel)
	if wait, err := m.lanes.enter(ctx, channel); err != nil {
		return dispatch.Deferred(err).After(wait)
	}
	c := call.New(m.world.HTTP, m.mask)
	posted, ts, err := m.client(c).PostMessageContext(ctx, channel, message(s.Text, p)...)
	if out := judge(c, err); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	if ts == "" || posted == "" {
		return dispatch.Unsure(errors.New("slack says that it posted the message, but not where")).Over(c.Exchange())
	}
	return dispatch.Delivered(dispatch.Ref{
		ID: posted + ":" + ts, Data: map[string]string{"channel": posted, "ts": ts},
	}).Over(c.Exchange())
}

// Test logs in and posts nothing.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	c := call.New(m.world.HTTP, m.mask)
	who, err := m.client(c).AuthTestContext(ctx)
	if out := judge(c, err); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	kept := c.Exchange()
	scopes := strings.Split(strings.ReplaceAll(c.Header().Get("X-Oauth-Scopes"), " ", ""), ",")
	if scopes[0] != "" && !slices.Contains(scopes, "chat:write") {
		return dispatch.Misconfigured(fmt.Errorf("the bot %s of %s lacks the scope chat:write; add it under OAuth & Permissions and install the app again",
			who.User, who.Team)).Over(kept)
	}
	kept.Response = fmt.Sprintf("Logged in to the workspace %s as %s; nothing was posted.", who.Team, who.User)
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}

// client is made for each call: the call is what it talks through.
func (m *messenger) client(c *call.Call) *slack.Client {
	return slack.New(m.token, slack.OptionHTTPClient(c), slack.OptionAPIURL(m.url))
}

// judge is the outcome of a call to Slack. Nearly all errors come with HTTP 200.
func judge(c *call.Call, err error) dispatch.Outcome {
	out := c.Outcome()
	if out.Kind() != dispatch.OutcomeDelivered {
		return patient(c, out)
	}
	if said, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return refusal(c, said).Over(c.Exchange())
	}
	var answer struct{ OK *bool }
	if json.Unmarshal(c.Body(), &answer) != nil || answer.OK == nil {
		return dispatch.Unsure(c.Error("this is not an answer of Slack, so whether it acted is not known; check the network, and settings.apiUrl")).Over(c.Exchange())
	}
	if !*answer.OK {
		return dispatch.Deferred(errors.New("slack refused without saying why")).Over(c.Exchange())
	}
	if err != nil {
		return dispatch.Unsure(c.Masked("slack's answer cannot be read: " + err.Error())).Over(c.Exchange())
	}
	return out
}
