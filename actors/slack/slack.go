// Package slack posts alerts to Slack channels as a bot, with buttons that move
// the ticket, and keeps the messages at the ticket's status. One message is made
// for a ticket and changed in place; what follows goes into its thread. It makes
// no channels, reads no conversations but to look for a message of its own, and
// knows of a person only the name.
//
// Limits and errors are those of docs.slack.dev as of 2026: chat.postMessage,
// chat.update, rate limits, reference of blocks, handling user interaction,
// Socket Mode.
package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/actors/internal/call"
	"tocsin/dispatch"
)

// Kind is Slack on the notice board.
func Kind() dispatch.Kind {
	return dispatch.Kind{
		Name: "slack", Title: "Slack",
		Description: "Posts the alert to a Slack channel, with its facts, a link to the ticket and buttons that move it, and keeps the message at the ticket's status." +
			" Built from Slack's documentation, and not yet run against a live workspace.",
		SetupHelp: setupHelp,
		Settings:  &Settings{APIURL: slack.APIURL},
		ConfigSettings: &ConfigSettings{
			Channel: "#alerts", Text: "{{.Alert.Summary}}", Uncertain: dispatch.Resend,
		},
		DefaultName:  "Slack-Default",
		Capabilities: []dispatch.Capability{dispatch.CanDeliver, dispatch.CanUpdate, dispatch.CanReceive, dispatch.CanListen},
		Mirror:       true,
		Open:         open,
	}
}

const setupHelp = `1. On [api.slack.com/apps](https://api.slack.com/apps) make an app for your workspace.
2. Under **OAuth & Permissions** add the bot scope ` + "`chat:write`" + `. Useful besides: ` + "`chat:write.public`" + ` posts to public channels that the bot has not joined; ` + "`users:read`" + ` names who clicked a button by the full name; ` + "`channels:history`, `groups:history`, `channels:read` and `groups:read`" + ` let the bot look whether a message arrived whose answer was lost.
3. Install the app and copy the **Bot User OAuth Token**, which begins with ` + "`xoxb-`" + `.
4. Invite the bot to each channel: ` + "`/invite @your-app`" + `.

For buttons that acknowledge, close and reopen the ticket, do one of these:

- **Socket Mode**, when this server has no public address: turn it on under **Socket Mode**, turn on **Interactivity & Shortcuts**, and give an app-level token with ` + "`connections:write`" + ` as **App-level token**.
- **Web request**: under **Interactivity & Shortcuts** give this actor's inbound address as **Request URL**, and the **Signing Secret** from **Basic Information** to this actor.

Everyone who can see the message can click. Without either the messages have no buttons, and still follow the ticket.`

type messenger struct {
	world    dispatch.World
	settings *Settings
	url      string
	mask     call.Mask
	lanes    lanes
	updates  *lane
	channels channels
	people   people
	home     home
}

func open(settings any, w dispatch.World) (dispatch.Messenger, error) {
	s, ok := settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("open slack: settings are %T", settings)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	return &messenger{
		world: w, settings: s,
		mask: call.Hide(string(s.BotToken), string(s.SigningSecret), string(s.AppToken)),
		url:  strings.TrimSuffix(s.APIURL, "/") + "/", // the library appends the method's name
		// 50 a minute and short bursts: docs.slack.dev, rate limits, tier 3.
		updates: newLane(1200*time.Millisecond, 10),
	}, nil
}

// Test logs in and posts nothing.
func (m *messenger) Test(ctx context.Context) dispatch.Outcome {
	c := m.call()
	who, err := m.client(c).AuthTestContext(ctx)
	if out := judge(c, err); out.Kind() != dispatch.OutcomeDelivered {
		return out
	}
	m.home.keep(who)
	kept := c.Exchange()
	scopes := strings.Split(strings.ReplaceAll(c.Header().Get("X-Oauth-Scopes"), " ", ""), ",")
	if scopes[0] != "" && !slices.Contains(scopes, "chat:write") {
		return dispatch.Misconfigured(fmt.Errorf("the bot %s of %s lacks the scope chat:write; add it under OAuth & Permissions and install the app again",
			who.User, who.Team)).Over(kept)
	}
	kept.Response = fmt.Sprintf("Logged in to the workspace %s as %s; nothing was posted.", who.Team, who.User)
	if m.Listens() {
		if _, out := m.address(ctx); out.Kind() != dispatch.OutcomeDelivered {
			return out
		}
		kept.Response += " Socket Mode is granted."
	}
	return dispatch.Delivered(dispatch.Ref{}).Over(kept)
}

func (m *messenger) call() *call.Call { return call.New(m.world.HTTP, m.mask) }

// client is made for each call: the call is what it talks through.
func (m *messenger) client(c *call.Call) *slack.Client {
	return slack.New(string(m.settings.BotToken), slack.OptionHTTPClient(c), slack.OptionAPIURL(m.url),
		slack.OptionAppLevelToken(string(m.settings.AppToken)))
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

// code is Slack's name of an error that it answered; "" when it is none.
func code(err error) string {
	said, _ := errors.AsType[slack.SlackErrorResponse](err)
	return said.Err
}
